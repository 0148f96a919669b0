"""The graph against naive walks over the document, and what deletions touch."""

from __future__ import annotations

import itertools

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from benchmarks.documents import chain_document
from conduit.metadata import Metadata, Registry, Resource
from conduit.metadata.dependencies import called_functions, strongly_connected_components
from conduit.metadata.impact import normal_on_delete
from conduit.metadata.schema import FrozenDict, Hook, Relationship, RelationshipDetails

NAMES = st.sampled_from(["A", "B", "C", "D", "E", "Gone", "auth", "Time.now"])
TYPES = st.sampled_from(["belongs_to", "has_many", "has_one", "inherits"])
ON_DELETE = st.sampled_from(["", "cascade", "restrict", "set_null", "none"])


def documents() -> st.SearchStrategy[Metadata]:
    """Small graphs in which cycles, repeated names and names of several kinds are common."""
    relationship = st.builds(Relationship, st.just("r"), TYPES, NAMES, on_delete=ON_DELETE)
    hook = st.builds(
        Hook, st.just("before_create"), source_code=st.sampled_from(["Time.now()", "A.b(B.c())", ""])
    )
    middleware = st.dictionaries(
        st.sampled_from(["list", "show"]),
        st.lists(st.sampled_from(["auth", "A", "log"]), max_size=3).map(tuple),
    )
    resource = st.builds(
        Resource,
        st.sampled_from(["A", "B", "C", "D", "E", "auth", "Time.now"]),
        file_path=st.sampled_from(["", "x", "y"]),
        relationships=st.lists(relationship, max_size=4).map(tuple),
        hooks=st.lists(hook, max_size=2).map(tuple),
        middleware=middleware.map(FrozenDict),
    )
    return st.builds(Metadata, resources=st.lists(resource, min_size=1, max_size=7).map(tuple))


def naive_edges(document: Metadata) -> list[tuple[str, str, str, int]]:
    """All edges: relationships, then middleware, then calls, of resources in order; uses of namesakes are counted together."""
    edges = [
        (each.name, r.target_resource, r.type, 1) for each in document.resources for r in each.relationships
    ]
    names = list(dict.fromkeys(resource.name for resource in document.resources))
    for label in ("uses", "calls"):
        for name in names:
            used = []
            for resource in document.resources:
                if resource.name == name and label == "uses":
                    used += [each for chain in resource.middleware.values() for each in chain]
                elif resource.name == name:
                    used += [each for hook in resource.hooks for each in called_functions(hook.source_code)]
            edges += [(name, each, label, used.count(each)) for each in dict.fromkeys(used)]
    return edges


def naive_walk(edges, start, depth, reverse, types):
    distance = {start: 0}
    found = []
    level = [start]
    while level and (depth == 0 or distance[level[0]] < depth):
        following = []
        for name in level:
            for edge in edges:
                here, there = (edge[1], edge[0]) if reverse else (edge[0], edge[1])
                if here == name and (types is None or edge[2] in types):
                    found.append(edge)
                    if there not in distance:
                        distance[there] = distance[name] + 1
                        following.append(there)
        level = following
    return list(distance), found


@given(documents(), st.randoms(use_true_random=False))
@settings(max_examples=80, deadline=None)
def test_a_walk_is_that_of_a_naive_search_over_all_edges(document: Metadata, random) -> None:
    registry = Registry(document)
    edges = naive_edges(document)
    names = sorted({resource.name for resource in document.resources})
    questions = list(
        itertools.product(
            names, [0, 1, 2], [False, True], [None, ("belongs_to",), ("uses", "calls"), ("has_many",)]
        )
    )
    random.shuffle(questions)
    for name, depth, reverse, types in questions:
        answer = registry.dependencies(name, depth, reverse, types)
        nodes, found = naive_walk(edges, name, depth, reverse, types)
        assert [(e.from_, e.to, e.relationship, e.weight) for e in answer.edges] == found
        assert list(answer.nodes) == nodes
    whole = registry.graph()
    assert [(e.from_, e.to, e.relationship, e.weight) for e in whole.edges] == edges
    for key, node in whole.nodes.items():
        assert node.type == naive_kind(document, key)
        assert node.file_path == next(
            (r.file_path for r in reversed(document.resources) if r.name == key), ""
        )


def naive_kind(document: Metadata, name: str) -> str:
    if any(
        r.name == name or any(q.target_resource == name for q in r.relationships) for r in document.resources
    ):
        return "resource"
    if any(name in chain for r in document.resources for chain in r.middleware.values()):
        return "middleware"
    return "function"


