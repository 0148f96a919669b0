"""Histories of other tools as runs of the store: asv, pytest-benchmark, Bencher and github-action-benchmark.

Formats: asv's `results/MACHINE/COMMIT-ENVIRONMENT.json` (API version 2); pytest-benchmark's storage
(`.benchmarks/PLATFORM/NNNN_….json`, version 0.0.5); github-action-benchmark's `data.js` or its JSON
(`window.BENCHMARK_DATA`); Bencher's perf queries and its Bencher Metric Format, which names no commit.
"""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any, NamedTuple

from conduit.bench.text.foreign_json import Line, format_lines, read_foreign
from conduit.errors import BenchmarkFileError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping


class ForeignRun(NamedTuple):
    """The results of one commit: `commit` is its id as the tool noted it, `text` a run as the store keeps it."""

    commit: str
    text: str


_DATA_JS = re.compile(r"^\s*window\.BENCHMARK_DATA\s*=\s*", re.ASCII)
_VERSION = re.compile(r"(PyPy ?)?\d+(\.\w+)*")
_COMMIT = re.compile(r"[0-9a-fA-F]{7,64}")


def read_runs(path: str, text: str, commit: str = "") -> list[ForeignRun]:
    """Return the runs in one file; `commit` is for results that name none. Raises `BenchmarkFileError`."""
    document = _parse(path, text)
    try:
        runs = list(_reader_of(path, document)(path, text, document, commit))
    except (KeyError, TypeError, ValueError, AttributeError, IndexError, OverflowError) as error:
        raise BenchmarkFileError(
            path, f"{path}: the file has not the form of its tool: {type(error).__name__}: {error}"
        ) from None
    if not runs:
        raise BenchmarkFileError(path, f"{path}: the file has no results")
    return runs


def _parse(path: str, text: str) -> Any:
    try:
        return json.loads(_DATA_JS.sub("", text, count=1).rstrip().removesuffix(";"))
    except (json.JSONDecodeError, RecursionError) as error:
        raise BenchmarkFileError(path, f"{path}: not JSON, nor a data.js: {error}") from None


def _reader_of(path: str, document: Any) -> Any:
    if isinstance(document, dict):
        if isinstance(document.get("entries"), dict):
            return _github_action
        if "results" in document and "commit_hash" in document:
            return _asv
        if "machine_info" in document and "benchmarks" in document:
            return _pytest_benchmark
        if isinstance(document.get("results"), list) and "project" in document:
            return _bencher_query
        if document and all(_is_metric_format(measures) for measures in document.values()):
            return _bencher_metrics
    raise BenchmarkFileError(
        path,
        f"{path}: expected results of asv, pytest-benchmark, Bencher or github-action-benchmark, found other JSON",
    )


def _is_metric_format(measures: object) -> bool:
    return isinstance(measures, dict) and all(
        isinstance(metric, dict) and isinstance(metric.get("value"), (int, float))
        for metric in measures.values()
    )


def _run(path: str, commit: str, moment: str, lines: Iterable[Line], tool: str) -> ForeignRun | None:
    found = [line for line in lines if all(_is_number(value) for value in line.values.values())]
    if not found:
        return None
    if not _COMMIT.fullmatch(commit):
        raise BenchmarkFileError(
            path, f"{path}: expected the id of a commit, found {commit!r}; -commit=ID gives it"
        )
    head = [f"commit: {commit.lower()}"]
    if moment:
        head.append(f"commit-date: {moment}")
    head.append(f"imported-from: {tool}")
    return ForeignRun(commit.lower(), "".join(f"{line}\n" for line in head) + format_lines(found))


def _is_number(value: object) -> bool:
    return isinstance(value, (int, float)) and value == value and abs(value) != float("inf")


