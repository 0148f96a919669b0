"""Type annotations as short, stable text, and the classes in them."""

from __future__ import annotations

import collections.abc
import enum
import types
import typing
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .document import Document

_UNIONS = (typing.Union, getattr(types, "UnionType", typing.Union))
_LISTS = (
    list,
    set,
    frozenset,
    tuple,
    collections.abc.Sequence,
    collections.abc.Iterable,
    collections.abc.Iterator,
    collections.abc.AsyncIterator,
    collections.abc.AsyncIterable,
    collections.abc.Generator,
    collections.abc.AsyncGenerator,
    collections.abc.Collection,
)
_LONGEST = 300


def type_text(annotation: Any) -> str:
    """Return the annotation as written by a person, without modules: `str | None`, `list[Item]`, `Literal['a']`."""
    text = _text(annotation, 0)
    return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"


def _text(annotation: Any, depth: int) -> str:
    annotation = bare(annotation)
    if annotation is None or annotation is type(None):
        return "None"
    if annotation is ...:
        return "..."
    if isinstance(annotation, str):
        return annotation
    if isinstance(annotation, (list, tuple)):
        return "[" + ", ".join(_text(item, depth + 1) for item in annotation) + "]"
    origin, arguments = typing.get_origin(annotation), typing.get_args(annotation)
    if depth > 20 or origin is None:
        return _plain(annotation)
    if origin in _UNIONS:
        return " | ".join(_text(item, depth + 1) for item in arguments)
    if origin is typing.Literal:
        return "Literal[" + ", ".join(_literal(item) for item in arguments) + "]"
    return _plain(origin) + "[" + ", ".join(_text(item, depth + 1) for item in arguments) + "]"


def _plain(thing: Any) -> str:
    if isinstance(thing, typing.ForwardRef):
        return thing.__forward_arg__
    name = getattr(thing, "__name__", None) or getattr(thing, "_name", None)
    if isinstance(name, str):
        return name
    return type(thing).__name__


def _literal(value: Any) -> str:
    return f"{type(value).__name__}.{value.name}" if isinstance(value, enum.Enum) else repr(value)


def bare(annotation: Any) -> Any:
    """Return the annotation without `Annotated[…]` and without a `type X = …` or NewType around it."""
    while True:
        if hasattr(annotation, "__metadata__") and hasattr(annotation, "__origin__"):
            annotation = annotation.__origin__
        elif type(annotation).__name__ == "TypeAliasType":
            annotation = annotation.__value__
        elif hasattr(annotation, "__supertype__"):
            annotation = annotation.__supertype__
        else:
            return annotation


def allows_none(annotation: Any) -> bool:
    """Return whether `None` is among the types of the annotation."""
    annotation = bare(annotation)
    if annotation is None or annotation is type(None):
        return True
    return typing.get_origin(annotation) in _UNIONS and any(
        allows_none(a) for a in typing.get_args(annotation)
    )


def classes_in(annotation: Any) -> list[type]:
    """Return every class named in the annotation, in the order written, each once."""
    found: dict[type, None] = {}
    _gather(annotation, found, 0)
    return list(found)


def _gather(annotation: Any, found: dict[type, None], depth: int) -> None:
    annotation = bare(annotation)
    arguments = typing.get_args(annotation)
    if isinstance(annotation, type) and (not arguments or hasattr(annotation, "__mro__")):
        found[annotation] = None
    if depth < 20:
        for argument in arguments:
            if not isinstance(argument, (str, int)):
                _gather(argument, found, depth + 1)


def is_many(annotation: Any) -> bool:
    """Return whether the annotation, without `None`, is a list, set, tuple, iterator or mapping of something."""
    members = union_members(annotation)
    origins = [typing.get_origin(member) or member for member in members]
    return bool(origins) and all(origin in _LISTS or origin is dict for origin in origins)


def union_members(annotation: Any) -> list[Any]:
    """Return the alternatives of a union without `None`; the annotation itself if it is not a union."""
    annotation = bare(annotation)
    if typing.get_origin(annotation) in _UNIONS:
        return [m for a in typing.get_args(annotation) for m in union_members(a)]
    return [] if annotation is None or annotation is type(None) else [annotation]


def body_text(annotation: Any, document: Document) -> str:
    """Return a body's type by resource id: `X`, `[]X` for several, `X | Y`; the type's text if it is no resource."""
    if annotation is None:
        return ""
    return " | ".join(dict.fromkeys(_body(member, document) for member in union_members(annotation)))


def _body(member: Any, document: Document) -> str:
    identity = document.id_of(member)
    if identity:
        return identity
    arguments = typing.get_args(member)
    origin = typing.get_origin(member)
    if origin in _LISTS and arguments:
        inner = document.id_of(bare(arguments[0]))
        if inner:
            return "[]" + inner
    return type_text(member)