def reachable(successors, start):
    seen, todo = set(), [start]
    while todo:
        for to in successors[todo.pop()]:
            if to not in seen:
                seen.add(to)
                todo.append(to)
    return seen


GRAPHS = st.integers(1, 9).flatmap(
    lambda n: st.fixed_dictionaries({i: st.lists(st.integers(0, n - 1), max_size=4) for i in range(n)})
)


@given(GRAPHS)
@settings(max_examples=150, deadline=None)
def test_components_are_the_classes_of_mutual_reachability_in_reverse_order(successors) -> None:
    components = strongly_connected_components(successors)
    reach = {vertex: reachable(successors, vertex) | {vertex} for vertex in successors}
    assert sorted(itertools.chain(*components)) == sorted(successors)
    placed: set[int] = set()
    for component in components:
        for one, other in itertools.product(component, repeat=2):
            assert other in reach[one]
        placed.update(component)
        assert reach[component[0]] <= placed


@given(documents())
@settings(max_examples=80, deadline=None)
def test_cycles_are_mutual_needs_over_relationships_that_hold_the_key(document: Metadata) -> None:
    registry = Registry(document)
    names = {resource.name for resource in document.resources}
    owning: dict[str, set[str]] = {name: set() for name in names}
    for resource in document.resources:
        for r in resource.relationships:
            if r.type in ("belongs_to", "inherits") and r.target_resource in names:
                owning[resource.name].add(r.target_resource)
    reach = {name: reachable(owning, name) for name in names}
    expected = {
        tuple(sorted(o for o in reach[name] if name in reach[o])) for name in names if name in reach[name]
    }
    cycles = registry.cycles()
    assert [cycle.names for cycle in cycles] == sorted(expected)
    for cycle in cycles:
        assert cycle.path[0] == cycle.path[-1] == cycle.names[0]
        assert all(there in owning[here] for here, there in itertools.pairwise(cycle.path))
        assert {(edge.from_, edge.to) for edge in cycle.edges} == {
            (here, there) for here in cycle.names for there in owning[here] if there in cycle.names
        }


@given(documents())
@settings(max_examples=60, deadline=None)
def test_depth_is_the_longest_path_with_cycles_as_single_nodes(document: Metadata) -> None:
    registry = Registry(document)
    successors: dict[str, list[str]] = {key: [] for key in registry.graph().nodes}
    for edge in registry.graph().edges:
        successors[edge.from_].append(edge.to)
    reach = {name: reachable(successors, name) for name in successors}
    classes = {name: frozenset({name} | {o for o in reach[name] if name in reach[o]}) for name in successors}

    def longest(members: frozenset[str]) -> int:
        outside = {classes[to] for name in members for to in successors[name]} - {members}
        return max((longest(each) + 1 for each in outside), default=0)

    for resource in document.resources:
        depth = registry.dependency_depth(resource.name)
        assert depth == longest(classes[resource.name])
        around = reach[resource.name] | {resource.name}
        assert depth.cyclic == any(name in reach[name] for name in around)


def test_a_chain_of_ten_thousand_needs_no_recursion() -> None:
    registry = Registry.from_json(chain_document(10_000))
    assert registry.dependency_depth("Resource9999") == 9_999
    assert not registry.dependency_depth("Resource9999").cyclic
    assert registry.cycles() == ()
    assert len(registry.dependencies("Resource9999").nodes) == 10_000


def test_functions_are_namespaces_capitalised_and_snake_case_names_count() -> None:
    source = "self.slug = String.slugify(Text.trim(x))\nTime.add_days(3) # Log.info(\nlogger.Info(y) X.f (z)"
    assert called_functions(source) == ["String.slugify", "Text.trim", "Time.add_days", "Log.info"]


# --- impact


def blog() -> Registry:
    return Registry(
        Metadata(
            resources=(
                Resource("User"),
                Resource(
                    "Post", relationships=(Relationship("author", "belongs_to", "User", on_delete="CASCADE"),)
                ),
                Resource(
                    "Comment",
                    relationships=(
                        Relationship("post", "belongs_to", "Post", on_delete="cascade"),
                        Relationship("author", "belongs_to", "User", on_delete="set null"),
                        Relationship("parent", "belongs_to", "Comment", on_delete="cascade"),
                    ),
                ),
                Resource(
                    "Invoice",
                    relationships=(Relationship("payer", "belongs_to", "User", on_delete="PROTECT"),),
                ),
                Resource(
                    "Log",
                    relationships=(Relationship("comment", "belongs_to", "Comment", on_delete="DO_NOTHING"),),
                ),
                Resource("Note", relationships=(Relationship("post", "belongs_to", "Post"),)),
            )
        )
    )


