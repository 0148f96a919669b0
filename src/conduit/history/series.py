"""Series: the runs of a store arranged by benchmark, unit, machine and Python, in the order of the commits.

A point is one commit: the median of all that was measured of it on one machine, with its interval. Results of other
machines and other minor versions of Python are series of their own, because they are never compared. Runs of a working
copy with changes belong to no commit, and are left out.
"""

from __future__ import annotations

import re
import tempfile
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from conduit.bench.statistics.samples import sort_values, summarize
from conduit.bench.text.reader import InputFile, Result, read_benchmarks
from conduit.bench.text.unit_metadata import UnitMetadata
from conduit.errors import BenchmarkFileError
from conduit.history.store import StoredRun, StoreError
from conduit.units import counted

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

CONFIDENCE = 0.95
_MACHINE_KEYS = ("goos", "goarch", "cpu")


class Run(NamedTuple):
    """A run that was read: its configuration, and its results in order."""

    name: str
    configuration: Mapping[str, str]
    results: tuple[Result, ...]

    @property
    def commit(self) -> str:
        """The commit that was measured; empty where none was noted."""
        return self.configuration.get("commit", "")

    @property
    def is_modified(self) -> bool:
        """Whether the working copy differed from its commit."""
        return self.configuration.get("modified", "") == "true"


class SeriesKey(NamedTuple):
    """What makes results comparable. `benchmark` is the package and the name with its `-N`; `unit` is tidied."""

    benchmark: str
    unit: str
    machine: str
    python: str  # the minor version: 3.13


class Point(NamedTuple):
    """One commit of a series. Values are in the series' unit."""

    commit: str
    date: str  # the commit's, ISO 8601 in UTC; empty where the run does not say
    value: float
    low: float  # the interval of the median; equal to value where there are too few values for one
    high: float
    measurements: int  # how many values the median is of
    python: str  # the whole version
    dependencies: str
    runs: tuple[str, ...]
    samples: tuple[float, ...] = ()  # the values, in order of size
    is_paired: bool = False  # every run of it was measured in pairs with a reference, so that drift cancels


class Series(NamedTuple):
    """The points of one key in the order of the commits."""

    key: SeriesKey
    points: tuple[Point, ...]

    @property
    def values(self) -> list[float]:
        """The points' values."""
        return [point.value for point in self.points]

    @property
    def is_paired(self) -> bool:
        """Whether all points were measured in pairs with a reference."""
        return all(point.is_paired for point in self.points)


class Gap(NamedTuple):
    """A commit that could not be measured, and why; `run` is the name of the run that says so."""

    commit: str
    date: str
    reason: str
    run: str


class History(NamedTuple):
    """A store that was read: its runs, its series, and what was passed over and why."""

    runs: tuple[Run, ...]
    series: tuple[Series, ...]
    warnings: tuple[str, ...]
    gaps: tuple[Gap, ...] = ()


def read_history(stored: Iterable[StoredRun | StoreError], order: Sequence[str] = ()) -> History:
    """Arrange stored runs. `order` is the repository's commits, oldest first.

    Where a series has a commit that is not among them, its points are in the order of the commits' dates.
    """
    runs, gaps, warnings = _read_runs(stored)
    usable = [run for run in runs if run.commit and not run.is_modified]
    if modified := sum(run.is_modified for run in runs):
        warnings.append(f"{counted(modified, 'run')} of a modified working copy: not part of any series")
    if unknown := sum(not run.commit for run in runs):
        warnings.append(f"{counted(unknown, 'run')} without a commit: not part of any series")
    measured = {run.commit for run in usable}
    unmeasured = {gap.commit: gap for gap in gaps if gap.commit not in measured}
    return History(tuple(runs), tuple(_series(usable, order)), tuple(warnings), tuple(unmeasured.values()))


