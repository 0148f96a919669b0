"""Results of pytest-benchmark, pyperf and asv (JSON) as Go's benchmark text, and Go's text as pyperf's JSON.

A result line stands for one observation. pyperf's processes are observations: a line each, with the mean of its
values. pytest-benchmark's rounds share a process and are not independent; they become at most 20 lines, each the mean
of consecutive rounds. Where only its statistics were saved, the median is the one line. asv saves one value.

Formats: pytest-benchmark's `--benchmark-json`; pyperf.readthedocs.io/en/latest/api.html, version 1.0; asv's
`results/MACHINE/COMMIT-….json`, API version 2.
"""

from __future__ import annotations

import itertools
import json
import re
from statistics import fmean
from typing import TYPE_CHECKING, Any, NamedTuple

from conduit.bench.names import PREFIX, rewrite
from conduit.errors import BenchmarkFileError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from conduit.bench.text.reader import Result

MAX_LINES = 20


class Line(NamedTuple):
    """One result: `name` without the prefix, iterations, values by unit, and the labels in force (pkg, cpu, …)."""

    name: str
    iterations: int
    values: Mapping[str, float]
    labels: Mapping[str, str]


def read_foreign(path: str, text: str) -> list[Line]:
    """Return the results of a JSON file of one of the three tools. Raises `BenchmarkFileError` for anything else."""
    try:
        document = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise BenchmarkFileError(path, f"{path}: not JSON: {error}") from None
    try:
        lines = list(_reader_of(path, document)(document))
    except (LookupError, TypeError, ValueError, AttributeError, ArithmeticError) as error:
        raise BenchmarkFileError(
            path, f"{path}: the file has not the form of its tool: {type(error).__name__}: {error}"
        ) from None
    if not lines:
        raise BenchmarkFileError(path, f"{path}: the file has no results")
    return lines


def _reader_of(path: str, document: Any) -> Any:
    if isinstance(document, dict):
        if "machine_info" in document and "benchmarks" in document:
            return _pytest_benchmark
        if "benchmarks" in document and "version" in document:
            return _pyperf
        if "results" in document and "commit_hash" in document:
            return _asv
    raise BenchmarkFileError(
        path,
        f"{path}: expected JSON of pytest-benchmark (--benchmark-json), pyperf (-o) or asv (results/MACHINE/*.json)",
    )


def _pytest_benchmark(document: dict[str, Any]) -> Iterator[Line]:
    machine = document["machine_info"]
    common = {"cpu": machine.get("cpu", {}).get("brand_raw", ""), "python": machine.get("python_version", "")}
    for entry in document["benchmarks"]:
        file, *parts = entry["fullname"].split("::")
        labels = {"pkg": file.removesuffix(".py"), **common}
        name = _name([*(part.partition("[")[0] for part in parts)], entry.get("params"), entry.get("param"))
        stats = entry["stats"]
        iterations = int(stats.get("iterations", 1))
        data = stats.get("data")
        if not data:
            yield Line(name, iterations * int(stats["rounds"]), {"ns/op": stats["median"] * 1e9}, labels)
            continue
        for rounds in _groups(data):
            yield Line(name, iterations * len(rounds), {"ns/op": fmean(rounds) * 1e9}, labels)


def _groups(values: Sequence[float]) -> Iterator[Sequence[float]]:
    count = min(MAX_LINES, len(values))
    for index in range(count):
        yield values[index * len(values) // count : (index + 1) * len(values) // count]


def _name(parts: Sequence[str], params: Mapping[str, Any] | None, param: str | None) -> str:
    *classes, function = parts
    first = (
        function
        if classes
        else "".join(word[:1].upper() + word[1:] for word in function.removeprefix("test_").split("_"))
    )
    plain = params and all(
        isinstance(value, (str, int, float, bool, type(None))) for value in params.values()
    )
    if params and plain:
        last = [f"{key}={value}" for key, value in params.items()]
    else:
        last = [str(param)] if param else []
    return "/".join([*classes, first, *last])


_UNITS = {"second": ("ns/op", 1e9), "byte": ("B/op", 1.0), "integer": ("count/op", 1.0)}


def _pyperf(document: dict[str, Any]) -> Iterator[Line]:
    for entry in document["benchmarks"]:
        metadata = {**document.get("metadata", {}), **entry.get("metadata", {})}
        unit, factor = _UNITS[metadata.get("unit", "second")]
        labels = {
            "cpu": str(metadata.get("cpu_model_name", "")),
            "python": str(metadata.get("python_version", "")).partition(" ")[0],
        }
        for run in entry["runs"]:
            values = run.get("values", [])
            if values:
                own = {**metadata, **run.get("metadata", {})}
                iterations = int(own.get("loops", 1)) * int(own.get("inner_loops", 1)) * len(values)
                yield Line(str(metadata["name"]), iterations, {unit: fmean(values) * factor}, labels)


_ASV_UNITS = {
    "time": ("ns/op", 1e9),
    "timeraw": ("ns/op", 1e9),
    "mem": ("B/op", 1.0),
    "peakmem": ("peak-B", 1.0),
}


def _asv(document: dict[str, Any]) -> Iterator[Line]:
    columns = document.get("result_columns", ["result", "params"])
    parameters = document.get("params", {})
    labels = {"cpu": parameters.get("cpu", ""), "python": parameters.get("python", "")}
    for full_name, stored in document["results"].items():
        row = dict(zip(columns, stored, strict=False)) if isinstance(stored, list) else stored
        module, _, function = full_name.rpartition(".")
        unit, factor = _ASV_UNITS.get(function.partition("_")[0], ("value", 1.0))
        combinations = list(itertools.product(*(row.get("params") or [])))
        for value, choice in zip(row.get("result") or [], combinations or [()], strict=False):
            if value is not None:
                name = "/".join([function, *(str(each).strip("'") for each in choice)])
                yield Line(name, 1, {unit: float(value) * factor}, {"pkg": module, **labels})


def format_lines(lines: Iterable[Line]) -> str:
    """Return results as Go's benchmark text, with the labels above where they change."""
    text = ""
    before: dict[str, str] = {}
    for line in lines:
        for key in {**before, **line.labels}:
            value = line.labels.get(key, "")
            if before.get(key, "") != value:
                text += f"{key}: {value}\n" if value else f"{key}:\n"
                before[key] = value
        values = "\t".join(f"{value:.6g} {unit}" for unit, value in line.values.items())
        text += f"{_go_line_name(line.name)}\t{max(line.iterations, 1)}\t{values}\n"
    return text


def _go_line_name(name: str) -> str:
    written = rewrite(re.sub(r"^Benchmark", "", name))
    # Go wants no lower-case letter after the prefix.
    return PREFIX + written[:1].upper() + written[1:]


def to_pyperf(results: Iterable[Result]) -> dict[str, Any]:
    """Return times as pyperf's JSON document: a benchmark per name, a run per result line."""
    runs: dict[str, list[tuple[float, int]]] = {}
    metadata: dict[str, str] = {}
    for result in results:
        for column, value in zip(result.columns, result.values, strict=True):
            if column.unit == "sec/op" and value > 0:
                runs.setdefault(result.name, []).append((value, max(result.iterations, 1)))
                metadata.setdefault("cpu_model_name", result.configuration.get("cpu"))
    return {
        "version": "1.0",
        "metadata": {"unit": "second", **{key: value for key, value in metadata.items() if value}},
        "benchmarks": [
            {
                "metadata": {"name": name, "loops": values[0][1]},
                "runs": [{"values": [value], "metadata": {"loops": loops}} for value, loops in values],
            }
            for name, values in runs.items()
        ],
    }
