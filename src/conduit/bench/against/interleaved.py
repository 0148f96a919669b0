"""Comparison of two checkouts, measured alternately, batch by batch, in pairs of fresh processes.

Two runs one after the other compare two periods of time on a machine whose load varies; even identical code then
differs by more than most regressions. Here both sides run at the same time, in processes that are started in random
order, and short batches with the same number of iterations alternate in random order, so that a disturbance affects
both. The processes of a pair share a core, chosen at random (unless the benchmark waits or uses more than one core),
and a hash seed. Each pair is one observation (see `statistics.paired`); pairs are added until every benchmark is
decided or the time is used up. Counts (allocations, bytecodes) are taken in several pairs, too (see `counts`).
"""

from __future__ import annotations

import math
import os
import random
import re
import time
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

from conduit.bench.against.counts import (
    MIN_PROCESSES,
    USUAL_PROCESSES,
    decide_counts,
    decide_instructions,
    missing_counts,
    spread_of,
    summarize_counts,
    varies,
)
from conduit.bench.against.process import BenchmarkProcess, ProcessEndedError
from conduit.bench.against.worktree import benchmark_file
from conduit.bench.compare.verdicts import Gates, closes, grade_of, worsening
from conduit.bench.result import MeasurementWarning
from conduit.bench.statistics.paired import (
    ENOUGH_PAIRS,
    PairTimes,
    decide,
    missing_evidence,
    needs_more_pairs,
    summarize_pairs,
)
from conduit.errors import ConduitError
from conduit.units import counted

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from conduit.bench.against.counts import CountSummary
    from conduit.bench.against.worktree import Checkout
    from conduit.bench.compare.verdicts import Grade
    from conduit.bench.statistics.paired import PairedSummary, State

BATCH_NS = 3_000_000
"""Shorter than a scheduler's time slice: on a busy machine some batches still have a core to themselves."""
MAX_BATCHES = 20
MIN_BATCHES = 3
TURN_NS = 2 * MAX_BATCHES * BATCH_NS
INSTRUCTIONS = "instructions/op"
_LABELS = ("old", "new")
_NEVER = 1 << 62

RowState = Literal["different", "same", "unresolved", "one-sided"]


@dataclass(frozen=True, slots=True)
class Plan:
    """What to compare. `paths`: relative to both roots. Times in nanoseconds. `counts`: units to count."""

    paths: tuple[str, ...]
    bench: str = "."
    skip: str = ""
    short: bool = False
    gc_mode: str = "off"
    threads: int | None = None
    budget_ns: int = 60_000_000_000
    counts: tuple[str, ...] = ("B/op", "allocs/op")
    instructions: bool = False  # count the processor's instructions at the end, in processes of their own
    seed: int | None = None


class Problem(NamedTuple):
    """A benchmark or a file that failed on one side, with its traceback."""

    side: str
    name: str
    text: str

    @property
    def reason(self) -> str:
        """The last line of the traceback."""
        lines = [line.strip() for line in self.text.splitlines() if line.strip()]
        return lines[-1] if lines else "failed"


@dataclass(slots=True)
class Measured:
    """One benchmark on both sides: the batches of each pair, and the (old, new) counts of each pair by unit."""

    name: str
    pairs: list[PairTimes] = field(default_factory=list)
    counts: dict[str, list[tuple[float, float]]] = field(default_factory=dict)
    n: int = 0
    batches: int = MAX_BATCHES
    max_cpu_ratio: float = 0.0  # the most processors that a batch kept busy
    counted: int = 0  # pairs of processes in which counts were taken
    instructions: list[tuple[float, float]] = field(default_factory=list)

    @property
    def is_one_core(self) -> bool:
        """Whether it computes in one thread at a time; a benchmark that waits or runs in parallel may need more."""
        return 0.5 <= self.max_cpu_ratio <= 1.1

    @property
    def has_varying_counts(self) -> bool:
        """Whether a count differed between processes of one side."""
        return any(varies(pairs) for pairs in self.counts.values())


class OneSided(NamedTuple):
    """A benchmark that ran on one side only; `reason` says why the other side has no result."""

    name: str
    side: str
    reason: str


