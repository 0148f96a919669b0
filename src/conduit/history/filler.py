"""Measures the commits of a range, one after the other, until all are done or the time is used up."""

from __future__ import annotations

from dataclasses import dataclass, field
from statistics import fmean
from typing import TYPE_CHECKING, NamedTuple

from conduit.history.culprit import CannotMeasureError

if TYPE_CHECKING:
    from collections.abc import Callable

    from conduit.history.filling import Measurement, Schedule


class Progress(NamedTuple):
    """How far a filling is. Times in seconds; `left` is None as long as nothing was measured to go by."""

    done: int
    gaps: int
    expected: int  # commits still to be measured, if nothing else turns out to have moved
    spent: float
    left: float | None
    beyond_budget: int  # how many of the expected commits the budget does not reach


@dataclass(slots=True)
class Filler:
    """Measures what a schedule asks for.

    `measure(position)` measures and keeps one commit; it raises `CannotMeasureError`, and `keep_gap` keeps its reason.
    `clock` returns seconds, `budget` is how many of them may be used: a commit that was begun is finished.
    `tell` is called after each commit with its position and the reason of a gap, or "".
    """

    schedule: Schedule
    measure: Callable[[int], Measurement]
    keep_gap: Callable[[int, str], None]
    clock: Callable[[], float]
    budget: float
    tell: Callable[[int, str, Progress], None]
    _durations: list[float] = field(default_factory=list)
    _begun: float = 0.0

    def run(self) -> bool:
        """Return whether nothing is left, rather than the time used up."""
        self._begun = self.clock()
        while (position := self.schedule.next()) is not None:
            if self.clock() - self._begun >= self.budget:
                return False
            self._take(position)
        return True

    def _take(self, position: int) -> None:
        begun = self.clock()
        reason = ""
        try:
            self.schedule.measured[position] = self.measure(position)
        except CannotMeasureError as error:
            reason = str(error) or "cannot be measured"
            self.schedule.gaps.add(position)
            self.keep_gap(position, reason)
        self._durations.append(self.clock() - begun)
        self.tell(position, reason, self.progress())

    def progress(self) -> Progress:
        """Return how far it is, with an estimate from the commits that this run has taken."""
        schedule = self.schedule
        expected = schedule.expected_left()
        spent = self.clock() - self._begun
        left, beyond = None, 0
        if self._durations:
            each = fmean(self._durations)
            room = max(self.budget - spent, 0.0)
            left = min(expected * each, room)
            beyond = max(expected - int(room / each) - 1, 0) if expected * each > room and each else 0
        return Progress(len(schedule.measured), len(schedule.gaps), expected, spent, left, beyond)
