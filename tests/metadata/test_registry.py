"""Every index against a scan of the document, and what a registry promises about its answers."""

from __future__ import annotations

import fnmatch
import gc
import itertools
import json
import sys
import threading
import weakref
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import conduit
from benchmarks.documents import chain_document, plain_document, rich_document, small_document
from benchmarks.registry_speed import ask_everything
from conduit._native import allocations
from conduit._native import available as native_available
from conduit._native import reason as native_reason
from conduit.errors import MetadataError, NotFoundError, NotRegisteredError
from conduit.metadata import Metadata, Pattern, Registry, Resource, Route, decode, encode, unregister
from conduit.metadata.loaded_document import CACHED_ANSWERS
from conduit.metadata.schema import Field, Relationship
from tests.conftest import OWN_GOLDEN

if TYPE_CHECKING:
    from collections.abc import Callable

NAMES = st.sampled_from(["A", "B", "C", "Post", "Posts", "é", "[x]", "a*b"])
METHODS = st.sampled_from(["GET", "get", "Post", "POST", "straße", "STRASSE", ""])
PATHS = st.sampled_from(["/a", "/b", "/a/:id", ""])


def documents() -> st.SearchStrategy[Metadata]:
    """Documents whose few names meet each other often, repeated and dangling ones included."""
    field = st.builds(Field, NAMES, st.sampled_from(["string!", "string?", "str", "int", ""]))
    relationship = st.builds(Relationship, NAMES, st.sampled_from(["belongs_to", "has_many"]), NAMES)
    resource = st.builds(
        Resource,
        NAMES,
        fields=st.lists(field, max_size=4).map(tuple),
        relationships=st.lists(relationship, max_size=4).map(tuple),
    )
    route = st.builds(Route, METHODS, PATHS, resource=NAMES | st.just(""))
    pattern = st.builds(Pattern, name=NAMES, category=st.sampled_from(["hook", "validation", ""]))
    return st.builds(
        Metadata,
        resources=st.lists(resource, max_size=6).map(tuple),
        routes=st.lists(route, max_size=10).map(tuple),
        patterns=st.lists(pattern, max_size=4).map(tuple),
    )


def go_upper(text: str) -> str:
    return "".join(each.upper() if len(each.upper()) == 1 else each for each in text)


@given(documents(), st.randoms(use_true_random=False))
@settings(max_examples=60, deadline=None)
def test_routes_are_those_of_a_scan_for_every_combination_of_filters_in_any_order(document, random) -> None:
    registry = Registry(document)
    combinations = list(
        itertools.product(
            [None, "", "GET", "get", "gEt", "POST", "straße", "STRASSE", "nope"],
            [None, "", "/a", "/b", "/nope"],
            [None, "", "A", "Post", "é", "Nobody"],
        )
    )
    for _ in range(2):  # once cold, once kept
        random.shuffle(combinations)
        for method, path, resource in combinations:
            scan = tuple(
                route
                for route in document.routes
                if (not method or go_upper(route.method) == go_upper(method))
                and (not path or route.path == path)
                and (not resource or route.resource == resource)
            )
            assert registry.routes(method, path, resource) == scan, (method, path, resource)
            assert registry.routes(method or "", path or "", resource or "") == scan


@given(documents())
@settings(max_examples=60, deadline=None)
def test_the_other_indexes_answer_as_a_scan_does(document: Metadata) -> None:
    registry = Registry(document)
    names = {resource.name for resource in document.resources} | {"A", "Nobody"}
    for _ in range(2):
        for name in names:
            last = next((each for each in reversed(document.resources) if each.name == name), None)
            assert registry.get(name) is last
            if last is not None:
                assert registry.resource(name) is last
            pointing = [
                (resource.name, relationship)
                for resource in document.resources
                for relationship in resource.relationships
                if relationship.target_resource == name
            ]
            found = [(each.source_resource, each.relationship) for each in registry.relationships_to(name)]
            assert found == pointing
            assert registry.count_dependents(name) == len(pointing)
        for prefix in ("", "s", "str", "string", "string!", "int", "nope"):
            scan = [
                (resource.name, field)
                for resource in document.resources
                for field in resource.fields
                if field.type.startswith(prefix)
            ]
            assert [(each.resource, each.field) for each in registry.fields_by_type(prefix)] == scan
        for category in ("hook", "validation", "nope"):
            scan = tuple(each for each in document.patterns if each.category == category)
            assert registry.patterns(category) == scan
        assert registry.patterns() == registry.patterns("") == document.patterns
        for pattern in ("*", "P*", "*s", "P*t", "*o*", "?", "[AB]", "[!A]", "A", "a*b", "[x]", "é", "p*", ""):
            scan = tuple(
                each
                for each in document.resources
                if each.name == pattern or fnmatch.fnmatchcase(each.name, pattern)
            )
            assert registry.resources_matching(pattern) == scan


