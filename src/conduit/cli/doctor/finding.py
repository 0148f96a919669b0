"""One line of the doctor's answer."""

from __future__ import annotations

from typing import Literal, NamedTuple


class Finding(NamedTuple):
    """A part of the installation or the machine: its state and, unless that is `ok`, the effect and the remedy.

    `note`: something could be better; `lost`: something that Conduit measures elsewhere cannot be measured here.
    `remedy` is empty where there is none.
    """

    name: str
    found: str
    state: Literal["ok", "note", "lost"] = "ok"
    effect: str = ""
    remedy: str = ""