def _read_runs(stored: Iterable[StoredRun | StoreError]) -> tuple[list[Run], list[Gap], list[str]]:
    runs, gaps, warnings = [], [], []
    with tempfile.TemporaryDirectory(prefix="conduit-history-") as folder:
        for found in stored:
            if isinstance(found, StoreError):
                warnings.append(str(found))
                continue
            if gap := read_gap(found):
                gaps.append(gap)
                continue
            run, problems = _read_run(found, Path(folder) / "run.txt")
            warnings += problems
            if run is not None:
                runs.append(run)
    return runs, gaps, warnings


_CONFIGURATION_LINE = re.compile(r"^([a-z][a-z-]*): (.*)$", re.MULTILINE)


def read_gap(stored: StoredRun) -> Gap | None:
    """Return what a run says about a commit that could not be measured; None for any other run."""
    if "\ngap: " not in stored.text:
        return None
    lines = dict(_CONFIGURATION_LINE.findall(stored.text))
    return Gap(lines.get("commit", ""), _in_utc(lines.get("commit-date", "")), lines["gap"], stored.name)


def _read_run(stored: StoredRun, scratch: Path) -> tuple[Run | None, list[str]]:
    scratch.write_text(stored.text, encoding="utf-8", errors="surrogateescape", newline="")
    try:
        records = list(read_benchmarks(InputFile(str(scratch), stored.name), UnitMetadata()))
    except BenchmarkFileError as error:
        return None, [str(error).replace(str(scratch), stored.name)]
    results = tuple(record for record in records if isinstance(record, Result))
    wrong = [record for record in records if not isinstance(record, Result)]
    problems = [str(error).replace(str(scratch), stored.name) for error in wrong[:1]]
    if len(wrong) > 1:
        problems.append(f"{stored.name}: {counted(len(wrong) - 1, 'more line')} that cannot be read")
    if not results:
        return None, [*problems, f"{stored.name}: no benchmark results"]
    return Run(stored.name, results[0].configuration.values, results), problems


def _series(runs: Iterable[Run], order: Sequence[str]) -> list[Series]:
    grouped: dict[SeriesKey, dict[str, list[tuple[float, Run]]]] = {}
    for run in runs:
        for result in run.results:
            for column, value in zip(result.columns, result.values, strict=True):
                key = _key(result, column.unit)
                grouped.setdefault(key, {}).setdefault(run.commit, []).append((value, run))
    position = {commit: at for at, commit in enumerate(order)}
    series = []
    for key, commits in sorted(grouped.items()):
        points = [_point(commit, found) for commit, found in commits.items()]
        series.append(Series(key, tuple(_in_order(points, position))))
    return series


def _in_order(points: list[Point], position: Mapping[str, int]) -> list[Point]:
    if all(point.commit in position for point in points):
        return sorted(points, key=lambda point: position[point.commit])
    return sorted(points, key=lambda point: (point.date, position.get(point.commit, -1), point.commit))


def _key(result: Result, unit: str) -> SeriesKey:
    get = result.configuration.get
    package = get("pkg")
    machine = " ".join(value for value in map(get, _MACHINE_KEYS) if value)
    return SeriesKey(
        f"{package}:{result.name}" if package else result.name, unit, machine, _minor(get("python"))
    )


def _in_utc(text: str) -> str:
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return ""
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return moment.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _minor(version: str) -> str:
    return ".".join(version.split(".")[:2])


def _point(commit: str, found: Sequence[tuple[float, Run]]) -> Point:
    values = sort_values([value for value, _ in found])
    summary = summarize(values, CONFIDENCE)
    newest = found[-1][1].configuration
    has_interval = not summary.warnings
    return Point(
        commit,
        _in_utc(newest.get("commit-date", "")),
        summary.center,
        summary.low if has_interval else summary.center,
        summary.high if has_interval else summary.center,
        len(values),
        newest.get("python", ""),
        newest.get("dependencies", ""),
        tuple(dict.fromkeys(run.name for _, run in found)),
        tuple(values),
        all(run.configuration.get("reference") for _, run in found),
    )
