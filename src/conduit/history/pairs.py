"""Pairs of a commit and a reference commit, measured in turn as `conduit bench --against` measures two versions."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from conduit.bench.against.interleaved import Sampling
from conduit.errors import ConduitError, UsageError
from conduit.history.checkouts import commit_worktree
from conduit.history.culprit import CannotMeasureError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from conduit.bench.against.interleaved import AgainstResult, Measured, Plan
    from conduit.bench.against.worktree import Environment
    from conduit.history.checkouts import CommitWorktree


class Pairs:
    """Measures commits against a reference, each in a worktree of its own. Pairs of the last commit add up."""

    def __init__(
        self,
        reference: str,
        worktrees: tuple[CommitWorktree, CommitWorktree],
        plan: Plan,
        progress: Callable[[str], None] = lambda text: None,
    ) -> None:
        self.reference = reference
        self.worktrees = worktrees
        self.plan = plan
        self._progress = progress
        self._commit = ""
        self._sampling: Sampling | None = None

    def add(self, commit: str, count: int) -> AgainstResult:
        """Measure so many more pairs; return all of the commit's. Raises `CannotMeasureError`."""
        if commit != self._commit or self._sampling is None:
            self._sampling = self._start(commit)
            self._commit = commit
        try:
            for _ in range(count):
                if self._sampling.pairs and not self._sampling.open:
                    break  # every benchmark has failed
                self._sampling.add_pair()
        except ConduitError as error:
            self._sampling = None
            raise CannotMeasureError(str(error)) from None
        return self._sampling.result

    def _start(self, commit: str) -> Sampling:
        old, new = self.worktrees
        try:
            reference = old.at(self.reference)
        except CannotMeasureError as error:
            raise ConduitError(f"the reference {self.reference[:10]} cannot be measured: {error}") from None
        return Sampling(reference, new.at(commit), self.plan, self._progress)

    def log_ratios(self, commit: str, count: int) -> list[float]:
        """Measure so many more pairs; return their logarithms of the commit's cost by the reference's.

        Raises `CannotMeasureError` where the benchmark fails or is missing at the commit, and `UsageError` where
        several match.
        """
        measured = only_benchmark(self.add(commit, count))
        return [pair.log_ratio() for pair in measured.pairs[-count:]]

    def begin_again(self, reference: str, plan: Plan) -> None:
        """Measure against another reference, or other benchmarks or counts, from now on."""
        self.reference = reference
        self.plan = plan
        self._sampling = None


def only_benchmark(result: AgainstResult) -> Measured:
    """Return the one benchmark that ran on both sides. Raises `CannotMeasureError` or `UsageError`."""
    measured = [benchmark for benchmark in result.benchmarks if benchmark.pairs]
    if len(result.benchmarks) > 1:
        names = ", ".join(benchmark.name for benchmark in result.benchmarks[:8])
        raise UsageError(
            f"{len(result.benchmarks)} benchmarks match, expected one: {names}; anchor the pattern, as in ^Name$"
        )
    if not measured:
        raise CannotMeasureError(reason_of(result))
    failed = [problem for problem in result.problems if problem.name == measured[0].name]
    if failed:
        raise CannotMeasureError(f"{failed[0].name} failed: {failed[0].reason}")
    return measured[0]


def reason_of(result: AgainstResult) -> str:
    """Return why a result has no benchmark that ran on both sides."""
    for entry in result.one_sided:
        return (
            f"{entry.name}: {entry.reason}"
            if entry.side == "old"
            else f"{entry.name} is not in the reference"
        )
    for problem in result.problems:
        return f"{problem.name}: {problem.reason}"
    return "no such benchmark there"


@contextmanager
def open_pairs(
    root: Path,
    reference: str,
    files: Sequence[Path],
    plan: Plan,
    environment: Environment,
    *,
    notify: Callable[[str], None],
    progress: Callable[[str], None] = lambda text: None,
) -> Iterator[Pairs]:
    """Lend the measurement of commits of the repository at `root` against a reference commit's full id."""
    with (
        commit_worktree(root, reference, files, environment, notify) as old,
        commit_worktree(root, reference, files, environment, notify) as new,
    ):
        yield Pairs(reference, (old, new), plan, progress)
