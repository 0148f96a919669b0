"""The database's action on rows that refer to a deleted row, in the terms of the document."""

from __future__ import annotations

from typing import Any

_ACTIONS = {
    "CASCADE": "cascade",
    "RESTRICT": "restrict",
    "SET NULL": "set_null",
    "SET DEFAULT": "set_default",
    "NO ACTION": "none",
}


def normal_action(action: Any) -> str:
    """Return `cascade`, `restrict`, …; empty if nothing is declared, and unknown actions unchanged."""
    text = str(getattr(action, "value", action) or "")
    return _ACTIONS.get(text.upper().replace("_", " "), text)
