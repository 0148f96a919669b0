"""What the lines and columns of a picture say: effects of deletions, cycles, keys; and which pictures are too large."""

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from conduit.metadata import diagram as pictures
from conduit.metadata.codec import decode
from conduit.metadata.diagram import application_of, draw, keys_only, split_for_mermaid, to_dot, to_flowchart
from conduit.metadata.diagram.narrowing import MAX_BOXES, narrowings, too_large
from conduit.metadata.diagram.picture import CASCADE_COLOUR, CYCLE_COLOUR
from conduit.metadata.schema import (
    Field,
    FieldDetails,
    Relationship,
    RelationshipDetails,
    Resource,
    ResourceDetails,
)

BLOG = Path(__file__).resolve().parents[1] / "golden" / "registry" / "04_blog_all_fields.json"


def key(name: str, target: str, on_delete: str = "", **details: object) -> Relationship:
    return Relationship(
        name, "belongs_to", target, f"{name}_id", on_delete=on_delete, details=RelationshipDetails(**details)  # type: ignore[arg-type]
    )  # fmt: skip


def shop() -> list[Resource]:
    """Two applications: the customer's favourite order and the order's customer are a cycle; lines go with orders."""
    return [
        Resource(
            "Customer",
            id="people.Customer",
            kind="django_model",
            relationships=(key("favourite", "Order", "set_null"),),
        ),
        Resource(
            "Order",
            id="shop.Order",
            kind="django_model",
            relationships=(key("customer", "Customer", "CASCADE"),),
        ),
        Resource(
            "Line", id="shop.Line", kind="django_model", relationships=(key("order", "Order", "cascade"),)
        ),
        Resource("Note", id="shop.Note", kind="django_model", relationships=(key("line", "Line"),)),
    ]


def test_lines_name_the_effect_of_a_deletion_and_their_cycle() -> None:
    lines = {line.text: (line.on_delete, line.in_cycle) for line in draw(shop()).lines}
    assert lines == {
        "favourite (set_null)": ("set_null", True),
        "customer (cascade)": ("cascade", True),
        "order (cascade)": ("cascade", False),
        "line": ("", False),
    }


def test_a_cycle_of_the_document_stays_one_where_a_part_of_it_is_drawn() -> None:
    resources = shop()
    part = [resource for resource in resources if resource.name in ("Customer", "Order")]
    part[0] = Resource("Customer", id="people.Customer", kind="django_model")
    assert [line.in_cycle for line in draw(part).lines] == [False]
    assert [line.in_cycle for line in draw(part, document=resources).lines] == [True]


def test_an_effect_that_only_the_object_mapper_has_is_on_the_line() -> None:
    parent = Resource(
        "Parent",
        relationships=(
            Relationship(
                "children", "has_many", "Child", "parent_id",
                details=RelationshipDetails(inverse=True, cascade=("save-update", "delete")),
            ),
        ),
    )  # fmt: skip
    assert [
        line.text
        for line in draw([parent, Resource("Child", relationships=(key("parent", "Parent"),))]).lines
    ] == ["parent (cascade)"]


def test_dot_colours_cascades_and_cycles_and_says_so_below() -> None:
    text = to_dot(draw(shop()))
    colours = dict(re.findall(r'"(\w+)" -> .*? color="([^"]+)"', text))
    assert colours == {
        "Customer": CYCLE_COLOUR,
        "Order": f"{CASCADE_COLOUR}:{CYCLE_COLOUR}",
        "Line": CASCADE_COLOUR,
    }
    assert 'label="red: deleted with it; violet: part of a cycle"' in text
    assert text.count("subgraph cluster_") == 2
    people = text[text.index('label="people"') : text.index('label="shop"')]
    assert re.findall(r'^ +"(\w+)" \[', people, re.MULTILINE) == ["Customer"]


def test_a_picture_without_cascades_and_cycles_has_no_legend() -> None:
    assert "red:" not in to_dot(draw([Resource("A", relationships=(key("b", "B"),)), Resource("B")]))


