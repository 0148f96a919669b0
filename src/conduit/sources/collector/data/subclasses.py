"""The classes below a base class, which is how mappers without a registry are enumerated."""

from __future__ import annotations

from typing import Any


def subclasses_of(base: Any) -> list[Any]:
    """Return every subclass that is still alive, each once, sorted by its qualified name."""
    found: dict[int, Any] = {}
    waiting: list[Any] = type.__subclasses__(base)
    while waiting:
        cls = waiting.pop()
        if id(cls) not in found:
            found[id(cls)] = cls
            waiting += type.__subclasses__(cls)
    return sorted(found.values(), key=lambda cls: (cls.__module__, cls.__qualname__))
