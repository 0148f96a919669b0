"""A against B without drift: two checkouts measured in turn, batch by batch, in pairs of fresh processes.

Two runs one after the other compare two stretches of time on a machine that never stands still; even identical code
differs by more than most regressions. Here both sides live at the same time, in processes that are started in
random order, and short batches of the same number of iterations alternate in random order, so that whatever the
machine does, it does to both. A pair stays on one core, a random one each time, because two cores are hardly ever
equally busy (unless the benchmark waits or uses more than one core). Every pair of processes is one observation (see
`decision`); pairs are added until every benchmark is decided or the time is used up. What is counted and does not vary
(allocations, instructions) is counted once.
"""

from __future__ import annotations

import os
import random
import re
import time
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

from conduit.bench.against.process import BenchmarkProcess, ProcessEndedError
from conduit.bench.compare.verdicts import Gates, closes, grade_of, worsening
from conduit.bench.statistics.paired import PairTimes, decide, needs_more_pairs, summarize_pairs
from conduit.errors import ConduitError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from conduit.bench.against.worktree import Checkout
    from conduit.bench.compare.verdicts import Grade
    from conduit.bench.statistics.paired import PairedSummary, State

BATCH_NS = 3_000_000  # shorter than a scheduler's turn: on a busy machine some batches still have a core to themselves
MAX_BATCHES = 20
MIN_BATCHES = 3
TURN_NS = 2 * MAX_BATCHES * BATCH_NS
_LABELS = ("old", "new")


@dataclass(frozen=True, slots=True)
class Plan:
    """What to compare: `paths` are relative to both roots. Times in nanoseconds; `counts` are deterministic units."""

    paths: tuple[str, ...]
    bench: str = "."
    skip: str = ""
    short: bool = False
    gc_mode: str = "off"
    budget_ns: int = 60_000_000_000
    counts: tuple[str, ...] = ("B/op", "allocs/op")
    seed: int | None = None


class Problem(NamedTuple):
    """A benchmark or a file that failed on one side, with its traceback."""

    side: str
    name: str
    text: str


@dataclass(slots=True)
class Measured:
    """One benchmark on both sides: the batches of each pair, and what was counted, (old, new) by unit."""

    name: str
    pairs: list[PairTimes] = field(default_factory=list)
    counts: dict[str, tuple[float, float]] = field(default_factory=dict)
    n: int = 0
    batches: int = MAX_BATCHES
    max_cpu_ratio: float = 0.0  # the most processors that a batch kept busy

    @property
    def is_one_core(self) -> bool:
        """Whether it computes, and in one thread at a time: what waits or runs in parallel may need other cores."""
        return 0.5 <= self.max_cpu_ratio <= 1.1


class AgainstRow(NamedTuple):
    """One benchmark in one unit. `delta` is new by old - 1; `evidence` is missing where the values are counts."""

    name: str
    unit: str
    old: float
    new: float
    delta: float
    state: State
    grade: Grade
    closes_gate: bool
    evidence: PairedSummary | None


@dataclass(slots=True)
class AgainstResult:
    """What a comparison measured; `unpaired` are (name, side) of what only one side has."""

    old: str
    new: str
    benchmarks: list[Measured]
    unpaired: list[tuple[str, str]]
    problems: list[Problem]
    interrupted: bool = False
    notes: dict[str, str] = field(default_factory=dict)  # by side: what could not be counted there, and why

    def rows(self, gates: Gates) -> list[AgainstRow]:
        """Every benchmark's times and counts with their verdicts; the times are one family."""
        timed = [benchmark for benchmark in self.benchmarks if benchmark.pairs]
        rows = []
        for benchmark in timed:
            rows.append(_time_row(benchmark, len(timed), gates))
            rows += [_count_row(benchmark, unit, *pair, gates) for unit, pair in benchmark.counts.items()]
        return rows


def _time_row(benchmark: Measured, family: int, gates: Gates) -> AgainstRow:
    evidence = summarize_pairs(benchmark.pairs)
    state = decide(evidence, family)
    levels = gates.levels("sec/op")
    grade: Grade = "undecided" if state == "unresolved" else "same"
    if state == "different":
        grade = grade_of(evidence.floor_delta, levels)
    return AgainstRow(
        benchmark.name,
        "sec/op",
        evidence.old_floor / 1e9,
        evidence.new_floor / 1e9,
        evidence.floor_delta,
        state,
        grade,
        closes(grade, levels),
        evidence,
    )


def _count_row(benchmark: Measured, unit: str, old: float, new: float, gates: Gates) -> AgainstRow:
    delta = 0.0 if old == new else new / old - 1 if old else float("inf")
    levels = gates.levels(unit)
    grade: Grade = grade_of(worsening(delta, -1), levels) if delta else "same"
    state: State = "different" if delta else "same"
    return AgainstRow(benchmark.name, unit, old, new, delta, state, grade, closes(grade, levels), None)


def run_against(
    old: Checkout, new: Checkout, plan: Plan, progress: Callable[[str], None] = lambda text: None
) -> AgainstResult:
    """Measure both sides until everything is decided or the budget is used; Ctrl-C ends it with what there is.

    Raises `ConduitError` where a side cannot even load, or where the sides have no benchmark in common.
    """
    comparison = _Sampling(old, new, plan, progress)
    try:
        comparison.run()
    except KeyboardInterrupt:
        comparison.result.interrupted = True
    return comparison.result


