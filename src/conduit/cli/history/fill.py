"""`conduit history run`: measures the present benchmarks at earlier commits."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from conduit.cli.against import Progress as ProgressLine
from conduit.cli.against import ended_by_signals
from conduit.cli.history.bisect import named, one_line, plan_of_paths
from conduit.errors import ConduitError, UsageError
from conduit.units import counted

if TYPE_CHECKING:
    from conduit.bench.against.interleaved import AgainstResult
    from conduit.cli.flags import Parsed
    from conduit.history.checkouts import Commit
    from conduit.history.filled_runs import Existing, Reference
    from conduit.history.filler import Progress
    from conduit.history.filling import Measurement, Schedule
    from conduit.history.pairs import Pairs
    from conduit.history.store import Store

_INTERRUPTED = 130
_PAIRS = 6
_MOST_MOVES = 20
_COUNTS = ("B/op", "allocs/op")


def fill(parsed: Parsed, revisions: str = "", *words: str) -> int:
    """Measure a range of commits and keep the results; return the exit status."""
    from conduit.bench.against.overlay import benchmark_files
    from conduit.bench.against.worktree import repository_root
    from conduit.history.checkouts import commits_between, read_range
    from conduit.history.filled_runs import Reference, digest_benchmarks
    from conduit.history.pairs import open_pairs
    from conduit.history.store import open_store

    if not revisions:
        raise UsageError("expected a range: conduit history run GOOD..BAD [PATH…]")
    here = Path.cwd()
    root = repository_root(here)
    commits = commits_between(root, *read_range(root, revisions))
    plan = plan_of_paths(parsed["bench"], list(words), root, here, skip=parsed["skip"], counts=_COUNTS)
    files = benchmark_files(root, plan.paths)
    choice = "\0".join([plan.bench, plan.skip, *plan.paths])
    reference = Reference(commits[-1].id, digest_benchmarks(root, files, choice), {})
    line = ProgressLine(verbose=parsed["v"])
    filling = _Filling(commits, reference, open_store(parsed["store"], here), line, parsed["step"])
    filling.read_existing(retries_gaps=parsed["retry"])
    with ended_by_signals():
        try:
            with open_pairs(
                root, reference.commit, files, plan, parsed["env"], notify=_say, progress=line.show
            ) as pairs:
                is_done = filling.run(pairs, parsed["budget"])
        except KeyboardInterrupt:
            line.clear()
            _say("interrupted: the results so far are stored, and the same command continues from there")
            return _INTERRUPTED
    filling.print_summary()
    if not is_done:
        _say(
            "the budget is used up: the results so far are stored, and the same command continues from there"
        )
    return 0


class _Filling:
    """The range, the schedule over it, and the store that takes the results."""

    def __init__(
        self,
        commits: list[Commit],
        reference: Reference,
        store: Store,
        line: ProgressLine,
        step: int | None,
    ) -> None:
        from conduit.history.filling import Schedule

        self.commits = commits
        self.reference = reference
        self.store = store
        self.line = line
        self.schedule: Schedule = Schedule(len(commits), step)
        self.pairs: Pairs | None = None
        self.reasons: dict[int, str] = {}

    def read_existing(self, *, retries_gaps: bool) -> None:
        """Take over what an earlier run of the same command has measured."""
        from conduit.history.filled_runs import read_existing

        existing: Existing = read_existing(self.store.runs(), self.reference)
        self.reference = self.reference._replace(levels=existing.levels)
        positions = {commit.id: at for at, commit in enumerate(self.commits)}
        self.schedule.measured = {
            positions[commit]: found for commit, found in existing.measured.items() if commit in positions
        }
        if not retries_gaps:
            self.reasons = {
                positions[commit]: reason for commit, reason in existing.gaps.items() if commit in positions
            }
            self.schedule.gaps = set(self.reasons)
        done = len(self.schedule.measured)
        kept = (
            f"; {done} are measured already, {counted(len(self.reasons), 'gap')}"
            if done + len(self.reasons)
            else ""
        )
        commits = counted(len(self.commits), "commit")
        _say(f"{commits} up to {named(self.commits[-1])}, which the others are measured against{kept}")

    def run(self, pairs: Pairs, budget_ns: int) -> bool:
        """Measure until nothing is left or the time is used up; return whether nothing is left."""
        from conduit.history.filler import Filler

        self.pairs = pairs
        filler = Filler(
            self.schedule, self._measure, self._keep_gap, time.monotonic, budget_ns / 1e9, self._tell
        )
        return filler.run()

    def _measure(self, position: int) -> Measurement:
        from conduit.history.filled_runs import format_run, measurement_of, reference_levels

        assert self.pairs is not None
        commit = self.commits[position]
        result = self.pairs.add(commit.id, _PAIRS)
        if commit.id == self.reference.commit:
            self.reference = self.reference._replace(levels=reference_levels(result))
            if not self.reference.levels:
                raise ConduitError(f"nothing can be measured at {named(commit)}: {_reason_of(result)}")
        measurement = measurement_of(result)
        if not measurement.log_ratios:
            from conduit.history.culprit import CannotMeasureError

            raise CannotMeasureError(_reason_of(result))
        dependencies = self.pairs.worktrees[1].dependencies
        self.store.save(format_run(commit, self.reference, dependencies, result), commit.id)
        return measurement

    def _keep_gap(self, position: int, reason: str) -> None:
        from conduit.history.filled_runs import format_gap

        if self.commits[position].id == self.reference.commit:
            raise ConduitError(f"{named(self.commits[position])} cannot be measured: {reason}")
        self.reasons[position] = one_line(reason)
        self.store.save(
            format_gap(self.commits[position], self.reference, one_line(reason)), self.commits[position].id
        )

    def _tell(self, position: int, reason: str, progress: Progress) -> None:
        self.line.clear()
        what = f"gap, {one_line(reason)}" if reason else "measured"
        _say(f"{named(self.commits[position])}: {what} ({progress_text(progress)})")

    def print_summary(self) -> None:
        """Print what moved, and the gaps."""
        from conduit.cli.tables import standard_page

        page = standard_page()
        gaps = counted(len(self.reasons), "gap")
        print(f"{len(self.schedule.measured)} of {len(self.commits)} commits measured, {gaps}")
        moves = [move for moves in self.schedule.all_moves() for move in moves]
        if moves:
            page.line()
            page.table(
                ["moved", "unit", "change", "commit"],
                [
                    [move.benchmark, move.unit, f"{move.delta:+.2%}", self._where(move.before, move.after)]
                    for move in moves[:_MOST_MOVES]
                ],
                keep="moved",
            )
        if self.reasons:
            page.line()
            rows = [[named(self.commits[at]), reason] for at, reason in sorted(self.reasons.items())]
            page.table(["gap", "reason"], rows, keep="reason")
        page.line()
        print("see all of it: conduit history show, or conduit history -http=:8080")

    def _where(self, before: int, after: int) -> str:
        commit = named(self.commits[after])
        between = after - before - 1
        return f"{commit} or one of the {between} before it" if between else commit


def progress_text(progress: Progress) -> str:
    """Return how far a filling is, for people."""
    gaps = f", {counted(progress.gaps, 'gap')}" if progress.gaps else ""
    text = (
        f"{progress.done} measured{gaps}, about {progress.expected} to go; {_duration(progress.spent)} spent"
    )
    if progress.left is not None and progress.expected:
        text += f", about {_duration(progress.left)} left"
    if progress.beyond_budget:
        text += f"; the budget ends about {counted(progress.beyond_budget, 'commit')} before"
    return text


def _duration(seconds: float) -> str:
    whole = round(seconds)
    if whole < 60:
        return f"{whole}s"
    return f"{whole // 3600}h{whole % 3600 // 60:02}m" if whole >= 3600 else f"{whole // 60}m{whole % 60:02}s"


def _reason_of(result: AgainstResult) -> str:
    from conduit.history.pairs import reason_of

    return reason_of(result)


def _say(text: str) -> None:
    print(f"conduit history: {text}", file=sys.stderr, flush=True)
