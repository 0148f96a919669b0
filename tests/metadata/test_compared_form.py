"""Comparing by compiled forms gives what comparing the documents gives, and only what differs is asked for."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from conduit.metadata.compared_form import ComparedForm, DamagedFormError, comparison_parts
from conduit.metadata.difference import DeletionChange, compare_sides, difference
from conduit.metadata.impact import DeletionLinks, follow_deletion
from conduit.metadata.schema import (
    Constraint,
    Field,
    FieldDetails,
    Hook,
    Metadata,
    Relationship,
    RelationshipDetails,
    Resource,
    Route,
    RouteDetails,
    Step,
)
from tests.metadata.strategies import DOCUMENT

NAMES = st.sampled_from("ABCDEF")
WORDS = st.sampled_from(["", "a", "b"])
GUARDS = st.sampled_from(
    [
        "login_required",
        "AllowAny",
        "IsAdminUser",
        "csrf_exempt",
        "csrf_protect",
        "own_check(2)",
        "log",
        "a or none",
    ]
)
CHAIN = st.lists(GUARDS, max_size=3, unique=True).map(tuple)
CASCADES = st.sampled_from([(), ("save-update",), ("save-update", "delete")])
RELATIONSHIPS = st.builds(
    Relationship,
    st.sampled_from(["one", "two", "three"]),
    st.sampled_from(["belongs_to", "has_many", "has_one", "has_many_through", "inherits", "proxies"]),
    NAMES,
    foreign_key=st.sampled_from(["", "a_id", "b_id"]),
    on_delete=st.sampled_from(["", "cascade", "protect", "set_null", "DB_CASCADE"]),
    details=st.none()
    | st.builds(
        RelationshipDetails,
        cascade=CASCADES,
        through=st.sampled_from(["", "A", "a_b"]),
        nullable=st.booleans(),
        generic=st.booleans(),
        inverse=st.booleans(),
        view_only=st.booleans(),
        passive_deletes=st.sampled_from(["", "all"]),
    ),
)
FIELDS = st.builds(
    Field,
    st.sampled_from(["id", "a_id", "b_id"]),
    WORDS,
    nullable=st.booleans(),
    documentation=WORDS,
    details=st.none() | st.builds(FieldDetails, choices=st.sampled_from([(), ("x", "y")]), column=WORDS),
)
RESOURCES = st.builds(
    Resource,
    NAMES,
    documentation=WORDS,
    fields=st.lists(FIELDS, max_size=3).map(tuple),
    relationships=st.lists(RELATIONSHIPS, max_size=3).map(tuple),
    hooks=st.lists(st.builds(Hook, WORDS, source_code=WORDS, handler=WORDS), max_size=2).map(tuple),
    constraints=st.lists(st.builds(Constraint, WORDS, condition=WORDS), max_size=2).map(tuple),
    id=st.sampled_from(["", "x.A", "x.B"]),
)


@st.composite
def routes(draw: st.DrawFn) -> Route:
    middleware = draw(CHAIN)
    kinds = st.sampled_from(["", "permission", "authentication"])
    chain = tuple(Step(name, draw(kinds)) for name in middleware)
    details = RouteDetails(
        id=draw(st.sampled_from(["", "one", "two"])), chain=chain, documentation=draw(WORDS)
    )
    return Route(
        draw(st.sampled_from(["GET", "POST", "delete"])),
        draw(st.sampled_from(["/a", "/b"])),
        handler=draw(WORDS),
        middleware=middleware,
        details=draw(st.none() | st.just(details)),
    )


@st.composite
def versions(draw: st.DrawFn) -> tuple[Metadata, Metadata]:
    """Two documents that have most parts in common."""
    resources, paths = draw(st.lists(RESOURCES, max_size=6)), draw(st.lists(routes(), max_size=6))

    def version() -> Metadata:
        return Metadata(
            resources=tuple(one for one in [*resources, draw(RESOURCES)] if draw(st.integers(0, 4))),
            routes=tuple(one for one in [*paths, draw(routes())] if draw(st.integers(0, 4))),
            middleware=draw(CHAIN),
        )

    return version(), version()


class FormOf:
    """The parts that a compiled form would have."""

    def __init__(self, document: Metadata) -> None:
        self.parts = comparison_parts(document)
        self.read: list[str] = []

    def bytes_of(self, name: str) -> bytes | None:
        self.read.append(name)
        return self.parts.get(name)


def side(document: Metadata) -> ComparedForm:
    return ComparedForm(FormOf(document).bytes_of)


@given(documents=versions())
def test_forms_have_the_difference_of_their_documents(documents: tuple[Metadata, Metadata]) -> None:
    old, new = documents
    assert compare_sides(side(old), side(new)) == difference(old, new)


@given(old=DOCUMENT, new=DOCUMENT)
def test_forms_of_any_documents_have_their_difference(old: Metadata, new: Metadata) -> None:
    assert compare_sides(side(old), side(new)) == difference(old, new)
    assert compare_sides(side(old), side(old)) == difference(old, old)


def reaches(document: Metadata) -> dict[str, tuple[tuple[str, ...], tuple[str, ...]]]:
    links = DeletionLinks(document.resources, {one.name: one for one in document.resources})
    found = {}
    for resource in document.resources:
        impact = follow_deletion(resource.name, links)
        found[resource.name] = (
            impact.deleted,
            tuple(f"{one.resource}.{one.relationship}" for one in impact.blocked_by),
        )
    return found


@given(documents=versions())
def test_deletions_that_differ_are_those_found_by_following_every_resource(
    documents: tuple[Metadata, Metadata],
) -> None:
    before, after = map(reaches, documents)
    expected = []
    for name in after:
        if name not in before:
            continue
        parts = [
            tuple(dict.fromkeys(one for one in those if one not in these))
            for those, these in (
                (after[name][0], before[name][0]),
                (before[name][0], after[name][0]),
                (after[name][1], before[name][1]),
                (before[name][1], after[name][1]),
            )
        ]
        if any(parts):
            expected.append(DeletionChange(name, *parts))
    assert list(difference(*documents).deletions) == expected


BOOK = Resource(
    "Book",
    fields=(Field("id", "int"), Field("title", "str")),
    relationships=(Relationship("author", "belongs_to", "Author", on_delete="cascade"),),
)
CREATE = Route("POST", "/books", handler="views:create", middleware=("login_required",))
LIST = Route("GET", "/books", handler="views:index")
OLD = Metadata(resources=(BOOK, Resource("Author")), routes=(CREATE, LIST))


@pytest.mark.parametrize(
    ("new", "asked"),
    [
        (OLD, set()),
        (replace(OLD, routes=(LIST, CREATE)), set()),
        (replace(OLD, resources=(BOOK,)), set()),
        (replace(OLD, routes=(replace(CREATE, handler="views:add"), LIST)), {"compared routes"}),
        (replace(OLD, resources=(replace(BOOK, fields=()), Resource("Author"))), {"compared resources"}),
    ],
)
def test_facts_are_read_only_where_digests_differ(new: Metadata, asked: set[str]) -> None:
    old = FormOf(OLD)
    assert compare_sides(ComparedForm(old.bytes_of), side(new)) == difference(OLD, new)
    assert set(old.read) == {"compared", "deletions", *asked}


def test_a_route_that_only_read_before_is_compared_by_its_id() -> None:
    before, after = (
        Route(method, "/x", middleware=chain, details=RouteDetails(id="x"))
        for method, chain in (("GET", ("login_required",)), ("POST", ()))
    )
    old, new = Metadata(routes=(before,)), Metadata(routes=(after,))
    found = compare_sides(side(old), side(new))
    assert found == difference(old, new)
    assert [str(one) for one in found.lost_guards] == ["x lost login_required"]


@pytest.mark.parametrize("part", ["compared", "compared resources", "compared routes", "deletions"])
@pytest.mark.parametrize("damage", [None, b"", b"\xc1", b"\x81\xa4keys"])
def test_a_damaged_part_is_said_and_never_answered_from(part: str, damage: bytes | None) -> None:
    link = replace(BOOK.relationships[0], on_delete="protect")
    new = Metadata(
        resources=(replace(BOOK, relationships=(link,)), Resource("Author")),
        routes=(replace(CREATE, handler="views:add"), LIST),
    )
    form = FormOf(OLD)
    if damage is None:
        del form.parts[part]
    else:
        form.parts[part] = damage
    with pytest.raises(DamagedFormError):
        compare_sides(ComparedForm(form.bytes_of), side(new))
