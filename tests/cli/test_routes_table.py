"""The table of routes as a compiled form keeps it."""

from __future__ import annotations

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conduit.cli.introspect.routes_table import RoutesTable
from conduit.cli.tables import Page
from conduit.metadata.compiled_file import packed_numbers, packed_texts, unpacked_numbers, unpacked_texts
from conduit.metadata.schema import Metadata, Mount, Route, RouteDetails

TEXT = st.text(max_size=8)
ROUTES = st.lists(
    st.builds(
        Route,
        method=TEXT,
        path=TEXT,
        handler=TEXT,
        resource=TEXT,
        operation=TEXT,
        middleware=st.lists(st.sampled_from(["auth", "", "a\nb"]), max_size=3).map(tuple),
        details=st.one_of(st.none(), st.builds(RouteDetails, name=TEXT, kind=TEXT)),
    ),
    max_size=6,
)
WHOLE = Metadata(middleware=("gzip", "\x1b[1m"), mounts=(Mount(path="/static", kind="static"),))


def printed(table: RoutesTable) -> str:
    text = io.StringIO()
    table.print(Page(text, None, False))
    return text.getvalue()


@given(ROUTES, st.booleans())
def test_a_table_that_was_kept_prints_what_the_routes_do(routes: list[Route], verbose: bool) -> None:
    kept = RoutesTable.of(routes, WHOLE, verbose=True).packed()
    assert printed(RoutesTable.unpacked(kept, verbose=verbose)) == printed(
        RoutesTable.of(routes, WHOLE, verbose=verbose)
    )


@given(ROUTES, st.data())
def test_some_rows_of_a_table_are_the_table_of_these_routes(routes: list[Route], data: st.DataObject) -> None:
    positions = data.draw(
        st.lists(st.sampled_from(range(len(routes))), unique=True) if routes else st.just([])
    )
    some = RoutesTable.of(routes, WHOLE, verbose=False).only(sorted(positions))
    assert printed(some) == printed(
        RoutesTable.of([routes[at] for at in sorted(positions)], WHOLE, verbose=False)
    )


@given(st.lists(st.integers(0, 2**64 - 1)))
def test_numbers_are_read_back(numbers: list[int]) -> None:
    found = unpacked_numbers(packed_numbers(numbers))
    assert found is not None
    assert list(found) == numbers


@given(st.lists(st.text()))
def test_texts_are_read_back_with_zeros_as_escapes(texts: list[str]) -> None:
    assert unpacked_texts(packed_texts(texts)) == [text.replace("\0", r"\x00") for text in texts]


def test_lists_that_were_not_packed_are_refused() -> None:
    assert unpacked_numbers(b"1234567") is None
    with pytest.raises(ValueError, match="zero"):
        unpacked_texts(b"a\0b")
