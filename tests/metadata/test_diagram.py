from __future__ import annotations

import shutil
import subprocess

import pytest

from conduit.metadata.diagram import (
    MERMAID_CHARACTERS,
    MERMAID_EDGES,
    draw,
    neighbourhood,
    split_for_mermaid,
    to_dot,
    to_mermaid,
)
from conduit.metadata.schema import (
    Field,
    FieldDetails,
    Relationship,
    RelationshipDetails,
    Resource,
    ResourceDetails,
)


def belongs_to(target: str, name: str = "", **details: object) -> Relationship:
    return Relationship(name or target.lower(), "belongs_to", target, details=RelationshipDetails(**details))  # type: ignore[arg-type]


def chain(length: int, module: str = "app") -> list[Resource]:
    return [
        Resource(
            f"{module}R{n}",
            fields=(Field("id", "int", details=FieldDetails(primary_key=True)), Field("text", "str?")),
            relationships=(belongs_to(f"{module}R{n + 1}"),) if n + 1 < length else (),
            details=ResourceDetails(module=module),
        )
        for n in range(length)
    ]


def test_an_edge_is_drawn_once_and_from_the_side_with_the_key() -> None:
    post = Resource("Post", relationships=(belongs_to("User", nullable=True),))
    user = Resource(
        "User",
        relationships=(Relationship("posts", "has_many", "Post", details=RelationshipDetails(inverse=True)),),
    )
    assert to_mermaid(draw([post, user])).splitlines()[1:] == [
        '  "Post"',
        '  "User"',
        '  "Post" }o--o| "User" : "user"',
    ]


def test_cardinalities_follow_uniqueness_nullability_and_many_to_many() -> None:
    card = Resource(
        "Card",
        relationships=(
            belongs_to("User", "owner", unique=True),
            Relationship("tags", "has_many_through", "Tag", details=RelationshipDetails()),
        ),
    )
    lines = to_mermaid(draw([card, Resource("User"), Resource("Tag")])).splitlines()
    assert '  "Card" |o--|| "User" : "owner"' in lines
    assert '  "Card" }o--o{ "Tag" : "tags"' in lines


def test_relations_that_a_child_inherits_are_drawn_at_the_parent_only() -> None:
    child = Resource(
        "Child",
        relationships=(
            belongs_to("User", inherited_from="Parent"),
            Relationship("parent", "inherits", "Parent"),
        ),
    )
    diagram = draw([child, Resource("Parent", relationships=(belongs_to("User"),)), Resource("User")])
    assert [(line.start, line.end) for line in diagram.lines] == [("Child", "Parent"), ("Parent", "User")]


def test_columns_are_words_that_mermaid_can_read() -> None:
    text = to_mermaid(draw(chain(1)))
    assert text == 'erDiagram\n  "appR0" {\n    int id PK\n    str text\n  }\n'


@pytest.mark.parametrize(
    ("depth", "expected"),
    [(0, ["appR2"]), (1, ["appR1", "appR2", "appR3"]), (9, [f"appR{n}" for n in range(5)])],
)
def test_a_neighbourhood_goes_both_ways_for_so_many_steps(depth: int, expected: list[str]) -> None:
    assert [one.name for one in neighbourhood(chain(5), "appR2", depth)] == expected


def test_what_mermaid_can_show_is_one_picture() -> None:
    assert len(split_for_mermaid(chain(20))) == 1


def test_more_than_mermaid_shows_is_a_picture_for_each_application_and_each_of_them_fits() -> None:
    diagrams = split_for_mermaid([*chain(400, "shop"), *chain(300, "blog")])
    assert [diagram.title for diagram in diagrams] == ["blog", "shop"]
    for diagram in diagrams:
        assert len(diagram.lines) <= MERMAID_EDGES
        assert len(to_mermaid(diagram)) <= MERMAID_CHARACTERS
        assert {line.end for line in diagram.lines} <= {entity.name for entity in diagram.entities}


def test_an_application_that_is_still_too_large_loses_its_plain_fields_before_its_keys() -> None:
    wide = [
        Resource(
            f"R{n}",
            fields=(
                Field("id", "int", details=FieldDetails(primary_key=True)),
                *(Field(f"field_{i}", "str") for i in range(60)),
            ),
        )
        for n in range(60)
    ]
    (diagram,) = split_for_mermaid(wide)
    assert {column.mark for entity in diagram.entities for column in entity.columns} == {"PK"}


@pytest.mark.skipif(shutil.which("dot") is None, reason="Graphviz is not installed")
def test_graphviz_reads_what_is_written_names_full_of_markup_included() -> None:
    odd = Resource(
        '<b>"x" & \\',
        fields=(Field("a<b>&", 'list["x"]'),),
        relationships=(belongs_to('<b>"x" & \\', 'q"\n'),),
    )
    done = subprocess.run(
        ["dot", "-Tsvg"], input=to_dot(draw([odd])), capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    assert "&lt;b&gt;&quot;x&quot; &amp;" in done.stdout
