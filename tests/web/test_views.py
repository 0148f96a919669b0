"""Tables, graph, menus and messages under a real mouse and keyboard, at three widths, light and dark."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

from conduit.profile.builder import ProfileBuilder
from conduit.profile.model import ValueType
from tests.web.conftest import wait_until

from .conftest import SCREENSHOTS, light_share, profile_named
from .test_browser import axe_findings
from .test_comparison import compared

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from playwright.sync_api import Page

    from .conftest import Visitor

    Serve = Callable[..., str]

WINDOWS = [(1400, 800), (700, 800), (390, 760)]
SCHEMES = ["light", "dark"]


def background(page: Page, selector: str) -> str:
    found: str = page.evaluate("s => getComputedStyle(document.querySelector(s)).backgroundColor", selector)
    return found


def picture(page: Page, name: str) -> None:
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=str(SCREENSHOTS / f"{name}.png"))


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("window", WINDOWS, ids=str)
def test_a_clicked_row_shows_that_it_is_picked_while_the_pointer_is_on_it(
    serve: Serve, visitor: Visitor, window: tuple[int, int], scheme: str
) -> None:
    width, height = window
    page = visitor.open(f"{serve(profile_named('py.cpu'))}/ui/top", width=width, height=height, scheme=scheme)
    row = page.get_by_role("row", name="app.math.fib")
    box = row.bounding_box()
    assert box
    page.mouse.move(box["x"] + 30, box["y"] + 8)
    hovered = background(page, "tbody tr:hover")
    page.mouse.click(box["x"] + 30, box["y"] + 8)
    assert row.get_attribute("aria-selected") == "true"
    assert background(page, "tbody tr:hover") != hovered
    picture(page, f"top-picked-{width}-{scheme}")


def test_order_and_picked_rows_are_in_the_address_and_come_back_with_it(
    serve: Serve, visitor: Visitor
) -> None:
    page = visitor.open(f"{serve(profile_named('py.cpu'))}/ui/top")
    page.get_by_role("button", name="Cum", exact=True).click()
    page.get_by_role("row", name="app.math.fib").click()
    page.get_by_role("row", name="app.math.odd").click()
    assert {"by=cum", "sel="} <= {part for part in ("by=cum", "sel=") if part in page.url}
    again = visitor.open(page.url)
    assert again.locator("th[aria-sort=descending]").inner_text() == "Cum"
    assert again.locator("tr.picked td:last-child").all_inner_texts() == ["app.math.fib", "app.math.odd"]
    again.locator("#menu-refine > summary").click()
    assert again.locator("#menu-refine").get_by_role("button", name="Focus", exact=True).is_enabled()
    turned = visitor.open(re.sub("by=cum", "by=name%2Cturned", page.url))
    names = turned.locator("tbody td:last-child").all_inner_texts()
    assert names == sorted(names, reverse=True)


def test_the_sorted_column_has_an_arrow(serve: Serve, visitor: Visitor) -> None:
    page = visitor.open(f"{serve(profile_named('py.cpu'))}/ui/top")
    arrow = "n => getComputedStyle(document.querySelectorAll('thead th button')[n], '::after').content"
    assert "▼" in page.evaluate(arrow, 0)
    assert page.evaluate(arrow, 3) == "none"
    page.get_by_role("button", name="Cum", exact=True).click()
    page.get_by_role("button", name="Cum", exact=True).click()
    assert page.evaluate(arrow, 0) == "none"
    assert "▲" in page.evaluate(arrow, 3)


@pytest.mark.parametrize("window", WINDOWS, ids=str)
@pytest.mark.parametrize("menu", ["menu-refine", "menu-show", "menu-config", "menu-save"])
def test_escape_closes_a_menu_and_gives_the_focus_back(
    serve: Serve, visitor: Visitor, menu: str, window: tuple[int, int]
) -> None:
    page = visitor.open(f"{serve(profile_named('py.cpu'))}/ui/top", width=window[0], height=window[1])
    page.locator(f"#{menu} > summary").click()
    page.keyboard.press("Tab")
    page.keyboard.press("Escape")
    assert page.locator(f"#{menu}").get_attribute("open") is None
    assert page.evaluate("document.activeElement.closest('details')?.id") == menu


@pytest.mark.parametrize(
    ("view", "target"), [("top", "tbody tr"), ("graph", "g.node"), ("flamegraph", ".flame")]
)
def test_escape_in_the_menu_of_the_right_button_gives_the_focus_back(
    serve: Serve, visitor: Visitor, view: str, target: str
) -> None:
    page = visitor.open(f"{serve(profile_named('py.cpu'))}/ui/{view}")
    box = page.locator(target).first.bounding_box()
    assert box
    y = box["y"] + (70 if view == "flamegraph" else box["height"] / 2)
    page.mouse.click(box["x"] + box["width"] / 2, y, button="right")
    assert page.get_by_role("menu").is_visible()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Escape")
    assert not page.locator("#context").is_visible()
    assert page.evaluate("document.activeElement !== document.body")


@pytest.mark.parametrize("graphviz", ["with", "without"])
def test_the_call_graph_is_dark_in_dark_mode(
    serve: Serve, visitor: Visitor, monkeypatch: pytest.MonkeyPatch, graphviz: str
) -> None:
    if graphviz == "without":
        monkeypatch.setattr("conduit.web.call_graph.shutil.which", lambda _: None)
    page = visitor.open(f"{serve(profile_named('py.cpu'))}/ui/graph", scheme="dark")
    shot = page.locator("div.graph").screenshot(path=str(SCREENSHOTS / f"graph-dark-{graphviz}.png"))
    other = visitor.open("about:blank")
    assert light_share(other, shot) < 0.1, "most of the graph is a light sheet"


# A search fills the table anew a moment after the last key, and until rows are drawn their texts have no tabs.
SHOWS_ROWS = """texts => { const rows = [...document.querySelectorAll("tbody tr")].map((row) => row.innerText);
  return rows.length === texts.length && rows.every((row, n) => row === texts[n]); }"""


def test_an_invalid_filter_is_told_beside_the_box_and_the_picture_stays(
    serve: Serve, visitor: Visitor
) -> None:
    page = visitor.open(f"{serve(profile_named('py.cpu'))}/ui/top")
    before, address = page.locator("tbody tr").all_inner_texts(), page.url
    page.fill("#search", "(?=x)")  # JavaScript has it, the filters do not
    page.keyboard.press("Enter")
    page.locator("#refused", has_text="invalid or unsupported Perl syntax").wait_for()
    wait_until(page, SHOWS_ROWS, before)
    assert page.url == address
    # The browser itself logs the answer 400.
    assert visitor.complaints.pop().startswith("Failed to load resource")
    page.fill("#search", "fib")
    page.keyboard.press("Enter")
    page.get_by_text("focus: fib").wait_for()
    assert page.locator("#refused").inner_text() == ""
    page.go_back()
    wait_until(page, SHOWS_ROWS, before)


def test_an_address_with_an_invalid_filter_opens_a_page_that_says_so(serve: Serve, visitor: Visitor) -> None:
    page = visitor.open(f"{serve(profile_named('py.cpu'))}/ui/flamegraph?f=(")
    assert "parsing focus regexp" in page.locator(".empty").inner_text()
    visitor.complaints.clear()
    page.get_by_role("link", name="Reset the filters").click()
    page.get_by_text("zlib.compress").first.wait_for()


def test_names_of_peek_lead_to_their_functions(serve: Serve, visitor: Visitor) -> None:
    page = visitor.open(f"{serve(profile_named('py.cpu'))}/ui/peek")
    page.get_by_role("link", name="app.math.fib /app/mathx.py:7").first.click()
    page.get_by_text("Only app.math.fib.").wait_for()
    assert page.locator(".chip").count() == 0
    assert "zlib" not in page.locator("pre.text").inner_text()
    assert "app.math.fib" in page.locator("pre.text").inner_text()


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("colour", ["owner", "package", "module", "file"])
def test_colour_schemes_give_each_group_its_own_colour_and_a_legend(
    serve: Serve, visitor: Visitor, colour: str, scheme: str
) -> None:
    page = visitor.open(f"{serve(profile_named('py.cpu'))}/ui/flamegraph", scheme=scheme)
    page.get_by_label("Colours by").select_option(colour)
    if colour != "owner":
        assert f"colour={colour}" in page.url
    swatches = page.evaluate("[...document.querySelectorAll('.keys .swatch')].map(s => s.style.background)")
    assert len(swatches) >= 2
    assert len(set(swatches)) == len(swatches)
    again = visitor.open(page.url, scheme=scheme)
    assert again.get_by_label("Colours by").input_value() == colour
    picture(again, f"flame-colours-{colour}-{scheme}")


@pytest.mark.parametrize("scheme", SCHEMES)
def test_source_lines_can_be_read_at_every_heat(
    serve: Serve, visitor: Visitor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, scheme: str
) -> None:
    monkeypatch.chdir(tmp_path)  # sources are read below it
    source = tmp_path / "work.py"
    source.write_text("def hot():\n" + "".join(f"    line{n} = {n}\n" for n in range(9)))
    builder = ProfileBuilder([ValueType("cpu", "nanoseconds")])
    for n in range(9):
        builder.add([("hot", str(source), n + 2, 1)], [(-2) ** n * 10**6])
    url = serve(builder.build())
    page = visitor.open(f"{url}/ui/source", scheme=scheme)
    assert page.locator("tr.hot").count() == 9
    assert page.locator("tr.hot.shrank").count() == 4  # green, as in the other views of a difference
    assert axe_findings(page) == []
    picture(page, f"source-heat-{scheme}")
    drawer = visitor.open(f"{url}/ui/flamegraph?lines=t&p=%5Ehot%24&table=t", scheme=scheme)
    drawer.locator(".drawer tr.hot").first.wait_for()
    assert axe_findings(drawer) == []


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("address", ["changes", "flamegraph?pictures=two", "flamegraph", "top"])
def test_axe_finds_nothing_in_a_comparison(serve: Serve, visitor: Visitor, address: str, scheme: str) -> None:
    page = visitor.open(f"{serve(compared())}/ui/{address}", scheme=scheme)
    assert axe_findings(page) == []