def test_a_deletion_is_followed_by_what_the_relationships_declare() -> None:
    impact = blog().impact("User")
    told = [(e.resource, e.relationship, e.on_delete, e.depth) for e in impact.effects]
    assert told == [
        ("Post", "author", "cascade", 1),
        ("Comment", "author", "set_null", 1),
        ("Invoice", "payer", "restrict", 1),
        ("Comment", "post", "cascade", 2),
        ("Note", "post", "undeclared", 2),
        ("Comment", "parent", "cascade", 3),
        ("Log", "comment", "none", 3),
    ]
    assert impact.deleted == ("Post", "Comment")
    assert impact.deleted_by_depth == (1, 1)
    assert [effect.resource for effect in impact.blocked_by] == ["Invoice"]
    log = impact.effects[-1]
    assert [(link.resource, link.relationship, link.target) for link in log.chain] == [
        ("Post", "author", "User"),
        ("Comment", "post", "Post"),
        ("Log", "comment", "Comment"),
    ]
    assert blog().impact("Log").effects == ()


def test_the_other_end_s_on_delete_counts_where_the_holder_declares_none() -> None:
    registry = Registry(
        Metadata(
            resources=(
                Resource(
                    "User", relationships=(Relationship("posts", "has_many", "Post", on_delete="cascade"),)
                ),
                Resource("Post", relationships=(Relationship("author", "belongs_to", "User"),)),
                Resource(
                    "Team", relationships=(Relationship("rooms", "has_many", "Room", on_delete="cascade"),)
                ),
                Resource("Room", relationships=(Relationship("tags", "has_many_through", "Team"),)),
            )
        )
    )
    assert [(e.resource, e.relationship, e.on_delete) for e in registry.impact("User").effects] == [
        ("Post", "author", "cascade")
    ]
    assert [(e.resource, e.relationship, e.on_delete) for e in registry.impact("Team").effects] == [
        ("Room", "rooms", "cascade")
    ]


def test_a_view_of_an_edge_is_not_a_second_edge() -> None:
    inverse = Relationship("posts", "one_to_one", "Post", details=RelationshipDetails(inverse=True))
    registry = Registry(
        Metadata(
            resources=(
                Resource("User", relationships=(inverse,)),
                Resource(
                    "Post", relationships=(Relationship("author", "belongs_to", "User", on_delete="cascade"),)
                ),
            )
        )
    )
    assert registry.cycles() == ()
    assert [effect.resource for effect in registry.impact("User").effects] == ["Post"]
    assert registry.impact("Post").effects == ()


def parents_of(document: Metadata) -> dict[str, set[str]]:
    """Resource → itself and whose rows its own are a part of: all that it inherits from with a cascade."""
    above = {
        resource.name: {
            r.target_resource
            for each in document.resources
            if each.name == resource.name
            for r in each.relationships
            if r.type == "inherits" and r.on_delete == "cascade"
        }
        for resource in document.resources
    }
    for dangling in set().union(*above.values()) - above.keys():
        above[dangling] = set()
    return {name: reachable(above, name) | {name} for name in above}


@given(documents())
@settings(max_examples=60, deadline=None)
def test_the_deleted_are_the_closure_over_cascades(document: Metadata) -> None:
    registry = Registry(document)
    rows = parents_of(document)
    for name in {resource.name for resource in document.resources}:
        impact = registry.impact(name)
        holders: dict[str, set[str]] = {}
        for effect in impact.effects:
            assert len(effect.chain) == effect.depth
            assert effect.chain[0].target in rows[name]
            assert all(link.on_delete == "cascade" for link in effect.chain[:-1])
            for here, there in itertools.pairwise(effect.chain):
                assert there.target in rows.get(here.resource, {here.resource})
            if effect.on_delete == "cascade":
                holders.setdefault(effect.chain[-1].target, set()).add(effect.resource)
        closure, todo = {name}, [name]
        while todo:
            one = todo.pop()
            for part in rows.get(one, {one}):
                for holder in holders.get(part, ()):
                    if holder not in closure:
                        closure.add(holder)
                        todo.append(holder)
        assert set(impact.deleted) == closure - {name}
        assert sum(impact.deleted_by_depth) == len(impact.deleted)


@pytest.mark.parametrize(
    ("written", "word"),
    [
        ("CASCADE", "cascade"),
        ("Set Null", "set_null"),
        ("NO ACTION", "none"),
        ("", "undeclared"),
        ("custom:x", "custom:x"),
    ],
)
def test_on_delete_is_read_in_the_spellings_of_databases_and_frameworks(written: str, word: str) -> None:
    assert normal_on_delete(written) == word