@pytest.mark.skipif(shutil.which("dot") is None, reason="Graphviz is not installed")
def test_the_colours_reach_the_svg() -> None:
    done = subprocess.run(
        ["dot", "-Tsvg"], input=to_dot(draw(shop())), capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    strokes = re.findall(r'<path fill="none" stroke="([^"]+)"', done.stdout)
    assert strokes.count(CASCADE_COLOUR) >= 2 and CYCLE_COLOUR in strokes
    for text in ("shop", "people", "order (cascade)", "red: deleted with it; violet: part of a cycle"):
        assert f">{text}</text>" in done.stdout


def test_a_flowchart_has_an_application_for_each_subgraph_and_styles_the_right_lines() -> None:
    text = to_flowchart(draw(shop()))
    assert re.findall(r'subgraph \w+\["(\w+)"\]', text) == ["people", "shop"]
    nodes = dict(re.findall(r"(n\d+)\[\"<b>(\w+)</b>", text))
    edges = [(nodes[a], label, nodes[b]) for a, label, b in re.findall(r'(n\d+) -->\|"(.*?)"\| (n\d+)', text)]
    styles = {edges[int(n)][1]: style for n, style in re.findall(r"linkStyle (\d+) stroke:(\S+)", text)}
    assert styles == {
        "favourite (set_null)": CYCLE_COLOUR,
        "customer (cascade)": f"{CASCADE_COLOUR},stroke-dasharray:6",
        "order (cascade)": CASCADE_COLOUR,
    }


def test_what_mermaid_or_html_would_read_in_a_name_is_written_as_an_entity() -> None:
    text = to_flowchart(draw([Resource('a"<b>#1', fields=(Field("x`y", "list<int>"),))]))
    assert 'n0["<b>a#34;#60;b#62;#35;1</b><br/>x#96;y list#60;int#62;"]' in text


def test_keys_are_the_primary_the_foreign_and_the_unique_ones() -> None:
    resource = Resource(
        "Book",
        fields=(
            Field("id", "int", details=FieldDetails(primary_key=True)),
            Field("isbn", "str", details=FieldDetails(unique=True)),
            Field("author", "ForeignKey", details=FieldDetails(references="Author")),
            Field("editors", "ManyToManyField", details=FieldDetails(references="Author")),
            Field("title", "str"),
        ),
        relationships=(
            key("author", "Author"),
            Relationship("editors", "has_many_through", "Author", details=RelationshipDetails()),
        ),
    )
    (book,) = keys_only(draw([resource])).entities
    assert [(column.name, column.mark) for column in book.columns] == [
        ("id", "PK"),
        ("isbn", "UK"),
        ("author", "FK"),
    ]


def test_documents_of_the_original_have_keys_and_one_line_a_relation() -> None:
    picture = keys_only(draw(decode(BLOG.read_bytes()).resources))
    post = next(entity for entity in picture.entities if entity.name == "Post")
    assert [(column.name, column.mark) for column in post.columns] == [("id", "PK"), ("author_id", "FK")]
    assert {(line.start, line.end, line.text, line.many) for line in picture.lines} == {
        ("Post", "User", "author (restrict)", True),
        ("Post", "Tag", "tags", True),
        ("Comment", "Post", "post (cascade)", True),
        ("Comment", "User", "author (set_null)", True),
        ("Comment", "Comment", "parent", True),
    }


def test_a_relation_that_only_the_side_without_the_key_declares_is_drawn_from_the_key() -> None:
    user = Resource("User", relationships=(Relationship("posts", "has_many", "Post", on_delete="cascade"),))
    (line,) = draw([user, Resource("Post")]).lines
    assert (line.start, line.end, line.text, line.many) == ("Post", "User", "posts (cascade)", True)


def test_what_an_abstract_class_declares_is_shown_where_it_is_inherited() -> None:
    child = Resource("Child", relationships=(key("user", "User", inherited_from="Mixin"),))
    assert [line.start for line in draw([child, Resource("User")]).lines] == ["Child"]


@pytest.mark.parametrize(
    ("resource", "application"),
    [
        (Resource("A", id="books.A", kind="django_model", details=ResourceDetails(module="x.y")), "books"),
        (Resource("A", details=ResourceDetails(module="shop.models")), "shop"),
        (Resource("A", details=ResourceDetails(module="shop.models.order")), "shop.models"),
        (Resource("A", id="shop.api:A"), "shop"),
        (Resource("A", details=ResourceDetails(module="main")), "main"),
        (Resource("A"), ""),
    ],
)
def test_the_application_is_the_django_label_or_the_package(resource: Resource, application: str) -> None:
    assert application_of(resource) == application


def stars(count: int, leaves: int) -> list[Resource]:
    """So many applications, each with a hub that leaves point to; the hubs are in a row."""
    return [
        Resource(
            name,
            id=f"app{n}.{name}",
            kind="django_model",
            relationships=(key("hub", f"Hub{n if leaf else n + 1}"),),
        )
        for n in range(count)
        for leaf in range(leaves + 1)
        for name in (f"Leaf{n}x{leaf}" if leaf else f"Hub{n}",)
    ]


def test_fifty_boxes_can_be_read_and_one_more_cannot() -> None:
    assert MAX_BOXES == 50
    assert too_large(draw([Resource(f"R{n}") for n in range(50)])) == ""
    assert too_large(draw([Resource(f"R{n}") for n in range(51)])) == "51 boxes (at most 50)"


def test_smaller_pictures_have_the_number_of_boxes_that_is_said_and_fit() -> None:
    document = stars(6, 20)

    def part_of(label: str) -> list[Resource]:
        return [resource for resource in document if resource.id.startswith(f"{label}.")]

    found = narrowings(document, document, "", 1, part_of)
    assert [one.flags for one in found] == [
        "--around Hub1 --depth 1 --keys-only",
        "--around Hub2 --depth 1 --keys-only",
        "--around Hub3 --depth 1 --keys-only",
        "--app app0 --keys-only",
        "--app app1 --keys-only",
        "--app app2 --keys-only",
    ]
    for one in found:
        words = one.flags.split()
        chosen = (
            pictures.neighbourhood(document, words[1], 1) if words[0] == "--around" else part_of(words[1])
        )
        assert len(chosen) == one.boxes <= MAX_BOXES


def test_a_neighbourhood_that_is_too_large_names_the_depth_that_fits() -> None:
    document = stars(6, 20)
    deep = pictures.neighbourhood(document, "Hub2", 3)
    assert len(deep) > MAX_BOXES
    (found,) = [
        one for one in narrowings(deep, document, "Hub2", 3, lambda _: deep) if "app" not in one.flags
    ]
    assert found == ("--around Hub2 --depth 1 --keys-only", 23)


def test_too_many_fields_are_narrowed_to_the_keys() -> None:
    wide = [Resource(f"R{n}", fields=tuple(Field(f"f{i}", "str") for i in range(101))) for n in range(10)]
    assert too_large(draw(wide)) == "1,010 rows of fields (at most 1,000)"
    assert narrowings(wide, wide, "", 1, lambda _: wide)[0] == ("--keys-only", 10)


def test_a_flowchart_that_mermaid_cannot_show_is_split_too() -> None:
    document = stars(30, 20)
    diagrams = split_for_mermaid(document, write=to_flowchart)
    assert len(diagrams) == 30
    assert all(len(to_flowchart(diagram)) <= pictures.MERMAID_CHARACTERS for diagram in diagrams)
