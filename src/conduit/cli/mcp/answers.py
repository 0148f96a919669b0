"""Answers of limited size: items that do not fit are omitted and counted, and can be requested with an offset."""

from __future__ import annotations

import json
from typing import Any, NamedTuple

_MAX_TEXT = 2_000  # characters of a single text inside of a larger answer


class Page(NamedTuple):
    """A part of a list: `items` from `offset` on; `left_out` are behind it."""

    items: list[Any]
    offset: int
    total: int

    @property
    def left_out(self) -> int:
        """How many items are behind this page."""
        return self.total - self.offset - len(self.items)


def page_of(items: list[Any], offset: int, budget_bytes: int) -> Page:
    """Return as many items from `offset` on as fit into the budget; the first one is cut to fit where it alone is
    larger."""
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
    """The bytes of a value as JSON."""
    return len(json.dumps(value, ensure_ascii=False, default=str).encode("utf-8", "replace"))


def _cut_text(text: str, budget_bytes: int) -> str:
    kept = text.encode("utf-8", "replace")[: max(budget_bytes - 60, 40)].decode("utf-8", "ignore")
    return f"{kept}… ({len(text) - len(kept)} more characters)"


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