def test_routes_that_take_turns_between_resources_are_indexed_in_linear_time() -> None:
    """A quarter of a million routes: joining them one to another would copy 60 GB."""
    routes = tuple(Route("GET", f"/{i}", resource="AB"[i % 2]) for i in range(250_000))
    assert len(Registry(Metadata(routes=routes)).routes(resource="B")) == 125_000


def test_the_generated_documents_are_those_of_the_original(shared_golden: Path) -> None:
    assert plain_document(50) == (shared_golden / "registry" / "18_large_50.json").read_bytes()
    own = OWN_GOLDEN / "registry"
    assert decode(small_document()) == decode((own / "03_bench3.json").read_bytes())
    assert encode(Registry.from_json(rich_document(20)).schema()) == rich_document(20)


def test_what_is_not_there_is_told_with_near_names_and_what_exists() -> None:
    registry = Registry.from_json(small_document())
    with pytest.raises(NotFoundError) as caught:
        registry.resource("Psot")
    error = caught.value
    assert (error.kind, error.name, error.near) == ("resource", "Psot", ("Post",))
    assert str(error) == "resource not found: 'Psot'; did you mean Post? (there are 3: Comment, Post, User)"
    assert isinstance(error, LookupError)
    for ask in (
        registry.dependencies,
        registry.impact,
        registry.dependency_depth,
        registry.count_dependencies,
    ):
        with pytest.raises(NotFoundError, match="resource not found: 'post'; did you mean Post"):
            ask("post")
    with pytest.raises(NotFoundError, match="pattern not found: 'slug'"):
        registry.pattern("slug")
    with pytest.raises(NotFoundError, match="there are none"):
        Registry().resource("x")


def test_near_names_are_found_among_fifty_thousand_without_a_wait() -> None:
    registry = Registry(Metadata(resources=tuple(Resource(f"Resource{i}") for i in range(50_000))))
    with pytest.raises(NotFoundError) as caught:
        registry.resource("Resorce777")
    assert len(caught.value.near) == 3
    assert "and 49,990 more" in str(caught.value)


def test_a_stored_error_does_not_keep_the_registry_alive() -> None:
    registry = Registry.from_json(small_document())
    document = weakref.ref(registry.document)
    try:
        registry.resource("Psot")
    except NotFoundError as error:
        kept = error.with_traceback(None)
    del registry
    gc.collect()
    assert document() is None
    assert str(kept) == "resource not found: 'Psot'; there are none"


def test_a_question_that_makes_no_sense_is_the_caller_s_error() -> None:
    registry = Registry.from_json(small_document())
    for depth in (-1, 1.5, "2"):
        with pytest.raises(ValueError, match="depth is a number of edges"):
            registry.dependencies("Post", depth)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="unknown dependency type 'nope'; there are belongs_to, calls"):
        registry.dependencies("Post", types=["belongs_to", "nope"])
    assert registry.dependencies("Post", types="belongs_to") == registry.dependencies(
        "Post", types=["belongs_to"]
    )


def test_kept_answers_are_bounded_and_the_oldest_make_room() -> None:
    registry = Registry.from_json(plain_document(700))
    for depth in (1, 2, 3):
        for resource in registry.resources():
            registry.dependencies(resource.name, depth)
    stats = registry.cache_stats()
    assert stats.misses == 2_100
    assert stats.entries <= CACHED_ANSWERS
    assert stats.entries + stats.evictions == 2_100
    for number in range(1_500):
        registry.resources_matching(f"nothing{number}*")
        registry.dependencies("Resource0", types=("belongs_to",) * (number + 1))
    stats = registry.cache_stats()
    assert stats.entries <= 2 * CACHED_ANSWERS
    assert registry.dependencies("Resource7").nodes.keys() == {"Resource7", "Resource0"}


