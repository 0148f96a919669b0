"""Records of what happens while benchmarks run, in chronological order; names are full and without `-N`."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, TypeAlias

from conduit.bench.result import AllocationCount, Measurement, MeasurementWarning

if TYPE_CHECKING:
    from typing import Any, Literal

    Outcome: TypeAlias = Literal["failed", "skipped", "parent"]


@dataclass(frozen=True, slots=True)
class Started:
    """A benchmark's first run begins."""

    name: str


@dataclass(frozen=True, slots=True)
class Measuring:
    """The first run found no sub-benchmarks: the repetitions begin."""

    name: str


@dataclass(frozen=True, slots=True)
class Measured:
    """A result line."""

    measurement: Measurement


@dataclass(frozen=True, slots=True)
class Warned:
    """A warning about all repetitions of a benchmark together."""

    name: str
    processors: int
    warning: MeasurementWarning


@dataclass(frozen=True, slots=True)
class Ended:
    """A benchmark that gave no result: how it ended, and its log.

    `processors` is 0 where it ended in its first run, before any number of processors was set.
    """

    name: str
    outcome: Outcome
    log: tuple[str, ...]
    processors: int = 0


Event: TypeAlias = Started | Measuring | Measured | Warned | Ended


def encode_event(event: Event) -> dict[str, object]:
    """Return an event as plain data for JSON; `decode_event` reads it again."""
    return {"event": type(event).__name__, **asdict(event)}


def decode_event(data: dict[str, Any]) -> Event:
    """Return the event that `encode_event` wrote. Raise `KeyError` or `TypeError` for anything else."""
    fields = {name: value for name, value in data.items() if name != "event"}
    kind = data["event"]
    if kind == "Started":
        return Started(**fields)
    if kind == "Measuring":
        return Measuring(**fields)
    if kind == "Warned":
        return Warned(**fields | {"warning": MeasurementWarning(**fields["warning"])})
    if kind == "Ended":
        return Ended(**fields | {"log": tuple(fields["log"])})
    if kind == "Measured":
        return Measured(_decode_measurement(fields["measurement"]))
    raise KeyError(kind)


def _decode_measurement(fields: dict[str, Any]) -> Measurement:
    counted = fields["allocations"]
    return Measurement(
        **fields
        | {
            "allocations": None if counted is None else AllocationCount(**counted),
            "log": tuple(fields["log"]),
            "warnings": tuple(MeasurementWarning(**warning) for warning in fields["warnings"]),
        }
    )
