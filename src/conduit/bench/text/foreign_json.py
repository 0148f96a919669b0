"""Results of pytest-benchmark, pyperf and asv (JSON) as Go's benchmark text, and Go's text as pyperf's JSON.

A result line stands for one observation. pyperf's processes are observations: a line each, with the mean of its
values. pytest-benchmark's rounds share a process and are not independent; they become at most 20 lines, each the
median of consecutive rounds, so that the median of the lines is near the tool's own: a mean would carry each
interrupted round. Where only its statistics were saved, the median is the one line. asv saves one value, and with
`--record-samples` its samples, which are taken like rounds. What asv skipped or failed to measure has no line.

Names end in the number of processors, and goos and goarch are among the labels, where a file tells them, so that
benchstat compares an imported file with one that `conduit bench` or the pytest plugin wrote.

Formats: pytest-benchmark's `--benchmark-json`; pyperf.readthedocs.io/en/latest/api.html, version 1.0; asv's
`results/MACHINE/COMMIT-….json`, API version 2.
"""

from __future__ import annotations

import itertools
import json
import math
import re
from pathlib import Path
from statistics import fmean, median
from typing import TYPE_CHECKING, Any, NamedTuple

from conduit.bench.names import GOARCH, PREFIX, numbered, rewrite
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
        lines = list(_reader_of(path, document)(document, path))
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


def _machine_labels(system: str, machine: str, cpu: str, python: str) -> dict[str, str]:
    """Return the labels that `conduit bench` writes above its results, for `platform.system()` and `machine()`."""
    labels = {"goos": system.lower(), "goarch": GOARCH.get(machine, machine), "cpu": cpu, "python": python}
    return {key: value for key, value in labels.items() if value or key in ("cpu", "python")}


def _pytest_benchmark(document: dict[str, Any], path: str) -> Iterator[Line]:
    machine = document["machine_info"]
    cpu = machine.get("cpu", {})
    common = _machine_labels(
        machine.get("system", ""),
        machine.get("machine", ""),
        cpu.get("brand_raw", ""),
        machine.get("python_version", ""),
    )
    processors = int(cpu.get("count") or 1)
    for entry in document["benchmarks"]:
        file, *parts = entry["fullname"].split("::")
        labels = {"pkg": file.removesuffix(".py"), **common}
        name = _name([*(part.partition("[")[0] for part in parts)], entry.get("params"), entry.get("param"))
        name = numbered(name, processors)
        stats = entry["stats"]
        iterations = int(stats.get("iterations", 1))
        data = stats.get("data")
        if not data:
            yield Line(name, iterations * int(stats["rounds"]), {"ns/op": stats["median"] * 1e9}, labels)
            continue
        for rounds in _groups(data):
            yield Line(name, iterations * len(rounds), {"ns/op": median(rounds) * 1e9}, labels)


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


def _pyperf(document: dict[str, Any], path: str) -> Iterator[Line]:
    for entry in document["benchmarks"]:
        metadata = {**document.get("metadata", {}), **entry.get("metadata", {})}
        unit, factor = _UNITS[metadata.get("unit", "second")]
        platform = str(metadata.get("platform", ""))  # Linux-6.1-x86_64-with-glibc2.36
        labels = _machine_labels(
            platform.partition("-")[0],
            next((machine for machine in GOARCH if machine in platform.split("-")), ""),
            str(metadata.get("cpu_model_name", "")),
            str(metadata.get("python_version", "")).partition(" ")[0],
        )
        name = numbered(str(metadata["name"]), int(metadata.get("cpu_count") or 1))
        for run in entry["runs"]:
            values = run.get("values", [])
            if values:
                own = {**metadata, **run.get("metadata", {})}
                iterations = int(own.get("loops", 1)) * int(own.get("inner_loops", 1)) * len(values)
                yield Line(name, iterations, {unit: fmean(values) * factor}, labels)


_ASV_UNITS = {
    "time": ("ns/op", 1e9),
    "timeraw": ("ns/op", 1e9),
    "mem": ("B/op", 1.0),
    "peakmem": ("peak-B", 1.0),
}


_VERSION = re.compile(r"(PyPy ?)?\d+(\.\w+)*")


def _asv(document: dict[str, Any], path: str) -> Iterator[Line]:
    columns = document.get("result_columns", ["result", "params"])
    parameters = document.get("params", {})
    python = str(parameters.get("python", ""))
    labels = _machine_labels(
        str(parameters.get("os", "")).partition(" ")[0],
        str(parameters.get("arch", "")),
        str(parameters.get("cpu", "")),
        python
        if _VERSION.fullmatch(python)
        else "",  # the path of the interpreter, in an existing environment
    )
    processors = int(parameters.get("num_cpu") or 1)
    declared = _asv_declarations(path)
    for full_name, stored in document["results"].items():
        row = dict(zip(columns, stored, strict=False)) if isinstance(stored, list) else stored
        module, _, function = full_name.rpartition(".")
        known = declared.get(full_name, {})
        unit, factor = _ASV_UNITS.get(function.partition("_")[0]) or (_asv_unit(known), 1.0)
        for index, choice in enumerate(itertools.product(*(row.get("params") or []))):
            name = "/".join([function, *_asv_parameters(choice, known.get("param_names") or [])])
            for iterations, value in _asv_values(row, index):
                yield Line(
                    numbered(name, processors), iterations, {unit: value * factor}, {"pkg": module, **labels}
                )


def _asv_declarations(path: str) -> dict[str, Any]:
    """Return asv's `benchmarks.json`, which is beside the folders of the machines; empty where it cannot be read."""
    try:
        with (Path(path).parent.parent / "benchmarks.json").open(encoding="utf-8") as file:
            found = json.load(file)
    except (OSError, ValueError, RecursionError):
        return {}
    return (
        {key: value for key, value in found.items() if isinstance(value, dict)}
        if isinstance(found, dict)
        else {}
    )


def _asv_unit(known: Mapping[str, Any]) -> str:
    unit = re.sub(r"\s+", "_", str(known.get("unit") or "").strip())
    return unit if unit and unit != "unit" else "value"


def _asv_parameters(choice: Sequence[object], names: Sequence[object]) -> Iterator[str]:
    """Yield `n=10` for each parameter, or its value alone where asv's `param_names` are not known."""
    for index, value in enumerate(choice):
        text = str(value).strip("'")
        yield f"{names[index]}={text}" if index < len(names) else text


def _asv_values(row: Mapping[str, Any], index: int) -> Iterator[tuple[int, float]]:
    """Yield (iterations, value) for one combination of parameters: its samples if recorded, else its result."""
    results = row.get("result") or []
    value = results[index] if index < len(results) else None
    if value is None or not math.isfinite(value):
        return
    every = row.get("samples") or []
    samples = every[index] if index < len(every) else None
    numbers = row.get("stats_number") or []
    number = int((numbers[index] if index < len(numbers) else None) or 1)
    if not samples:
        yield 1, float(value)
        return
    for group in _groups(samples):
        yield number * len(group), float(median(group))


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
