"""The table from which the page prints the sums that only it makes: those of a pivot, those of a search."""

from __future__ import annotations

from typing import Any

from conduit.profile.measurement import find_unit


def amounts_document(unit: str, ratio: float) -> dict[str, Any]:
    """Return the factor of a profile's unit, and the units to print in, smallest first (as `label` chooses among them).

    A unit of no family has no factor: its values are printed as they are, without a name.
    """
    found = find_unit(unit)
    if found is None:
        return {"ratio": ratio, "factor": None, "default": "", "steps": []}
    family = found.family
    return {
        "ratio": ratio,
        "factor": found.factor,
        "default": family.default.name,
        "steps": [[step.name, step.factor] for step in family.units],
    }
