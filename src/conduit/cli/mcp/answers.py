"""Answers of limited size: items that do not fit are omitted and counted, and can be requested with an offset.

The limit is that of the text that the agent reads: compact JSON with all members of the answer.
"""

from __future__ import annotations

import json
from typing import Any, NamedTuple

from conduit.errors import ConduitError
from conduit.units import counted

_MAX_TEXT = 2_000  # characters of a single text inside of a larger answer
_COUNTS = 160  # bytes kept for total, left_out and next_offset


class ToolError(ConduitError):
    """A tool could not answer; the text is for the agent."""


class Page(NamedTuple):
    """A part of a list: `items` from `offset` on; `left_out` are behind it."""

    items: list[Any]
    offset: int
    total: int

    @property
    def left_out(self) -> int:
        """How many items are behind this page."""
        return self.total - self.offset - len(self.items)


def paged(
    rest: dict[str, Any], name: str, items: list[Any], offset: int, budget_bytes: int
) -> dict[str, Any]:
    """Return an answer with `rest`, as many items from `offset` on as fit beside it, and how to ask for the others.

    Raises `ToolError` for an offset at which there is nothing.
    """
    if offset < 0 or offset > len(items):
        raise ToolError(f"offset is {offset}: expected 0 to {len(items)}")
    page = page_of(items, offset, max(budget_bytes - size_bytes(rest) - _COUNTS, 400))
    answer = {**rest, name: page.items, "total": page.total, "left_out": page.left_out}
    if page.left_out:
        answer["next_offset"] = page.offset + len(page.items)
    return answer


def lines_answer(rest: dict[str, Any], text: str, offset: int, budget_bytes: int) -> dict[str, Any]:
    """Return an answer with as many whole lines of a text as fit, from line `offset` (from 0) on."""
    answer = paged(rest, "text", text.splitlines(), offset, budget_bytes)
    return {**answer, "text": "\n".join(map(str, answer["text"]))}


def value_answer(
    rest: dict[str, Any], value: Any, part: str, offset: int, budget_bytes: int
) -> dict[str, Any]:
    """Return an answer with a record, whose lists are cut until it fits, or with one member of it from `offset` on.

    `next` tells for each list that was cut with which `offset` the rest of it is requested. Raises `ToolError` for a
    part that the record does not have.
    """
    if part:
        return paged({**rest, "part": part}, "items", _items_of(value, part), offset, budget_bytes)
    room = max(budget_bytes - size_bytes(rest) - _COUNTS, 400)
    if size_bytes(value) <= room or not isinstance(value, dict):
        return {**rest, "value": fitted(value, room)}
    lists = [key for key, member in value.items() if isinstance(member, (list, dict)) and member]
    shown = fitted(value, room - 60 * len(lists))
    cut = {key: _whole(shown[key], value[key]) for key in lists}
    following = {
        key: {"offset": kept, "of": len(value[key])} for key, kept in cut.items() if kept < len(value[key])
    }
    return {**rest, "value": shown, **({"next": following} if following else {})}


def _items_of(value: Any, part: str) -> list[Any]:
    if not isinstance(value, dict) or part not in value:
        known = ", ".join(value) if isinstance(value, dict) else "none"
        raise ToolError(f"there is no part {part!r}; the parts are: {known}")
    member = value[part]
    if isinstance(member, dict):
        return [{key: inner} for key, inner in member.items()]
    return member if isinstance(member, list) else [member]


def _whole(shown: Any, member: Any) -> int:
    """Return how many items at the beginning are as they were."""
    if isinstance(member, dict):
        items, before = list(shown.items()), list(member.items())
    else:
        items, before = shown, member
    return next(
        (at for at, (one, other) in enumerate(zip(items, before, strict=False)) if one != other),
        min(len(items), len(before)),
    )


def page_of(items: list[Any], offset: int, budget_bytes: int) -> Page:
    """Return as many items from `offset` on as fit into the budget.

    The first one is cut to fit if it alone is larger.
    """
    kept: list[Any] = []
    room = budget_bytes
    for item in items[max(offset, 0) :]:
        size = size_bytes(item) + 2
        if size > room:
            if not kept:
                kept.append(fitted(item, budget_bytes))
            break
        kept.append(item)
        room -= size
    return Page(kept, max(offset, 0), len(items))


def fitted(value: Any, budget_bytes: int) -> Any:
    """Return a value that fits: long texts and lists are cut, each with a note of how much was left out."""
    if size_bytes(value) <= budget_bytes:
        return value
    if isinstance(value, str):
        return _cut_text(value, budget_bytes)
    if isinstance(value, list):
        return _cut_list(value, budget_bytes)
    if isinstance(value, dict):
        return _cut_members(value, budget_bytes)
    return value


def size_bytes(value: Any) -> int:
    """Return the bytes of a value as JSON."""
    return len(json.dumps(value, ensure_ascii=False, default=str).encode("utf-8", "replace"))


def _cut_text(text: str, budget_bytes: int) -> str:
    kept = text.encode("utf-8", "replace")[: max(budget_bytes - 60, 40)].decode("utf-8", "ignore")
    return f"{kept}… ({counted(len(text) - len(kept), 'more character')})"


def _cut_list(items: list[Any], budget_bytes: int) -> list[Any]:
    page = page_of([fitted(item, max(budget_bytes // 4, _MAX_TEXT)) for item in items], 0, budget_bytes - 60)
    return [*page.items, f"… {page.left_out} more"] if page.left_out else page.items


def _cut_members(members: dict[str, Any], budget_bytes: int) -> dict[str, Any]:
    """Cut the largest members first, until all fit; every key stays."""
    sizes = {key: size_bytes(value) for key, value in members.items()}
    small = 0
    by_size = sorted(sizes, key=sizes.__getitem__)
    result = dict(members)
    for number, key in enumerate(by_size):
        share = (budget_bytes - small - 20 * len(members)) // (len(by_size) - number)
        if sizes[key] > share:
            result[key] = fitted(members[key], max(share, 80))
        small += size_bytes(result[key]) + len(key) + 6
    return result
