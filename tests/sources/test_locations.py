from __future__ import annotations

import functools
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from conduit.sources.collector.annotations import allows_none, is_many, type_text
from conduit.sources.collector.callables import (
    decorator_name,
    decorators,
    innermost,
    qualified_name,
    short_name,
)
from conduit.sources.collector.locations import Locations
from conduit.sources.collector.source_text import SourceFile
from conduit.sources.collector.url_patterns import readable

PLACES = Locations(str(Path(__file__).parent))


def outer(function: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(function)
    def layer() -> Any:
        return function()

    return layer


def inner(limit: int) -> Callable[..., Any]:
    def decorate(function: Callable[..., Any]) -> Callable[..., Any]:
        @functools.wraps(function)
        def layer() -> Any:
            return function() if limit else None

        return layer

    return decorate


@outer
@inner(3)
def handler() -> int:
    return 1


def test_decorators_are_named_as_written_outermost_first() -> None:
    assert [decorator_name(layer, PLACES) for layer in decorators(handler, PLACES)] == ["outer", "inner"]


def test_decorators_that_django_makes_of_middleware_have_the_name_that_is_written() -> None:
    pytest.importorskip("django")
    from django.utils.decorators import decorator_from_middleware
    from django.views.decorators.csrf import csrf_protect, requires_csrf_token
    from django.views.decorators.gzip import gzip_page

    class OwnMiddleware:
        def __init__(self, get_response: Any) -> None: ...

    def view(request: Any) -> None: ...

    async def later(request: Any) -> None: ...

    own = decorator_from_middleware(OwnMiddleware)
    for function in (view, later):
        names = [
            decorator_name(decorator(function), PLACES)
            for decorator in (csrf_protect, requires_csrf_token, gzip_page, own)
        ]
        assert names == ["csrf_protect", "requires_csrf_token", "gzip_page", "OwnMiddleware"]


def test_below_the_decorators_is_what_was_written() -> None:
    path, line = PLACES.of_function(innermost(handler))
    assert path == "test_locations.py"
    assert Path(__file__).read_text().splitlines()[line - 1] == "@outer"


def test_a_function_that_wraps_itself_ends_the_walk() -> None:
    def function() -> None: ...

    function.__wrapped__ = function  # type: ignore[attr-defined]
    assert innermost(function) is function


def test_closures_are_named_by_their_makers_and_instances_by_their_classes() -> None:
    assert short_name(inner(3)) == "inner(…)"
    assert short_name(functools.partial(inner, 3)) == "inner"
    assert qualified_name(PLACES).endswith("locations:Locations")


SOURCE = """
import x
class A:
    first = 1
    second: int
    class Meta:
        first = 2
    if x:
        third, fourth = 1, 2
    def method(self):
        local = 3
        class Inside:
            deep = 1
class A:
    other = 1
@x
def function(): ...
"""


def test_names_of_class_bodies_have_their_lines_and_locals_have_none() -> None:
    source = SourceFile(SOURCE)
    first, second = source.classes["A"]
    assert first.attributes == {"first": 4, "second": 5, "Meta": 6, "third": 9, "fourth": 9, "method": 10}
    assert second.attributes == {"other": 15}
    assert source.classes["A.Meta"][0].attributes == {"first": 7}
    assert source.classes["A.method.<locals>.Inside"][0].line == 12
    assert source.function_at(16) == "function"


def test_a_module_of_the_standard_library_is_not_the_projects() -> None:
    assert PLACES.origin("json") == "third_party"
    assert PLACES.origin("django.contrib.admin") == "framework"
    assert PLACES.origin(__name__) == "project" or __name__ not in sys.modules


@pytest.mark.parametrize(
    ("pattern", "shown"),
    [
        (r"^orders/(?P<pk>[^/.]+)/$", "orders/<pk>/"),
        (r"^events\.(?P<format>[a-z0-9]+)/?$", "events.<format>/"),
        (r"^a/(\d+)/(?:b|c)/\Z", "a/<var>/(b|c)/"),
        (r"^a/(?:page-(?P<n>\d+)/)?$", "a/page-<n>/"),
        (r"^(?P<x>(a|b)\)[)]+)/(?!z)$", "<x>/"),
        (r"^\d{4}/[a-z]+/.*$", r"\d{4}/[a-z]+/.*"),
        (r"^a\-b", "a-b"),
        ("", ""),
        ("(", "<var>"),
        ("[", "["),
        ("\\", "\\"),
    ],
)
def test_a_url_pattern_is_shown_readably(pattern: str, shown: str) -> None:
    assert readable(pattern) == shown


@pytest.mark.parametrize(
    ("annotation", "shown", "nullable", "many"),
    [
        (int, "int", False, False),
        (int | None, "int | None", True, False),
        (list[int], "list[int]", False, True),
        (list[int] | None, "list[int] | None", True, True),
        (dict[str, list[int]], "dict[str, list[int]]", False, True),
        (tuple[int, ...], "tuple[int, ...]", False, True),
        (Callable[[int], str], "Callable[[int], str]", False, False),
        (Any, "Any", False, False),
        (None, "None", True, False),
        ("Later", "Later", False, False),
    ],
)
def test_annotations_are_written_as_a_person_would(
    annotation: Any, shown: str, nullable: bool, many: bool
) -> None:
    assert (type_text(annotation), allows_none(annotation), is_many(annotation)) == (shown, nullable, many)
