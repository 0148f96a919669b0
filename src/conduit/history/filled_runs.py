"""Runs of commits that were measured afterwards, in pairs with a reference, as the store keeps them.

A time is the reference's cost, measured once, times the ratio of the commit to the reference in each pair: what the
machine does in between affects both sides of a pair and cancels. A commit that could not be measured is kept, too, as
a run without results under a line `gap: <reason>`.
"""

from __future__ import annotations

import hashlib
import math
import os
import time
from statistics import median
from typing import TYPE_CHECKING, NamedTuple

from conduit.bench.names import numbered
from conduit.bench.run.machine import config_lines, processors
from conduit.bench.text.writer import format_value
from conduit.history.filling import Measurement
from conduit.history.series import read_history
from conduit.history.store import StoredRun, dependency_digest, format_utc

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence
    from pathlib import Path

    from conduit.bench.against.interleaved import AgainstResult, Measured
    from conduit.history.checkouts import Commit
    from conduit.history.series import Run
    from conduit.history.store import StoreError

_COUNT_UNITS = ("B/op", "allocs/op")


class Reference(NamedTuple):
    """What every commit of a filling is measured against: a commit, and its cost in nanoseconds by benchmark."""

    commit: str
    benchmarks: str  # a digest of the benchmarks' files and of the choice among them
    levels: Mapping[str, float]


class Existing(NamedTuple):
    """What an earlier filling left: measurements and the reasons of gaps, by commit."""

    levels: Mapping[str, float]
    measured: Mapping[str, Measurement]
    gaps: Mapping[str, str]


def digest_benchmarks(root: Path, files: Iterable[Path], choice: str) -> str:
    """Return twelve hexadecimal digits of the benchmarks' files and of the choice among them."""
    digest = hashlib.sha256(choice.encode())
    for file in sorted(files):
        digest.update(f"\0{file.as_posix()}\0".encode())
        digest.update((root / file).read_bytes())
    return digest.hexdigest()[:12]


def read_existing(stored: Iterable[StoredRun | StoreError], reference: Reference) -> Existing:
    """Return what the store has of a filling with this reference, on this machine and Python."""
    own = f"reference: {reference.commit}\nbenchmarks: {reference.benchmarks}\n"
    machine = [line for line in config_lines("") if not line.startswith("pkg:")]
    found = [
        run
        for run in stored
        if isinstance(run, StoredRun)
        and own in run.text
        and ("\ngap: " in run.text or all(line in run.text for line in machine))
    ]
    history = read_history(found)
    gaps = {gap.commit: gap.reason for gap in history.gaps}
    runs = {run.commit: run for run in history.runs}
    if reference.commit not in runs:
        return Existing({}, {}, gaps)
    levels = {name: median(values) for name, values in _times(runs[reference.commit]).items()}
    return Existing(levels, {commit: _measurement(run, levels) for commit, run in runs.items()}, gaps)


def _times(run: Run) -> dict[str, list[float]]:
    """Return nanoseconds per operation by the benchmark's name as a comparison knows it, without `-N`."""
    times: dict[str, list[float]] = {}
    for result in run.results:
        for column, value in zip(result.columns, result.values, strict=True):
            if column.unit == "sec/op":
                times.setdefault(_plain_name(result.configuration.get("pkg"), result.name), []).append(
                    value * 1e9
                )
    return times


def _plain_name(package: str, name: str) -> str:
    suffix = f"-{processors()}"
    return f"{package}:Benchmark{name.removesuffix(suffix)}"


def _measurement(run: Run, levels: Mapping[str, float]) -> Measurement:
    ratios = {
        name: [math.log(value / levels[name]) for value in values]
        for name, values in _times(run).items()
        if name in levels
    }
    counts: dict[tuple[str, str], list[float]] = {}
    for result in run.results:
        name = _plain_name(result.configuration.get("pkg"), result.name)
        for column, value in zip(result.columns, result.values, strict=True):
            if column.unit in _COUNT_UNITS:
                counts.setdefault((name, column.unit), []).append(value)
    return Measurement(ratios, counts)


def measurement_of(result: AgainstResult) -> Measurement:
    """Return the ratios and the commit's counts of a result."""
    measured = [benchmark for benchmark in result.benchmarks if benchmark.pairs]
    return Measurement(
        {benchmark.name: [pair.log_ratio() for pair in benchmark.pairs] for benchmark in measured},
        {
            (benchmark.name, unit): [new for _, new in pairs]
            for benchmark in measured
            for unit, pairs in benchmark.counts.items()
        },
    )


def reference_levels(result: AgainstResult) -> dict[str, float]:
    """Return the reference's cost by benchmark, in nanoseconds: the median of its processes' medians."""
    return {
        benchmark.name: median(median(pair.old) for pair in benchmark.pairs)
        for benchmark in result.benchmarks
        if benchmark.pairs
    }


def format_run(commit: Commit, reference: Reference, dependencies: str, result: AgainstResult) -> str:
    """Return a measured commit as a run of the store: a result line for each pair."""
    lines = _context(commit, reference, dependencies)
    package = ""
    for benchmark in result.benchmarks:
        level = reference.levels.get(benchmark.name)
        if not benchmark.pairs or level is None:
            continue
        own_package, _, name = benchmark.name.partition(":")
        if own_package != package:
            package = own_package
            lines += config_lines(package)
        ratios = [pair.log_ratio() for pair in benchmark.pairs]
        if commit.id == reference.commit:  # its own values define the level
            ratios = [math.log(median(pair.old) / level) for pair in benchmark.pairs]
        lines += _result_lines(benchmark, name, [level * math.exp(ratio) for ratio in ratios])
    return "".join(f"{line}\n" for line in lines)


def _result_lines(benchmark: Measured, name: str, times_ns: Sequence[float]) -> list[str]:
    counts = {unit: [new for _, new in pairs] for unit, pairs in benchmark.counts.items()}
    lines = []
    for number, time_ns in enumerate(times_ns):
        columns = [numbered(name, processors()), str(benchmark.n), f"{time_ns:.7g} ns/op"]
        # A count is taken in the first pairs only; where it never varied there, the others have it, too.
        columns += [
            format_value(values[min(number, len(values) - 1)], unit)
            for unit, values in counts.items()
            if values and (number < len(values) or len(set(values)) == 1)
        ]
        lines.append("\t".join(columns))
    return lines


def format_gap(commit: Commit, reference: Reference, reason: str) -> str:
    """Return a commit that could not be measured as a run of the store."""
    lines = _context(commit, reference, "")
    return "".join(f"{line}\n" for line in [*lines, f"gap: {' '.join(reason.split())}"])


def _context(commit: Commit, reference: Reference, dependencies: str) -> list[str]:
    lines = [
        f"commit: {commit.id}",
        f"commit-date: {commit.date}",
        f"run-date: {format_utc(time.time())}",
        f"reference: {reference.commit}",
        f"benchmarks: {reference.benchmarks}",
        f"load: {os.getloadavg()[0]:.2f}",
    ]
    lines.append(f"dependencies: {dependencies or dependency_digest()}")
    return lines
