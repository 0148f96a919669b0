"""What is known about units: whether more is better, and whether repeated measurement tells more.

`Unit` lines say it (`Unit widgets better=higher assume=exact`); a few units are known without.
"""

from __future__ import annotations

from conduit.bench.text.units import tidy_unit

_BETTER = {"sec/op": -1, "B/s": 1, "B/op": -1, "allocs/op": -1, "bytecodes/op": -1}


class UnitTable:
    """Unit metadata gathered from all files that were read; keyed by tidied unit."""

    __slots__ = ("_values",)

    def __init__(self) -> None:
        self._values: dict[tuple[str, str], str] = {}

    def add(self, unit: str, key: str, value: str) -> str:
        """Records a fact unless there is one already; returns the one that stands."""
        return self._values.setdefault((tidy_unit(unit)[0], key), value)

    def get(self, unit: str, key: str) -> str:
        """The fact for a unit, written or tidied; empty where nothing was said."""
        return self._values.get((tidy_unit(unit)[0], key), "")

    def is_exact(self, unit: str) -> bool:
        """Whether values in this unit do not vary from run to run, so that one is enough."""
        return self.get(unit, "assume") == "exact"

    def better(self, unit: str) -> int:
        """Gives +1 where higher is better, -1 where lower is, 0 where nobody said."""
        said = self.get(unit, "better")
        if said:
            return {"higher": 1, "lower": -1}.get(said, 0)
        return _BETTER.get(tidy_unit(unit)[0], 0)
