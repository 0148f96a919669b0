"""The commit that moved a benchmark, found by bisection with pairs of measurements.

Each candidate is measured in pairs against the good end, because two measurements side by side share what the machine
does. The question of each step is on which side of half the whole change the candidate lies; pairs are added until
Wilcoxon's signed-rank test on their distances from that half answers it. The error that is allowed for the whole search
is divided among its steps, and within a step among the looks at the data, so that looking early costs no more error
(Bonferroni). Where several commits share in the change, the one that crosses the half is found.
"""

from __future__ import annotations

import math
from statistics import median
from typing import TYPE_CHECKING, Literal, NamedTuple

from conduit.bench.statistics.paired import signed_rank_p
from conduit.errors import ConduitError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    Verdict = Literal["good", "bad", "undecided", "broken"]
    Measure = Callable[[str], Sequence[float]]

ERROR = 0.02
"""The probability that the wrong commit is named, if the pairs are independent."""

MAX_LOOKS = 6
"""How often pairs are added to a candidate before it is given up as undecided."""


class NothingToFindError(ConduitError):
    """The two ends of the range do not differ, as far as can be told."""


class CannotMeasureError(ConduitError):
    """A commit cannot be measured: it does not install, or the benchmark fails or is missing there."""


class Probe(NamedTuple):
    """What was measured of one commit: `delta` is its cost by the good end's, less one; NaN where it cannot be measured."""

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


def find_culprit(commits: Sequence[str], measure: Measure, *, error: float = ERROR) -> Culprit:
    """Search a range of commits, the good end first, the bad end last.

    `measure(commit)` measures more pairs and returns their logarithms of the commit's cost by the good end's; it raises
    `CannotMeasureError`. Raises `ValueError` for fewer than two commits and `NothingToFindError`.
    """
    if len(commits) < 2:
        raise ValueError(f"expected a good and a bad commit, got {len(commits)}")
    search = _Search(commits, measure, error)
    search.confirm()
    while search.step():
        pass
    suspects = tuple(commits[search.good + 1 : search.bad + 1])
    delta = math.expm1(search.change)
    return Culprit(commits[search.good], commits[search.bad], suspects, delta, tuple(search.probes))


class _Search:
    def __init__(self, commits: Sequence[str], measure: Measure, error: float) -> None:
        self.commits = commits
        self.measure = measure
        self.good, self.bad = 0, len(commits) - 1
        steps = math.ceil(math.log2(max(len(commits) - 1, 1))) + 1
        self.alpha = error / steps / MAX_LOOKS
        self.change = 0.0  # the logarithm of the whole change
        self.passed: set[int] = set()  # commits that say nothing
        self.probes: list[Probe] = []

    def confirm(self) -> None:
        """Measure the bad end until it differs from the good one."""
        probe, ratios = self._probe(self.bad, 0.0)
        if probe.verdict == "broken":
            raise CannotMeasureError(probe.reason)
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
        probe, _ = self._probe(at, self.change / 2)
        if probe.verdict == "bad":
            self.bad = at
        elif probe.verdict == "good":
            self.good = at
        else:
            self.passed.add(at)
        return True

    def _probe(self, at: int, border: float) -> tuple[Probe, list[float]]:
        commit = self.commits[at]
        ratios: list[float] = []
        verdict: Verdict = "undecided"
        for _ in range(MAX_LOOKS):
            try:
                ratios += self.measure(commit)
            except CannotMeasureError as error:
                return self._noted(Probe(commit, "broken", math.nan, len(ratios), str(error))), ratios
            if signed_rank_p([ratio - border for ratio in ratios]) <= self.alpha:
                verdict = self._side(median(ratios) - border)
                break
        delta = math.expm1(median(ratios)) if ratios else math.nan
        return self._noted(Probe(commit, verdict, delta, len(ratios))), ratios

    def _side(self, distance: float) -> Verdict:
        return "good" if self.change and distance * self.change < 0 else "bad"

    def _noted(self, probe: Probe) -> Probe:
        self.probes.append(probe)
        return probe