def test_depth_direction_and_types_are_told_apart_when_answers_are_kept() -> None:
    registry = Registry.from_json(chain_document(6))
    fresh = Registry.from_json(chain_document(6))
    questions = list(
        itertools.product(
            ["Resource0", "Resource3", "Resource5"],
            [0, 1, 2],
            [False, True],
            [
                None,
                (),
                ("belongs_to",),
                ("has_many",),
                frozenset(("belongs_to", "uses")),
                ["belongs_to"],
                "uses",
            ],
        )
    )
    first = [registry.dependencies(*question) for question in questions]
    again = [registry.dependencies(*question) for question in questions]
    assert first == again
    assert all(one is other for one, other in zip(first, again, strict=True))
    for question in reversed(questions):
        assert fresh.dependencies(*question) == first[questions.index(question)]


def test_warm_queries_allocate_nothing() -> None:
    registry = Registry.from_json(small_document()).warm()
    ask_everything(registry, 10)
    gc.collect()
    gc.disable()
    try:
        least = min(_blocks_of(registry) for _ in range(5))
    finally:
        gc.enable()
    assert least <= 2  # the counter's own number, and the loop's


WARM_QUERIES = """
resource('Post')
get('Post')
get('Nobody')
resources()
schema()
routes()
routes('GET')
routes('GET', '/posts')
routes('GET', None, 'Post')
routes(None, '/posts', 'Post')
routes(method='get')
routes(path='/posts')
routes(resource='Post')
routes(method='GET', path='/posts')
routes(method='GET', resource='Post')
routes(path='/posts', resource='Post')
routes(method='GET', path='/posts', resource='Post')
patterns()
patterns('hook')
pattern('uuid-generation')
relationships_to('User')
relationships_from('Post')
fields_by_type('uuid')
resources_matching('P*')
resources_matching('nothing*')
dependencies('Post')
dependencies('Post', 3)
dependencies('Post', depth=3)
dependencies('User', 0, True)
dependencies('Post', reverse=True)
dependencies('Post', types=('belongs_to',))
dependency_depth('Post')
count_dependents('User')
count_dependencies('Post')
cycles()
impact('User')
conventions()
warnings
document.by_name['Post']
document.schema
""".strip().splitlines()


@pytest.mark.skipif(not native_available(), reason=native_reason())
@pytest.mark.parametrize("query", WARM_QUERIES)
def test_a_warm_query_asks_the_allocator_for_nothing(query: str) -> None:
    turns = (None,) * 200
    scope: dict[str, Any] = {"registry": Registry.from_json(small_document()).warm()}
    exec(f"def ask(turns):\n    for _ in turns:\n        registry.{query}", scope)
    exec("def turn(turns):\n    for _ in turns:\n        pass", scope)
    for _ in range(3):
        scope["ask"](turns)
        scope["turn"](turns)
    assert _requests_of(scope["ask"], turns) == _requests_of(scope["turn"], turns)


def _requests_of(function: Callable[[tuple[None, ...]], None], turns: tuple[None, ...]) -> int:
    allocations.start()
    try:
        before, _ = allocations.read()
        function(turns)
        after, _ = allocations.read()
    finally:
        allocations.stop()
    return after - before


def _blocks_of(registry: Registry) -> int:
    before = sys.getallocatedblocks()
    ask_everything(registry, 10_000)
    return sys.getallocatedblocks() - before


# --- warnings


def _warnings(document: bytes) -> list[str]:
    return [str(warning) for warning in Registry.from_json(document).warnings]


def test_a_document_without_doubts_has_no_warnings() -> None:
    assert _warnings(small_document()) == []
    assert _warnings(plain_document(5)) == []


def test_doubts_are_told_with_their_place() -> None:
    assert _warnings(b'{"version":"99.7-future"}') == [
        "version: unknown version '99.7-future'; read as 1.0, so keys may be missed"
    ]
    assert _warnings(b'{"resources":[{"name":"A"},{"name":"B"},{"name":"A"}]}') == [
        "resources[2].name: 'A' is also resources[0]; the last of a name is found"
    ]
    dangling = b'{"resources":[{"name":"A","relationships":[{"name":"b","type":"belongs_to","target_resource":"B"}]}]}'
    assert _warnings(dangling) == ["resources[0].relationships[0].target_resource: there is no resource 'B'"]
    assert _warnings(
        b'{"resources":[{"name":"auth"},{"name":"A","middleware":{"list":["auth","auth"]}}]}'
    ) == [
        "resources[1].middleware.list: 'auth' is also a resource; the dependency graph has one node for both"
    ]


