"""The tables of a document's cached answers, and the loops that build its indexes.

The C extension has faster versions of everything here under the same names; these are used if it is not loaded.
"""

from __future__ import annotations

from sys import intern
from typing import TYPE_CHECKING, Any, Literal, TypeVar, overload

from msgspec.structs import force_setattr

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from conduit.metadata.impact import Impact
    from conduit.metadata.schema import (
        DependencyGraph,
        FieldReference,
        Metadata,
        Pattern,
        RelationshipReference,
        Resource,
        Route,
    )

T = TypeVar("T")


class Tables:
    """The cached answers of a loaded document.

    An answer in no table is computed by the document's `compute_…` methods.
    """

    __slots__ = (
        "_backward",
        "_backward_of_types",
        "_by_path_method",
        "_by_resource_method",
        "_by_resource_path",
        "_by_resource_path_method",
        "_conventions",
        "_fields_by_type",
        "_forward",
        "_forward_of_types",
        "_impacts",
        "_matching",
        "_pattern_by_name",
        "_patterns",
        "_relationships_to",
        "by_name",
        "resources",
        "schema",
    )

    schema: Metadata
    resources: tuple[Resource, ...]
    by_name: Mapping[str, Resource]
    """Name → resource; the last one of a repeated name. Read-only."""
    _by_path_method: dict[str | None, dict[str | None, tuple[Route, ...]]]
    _by_resource_method: dict[str, dict[str | None, tuple[Route, ...]]]
    _by_resource_path: dict[str, dict[str, tuple[Route, ...]]]
    _by_resource_path_method: dict[str, dict[str, dict[str, tuple[Route, ...]]]]
    _patterns: dict[str | None, tuple[Pattern, ...]]
    _pattern_by_name: dict[str, Pattern]
    _conventions: dict[Any, tuple[Pattern, ...]]
    _relationships_to: dict[str, tuple[RelationshipReference, ...]]
    _fields_by_type: dict[str, tuple[FieldReference, ...]]
    _matching: dict[str, tuple[Resource, ...]]
    _impacts: dict[str, Impact]
    _forward: dict[str, dict[int, DependencyGraph]]
    _backward: dict[str, dict[int, DependencyGraph]]
    _forward_of_types: dict[Any, dict[str, dict[int, DependencyGraph]]]
    _backward_of_types: dict[Any, dict[str, dict[int, DependencyGraph]]]


@overload
def group_by(
    records: Sequence[Any], attribute: str, by_position: Literal[True], /
) -> dict[Any, list[int]]: ...
@overload
def group_by(
    records: Sequence[T], attribute: str, by_position: Literal[False] = False, /
) -> dict[Any, list[T]]: ...
def group_by(records: Sequence[Any], attribute: str, by_position: bool = False, /) -> dict[Any, list[Any]]:
    """Group records, or their positions, by the value of an attribute, in document order."""
    groups: dict[Any, list[Any]] = {}
    for position, record in enumerate(records):
        groups.setdefault(getattr(record, attribute), []).append(position if by_position else record)
    return groups


def index_by(records: Sequence[T], attribute: str, /) -> dict[str, T]:
    """Index records by a text attribute, the last one of each value; the keys are interned."""
    return {intern(getattr(record, attribute)): record for record in records}


def replace_none(records: Sequence[Any], attributes: tuple[str, ...], value: object, /) -> None:
    """Replace None by `value` in the given attributes, even of frozen records."""
    for record in records:
        for attribute in attributes:
            if getattr(record, attribute) is None:
                force_setattr(record, attribute, value)
