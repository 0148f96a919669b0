"""Documents that nobody wrote: every record of the schema with any values that it may hold."""

from __future__ import annotations

from hypothesis import strategies as st

from conduit.metadata import schema
from conduit.metadata.schema import FrozenDict

TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=12)
COUNT = st.integers(-(2**63), 2**63 - 1) | st.integers(0, 100)
TEXTS = st.lists(TEXT, max_size=3).map(tuple)


def _record(kind: type, **special: st.SearchStrategy[object]) -> st.SearchStrategy[object]:
    """Any instance of a record; keys without a strategy of their own follow from their annotation."""
    simple = {str: TEXT, bool: st.booleans(), schema.Count: COUNT, tuple[str, ...]: TEXTS}
    values = {}
    for key, annotation in kind.__annotations__.items():
        values[key] = special[key] if key in special else simple[annotation]
    return st.builds(kind, **values)


def _many(strategy: st.SearchStrategy[object]) -> st.SearchStrategy[object]:
    return st.lists(strategy, max_size=2).map(tuple)


FIELD = _record(schema.Field, details=st.none() | _record(schema.FieldDetails))
RELATIONSHIP = _record(schema.Relationship, details=st.none() | _record(schema.RelationshipDetails))
HOOK = _record(schema.Hook)
INDEX = _record(schema.Index)
RESOURCE = _record(
    schema.Resource,
    name=TEXT.filter(bool),
    fields=_many(FIELD),
    relationships=_many(RELATIONSHIP),
    hooks=_many(HOOK),
    validations=_many(_record(schema.Validation)),
    constraints=_many(_record(schema.Constraint)),
    middleware=st.dictionaries(TEXT, TEXTS, max_size=3).map(FrozenDict),
    scopes=_many(_record(schema.Scope)),
    computed_fields=_many(_record(schema.ComputedField)),
    details=st.none() | _record(schema.ResourceDetails, indexes=_many(INDEX)),
)
ROUTE = _record(
    schema.Route,
    details=st.none()
    | _record(
        schema.RouteDetails,
        chain=_many(_record(schema.Step)),
        parameters=_many(_record(schema.Parameter)),
        responses=_many(_record(schema.Response)),
    ),
)
EXAMPLE = _record(schema.PatternExample)
PATTERN = _record(
    schema.Pattern,
    examples=_many(EXAMPLE),
    outliers=_many(EXAMPLE),
    confidence=st.floats(allow_nan=False, allow_infinity=False),
)
GRAPH = st.builds(
    schema.DependencyGraph,
    nodes=st.dictionaries(TEXT, _record(schema.DependencyNode), max_size=3).map(FrozenDict),
    edges=_many(_record(schema.DependencyEdge)),
)
GENERATED = st.sampled_from(
    [
        schema.ZERO_TIME,
        "2025-10-25T12:00:00Z",
        "2025-10-25T14:03:09.12030405+02:00",
        "2024-02-29T23:59:59.000000001-09:30",
    ]
)
DOCUMENT = _record(
    schema.Metadata,
    generated=GENERATED,
    resources=_many(RESOURCE),
    routes=_many(ROUTE),
    patterns=_many(PATTERN),
    dependencies=GRAPH,
    sources=_many(_record(schema.Source)),
    hooks=_many(HOOK),
    errors=_many(_record(schema.SourceError)),
)