def test_a_key_that_is_there_twice_is_a_warning_and_the_last_value_stands() -> None:
    data = b'{"version":"1","resources":[{"name":"A","fields":[{"name":"x","type":"a","name":"y"}]}],"version":"1.0"}'
    registry = Registry.from_json(data)
    assert registry.schema().version == "1.0"
    assert registry.resource("A").fields[0].name == "y"
    assert [warning.path for warning in registry.warnings] == ["version", "resources[0].fields[0].name"]
    assert all("repeated key" in warning.message for warning in registry.warnings)
    deep = b'{"x":' + b'{"a":' * 3000 + b"1" + b"}" * 3000 + b',"version":"1","version":"1"}'
    assert [warning.path for warning in Registry.from_json(deep).warnings] == ["version"]


def test_a_graph_in_the_document_that_its_resources_do_not_give_is_a_warning() -> None:
    data = json.loads(small_document())
    data["dependencies"]["edges"][0]["to"] = "Comment"
    warnings = _warnings(json.dumps(data).encode())
    assert len(warnings) == 2
    assert "has 1 of the edges other than the resources say, such as Post → Comment" in warnings[0]
    assert "lacks 1 of the edges other than the resources say, such as Post → User" in warnings[1]


# --- the registry of the process


@pytest.fixture
def lent_registration():
    unregister()
    yield
    unregister()


def test_registering_takes_a_path_bytes_records_or_a_registry(
    tmp_path: Path, lent_registration: None
) -> None:
    (tmp_path / "m.json").write_bytes(small_document())
    for source in (
        tmp_path / "m.json",
        str(tmp_path / "m.json"),
        small_document(),
        Registry.from_json(small_document()),
    ):
        assert conduit.register(source).resource("Post").name == "Post"
        unregister()
    assert conduit.register(Metadata(resources=(Resource("X"),))).get("X") is not None
    assert conduit.get_registry().get("Post") is None


def test_before_registering_the_error_says_how_to_load(lent_registration: None) -> None:
    with pytest.raises(NotRegisteredError, match="conduit collect"):
        conduit.get_registry()


def test_a_second_registration_replaces_everything_also_for_those_who_hold_the_first(
    lent_registration: None,
) -> None:
    held = conduit.register(small_document())
    ask_everything(held, 1)
    before = held.dependencies("Post")
    assert conduit.register(Metadata(resources=(Resource("Post"),))) is held
    assert conduit.get_registry() is held
    assert held.dependencies("Post") != before
    assert held.routes() == held.routes("GET") == held.patterns() == held.relationships_to("User") == ()
    assert held.fields_by_type("uuid") == held.cycles() == ()
    assert held.impact("Post").effects == ()
    assert [each.name for each in held.resources_matching("*")] == ["Post"]
    with pytest.raises(NotFoundError):
        held.resource("User")


def test_a_failed_registration_leaves_the_previous_one(tmp_path: Path, lent_registration: None) -> None:
    conduit.register(small_document())
    (tmp_path / "bad.json").write_bytes(b'{"resources":[{"name":3}]}')
    for source in (b"{", tmp_path / "bad.json", tmp_path / "nowhere.json"):
        with pytest.raises(MetadataError):
            conduit.register(source)
    assert conduit.get_registry().resource("Post").name == "Post"


def test_a_file_s_faults_are_told_with_its_name(tmp_path: Path) -> None:
    (tmp_path / "bad.json").write_bytes(b'{"resources":[{"name":3}]}')
    with pytest.raises(
        MetadataError, match=r"bad\.json: resources\[0\]\.name: expected str, got int"
    ) as caught:
        conduit.load(tmp_path / "bad.json")
    assert caught.value.path == "resources[0].name"


# --- threads


def _run_together(count: int, work) -> list[BaseException]:
    errors: list[BaseException] = []
    barrier = threading.Barrier(count)

    def run() -> None:
        try:
            barrier.wait(60)
            work()
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=run) for _ in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return errors


