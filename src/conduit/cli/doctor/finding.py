"""What a look at one thing gave."""

from __future__ import annotations

from typing import Literal, NamedTuple


class Finding(NamedTuple):
    """One thing looked at: what was found and, unless it is `ok`, what that costs and what to do about it."""

    name: str
    found: str
    state: Literal["ok", "note", "lost"] = "ok"
    cost: str = ""
    remedy: str = ""
