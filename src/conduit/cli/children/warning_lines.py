"""Warnings of many processes, one line for each kind."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

_MOST_ALONE = 2  # with more processes, one stands for all
_NUMBER = re.compile(r"\d[\d,]*(?:\.\d+)?")
_ONE = re.compile(r"\bsample( was| has)?\b")
_MANY = {None: "samples", " was": "samples were", " has": "samples have"}


def summed(warnings: Iterable[tuple[str, str]]) -> list[str]:
    """Return the lines for (process number, warning) pairs.

    Warnings that differ only in their numbers are one line where more than two processes have them: the number of
    processes, and the first one's warning.
    """
    kinds: dict[str, list[tuple[str, str]]] = {}
    for process, text in warnings:
        kind = _ONE.sub(lambda one: _MANY[one[1]], _NUMBER.sub("0", text))
        kinds.setdefault(kind, []).append((process, text))
    lines = []
    for alike in kinds.values():
        if len(alike) <= _MOST_ALONE:
            lines += [f"process {process}: {text}" for process, text in alike]
        else:
            process, text = alike[0]
            lines.append(f"{len(alike)} processes, as process {process}: {text}")
    return lines