def _milliseconds(moment: float) -> str:
    return datetime.fromtimestamp(moment / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _asv(path: str, text: str, document: dict[str, Any], commit: str) -> Iterator[ForeignRun]:
    moment = _milliseconds(document["date"]) if document.get("date") else ""
    lines = [_with_version_of_python(line) for line in read_foreign(path, text)]
    run = _run(path, commit or str(document["commit_hash"]), moment, lines, "asv")
    if run:
        yield run


def _with_version_of_python(line: Line) -> Line:
    """Without the path that asv has in its place for an environment that existed."""
    labels = {
        key: value for key, value in line.labels.items() if key != "python" or _VERSION.fullmatch(value)
    }
    return line._replace(labels=labels)


def _pytest_benchmark(path: str, text: str, document: dict[str, Any], commit: str) -> Iterator[ForeignRun]:
    noted = document.get("commit_info") or {}
    name = commit or str(noted.get("id") or "")
    moment = str(noted.get("time") or document.get("datetime") or "")
    run = _run(path, name, moment, read_foreign(path, text), "pytest-benchmark")
    if run is None:
        return
    if noted.get("dirty"):
        run = run._replace(text="modified: true\n" + run.text)
    yield run


# github-action-benchmark's tools print times in these units, or `X/sec` and `X/s`.
_TIMES = {"ns": 1.0, "us": 1e3, "µs": 1e3, "μs": 1e3, "ms": 1e6, "s": 1e9, "sec": 1e9, "seconds": 1e9}
_PER_OPERATION = re.compile(r"\s*/\s*(iter|op|iteration|operation)s?$")
_PER_SECOND = re.compile(r"^(iter|op|ops|iteration|operation)s?\s*/\s*(s|sec|second)$")


def _unit_of(unit: str) -> tuple[str, float, bool]:
    """Return the unit of benchmark text, the factor into it, and whether the value is to be inverted."""
    plain = _PER_OPERATION.sub("", unit.strip())
    if plain in _TIMES:
        return "ns/op", _TIMES[plain], False
    if _PER_SECOND.match(plain):
        return "ns/op", 1e9, True
    if unit.strip() in ("B/op", "allocs/op", "MB/s"):
        return unit.strip(), 1.0, False
    return re.sub(r"\s+", "_", unit.strip()) or "value", 1.0, False


def _value_line(name: str, value: float, unit: str, labels: Mapping[str, str]) -> Line | None:
    written, factor, is_inverted = _unit_of(unit)
    if not _is_number(value) or (is_inverted and not value):
        return None
    return Line(name, 1, {written: factor / value if is_inverted else value * factor}, labels)


def _github_action(path: str, text: str, document: dict[str, Any], commit: str) -> Iterator[ForeignRun]:
    for suite, runs in document["entries"].items():
        for run in runs:
            labels = {"pkg": re.sub(r"\s+", "_", str(suite))}
            lines = [line for bench in run["benches"] for line in _bench_lines(bench, labels)]
            noted = run["commit"]
            found = _run(
                path,
                commit or str(noted["id"]),
                str(noted.get("timestamp") or ""),
                lines,
                "github-action-benchmark",
            )
            if found:
                yield found


def _bench_lines(bench: Mapping[str, Any], labels: Mapping[str, str]) -> Iterator[Line]:
    """The values of one benchmark.

    Results of Go with several metrics were once kept as one whose unit has the others behind it
    (`ns/op<tab>4.000 auxMetricUnits`), and are now one for each, named `BenchmarkFib - ns/op`.
    """
    name, unit = str(bench["name"]), str(bench.get("unit", ""))
    unit, *others = unit.split("\t")
    pairs = [(bench["value"], unit)]
    for text in others:
        value, _, other = text.strip().partition(" ")
        pairs.append((float(value), other))
    for value, each in pairs:
        line = _value_line(name.removesuffix(f" - {unit}"), value, each, labels)
        if line:
            yield line


_BENCHER_UNITS = {
    "latency": "ns",
    "throughput": "ops/s",
    "build-time": "s",
    "memory": "B",
    "file-size": "B",
}


def _bencher_query(path: str, text: str, document: dict[str, Any], commit: str) -> Iterator[ForeignRun]:
    """A perf query: a list of series, each a branch, a testbed, a benchmark and a measure.

    A point whose version has no hash (`bencher run` without `--hash`) is left out where others have one.
    """
    runs: dict[tuple[str, str], list[Line]] = {}
    versions = {_version(point) for series in document["results"] for point in series["metrics"]}
    if commit and len(versions) > 1:
        raise BenchmarkFileError(
            path, f"{path}: -commit is for one version, found {len(versions)} in the query; leave it out"
        )
    if not commit and versions and not any(name for _, name in versions):
        raise BenchmarkFileError(
            path,
            f"{path}: expected points that name their commits, found {len(versions)} versions without a hash; "
            "`bencher run --hash` notes it",
        )
    for series in document["results"]:
        measure = series["measure"]
        unit = _bencher_unit(str(measure.get("slug", "")), str(measure.get("units", "")))
        labels = {"cpu": str(series.get("testbed", {}).get("name", ""))}
        for point in series["metrics"]:
            name = commit or _version(point)[1]
            line = _measure_line(str(series["benchmark"]["name"]), point["metric"]["value"], unit, labels)
            if line and name:
                runs.setdefault((name, str(point.get("start_time") or "")), []).append(line)
    for (name, moment), lines in runs.items():
        found = _run(path, name, moment, lines, "bencher")
        if found:
            yield found


def _version(point: Mapping[str, Any]) -> tuple[object, str]:
    """Return the number of a point's version and its commit, empty where it has none."""
    version = point.get("version") or {}
    return version.get("number"), str(version.get("hash") or "")


def _measure_line(name: str, value: float, unit: str, labels: Mapping[str, str]) -> Line | None:
    """Return a value of one of a benchmark's measures; a rate stays a rate, since the time may be another measure."""
    if _PER_SECOND.match(unit.strip()):
        return Line(name, 1, {"ops/s": value}, labels) if _is_number(value) else None
    return _value_line(name, value, unit, labels)


def _bencher_unit(slug: str, units: str) -> str:
    if units.startswith("nanoseconds"):
        return "ns"
    if slug in _BENCHER_UNITS:
        return _BENCHER_UNITS[slug]
    short = re.search(r"\(([^()\s]+)\)\s*$", units)  # `seconds (s)`
    return short[1] if short else units or slug


def _bencher_metrics(path: str, text: str, document: dict[str, Any], commit: str) -> Iterator[ForeignRun]:
    """Bencher Metric Format: benchmarks, each with its measures."""
    lines = [
        _measure_line(name, metric["value"], _bencher_unit(slug, ""), {})
        for name, measures in document.items()
        for slug, metric in measures.items()
    ]
    found = _run(path, commit, "", [line for line in lines if line], "bencher")
    if found:
        yield found