class AgainstRow(NamedTuple):
    """One benchmark in one unit.

    `delta` is new / old - 1. `paired` is set for times, `counted` for counts, neither for a benchmark that ran on one
    side only; its missing value and `delta` are NaN. `note` says what an unresolved row lacks or a one-sided row
    failed with.
    """

    name: str
    unit: str
    old: float
    new: float
    delta: float
    state: RowState
    grade: Grade
    closes_gate: bool
    paired: PairedSummary | None = None
    counted: CountSummary | None = None
    note: str = ""


@dataclass(slots=True)
class AgainstResult:
    """The result of a comparison.

    `one_sided`: benchmarks that ran on one side only. `problems`: failures that are no such row. `notes`: what to
    know about a side or about the comparison, each a sentence.
    """

    old: str
    new: str
    benchmarks: list[Measured]
    one_sided: list[OneSided]
    problems: list[Problem]
    interrupted: bool = False
    notes: list[str] = field(default_factory=list)

    def rows(self, gates: Gates) -> list[AgainstRow]:
        """Return times and counts with their verdicts. All times are one family, and so are the varying counts."""
        timed = [benchmark for benchmark in self.benchmarks if benchmark.pairs]
        varying = sum(varies(pairs) for benchmark in timed for pairs in benchmark.counts.values())
        rows = []
        for benchmark in timed:
            rows.append(_time_row(benchmark, len(timed), gates))
            rows += [
                _count_row(benchmark.name, unit, pairs, max(varying, 1), gates)
                for unit, pairs in benchmark.counts.items()
            ]
            if benchmark.instructions:
                rows.append(_instructions_row(benchmark, gates))
        return rows + [_one_sided_row(entry) for entry in self.one_sided]


def _time_row(benchmark: Measured, family: int, gates: Gates) -> AgainstRow:
    summary = summarize_pairs(benchmark.pairs)
    state = decide(summary, family)
    levels = gates.levels("sec/op")
    grade: Grade = "undecided" if state == "unresolved" else "same"
    if state == "different":
        grade = grade_of(summary.floor_delta, levels)
    return AgainstRow(
        benchmark.name,
        "sec/op",
        summary.old_floor / 1e9,
        summary.new_floor / 1e9,
        summary.floor_delta,
        state,
        grade,
        closes(grade, levels),
        paired=summary,
        note=missing_evidence(summary, family) if state == "unresolved" else "",
    )


def _count_row(
    name: str, unit: str, pairs: Sequence[tuple[float, float]], family: int, gates: Gates
) -> AgainstRow:
    summary = summarize_counts(pairs)
    state = decide_counts(summary, family)
    note = missing_counts(summary, family) if state == "unresolved" else ""
    if not note and summary.p is not None:
        note = "varies between processes"
    return _row_of_counts(name, unit, summary, state, note, gates)


def _instructions_row(benchmark: Measured, gates: Gates) -> AgainstRow:
    summary = summarize_counts(benchmark.instructions)
    state = decide_instructions(summary)
    note = f"varies by {spread_of(summary):.1%} between processes" if state == "unresolved" else ""
    judged = summary._replace(is_exact=False, p=None)
    return _row_of_counts(benchmark.name, INSTRUCTIONS, judged, state, note, gates)


def _row_of_counts(
    name: str, unit: str, summary: CountSummary, state: State, note: str, gates: Gates
) -> AgainstRow:
    levels = gates.levels(unit)
    grade: Grade = "undecided" if state == "unresolved" else "same"
    if state == "different":
        grade = grade_of(worsening(summary.delta, -1), levels)
    return AgainstRow(
        name,
        unit,
        summary.old,
        summary.new,
        summary.delta,
        state,
        grade,
        closes(grade, levels),
        counted=summary,
        note=note,
    )


def _one_sided_row(entry: OneSided) -> AgainstRow:
    missing = "old" if entry.side == "new" else "new"
    nan = math.nan
    return AgainstRow(
        entry.name,
        "",
        nan,
        nan,
        nan,
        "one-sided",
        "undecided",
        False,
        note=f"not on the {missing} side: {entry.reason}",
    )


def run_against(
    old: Checkout, new: Checkout, plan: Plan, progress: Callable[[str], None] = lambda text: None
) -> AgainstResult:
    """Measure both sides until everything is decided or the budget is used up. Ctrl-C keeps what was measured.

    Raises `ConduitError` if a side cannot be loaded.
    """
    comparison = Sampling(old, new, plan, progress)
    try:
        comparison.run()
        if plan.instructions:
            comparison.count_instructions()
    except KeyboardInterrupt:
        comparison.result.interrupted = True
    return comparison.result


