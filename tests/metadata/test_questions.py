"""The questions in C and in Python are the same questions."""

from __future__ import annotations

import contextlib
import gc
import inspect
import os
import subprocess
import sys
import weakref
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.documents import chain_document, plain_document, small_document
from benchmarks.registry_speed import ask_everything
from conduit._native import available as native_available
from conduit._native import reason as native_reason
from conduit.errors import NotFoundError
from conduit.metadata import Registry, Route
from conduit.metadata import questions as in_python
from conduit.metadata import tables as record_loops
from tests.metadata.test_registry import METHODS, NAMES, PATHS, documents

if TYPE_CHECKING:
    from conduit.metadata import Metadata

needs_native = pytest.mark.skipif(not native_available(), reason=native_reason())

NO_ARGUMENT: Any = object()
WORDS = NAMES | st.sampled_from(["", None, 0, 1.5, b"Post", ()]) | st.just([])
QUESTIONS: dict[str, dict[str, st.SearchStrategy[Any]]] = {
    "schema": {},
    "resources": {},
    "resource": {"name": WORDS},
    "get": {"name": WORDS},
    "routes": {
        "method": METHODS | st.none() | st.just(7) | st.just([]),
        "path": PATHS | st.none() | st.just(b"") | st.just([]),
        "resource": NAMES | st.none() | st.sampled_from(["", 0]) | st.just([]),
    },
    "patterns": {"category": st.sampled_from(["hook", "validation", "", "nope", None])},
    "pattern": {"name": WORDS},
    "conventions": {},
    "relationships_to": {"name": WORDS},
    "resources_matching": {"pattern": NAMES | st.sampled_from(["*", "P*", "[!A]", ""])},
    "fields_by_type": {"type": st.sampled_from(["string", "string!", "", "int"])},
    "dependencies": {
        "name": WORDS,
        "depth": st.sampled_from([0, 1, 2, True, -1, "1", 1.0]),
        "reverse": st.sampled_from([False, True, 0, "yes"]),
        "types": st.sampled_from([None, "belongs_to", ("belongs_to",), (), ("nope",), frozenset(["uses"])])
        | st.lists(st.sampled_from(["belongs_to", "uses"]), max_size=2),
    },
    "impact": {"name": WORDS},
}


@st.composite
def calls(draw: st.DrawFn) -> tuple[str, list[Any], dict[str, Any]]:
    """A question with some of its arguments, some by position and the rest by name."""
    question = draw(st.sampled_from(list(QUESTIONS)))
    given = [(name, draw(values | st.just(NO_ARGUMENT))) for name, values in QUESTIONS[question].items()]
    first_left_out = next((n for n, (_, value) in enumerate(given) if value is NO_ARGUMENT), len(given))
    by_position = draw(st.integers(0, first_left_out))
    by_name = {name: value for name, value in given[by_position:] if value is not NO_ARGUMENT}
    return question, [value for _, value in given[:by_position]], by_name


def outcome(asked: Any, call: tuple[str, list[Any], dict[str, Any]]) -> Any:
    question, by_position, by_name = call
    try:
        return getattr(asked, question)(*by_position, **by_name)
    except Exception as error:  # whatever it is, the other has to raise the same
        return type(error), "" if isinstance(error, TypeError) else str(error)


@needs_native
@given(documents(), st.lists(calls(), min_size=1, max_size=12))
@settings(max_examples=200, deadline=None)
def test_c_and_python_give_the_same_answers_and_errors_to_any_call_cold_and_kept(
    document: Metadata, asked: list[tuple[str, list[Any], dict[str, Any]]]
) -> None:
    registry, other = Registry(document), in_python.Questions()
    other._point_at(Registry(document).document)
    for _ in range(2):
        for call in asked:
            assert outcome(registry, call) == outcome(other, call), call


@needs_native
@pytest.mark.parametrize("question", QUESTIONS)
def test_c_and_python_have_the_same_parameters_defaults_and_text(question: str) -> None:
    ours, theirs = getattr(Registry, question), getattr(in_python.Questions, question)
    defaults = [
        [(parameter.name, parameter.default) for parameter in inspect.signature(method).parameters.values()]
        for method in (ours, theirs)
    ]
    assert defaults[0] == defaults[1]
    assert inspect.getdoc(ours) == inspect.getdoc(theirs)


@pytest.mark.parametrize(
    "arguments", [((), {}), (("Post", "Post"), {}), (("Post",), {"name": "Post"}), ((), {"nam": "Post"})]
)
def test_a_call_with_too_few_too_many_or_unknown_arguments_is_a_type_error(arguments: Any) -> None:
    by_position, by_name = arguments
    with pytest.raises(TypeError, match=r"resource\(\)"):
        Registry.from_json(small_document()).resource(*by_position, **by_name)


class Meddler(str):
    """A name that replaces the document while it is being looked up."""

    __slots__ = ("registry",)
    __hash__ = str.__hash__
    registry: Registry

    def __eq__(self, other: object) -> bool:
        self.registry.replace(Registry.from_json(chain_document(3)))
        gc.collect()
        return str(self) == other


