"""The report about the commit that `conduit history bisect` found: effect, counts, CPU profiles."""

from __future__ import annotations

import json
import math
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from conduit.bench.against.worktree import benchmark_file
from conduit.errors import ConduitError

if TYPE_CHECKING:
    from conduit.bench.against.interleaved import Measured
    from conduit.bench.against.worktree import Checkout
    from conduit.history.culprit import Culprit

_PROGRAM = Path(__file__).with_name("profiled.py")
_PACKAGE_PARENT = str(Path(__file__).parents[3])
_PROFILE_NS = 2_000_000_000
_BATCHES = 10
_RATE_HZ = 250
_PROFILE_SECONDS = 300


class Sides(NamedTuple):
    """The commits before and after the change, checked out, and what their pairs measured."""

    before: Checkout
    after: Checkout
    measured: Measured


def effect_interval(measured: Measured) -> tuple[float, float, float]:
    """Return the median effect (a share) and its 95 % interval: order statistics of the pairs' ratios."""
    from conduit.bench.statistics.samples import sort_values, summarize

    ratios = sort_values([pair.log_ratio() for pair in measured.pairs])
    summary = summarize(ratios, 0.95)
    low, high = (ratios[0], ratios[-1]) if summary.warnings else (summary.low, summary.high)
    return math.expm1(summary.center), math.expm1(low), math.expm1(high)


def count_rows(sides: Sides, *, instructions: bool) -> list[list[str]]:
    """Return a row for each count of both sides: unit, before, after, change, note."""
    from conduit.bench.against.counts import summarize_counts

    rows = []
    for unit, pairs in sides.measured.counts.items():
        summary = summarize_counts(pairs)
        note = "" if summary.p is None else f"varies between processes, p={summary.p:.3f}"
        rows.append([unit, f"{summary.old:g}", f"{summary.new:g}", _change(summary.old, summary.new), note])
    return [*rows, _instructions_row(sides)] if instructions else rows


def _change(old: float, new: float) -> str:
    if old == new:
        return "equal"
    return f"{new / old - 1:+.2%}" if old else "from zero"


def _instructions_row(sides: Sides) -> list[str]:
    from conduit.bench.against.instructions import count_instructions_at
    from conduit.bench.result import MeasurementWarning

    values = []
    for checkout, ns_per_op in zip((sides.before, sides.after), _typical_ns(sides.measured), strict=True):
        path = str(benchmark_file(checkout, sides.measured.name))
        counted = count_instructions_at(checkout, path, sides.measured.name, ns_per_op)
        if isinstance(counted, MeasurementWarning):
            return ["instructions/op", "n/a", "n/a", "", counted.cause.partition("n/a, ")[2]]
        values.append(counted)
    old, new = values
    return ["instructions/op", f"{old:.6g}", f"{new:.6g}", _change(old, new), ""]


def _typical_ns(measured: Measured) -> tuple[float, float]:
    from conduit.bench.statistics.paired import summarize_pairs

    summary = summarize_pairs(measured.pairs)
    return summary.old_typical, summary.new_typical


def save_profiles(sides: Sides, folder: Path) -> tuple[Path, Path]:
    """Write `good.prof` and `bad.prof`, CPU profiles of the same number of operations. Raises `ConduitError`."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConduitError(f"cannot write {folder}: {error.strerror}") from None
    ns_per_op = max(*_typical_ns(sides.measured), 1.0)
    n = max(1, round(_PROFILE_NS / _BATCHES / ns_per_op))
    paths = folder / "good.prof", folder / "bad.prof"
    for checkout, path in zip((sides.before, sides.after), paths, strict=True):
        _record(checkout, sides.measured.name, n, path)
    return paths


def _record(checkout: Checkout, name: str, n: int, output: Path) -> None:
    setup = {
        "root": str(checkout.root),
        "import_from": list(checkout.import_from),
        "harness": _PACKAGE_PARENT,
        "path": str(benchmark_file(checkout, name)),
        "name": name,
        "n": n,
        "batches": _BATCHES,
        "rate_hz": _RATE_HZ,
        "output": str(output.absolute()),
    }
    try:
        run = subprocess.run(
            [checkout.python, "-P", "-B", str(_PROGRAM)],
            input=json.dumps(setup),
            capture_output=True,
            text=True,
            errors="replace",
            timeout=_PROFILE_SECONDS,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise ConduitError(
            f"no CPU profile of {checkout.name}: not done after {_PROFILE_SECONDS} s"
        ) from None
    if run.returncode or not output.is_file():
        said = run.stderr.strip().splitlines() or [f"exit status {run.returncode}"]
        raise ConduitError(f"no CPU profile of {checkout.name}: {said[-1]}")


def default_folder(name: str, culprit: Culprit) -> Path:
    """Return where the profiles of a search go."""
    plain = re.sub(r"[^\w.-]+", "-", name.partition(":")[2]).strip("-")
    return Path(".conduit") / "bisect" / f"{plain}-{culprit.first_bad[:10]}"


def print_profile_difference(good: Path, bad: Path) -> None:
    """Print the functions whose CPU time differs most, and how to see all of it."""
    from conduit.cli.pprof import run as run_pprof

    sys.stdout.flush()
    run_pprof(["-top", "-nodecount=8", f"-diff_base={good}", str(bad)])
    print(f"\nsee all of it: conduit pprof -http=: -diff_base={good} {bad}")
