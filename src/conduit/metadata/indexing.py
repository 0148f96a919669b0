"""The loops over all records of a document that loading takes, for where the C extension is not; there they take half the time."""

from __future__ import annotations

from sys import intern
from typing import TYPE_CHECKING, Any, Literal, TypeVar, overload

from msgspec.structs import force_setattr

if TYPE_CHECKING:
    from collections.abc import Sequence

T = TypeVar("T")


@overload
def group_by(
    records: Sequence[Any], attribute: str, by_position: Literal[True], /
) -> dict[Any, list[int]]: ...
@overload
def group_by(
    records: Sequence[T], attribute: str, by_position: Literal[False] = False, /
) -> dict[Any, list[T]]: ...
def group_by(records: Sequence[Any], attribute: str, by_position: bool = False, /) -> dict[Any, list[Any]]:
    """The records by the value of an attribute, or their positions, in document order."""
    groups: dict[Any, list[Any]] = {}
    for position, record in enumerate(records):
        groups.setdefault(getattr(record, attribute), []).append(position if by_position else record)
    return groups


def index_by(records: Sequence[T], attribute: str, /) -> dict[str, T]:
    """The records by an attribute that is text, the last one of each value; the keys are interned."""
    return {intern(getattr(record, attribute)): record for record in records}


def replace_none(records: Sequence[Any], attributes: tuple[str, ...], value: object, /) -> None:
    """Puts the value wherever one of the attributes is None, also in frozen records."""
    for record in records:
        for attribute in attributes:
            if getattr(record, attribute) is None:
                force_setattr(record, attribute, value)