@pytest.mark.parametrize("question", ["resource", "get", "relationships_to", "dependencies", "impact"])
def test_a_document_that_is_replaced_during_a_question_still_answers_it(question: str) -> None:
    registry = Registry.from_json(small_document()).warm()
    expected = getattr(registry, question)("Post")
    name = Meddler("Post")
    name.registry = registry
    assert getattr(registry, question)(name) == expected
    with pytest.raises(NotFoundError):
        registry.resource("Post")


@needs_native
def test_a_registry_points_at_nothing_but_a_snapshot() -> None:
    registry = Registry.from_json(small_document())
    before = registry.document
    with pytest.raises(TypeError, match="expected a document, got dict"):
        registry._point_at({})  # type: ignore[arg-type]
    with pytest.raises(AttributeError):
        registry.document = before
    assert registry.document is before
    with pytest.raises(AttributeError):
        Registry.__new__(Registry).resource("Post")


def test_a_registry_and_its_snapshot_in_a_ring_are_collected() -> None:
    class Own(Registry):
        itself: Own

    registry = Own()
    registry.itself = registry
    gone = weakref.ref(registry.document)
    del registry
    gc.collect()
    assert gone() is None


def test_questions_leave_the_references_of_what_they_touch_as_they_were() -> None:
    registry = Registry.from_json(small_document()).warm()
    ask_everything(registry, 1)
    post, types = registry.resource("Post"), ["belongs_to"]
    touched: list[Any] = [
        post,
        registry.document,
        registry.routes(),
        registry.dependencies("Post"),
        None,
        types,
    ]
    before = [sys.getrefcount(each) for each in touched]
    for _ in range(1000):
        ask_everything(registry, 1)
        for question in ("resource", "pattern", "dependencies", "impact"):
            with contextlib.suppress(NotFoundError):
                getattr(registry, question)("Pots")
        with contextlib.suppress(TypeError):
            registry.routes(types)  # type: ignore[arg-type]
        registry.dependencies(name="Post", types=types)
    after = [sys.getrefcount(each) for each in touched]
    assert all(abs(late - early) < 100 for early, late in zip(before, after, strict=True)), (before, after)


@needs_native
@given(documents())
@settings(max_examples=60, deadline=None)
def test_the_loops_in_c_group_and_fill_as_those_in_python_do(document: Metadata) -> None:
    from conduit._native import registry as in_c

    fields = [field for resource in document.resources for field in resource.fields]
    groupings = [
        (document.routes, "method"),
        (document.routes, "path"),
        (document.resources, "name"),
        (fields, "type"),
    ]
    for records, attribute in groupings:
        for by_position in (False, True):
            expected = record_loops.group_by(records, attribute, by_position)
            found = in_c.group_by(records, attribute, by_position)
            assert list(found.items()) == list(expected.items())
    indexes = [loops.index_by(document.resources, "name") for loops in (in_c, record_loops)]
    assert list(indexes[0].items()) == list(indexes[1].items())
    for loop in (in_c.replace_none, record_loops.replace_none):
        routes = [Route(route.method, route.path, middleware=None) for route in document.routes]  # type: ignore[arg-type]
        loop(routes, ("middleware", "path"), ())
        assert [(route.middleware, route.path) for route in routes] == [
            ((), route.path) for route in document.routes
        ]


@needs_native
def test_the_loops_in_c_refuse_what_has_no_such_attribute() -> None:
    from conduit._native import registry as in_c

    with pytest.raises(AttributeError, match="nothing"):
        in_c.group_by((Route("GET", "/"),), "nothing")
    with pytest.raises(TypeError, match="has no slot 'nothing'"):
        in_c.replace_none((Route("GET", "/"),), ("nothing",), ())
    with pytest.raises(TypeError):
        in_c.group_by(7, "method")
    assert in_c.group_by([SimpleNamespace(key=[]), SimpleNamespace(key=[])][:0], "key") == {}
    with pytest.raises(TypeError, match="unhashable"):
        in_c.group_by([SimpleNamespace(key=[])], "key")


def test_without_the_extension_everything_is_answered_alike() -> None:
    program = (
        "import sys; from benchmarks.documents import small_document, plain_document\n"
        "from benchmarks.registry_speed import ask_everything\n"
        "from conduit.metadata import Registry\n"
        "registry = Registry.from_json(small_document())\n"
        "for _ in range(2): ask_everything(registry, 1)\n"
        "print(registry.routes('GET'), registry.dependencies('Post', types=['belongs_to']), registry.impact('User'))\n"
        "print(Registry.from_json(plain_document(50)).warm().resources_matching('*4'))\n"
    )
    answers = {
        native: subprocess.run(
            [sys.executable, "-c", program],
            env=os.environ | {"CONDUIT_NATIVE": native, "PYTHONHASHSEED": "0"},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for native in ("", "off")
    }
    assert answers[""] == answers["off"] != ""
    assert str(Registry.from_json(plain_document(50)).resources_matching("*4")) in answers[""]
