"""The graph in a real browser: grown and shrunk by clicks, moved, zoomed, saved, and brought back by its address."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET
from typing import TYPE_CHECKING, Literal

import pytest

from conduit.metadata.diagram import draw, keys_only, to_dot, to_mermaid
from conduit.metadata.schema import (
    Field,
    FieldDetails,
    Metadata,
    Relationship,
    RelationshipDetails,
    Resource,
)
from conduit.web.registry.page import registry_document
from conduit.web.registry.page_data import page_data

from ..test_browser import axe_findings

if TYPE_CHECKING:
    from pathlib import Path

    from playwright.sync_api import Page

    from ..conftest import Visitor

Place = tuple[float, float]


def model(app: str, name: str, *keys: tuple[str, str, str]) -> Resource:
    return Resource(
        name,
        id=f"{app}.{name}",
        kind="django_model",
        fields=(
            Field("id", "int", details=FieldDetails(primary_key=True)),
            Field("title", "str"),
            *(Field(key, "ForeignKey", details=FieldDetails(references=target)) for key, target, _ in keys),
        ),
        relationships=tuple(
            Relationship(key, "belongs_to", target, on_delete=effect, details=RelationshipDetails())
            for key, target, effect in keys
        ),
    )


def resources() -> list[Resource]:
    """Line → Order → Customer → Country; Customer ↔ Order is a cycle; 20 reviews of Order; 290 others."""
    return [
        model("people", "Country"),
        model("people", "Customer", ("country", "Country", "restrict"), ("favourite", "Order", "set_null")),
        model("shop", "Order", ("customer", "Customer", "cascade")),
        model("shop", "Line", ("order", "Order", "cascade")),
        *(model("reviews", f"Review{n:02}", ("order", "Order", "cascade")) for n in range(20)),
        *(model("audit", f"Log{n:03}") for n in range(276)),
    ]


@pytest.fixture(scope="module")
def file(tmp_path_factory: pytest.TempPathFactory) -> str:
    path = tmp_path_factory.mktemp("graph") / "page.html"
    path.write_bytes(
        registry_document(page_data(Metadata(version="1.0", resources=tuple(resources())), "shop"))
    )
    return path.as_uri()


@pytest.fixture
def page(visitor: Visitor) -> Page:
    return visitor.open("about:blank", width=1400, height=900)


def names(page: Page) -> list[str]:
    found: list[str] = page.locator("g.node").evaluate_all("nodes => nodes.map((one) => one.dataset.name)")
    return found


def places(page: Page) -> dict[str, tuple[str, str]]:
    """The place of each box in the drawing, whatever part of it is looked at."""
    rows = page.locator("g.node").evaluate_all(
        "nodes => nodes.map((one) => [one.dataset.name, ...['x', 'y'].map((at) => one.querySelector('rect').getAttribute(at))])"
    )
    return {name: (x, y) for name, x, y in rows}


def middle(page: Page, name: str) -> Place:
    box = page.locator(f'g.node[data-name="{name}"] rect').first.bounding_box()
    assert box is not None
    return box["x"] + box["width"] / 2, box["y"] + 8


def width(page: Page, name: str) -> float:
    box = page.locator(f'g.node[data-name="{name}"] rect').first.bounding_box()
    assert box is not None
    return box["width"]


def click(page: Page, name: str) -> None:
    page.mouse.click(*middle(page, name))


def test_clicks_grow_and_shrink_the_graph_and_no_box_moves(page: Page, file: str) -> None:
    page.goto(f"{file}#view=graph&name=Country")
    assert names(page) == ["Country", "Customer"]
    before = places(page)
    click(page, "Customer")
    assert names(page) == ["Country", "Customer", "Order"]
    click(page, "Order")
    assert names(page) == ["Country", "Customer", "Order", "Line", *(f"Review{n:02}" for n in range(11))]
    click(page, "Order")
    assert len(names(page)) == 24
    after = places(page)
    assert {name: after[name] for name in before} == before
    assert page.locator('g.node[data-name="Order"] .more').text_content() == "−"
    click(page, "Order")
    assert names(page) == ["Country", "Customer", "Order"]
    assert places(page) == {name: after[name] for name in names(page)}
    page.go_back()
    assert places(page) == after
    page.reload()
    assert len(names(page)) == 24


def test_lines_show_effects_and_cycles_and_frames_the_applications(page: Page, file: str) -> None:
    page.goto(f"{file}#view=graph&name=Country&show=Country,Customer,Order,Line")
    rows = page.locator("g.line").evaluate_all(
        """lines => lines.map((one) => [one.dataset.start, one.dataset.onDelete, one.classList.contains('cyclic'),
            getComputedStyle(one.querySelector('path')).stroke])"""
    )
    red = page.evaluate("getComputedStyle(document.querySelector('.graph-cascade')).backgroundColor")
    assert {(start, effect, cyclic, stroke == red) for start, effect, cyclic, stroke in rows} == {
        ("Customer", "restrict", False, False),
        ("Customer", "set_null", True, False),
        ("Order", "cascade", True, True),
        ("Line", "cascade", False, True),
    }
    texts = page.locator("g.line text").all_text_contents()
    assert sorted(texts) == [
        "country (restrict)",
        "customer (cascade)",
        "favourite (set_null)",
        "order (cascade)",
    ]
    assert set(page.locator("g.frames text").all_text_contents()) == {"people", "shop"}


def test_a_path_is_found_marked_and_left_again(page: Page, file: str) -> None:
    page.goto(f"{file}#view=graph&name=Line")
    page.locator("#graph-to").fill("Country")
    page.locator("#graph-to").press("Enter")
    assert page.locator(".ways a").all_text_contents() == ["Line → Order → Customer → Country", "no path"]
    ways = page.locator("g.way").evaluate_all("lines => lines.map((one) => one.dataset.start)")
    assert sorted(ways) == ["Customer", "Customer", "Line", "Order"]
    page.get_by_text("no path").click()
    assert page.locator("g.way").count() == 0 and "Country" in names(page)


def test_cascades_show_everything_that_a_deletion_reaches(page: Page, file: str) -> None:
    page.goto(f"{file}#view=graph&name=Customer")
    page.get_by_role("button", name="Cascades").click()
    assert set(names(page)) == {"Customer", "Order", "Line", *(f"Review{n:02}" for n in range(20))}


def test_the_view_begins_with_the_most_connected_and_the_cycles(page: Page, file: str) -> None:
    page.goto(f"{file}#view=graph")
    assert page.locator(".tile-name").first.text_content() == "Order"
    assert page.locator("g.node").count() == 0
    page.get_by_text("Customer → Order → Customer").click()
    assert names(page) == ["Customer", "Order"]


def test_wheel_and_drag_look_at_another_part_and_keys_do_the_same(page: Page, file: str) -> None:
    page.goto(f"{file}#view=graph&name=Order")
    place, x = places(page), middle(page, "Order")[0]
    frame = page.locator(".registry-graph").bounding_box()
    assert frame is not None
    page.mouse.move(frame["x"] + 20, frame["y"] + 20)
    page.mouse.down()
    page.mouse.move(frame["x"] + 90, frame["y"] + 20, steps=5)
    page.mouse.up()
    assert middle(page, "Order")[0] - x == pytest.approx(70, abs=3)
    before = width(page, "Order")
    page.mouse.wheel(0, -200)
    assert width(page, "Order") > before * 1.3
    for _ in range(4):
        page.keyboard.press("-")
    assert width(page, "Order") < before * 1.1
    assert places(page) == place


def test_the_keyboard_leads_from_box_to_box_opens_and_removes(page: Page, file: str) -> None:
    page.goto(f"{file}#view=graph&name=Country")
    page.locator('g.node[data-name="Country"]').focus()
    page.keyboard.press("ArrowLeft")
    assert page.evaluate("document.activeElement.dataset.name") == "Customer"
    page.keyboard.press("Enter")
    assert names(page) == ["Country", "Customer", "Order"]
    assert page.evaluate("document.activeElement.dataset.name") == "Customer"
    page.keyboard.press("x")
    assert names(page) == ["Country"]
    page.keyboard.press("o")
    assert re.search(r"view=resource&name=Country$", page.url)


@pytest.mark.parametrize("columns", ["keys", "all"])
def test_saved_files_are_what_the_command_prints(page: Page, file: str, columns: str, tmp_path: Path) -> None:
    page.goto(f"{file}#view=graph&name=Country&show=Country,Customer,Order&columns={columns}")
    picture = draw(resources()[:3], document=resources())
    picture = keys_only(picture) if columns == "keys" else picture
    saved = {}
    for form in ("Mermaid", "DOT", "SVG", "PNG"):
        with page.expect_download() as download:
            page.get_by_role("button", name=form).click()
        saved[form] = tmp_path / download.value.suggested_filename
        download.value.save_as(saved[form])
    assert saved["Mermaid"].read_text() == to_mermaid(picture)
    assert saved["DOT"].read_text() == to_dot(picture)
    assert saved["PNG"].read_bytes().startswith(b"\x89PNG")
    svg = ET.fromstring(saved["SVG"].read_text())
    texts = [element.text for element in svg.iter("{http://www.w3.org/2000/svg}text")]
    assert {"Country", "Customer", "Order", "customer (cascade)", "people"} <= set(texts)
    assert ("title" in texts) == (columns == "all")


def test_no_part_of_the_page_is_wider_than_a_narrow_window(page: Page, file: str) -> None:
    page.set_viewport_size({"width": 390, "height": 800})
    page.goto(f"{file}#view=graph&name=Order")
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    assert page.locator("g.node").count() == 13


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_axe_finds_nothing_in_the_graph(page: Page, file: str, scheme: Literal["light", "dark"]) -> None:
    page.emulate_media(color_scheme=scheme)
    page.goto(f"{file}#view=graph&name=Line&from=Line&to=Country")
    assert page.locator("g.way").count() == 4
    assert axe_findings(page) == []
