"""`conduit benchstat -growth=/n`: how each benchmark's cost grows with a numeric parameter of its name."""

from __future__ import annotations

import json
import math
import re
import sys
from typing import TYPE_CHECKING

from conduit.bench.statistics.growth import Growth, fit_growth
from conduit.bench.statistics.samples import sort_values, summarize
from conduit.bench.text.reader import file_records, name_inputs
from conduit.bench.text.unit_metadata import UnitMetadata
from conduit.bench.text.units import common_scaler, is_binary
from conduit.cli.terminal_text import complain
from conduit.errors import BenchmarkFileError, UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from conduit.bench.statistics.samples import Summary

Series = dict[tuple[str, str], dict[float, list[float]]]
_BAR = 24  # characters of the longest bar
_EIGHTHS = " ▏▎▍▌▋▊▉"


def print_growth(key: str, files: Sequence[str], *, confidence: float, as_json: bool) -> None:
    """Print a table and the fitted growth of every benchmark and unit that has the parameter `key`, such as `/n`.

    Raises `UsageError` for a key of another form, and `BenchmarkFileError` if no result has the parameter.
    """
    if not re.fullmatch(r"/[^/=\s]+", key):
        raise UsageError(
            f"-growth={key}: expected a parameter of the names, such as /n for BenchmarkSort/n=100"
        )
    series = _read(key[1:], files)
    if not series:
        raise BenchmarkFileError(
            files[0], f"{', '.join(files)}: no name has a number for {key}, as in /n=100"
        )
    if as_json:
        print(json.dumps([_record(*names, costs, confidence) for names, costs in series.items()], indent=2))
        return
    blocks = [_block(*names, key[1:], costs, confidence) for names, costs in series.items()]
    sys.stdout.write("\n\n".join("\n".join(lines) for lines in blocks) + "\n")


def _read(parameter: str, files: Sequence[str]) -> Series:
    """Return values by benchmark (without the parameter) and unit, and by size."""
    found: Series = {}
    part = re.compile(rf"/{re.escape(parameter)}=(?P<value>[0-9][0-9_]*(?:\.[0-9]+)?)(?P<end>-\d+$|/|$)")
    for result in file_records(name_inputs(files), UnitMetadata(), lambda error: complain(str(error))):
        match = part.search(result.name)
        if match is None:
            continue
        name = part.sub(r"\g<end>", result.name, count=1)
        size = float(match["value"].replace("_", ""))
        for column, value in zip(result.columns, result.values, strict=True):
            found.setdefault((name, column.unit), {}).setdefault(size, []).append(value)
    return found


def _summaries(costs: dict[float, list[float]], confidence: float) -> dict[float, Summary]:
    return {size: summarize(sort_values(list(costs[size])), confidence) for size in sorted(costs)}


def _block(
    name: str, unit: str, parameter: str, costs: dict[float, list[float]], confidence: float
) -> list[str]:
    summaries = _summaries(costs, confidence)
    centers = {size: summary.center for size, summary in summaries.items()}
    scaler = common_scaler(centers.values(), is_binary(unit))
    rows = [(parameter, unit, "")]
    for size, summary in summaries.items():
        text = f"{scaler.format(summary.center)} ± {summary.range_text}"
        rows.append((f"{size:,g}".replace(",", "_"), text, _bar(summary.center, list(centers.values()))))
    widths = [max(len(row[column]) for row in rows) for column in range(2)]
    lines = [name, *(f"  {a:>{widths[0]}}  {b:>{widths[1]}}  {bar}".rstrip() for a, b, bar in rows)]
    return [*lines, f"  {_verdict(fit_growth(centers), parameter)}"]


def _bar(value: float, values: Sequence[float]) -> str:
    """Return a bar on a logarithmic scale from a third of the least value to the largest."""
    positive = [each for each in values if each > 0]
    if value <= 0 or not positive:
        return ""
    low = math.log(min(positive) / 3)
    eighths = round(8 * _BAR * (math.log(value) - low) / (math.log(max(positive)) - low))
    return "█" * (eighths // 8) + _EIGHTHS[eighths % 8].strip()


def _verdict(growth: Growth | str, parameter: str) -> str:
    if isinstance(growth, str):
        return f"growth: not fitted: {growth}"
    shown = growth.function.replace("n", parameter) if growth.function != "constant" else "constant"
    text = f"growth: {shown}, within {growth.error:.1%}; exponent {growth.exponent:.2f}"
    if growth.alike:
        others = " or ".join(
            each.replace("n", parameter) if each != "constant" else each for each in growth.alike
        )
        return f"{text}; {others} fit about equally well: measure more sizes, or larger ones"
    return text


def _record(name: str, unit: str, costs: dict[float, list[float]], confidence: float) -> dict[str, object]:
    summaries = _summaries(costs, confidence)
    growth = fit_growth({size: summary.center for size, summary in summaries.items()})
    fitted: dict[str, object] = {"reason": growth} if isinstance(growth, str) else growth._asdict()
    sizes = [
        {
            "size": size,
            "center": summary.center,
            "low": summary.low,
            "high": summary.high,
            "n": len(costs[size]),
        }
        for size, summary in summaries.items()
    ]
    return {"benchmark": name, "unit": unit, "sizes": sizes, "growth": fitted}
