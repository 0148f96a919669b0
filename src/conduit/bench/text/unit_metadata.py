"""Unit metadata: which direction is better, and whether values are exact.

Read from `Unit` lines (`Unit widgets better=higher assume=exact`), with defaults for the built-in units.
"""

from __future__ import annotations

from conduit.bench.text.units import tidy_unit

_BETTER = {
    "sec/op": -1,
    "B/s": 1,
    "ops/s": 1,
    "B/op": -1,
    "allocs/op": -1,
    "bytecodes/op": -1,
    "instructions/op": -1,
    "peak-B/op": -1,
}


class UnitMetadata:
    """Unit metadata gathered from all files that were read; keyed by tidied unit."""

    __slots__ = ("_values",)

    def __init__(self) -> None:
        self._values: dict[tuple[str, str], str] = {}

    def add(self, unit: str, key: str, value: str) -> str:
        """Set `key` of a unit unless it is set already; return the value in force."""
        return self._values.setdefault((tidy_unit(unit)[0], key), value)

    def get(self, unit: str, key: str) -> str:
        """Return the value of `key` for a unit, written or tidied; empty if not set."""
        return self._values.get((tidy_unit(unit)[0], key), "")

    def is_exact(self, unit: str) -> bool:
        """Return whether values in this unit are the same in every run, so that one measurement is enough."""
        return self.get(unit, "assume") == "exact"

    def better(self, unit: str) -> int:
        """Return +1 if higher is better, -1 if lower is better, 0 if unknown."""
        said = self.get(unit, "better")
        if said:
            return {"higher": 1, "lower": -1}.get(said, 0)
        return _BETTER.get(tidy_unit(unit)[0], 0)