def test_eight_threads_read_during_continuous_registration_and_never_see_a_mixture(
    lent_registration: None,
) -> None:
    """Each generation's every name carries its number, so an answer from two generations would show."""

    def generation(number: int) -> Metadata:
        names = [f"G{number}R{i}" for i in range(5)]
        resources = tuple(
            Resource(
                "Same" if i == 0 else name,
                fields=(Field(f"g{number}", "uuid"),),
                relationships=(Relationship(f"g{number}", "belongs_to", names[i % 4 + 1]),),
            )
            for i, name in enumerate(names)
        )
        routes = tuple(Route("GET", "/same", handler=f"g{number}", resource=name) for name in names)
        return Metadata(version=f"1.{number}", resources=resources, routes=routes)

    registry = conduit.register(generation(0))
    begun, finished = threading.Event(), threading.Event()

    def read() -> None:
        try:
            answer()
        finally:
            begun.set()
        while not finished.is_set():
            answer()

    def answer() -> None:
        document = registry.document
        label = document.schema.version.removeprefix("1.")
        assert document.by_name["Same"].fields[0].name == f"g{label}"
        seen = {
            frozenset(route.handler for route in registry.routes("GET", "/same")),
            frozenset(route.handler for route in registry.routes(resource=None)),
        }
        assert all(len(handlers) == 1 for handlers in seen)
        graph = registry.dependencies("Same")
        generations = {node.partition("R")[0] for node in graph.nodes if node != "Same"}
        assert len(generations) == 1
        assert len({each.field.name for each in registry.fields_by_type("uuid")}) == 1
        assert len({each.resource for each in registry.fields_by_type("uuid")}) == 5

    def write() -> None:
        for number in range(1, 120):
            conduit.register(generation(number))
            if number == 20:
                begun.wait()  # however threads are scheduled, most generations change under a reader's eyes

    turns = iter([write] + [read] * 8)
    lock = threading.Lock()

    def work() -> None:
        with lock:
            mine = next(turns)
        try:
            mine()
        finally:
            finished.set() if mine is write else None

    interval = sys.getswitchinterval()
    sys.setswitchinterval(0.0005)
    try:
        errors = _run_together(9, work)
    finally:
        sys.setswitchinterval(interval)
    assert errors == []


def test_a_thousand_threads_that_ask_the_same_cold_question_compute_it_once() -> None:
    registry = Registry.from_json(rich_document(60))
    name = registry.resources()[30].name
    seen = set()

    def ask() -> None:
        seen.add(id(registry.dependencies(name)))

    previous = threading.stack_size(256 * 1024)
    try:
        errors = _run_together(1_000, ask)
    finally:
        threading.stack_size(previous)
    assert errors == []
    assert len(seen) == 1
    assert registry.cache_stats().misses == 1


@pytest.mark.parametrize(
    "text",
    [
        '{"version":"1","version":"1.0"}',
        '{"version" :"1","version":"1.0"}',
        '{"version":"1","version":"1.0","x":"\\u0022:"}',
        '{"version":"1","x":{"a":1,"a":"\\":"}}',
    ],
)
def test_a_repeated_key_is_found_however_the_document_spells_its_keys_and_quotes(text: str) -> None:
    assert any("repeated key" in warning.message for warning in Registry.from_json(text.encode()).warnings)


def test_keys_that_only_look_repeated_are_no_warning() -> None:
    text = '{"version":"1.0","x":["\\":","a\\" :","\\u0022:",{"a":1},{"a":2}]}'
    assert Registry.from_json(text.encode()).warnings == ()


def test_the_order_of_a_documents_own_edges_is_no_difference() -> None:
    data = json.loads(rich_document(6))
    edges = json.loads(encode(Metadata(dependencies=Registry.from_json(rich_document(6)).graph())))[
        "dependencies"
    ]["edges"]
    data["dependencies"]["edges"] = edges[::-1]
    assert _warnings(json.dumps(data).encode()) == []
    data["dependencies"]["edges"] = [*edges[::-1], edges[0], {**edges[0], "from": "Nowhere"}]
    assert [warning.partition(" of the edges")[0] for warning in _warnings(json.dumps(data).encode())] == [
        "dependencies.edges: has 2"
    ]
    data["dependencies"]["edges"] = edges[7:4:-1]
    assert [warning.partition(" of the edges")[0] for warning in _warnings(json.dumps(data).encode())] == [
        f"dependencies.edges: lacks {len(edges) - 3}"
    ]


def test_the_warnings_are_the_same_before_and_after_the_indexes_are_built() -> None:
    data = b"""{"resources":[{"name":"Log.write","middleware":{"list":["auth","b"]}},{"name":"auth"},{"name":"A",
        "hooks":[{"type":"x","source_code":"Log.write(1) Sound.play(2)"}],"middleware":{"list":["Sound.play"]},
        "relationships":[{"name":"b","type":"belongs_to","target_resource":"b"}]}]}"""
    first = _warnings(data)
    assert len(first) == 5
    assert [str(warning) for warning in Registry.from_json(data).warm().warnings] == first
