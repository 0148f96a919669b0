"""What a database does with rows that refer to a deleted one, in the words of the document."""

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
    """Return `cascade`, `restrict`, …; empty where nothing is declared, the text itself where it is none of SQL's."""
    text = str(getattr(action, "value", action) or "")
    return _ACTIONS.get(text.upper().replace("_", " "), text)
