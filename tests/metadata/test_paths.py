"""Paths between resources: every one that there is, against an enumeration of all permutations of small documents."""

from __future__ import annotations

from itertools import pairwise, permutations

from hypothesis import given, settings
from hypothesis import strategies as st

from conduit.metadata.paths import Paths, paths_between
from conduit.metadata.schema import Relationship, RelationshipDetails, Resource

NAMES = "ABCDEF"


def document(edges: set[tuple[str, str]]) -> list[Resource]:
    return [
        Resource(
            name,
            relationships=tuple(
                Relationship(end.lower(), "belongs_to", end, details=RelationshipDetails())
                for start, end in sorted(edges)
                if start == name
            ),
        )
        for name in NAMES
    ]


def shown(paths: Paths) -> list[str]:
    return ["".join(path.names) for path in paths.found]


def every_path(edges: set[tuple[str, str]], depth: int) -> list[str]:
    """All simple paths from A to F: the shortest first, then by name."""
    found = [
        "".join(("A", *middle, "F"))
        for length in range(depth)
        for middle in permutations("BCDE", length)
        if all(pair in edges for pair in pairwise(("A", *middle, "F")))
    ]
    return sorted(found, key=lambda path: (len(path), path))


@settings(max_examples=150)
@given(
    st.sets(st.tuples(st.sampled_from(NAMES), st.sampled_from(NAMES)), max_size=14),
    st.booleans(),
    st.integers(0, 5),
)
def test_the_paths_are_all_those_that_there_are(
    edges: set[tuple[str, str]], only_dependencies: bool, depth: int
) -> None:
    walkable = edges if only_dependencies else edges | {(end, start) for start, end in edges}
    expected = every_path(walkable, depth or 5)
    if not depth:
        expected = [path for path in expected if len(path) == len(expected[0])]
    found = paths_between(
        document(edges), "A", "F", depth=depth, most=1000, only_dependencies=only_dependencies
    )
    assert shown(found) == expected
    assert found.complete
    few = paths_between(document(edges), "A", "F", depth=depth, most=2, only_dependencies=only_dependencies)
    assert (shown(few), few.complete) == (expected[:2], len(expected) <= 2)


def test_a_step_names_its_relationships_direction_and_effect() -> None:
    post = Resource(
        "Post",
        relationships=(
            Relationship("author", "belongs_to", "User", on_delete="CASCADE", details=RelationshipDetails()),
            Relationship("editor", "belongs_to", "User", details=RelationshipDetails()),
        ),
    )
    user = Resource(
        "User",
        relationships=(Relationship("posts", "has_many", "Post", details=RelationshipDetails(inverse=True)),),
    )
    ((step,),) = [path.steps for path in paths_between([post, user], "User", "Post").found]
    assert (step.relationships, step.reverse, step.on_delete) == (("author", "editor"), True, "cascade")
    ((step,),) = [path.steps for path in paths_between([post, user], "Post", "User").found]
    assert not step.reverse


def test_a_relation_that_only_the_side_without_the_key_declares_is_a_step_too() -> None:
    user = Resource("User", relationships=(Relationship("posts", "has_many", "Post"),))
    resources = [user, Resource("Post")]
    ((step,),) = [path.steps for path in paths_between(resources, "User", "Post").found]
    assert (step.relationships, step.reverse) == (("posts",), True)
    assert not paths_between(resources, "User", "Post", only_dependencies=True).found


def test_a_search_without_end_is_ended_and_says_so() -> None:
    names = [f"R{n}" for n in range(40)]
    resources = [
        Resource(
            name,
            relationships=tuple(
                Relationship(other, "belongs_to", other, details=RelationshipDetails()) for other in names
            ),
        )
        for name in [*names, "Island"]
    ]
    found = paths_between(resources, "R0", "R1", depth=20, most=10**9)
    assert not found.complete
    assert len(found.found) > 1000