class _Sampling:
    """The state of one comparison while pairs of processes come and go."""

    def __init__(self, old: Checkout, new: Checkout, plan: Plan, progress: Callable[[str], None]) -> None:
        self.checkouts = (old, new)
        self.plan = plan
        self.progress = progress
        self.rng = random.Random(plan.seed)
        self.result = AgainstResult(old.name, new.name, [], [], [])
        self.open: dict[str, Measured] = {}
        self.family = 1
        self.pairs = 0
        self.cores: Sequence[int] = (
            sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else []
        )
        self.core: int | None = None

    def run(self) -> None:
        deadline = time.monotonic_ns() + self.plan.budget_ns
        while self.pairs == 0 or (self.open and time.monotonic_ns() < deadline):
            self._run_pair(deadline)
            self.pairs += 1
            for name in [
                name for name, it in self.open.items() if it.pairs and not self._needs_more_pairs(it)
            ]:
                del self.open[name]

    def _needs_more_pairs(self, benchmark: Measured) -> bool:
        return needs_more_pairs(summarize_pairs(benchmark.pairs), self.family)

    def _run_pair(self, deadline: int) -> None:
        with ExitStack() as stack:
            sides = self._start(stack)
            try:
                found = [side.receive() for side in sides]
            except ProcessEndedError:
                if self.pairs == 0:
                    raise
                raise ConduitError(f"a process that worked {self.pairs} times did not start again") from None
            if self.pairs == 0:
                self._meet(found)
            names = list(self.open)
            self.rng.shuffle(names)
            self.core = self.rng.choice(self.cores) if len(self.cores) > 1 else None
            for place, name in enumerate(names):
                if self.pairs and time.monotonic_ns() > deadline:
                    return
                self.progress(
                    f"pair {self.pairs + 1}, {len(self.open)} to decide: {name} ({place + 1}/{len(names)})"
                )
                if not self._take_turn(sides, self.open[name]):
                    return

    def _start(self, stack: ExitStack) -> tuple[BenchmarkProcess, BenchmarkProcess]:
        """Start both processes, in random order: the first is often the quicker one."""
        plan = self.plan
        setup = {
            "paths": plan.paths,
            "bench": plan.bench if self.pairs == 0 else self._pattern(),
            "skip": plan.skip,
            "gc": plan.gc_mode,
            "short": plan.short,
        }
        order = [0, 1]
        self.rng.shuffle(order)
        started = {
            index: stack.enter_context(BenchmarkProcess(self.checkouts[index], setup)) for index in order
        }
        return started[0], started[1]

    def _pattern(self) -> str:
        """A pattern for what is still open, so that processes prepare nothing else."""
        names = [name.partition(":")[2] for name in self.open]
        if any(character in name for name in names for character in "[]()|\\"):
            return self.plan.bench
        return "|".join("/".join(f"^{re.escape(level)}$" for level in name.split("/")) for name in names)

    def _meet(self, found: Sequence[dict[str, Any]]) -> None:
        for label, answer in zip(_LABELS, found, strict=True):
            self.result.problems += [
                Problem(label, entry["name"], entry["text"]) for entry in answer["problems"]
            ]
        ready = [answer["ready"] for answer in found]
        failed = {problem.name for problem in self.result.problems}
        common = [name for name in ready[1] if name in set(ready[0])]
        self.result.unpaired = [
            (name, label)
            for label, names, others in (("old", ready[0], ready[1]), ("new", ready[1], ready[0]))
            for name in names
            if name not in others and name not in failed
        ]
        self.result.benchmarks = [Measured(name) for name in common]
        self.open = {benchmark.name: benchmark for benchmark in self.result.benchmarks}
        self.family = max(len(common), 1)

    def _take_turn(self, sides: tuple[BenchmarkProcess, BenchmarkProcess], benchmark: Measured) -> bool:
        """Give one benchmark its batches in this pair; return whether the processes are still of use."""
        try:
            self._pin_to_cores(sides, self.cores)
            if self.pairs == 0:
                self._count(sides, benchmark)
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
        del self.open[benchmark.name]

    def _batches(self, sides: tuple[BenchmarkProcess, BenchmarkProcess], benchmark: Measured) -> PairTimes:
        times: tuple[list[float], list[float]] = ([], [])
        for index in self._order():
            self._batch(
                sides, index, benchmark, benchmark.n
            )  # warms caches and the processor up; not counted
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
        if elapsed > BATCH_NS / 10:
            # The most and not the mean: on a busy machine a batch waits for its turn, too.
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
        for index, side in enumerate(sides):
            answer = side.ask({"name": benchmark.name, "count": list(self.plan.counts)})
            if "failed" in answer:
                raise _BenchmarkFailedError(_LABELS[index], answer["failed"])
            if answer["reason"]:
                self.result.notes.setdefault(_LABELS[index], f"B/op and allocs/op: n/a, {answer['reason']}")
            counts.append(answer["counts"])
        benchmark.counts = {
            unit: (counts[0][unit], counts[1][unit]) for unit in counts[0] if unit in counts[1]
        }


class _BenchmarkFailedError(Exception):
    """A benchmark raised an exception on one side; the process goes on."""

    def __init__(self, side: str, text: str) -> None:
        super().__init__(text)
        self.side = side
        self.text = text
