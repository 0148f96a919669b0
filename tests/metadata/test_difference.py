from __future__ import annotations

import pytest
from hypothesis import given
from msgspec.structs import replace

from conduit.metadata.difference import Change, LostGuard, difference
from conduit.metadata.guards import is_guard
from conduit.metadata.schema import Field, Metadata, Relationship, Resource, Route, RouteDetails, Step
from tests.metadata.strategies import DOCUMENT

BOOK = Resource(
    "Book",
    fields=(Field("id", "int"), Field("title", "str")),
    relationships=(Relationship("author", "belongs_to", "Author", on_delete="protect"),),
    id="books.Book",
)
CREATE = Route("POST", "/books", handler="views:create", middleware=("login_required", "log"))
OLD = Metadata(version="1.0", resources=(BOOK,), routes=(CREATE,))


def changed(**keys: object) -> Metadata:
    return replace(OLD, **keys)  # type: ignore[type-var]


def test_a_document_does_not_differ_from_itself() -> None:
    assert difference(OLD, OLD).changes == ()


@given(document=DOCUMENT)
def test_no_document_differs_from_itself(document: Metadata) -> None:
    found = difference(document, document)
    assert (found.changes, found.lost_guards) == ((), ())


def test_fields_are_added_removed_and_changed() -> None:
    fields = (Field("id", "int"), Field("title", "str", nullable=True), Field("isbn", "str"))
    new = changed(resources=(replace(BOOK, fields=fields),))
    assert difference(OLD, new).changes == (
        Change("added", "field", "books.Book.isbn"),
        Change("changed", "field", "books.Book.title", "nullable", "no", "yes"),
    )
    assert difference(new, OLD).changes[0] == Change("removed", "field", "books.Book.isbn")


def test_another_on_delete_is_a_change_of_the_relationship() -> None:
    link = replace(BOOK.relationships[0], on_delete="cascade")
    assert difference(OLD, changed(resources=(replace(BOOK, relationships=(link,)),))).changes == (
        Change("changed", "relationship", "books.Book.author", "on_delete", "protect", "cascade"),
    )


def test_resources_routes_and_the_applications_middleware_are_compared() -> None:
    new = changed(resources=(), routes=(CREATE, Route("GET", "/books")), middleware=("gzip",))
    assert difference(OLD, new).changes == (
        Change("removed", "resource", "books.Book"),
        Change("added", "route", "GET /books"),
        Change("changed", "middleware", "application", "middleware", "", "gzip"),
    )


def test_a_write_route_that_lost_a_guard_is_told_and_one_that_lost_anything_else_is_not() -> None:
    without_guard = changed(routes=(replace(CREATE, middleware=("log",)),))
    without_log = changed(routes=(replace(CREATE, middleware=("login_required",)),))
    assert difference(OLD, without_guard).lost_guards == (LostGuard("POST /books", "login_required"),)
    assert difference(OLD, without_log).lost_guards == ()
    assert len(difference(OLD, without_log).changes) == 1


def test_a_guard_that_moved_to_the_whole_application_is_not_lost() -> None:
    new = changed(routes=(replace(CREATE, middleware=()),), middleware=("login_required",))
    assert difference(OLD, new).lost_guards == ()


def test_a_read_route_may_lose_its_guard_without_closing_the_gate() -> None:
    old = changed(routes=(Route("GET", "/books", middleware=("login_required",)),))
    assert difference(old, changed(routes=(Route("GET", "/books"),))).lost_guards == ()


def test_a_guard_is_known_by_its_kind_whatever_its_name() -> None:
    details = RouteDetails(chain=(Step("OnlyTuesdays", "permission"),))
    old = changed(routes=(replace(CREATE, middleware=("OnlyTuesdays",), details=details),))
    new = changed(routes=(replace(CREATE, middleware=()),))
    assert difference(old, new).lost_guards == (LostGuard("POST /books", "OnlyTuesdays"),)


@pytest.mark.parametrize(
    ("name", "guards"),
    [
        ("login_required", True),
        ("IsAdminUser", True),
        ("require_auth(3)", True),
        ("author_cache", False),
        ("gzip", False),
    ],
)
def test_words_decide_not_substrings(name: str, guards: bool) -> None:
    assert is_guard(name, "decorator") is guards
