"""Documents that nobody wrote: every record of the schema with any values that it may hold."""

from __future__ import annotations

from types import NoneType, UnionType
from typing import Any, Union, get_args, get_origin

from hypothesis import strategies as st
from msgspec import Struct

from conduit.metadata import schema
from conduit.metadata.schema import FrozenDict

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
COUNT = st.integers(-(2**63), 2**63 - 1) | st.integers(0, 100)
RECORDS: dict[Any, st.SearchStrategy[Any]] = {}
FLOAT = st.floats(allow_nan=False, allow_infinity=False)


def _record(kind: type[Struct], **special: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Any instance of a record; what has no strategy of its own follows from its annotation."""
    values = {
        key: special[key] if key in special else _any(annotation)
        for key, annotation in kind.__annotations__.items()
    }
    return st.builds(kind, **values)


def _any(annotation: Any) -> st.SearchStrategy[Any]:
    scalars = {str: TEXT, bool: st.booleans(), float: FLOAT, schema.Count: COUNT}
    if annotation in scalars:
        return scalars[annotation]
    if annotation in RECORDS:
        return RECORDS[annotation]
    if isinstance(annotation, type) and issubclass(annotation, Struct):
        return _record(annotation)
    origin, arguments = get_origin(annotation), get_args(annotation)
    if origin is UnionType or origin is Union:
        some = next(each for each in arguments if each is not NoneType)
        return _any(some) if get_origin(some) else st.none() | _any(some)
    if origin is tuple:
        return st.lists(_any(arguments[0]), max_size=2).map(tuple)
    return st.dictionaries(TEXT, _any(arguments[1]), max_size=3).map(FrozenDict)


RECORDS[schema.Resource] = _record(schema.Resource, name=TEXT.filter(bool))

GENERATED = st.sampled_from(
    [
        schema.ZERO_TIME,
        "2025-10-25T12:00:00Z",
        "2025-10-25T14:03:09.12030405+02:00",
        "2024-02-29T23:59:59.000000001-09:30",
    ]
)
DOCUMENT = _record(schema.Metadata, generated=GENERATED)