class Sampling:
    """The state of one comparison, over all its pairs of processes.

    `run` decides by itself how many pairs it takes; a caller that decides takes them with `add_pair`.
    """

    def __init__(self, old: Checkout, new: Checkout, plan: Plan, progress: Callable[[str], None]) -> None:
        self.checkouts: tuple[Checkout, Checkout] = (old, new)
        self.plan = plan
        self.progress = progress
        self.rng: random.Random = random.Random(plan.seed)
        self.result: AgainstResult = AgainstResult(old.name, new.name, [], [], [])
        self.open: dict[str, Measured] = {}
        self.family: int = 1
        self.pairs: int = 0
        self.cores: Sequence[int] = (
            sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
        )
        self.core: int | None = None

    def run(self) -> None:
        """Take pairs until everything is decided or the budget is used up."""
        deadline = time.monotonic_ns() + self.plan.budget_ns
        while self.pairs == 0 or (self.open and time.monotonic_ns() < deadline):
            self._run_pair(list(self.open), deadline)
            for name in [
                name for name, it in self.open.items() if it.pairs and not self._needs_more_pairs(it)
            ]:
                del self.open[name]
        # One process cannot show that a count never varies: these pairs only count, whatever the budget.
        for _ in range(MIN_PROCESSES - 1):
            self.open = {
                benchmark.name: benchmark
                for benchmark in self.result.benchmarks
                if benchmark.pairs and benchmark.counts and benchmark.counted < MIN_PROCESSES
            }
            if self.open:
                self._run_pair(list(self.open), 0)

    def count_instructions(self) -> None:
        """Count the processor's instructions of every benchmark that was compared, under two hash seeds."""
        for benchmark in self.result.benchmarks:
            if not benchmark.pairs:
                continue
            times = summarize_pairs(benchmark.pairs)
            ns_per_op = max(times.old_typical, times.new_typical)
            for seed in (self._hash_seed(), self._hash_seed()):
                self.progress(f"instructions of {benchmark.name}")
                old, new = (self._instructions(side, benchmark.name, ns_per_op, seed) for side in (0, 1))
                if old is None or new is None:
                    break
                benchmark.instructions.append((old, new))

    def _instructions(self, side: int, name: str, ns_per_op: float, seed: int | None) -> float | None:
        """Return one side's instructions per operation; None, with a note, where they cannot be counted."""
        from conduit.bench.against.instructions import count_instructions_at

        checkout = self.checkouts[side]
        path = str(benchmark_file(checkout, name))
        counted = count_instructions_at(
            checkout, path, name, ns_per_op, short=self.plan.short, hash_seed=seed
        )
        if isinstance(counted, MeasurementWarning):
            self._note(f"{_LABELS[side]} side: {name}: {counted.cause}")
            return None
        return counted

    def add_pair(self) -> None:
        """Measure every benchmark that has not failed once more on both sides. Raises `ConduitError`."""
        self._run_pair(list(self.open), _NEVER)

    def _needs_more_pairs(self, benchmark: Measured) -> bool:
        if needs_more_pairs(summarize_pairs(benchmark.pairs), self.family):
            return True
        return len(benchmark.pairs) < ENOUGH_PAIRS and any(
            varies(pairs) and decide_counts(summarize_counts(pairs)) == "unresolved"
            for pairs in benchmark.counts.values()
        )

    def _run_pair(self, names: list[str], deadline: int) -> None:
        """Start both processes and give every open benchmark a turn; a `deadline` of 0 only counts."""
        with ExitStack() as stack:
            sides = self._start(stack)
            try:
                found = [side.receive() for side in sides]
            except ProcessEndedError:
                if self.pairs == 0:
                    raise
                raise ConduitError(
                    f"a process that started {counted(self.pairs, 'time')} did not start again"
                ) from None
            if self.pairs == 0:
                self._match_benchmarks(found)
                names = list(self.open)
            is_first = self.pairs == 0
            self.pairs += 1
            self.rng.shuffle(names)
            self.core = self.rng.choice(self.cores) if len(self.cores) > 1 else None
            for index, name in enumerate(names):
                if deadline and not is_first and time.monotonic_ns() > deadline:
                    return
                self.progress(
                    f"pair {self.pairs}, {len(self.open)} to decide: {name} ({index + 1}/{len(names)})"
                )
                if not self._take_turn(sides, self.open[name], times=deadline > 0):
                    return

    def _note(self, text: str) -> None:
        if text not in self.result.notes:
            self.result.notes.append(text)

    def _start(self, stack: ExitStack) -> tuple[BenchmarkProcess, BenchmarkProcess]:
        """Start both processes, in random order: the first is often the faster one."""
        plan = self.plan
        setup = {
            "paths": plan.paths,
            "bench": plan.bench if self.pairs == 0 else self._pattern(),
            "skip": plan.skip,
            "gc": plan.gc_mode,
            "short": plan.short,
            "threads": plan.threads,
            "versions": self.pairs == 0,
        }
        order = [0, 1]
        self.rng.shuffle(order)
        seed = self._hash_seed()
        started = {
            index: stack.enter_context(BenchmarkProcess(self.checkouts[index], setup, seed))
            for index in order
        }
        return started[0], started[1]

    def _hash_seed(self) -> int | None:
        """Return a seed for both processes of a pair; None if the user has fixed one."""
        if os.environ.get("PYTHONHASHSEED", "random") != "random":
            return None
        return self.rng.randrange(1, 1 << 32)

    def _pattern(self) -> str:
        """Return a pattern for the open benchmarks, so that processes prepare nothing else."""
        names = [name.partition(":")[2] for name in self.open]
        if any(character in name for name in names for character in "[]()|\\"):
            return self.plan.bench
        return "|".join("/".join(f"^{re.escape(level)}$" for level in name.split("/")) for name in names)

    def _match_benchmarks(self, found: Sequence[dict[str, Any]]) -> None:
        problems = [
            Problem(label, entry["name"], entry["text"])
            for label, answer in zip(_LABELS, found, strict=True)
            for entry in answer["problems"]
        ]
        ready = [answer["ready"] for answer in found]
        both = set(ready[0]) & set(ready[1])
        self.result.one_sided = [
            OneSided(name, label, _reason_of(name, other, problems))
            for label, other, names in (("old", "new", ready[0]), ("new", "old", ready[1]))
            for name in names
            if name not in both
        ]
        # A failure of the old side alone is in its benchmarks' rows: they may need code that is new.
        explained = {(entry.side, entry.reason) for entry in self.result.one_sided}
        self.result.problems = [
            problem
            for problem in problems
            if problem.side == "new" or ("new", problem.reason) not in explained
        ]
        self.result.benchmarks = [Measured(name) for name in ready[1] if name in both]
        self.open = {benchmark.name: benchmark for benchmark in self.result.benchmarks}
        self.family = max(len(self.open), 1)
        self.result.notes += _differing_versions(found)

    def _take_turn(
        self, sides: tuple[BenchmarkProcess, BenchmarkProcess], benchmark: Measured, *, times: bool
    ) -> bool:
        """Give one benchmark its counts and batches in this pair; return False if the processes are of no more use."""
        try:
            self._pin_to_cores(sides, self.cores)
            if benchmark.counted < USUAL_PROCESSES or benchmark.has_varying_counts:
                self._count(sides, benchmark)
            if not times:
                return True
            if not benchmark.n:
                self._calibrate(sides, benchmark)
            if benchmark.is_one_core and self.core is not None:
                self._pin_to_cores(sides, [self.core])
            pair = self._batches(sides, benchmark)
        except _BenchmarkFailedError as failure:
            self._give_up(benchmark, failure.side, failure.text)
            return True
        except ProcessEndedError as error:
            self._give_up(benchmark, str(error).partition(":")[0], str(error))
            return False
        benchmark.pairs.append(pair)
        return True

    def _pin_to_cores(self, sides: tuple[BenchmarkProcess, BenchmarkProcess], cores: Sequence[int]) -> None:
        if self.core is not None:
            for side in sides:
                side.pin_to_cores(cores)

    def _give_up(self, benchmark: Measured, side: str, text: str) -> None:
        self.result.problems.append(Problem(side, benchmark.name, text))
        self.open.pop(benchmark.name, None)

    def _batches(self, sides: tuple[BenchmarkProcess, BenchmarkProcess], benchmark: Measured) -> PairTimes:
        times: tuple[list[float], list[float]] = ([], [])
        for index in self._order():  # a warm-up of caches and the processor's clock, not counted
            self._batch(sides, index, benchmark, benchmark.n)
        for _ in range(benchmark.batches):
            for index in self._order():
                times[index].append(self._batch(sides, index, benchmark, benchmark.n) / benchmark.n)
        return PairTimes(tuple(times[0]), tuple(times[1]))

    def _order(self) -> tuple[int, int]:
        return (0, 1) if self.rng.random() < 0.5 else (1, 0)

    def _batch(
        self, sides: tuple[BenchmarkProcess, BenchmarkProcess], index: int, benchmark: Measured, n: int
    ) -> float:
        answer = sides[index].ask({"name": benchmark.name, "n": n})
        if "failed" in answer:
            raise _BenchmarkFailedError(_LABELS[index], answer["failed"])
        elapsed = max(float(answer["elapsed_ns"]), 1.0)
        if elapsed > BATCH_NS / (10 if n > 1 else 2):
            # The maximum and not the mean: on a busy machine a batch waits for its turn, too. A short call
            # alone does not count: what the first one loads may take longer than the wait of a millisecond.
            benchmark.max_cpu_ratio = max(benchmark.max_cpu_ratio, answer["cpu_ns"] / elapsed)
        return elapsed

    def _calibrate(self, sides: tuple[BenchmarkProcess, BenchmarkProcess], benchmark: Measured) -> None:
        """Find the iterations of a batch, the same for both sides; long operations get fewer batches."""
        n = 1
        while True:
            slower = max(self._batch(sides, index, benchmark, n) for index in self._order())
            if slower >= BATCH_NS / 2 or n >= 1_000_000_000:
                break
            n = min(max(round(n * BATCH_NS / slower), n + 1), 100 * n)
        benchmark.n = max(1, round(n * BATCH_NS / slower))
        turn = 2 * benchmark.n * slower / n
        benchmark.batches = int(min(max(TURN_NS / turn, MIN_BATCHES), MAX_BATCHES))

    def _count(self, sides: tuple[BenchmarkProcess, BenchmarkProcess], benchmark: Measured) -> None:
        if not self.plan.counts:
            return
        counts = []
        request = {"name": benchmark.name, "count": list(self.plan.counts)}
        # Counts do not depend on what else the machine does, so both sides count at the same time.
        for side in sides:
            side.send(request)
        for index, answer in enumerate([side.receive() for side in sides]):
            if "failed" in answer:
                raise _BenchmarkFailedError(_LABELS[index], answer["failed"])
            if answer.get("elsewhere"):
                self._note(f"{benchmark.name}: no counts, because its work runs in other processes")
                benchmark.counted = USUAL_PROCESSES
                return
            lacking = ", ".join(unit for unit in self.plan.counts if unit not in answer["counts"])
            if lacking:
                reason = answer["reason"] or "its version of conduit does not count that"
                self._note(f"{_LABELS[index]} side: {lacking}: n/a, {reason}")
            counts.append(answer["counts"])
        benchmark.counted += 1
        for unit in counts[0]:
            if unit in counts[1]:
                benchmark.counts.setdefault(unit, []).append((counts[0][unit], counts[1][unit]))


def _reason_of(name: str, side: str, problems: Sequence[Problem]) -> str:
    """Return why a benchmark has no result on a side: its own failure, its parent's or its file's."""
    for problem in problems:
        if problem.side != side:
            continue
        if name == problem.name or name.startswith((problem.name + "/", problem.name + ":")):
            return problem.reason
    return "no such benchmark there"


def _differing_versions(found: Sequence[dict[str, Any]]) -> list[str]:
    old, new = (answer.get("versions", {}) for answer in found)
    differing = [
        f"{name} {old[name]} (old) and {new[name]} (new)"
        for name in sorted(old.keys() & new.keys())
        if old[name] != new[name]
    ]
    return [f"different versions are imported: {', '.join(differing)}"] if differing else []


class _BenchmarkFailedError(Exception):
    """A benchmark raised an exception on one side; the process continues."""

    def __init__(self, side: str, text: str) -> None:
        super().__init__(text)
        self.side = side
        self.text = text
