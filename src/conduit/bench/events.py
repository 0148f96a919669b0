"""What happens while benchmarks run, as records in the order of happening; names are full and without `-N`."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import Literal, TypeAlias

    from conduit.bench.result import Doubt, Measurement

    Outcome: TypeAlias = Literal["failed", "skipped", "parent"]


@dataclass(frozen=True, slots=True)
class Started:
    """A benchmark's first run begins."""

    name: str


@dataclass(frozen=True, slots=True)
class Measured:
    """A result line."""

    measurement: Measurement


@dataclass(frozen=True, slots=True)
class Doubted:
    """A doubt about all repetitions of a benchmark together."""

    name: str
    processors: int
    doubt: Doubt


@dataclass(frozen=True, slots=True)
class Ended:
    """A benchmark that gave no result: how it ended, and its log.

    `processors` is 0 where it ended in its first run, before any number of processors was set.
    """

    name: str
    outcome: Outcome
    log: tuple[str, ...]
    processors: int = 0


if TYPE_CHECKING:
    Event: TypeAlias = Started | Measured | Doubted | Ended
