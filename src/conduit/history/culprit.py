"""The commit that moved a benchmark, found by bisection with pairs of measurements.

Each candidate is measured in pairs against the good end, because two measurements side by side share what the machine
does. The question of each step is on which side of half the whole change the candidate lies; pairs are added until
Wilcoxon's signed-rank test on their distances from that half answers it. The error that is allowed for the whole search
is divided among its steps; within a step most of it is for the first test, which has as few pairs as could ever reach
it, and the rest is divided among the later ones (Bonferroni), each after half as many pairs again. Where several
commits share in the change, the one that crosses the half is found.
"""

from __future__ import annotations

import math
from itertools import pairwise
from statistics import median
from typing import TYPE_CHECKING, Literal, NamedTuple

from conduit.bench.statistics.paired import signed_rank_p
from conduit.errors import ConduitError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    Verdict = Literal["good", "bad", "undecided", "broken"]
    Measure = Callable[[str, int], Sequence[float]]
    Notify = Callable[["Probe"], None]

ERROR = 0.02
"""The probability that the wrong commit is named, if the pairs are independent."""

MAX_LOOKS = 7
"""How often a candidate's pairs are tested before it is given up as undecided."""

_FIRST_SHARE = 0.75
_GROWTH = 1.5


class NothingToFindError(ConduitError):
    """The two ends of the range do not differ, as far as can be told."""


class CannotMeasureError(ConduitError):
    """A commit cannot be measured: it does not install, or the benchmark fails or is missing there."""


class Probe(NamedTuple):
    """The measurement of one commit: `delta` is its cost by the good end's, less one; NaN where there is none."""

    commit: str
    verdict: Verdict
    delta: float
    pairs: int
    reason: str = ""


class Culprit(NamedTuple):
    """Where the change happened: after `last_good` and not later than `first_bad`.

    `suspects` are the commits in between that could not be told apart, `first_bad` the last of them; one where the
    search succeeded.
    """

    last_good: str
    first_bad: str
    suspects: tuple[str, ...]
    delta: float
    probes: tuple[Probe, ...]


def find_culprit(
    commits: Sequence[str],
    measure: Measure,
    *,
    error: float = ERROR,
    notify: Notify = lambda probe: None,
) -> Culprit:
    """Search a range of commits, the good end first, the bad end last.

    `measure(commit, count)` measures so many more pairs and returns their logarithms of the commit's cost by the good
    end's; it raises `CannotMeasureError`. `notify` is told each decision. Raises `ValueError` for fewer than two
    commits and `NothingToFindError`.
    """
    if len(commits) < 2:
        raise ValueError(f"expected a good and a bad commit, got {len(commits)}")
    search = _Search(commits, measure, error, notify)
    search.confirm()
    while search.step():
        pass
    suspects = tuple(commits[search.good + 1 : search.bad + 1])
    delta = math.expm1(search.change)
    return Culprit(commits[search.good], commits[search.bad], suspects, delta, tuple(search.probes))


def where_counts_change(
    before: Mapping[str, float], suspects: Sequence[Mapping[str, float]]
) -> dict[int, list[str]]:
    """Return which counts change at one of several commits and at no other, by the commit's position.

    `before` are the counts of the commit before the first, each by its unit; all of them are such as never vary. A
    count that one of the commits does not have says nothing.
    """
    found: dict[int, list[str]] = {}
    for unit, value in before.items():
        values = [value, *(counts.get(unit, math.nan) for counts in suspects)]
        changed = [at for at, pair in enumerate(pairwise(values)) if pair[0] != pair[1]]
        if len(changed) == 1 and not any(map(math.isnan, values)):
            found.setdefault(changed[0], []).append(unit)
    return found


class Looks:
    """When the pairs of one candidate are tested: `counts` are pairs to add, `alphas` the one-sided errors allowed."""

    def __init__(self, error: float) -> None:
        first = error * _FIRST_SHARE
        rest = error * (1 - _FIRST_SHARE) / (MAX_LOOKS - 1)
        self.alphas: tuple[float, ...] = (first, *[rest] * (MAX_LOOKS - 1))
        # k pairs on one side have the probability 2^-k.
        total, counts = 0, []
        for alpha in self.alphas:
            more = max(math.ceil(-math.log2(alpha)), round(total * _GROWTH)) - total
            counts.append(max(more, 1))
            total += counts[-1]
        self.counts: tuple[int, ...] = tuple(counts)


class _Search:
    def __init__(self, commits: Sequence[str], measure: Measure, error: float, notify: Notify) -> None:
        self.commits = commits
        self.measure = measure
        self.notify = notify
        self.good, self.bad = 0, len(commits) - 1
        steps = math.ceil(math.log2(max(len(commits) - 1, 1))) + 1
        self.looks = Looks(error / steps)
        self.change = 0.0  # the logarithm of the whole change
        self.passed: set[int] = set()  # commits that say nothing
        self.probes: list[Probe] = []

    def confirm(self) -> None:
        """Measure the bad end until it differs from the good one."""
        probe, ratios = self._probe(self.bad, 0.0, sides=2)
        if probe.verdict == "broken":
            raise CannotMeasureError(f"{probe.commit[:10]}: {probe.reason}")
        if probe.verdict == "undecided":
            raise NothingToFindError(
                f"no difference between the ends of the range can be told from noise: {probe.delta:+.2%} in "
                f"{probe.pairs} pairs; name commits that differ, or measure on a quieter machine"
            )
        self.change = median(ratios)

    def step(self) -> bool:
        """Measure the commit nearest to the middle that may say something; return whether there was one."""
        open_commits = [at for at in range(self.good + 1, self.bad) if at not in self.passed]
        if not open_commits:
            return False
        middle = (self.good + self.bad) / 2
        at = min(open_commits, key=lambda candidate: abs(candidate - middle))
        probe, _ = self._probe(at, self.change / 2, sides=1)
        if probe.verdict == "bad":
            self.bad = at
        elif probe.verdict == "good":
            self.good = at
        else:
            self.passed.add(at)
        return True

    def _probe(self, at: int, border: float, sides: int) -> tuple[Probe, list[float]]:
        """Measure a commit. `sides`: in how many directions a wrong answer is possible."""
        commit = self.commits[at]
        ratios: list[float] = []
        verdict: Verdict = "undecided"
        for count, alpha in zip(self.looks.counts, self.looks.alphas, strict=True):
            try:
                ratios += self.measure(commit, count)
            except CannotMeasureError as error:
                return self._noted(Probe(commit, "broken", math.nan, len(ratios), str(error))), ratios
            if signed_rank_p([ratio - border for ratio in ratios]) * sides / 2 <= alpha:
                verdict = self._side(median(ratios) - border)
                break
        delta = math.expm1(median(ratios)) if ratios else math.nan
        return self._noted(Probe(commit, verdict, delta, len(ratios))), ratios

    def _side(self, distance: float) -> Verdict:
        return "good" if self.change and distance * self.change < 0 else "bad"

    def _noted(self, probe: Probe) -> Probe:
        self.probes.append(probe)
        self.notify(probe)
        return probe
