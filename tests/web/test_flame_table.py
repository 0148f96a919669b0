"""The table beside the flame graph, the source below it, and folded chains, under a real mouse and keyboard."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from conduit.profile.builder import ProfileBuilder
from conduit.profile.model import ValueType
from conduit.report.formats.top import compute_top
from conduit.report.options import Options
from conduit.report.pipeline import prepare_report
from conduit.web.configs import SavedConfigs
from conduit.web.session import ProfileSession
from tests.web.conftest import place_of, places_of_boxes, wait_until

from .conftest import SCREENSHOTS, profile_named
from .test_flame_graph import deep_profile

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from .conftest import Visitor

    Serve = Callable[..., str]

WINDOWS = [(1400, 800), (700, 800), (390, 760)]
SCHEMES = ["light", "dark"]


@pytest.mark.parametrize("name", ["py.cpu", "go.cpu", "go.heap"])
@pytest.mark.parametrize("granularity", ["filefunctions", "lines", "files", "functions"])
def test_the_rows_are_those_of_top(tmp_path: Path, name: str, granularity: str) -> None:
    session = ProfileSession(profile_named(name), Options(), SavedConfigs(tmp_path / "none.json"))
    content = session.page("flamegraph", {"g": granularity})["views"]["flamegraph"]
    options = Options().copy(granularity=granularity, trim=False)
    top = compute_top(prepare_report(profile_named(name), "top", options, lambda _: None))
    expected = sorted((row.flat, row.cum) for row in top.rows if row.flat or row.cum)
    assert sorted((flat, cum) for _, flat, cum in content["rows"]) == expected
    assert len({source for source, _, _ in content["rows"]}) == len(content["rows"])


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("window", WINDOWS, ids=str)
def test_a_hovered_row_marks_its_boxes_and_a_click_shows_callers_and_callees(
    serve: Serve, visitor: Visitor, window: tuple[int, int], scheme: str
) -> None:
    width, height = window
    page = visitor.open(
        f"{serve(profile_named('py.cpu'))}/ui/flamegraph?table=t", width=width, height=height, scheme=scheme
    )
    row = page.locator("table.functions tbody tr", has_text="zlib.compress")
    box = place_of(page, "zlib.compress")
    before = page.evaluate("document.querySelector('.flame canvas').toDataURL()")
    place = row.bounding_box()
    assert place
    page.mouse.move(place["x"] + 20, place["y"] + 8)
    wait_until(page, "before => document.querySelector('.flame canvas').toDataURL() !== before", before)
    page.mouse.click(place["x"] + 20, place["y"] + 8)
    wait_until(page, "location.search.includes('p=') && document.querySelector('.box.pivot') !== null")
    assert row.get_attribute("aria-selected") == "true"
    pivot = page.locator(".box.pivot").bounding_box()
    assert pivot
    assert pivot["width"] > box["width"]
    assert any(place["y"] < pivot["y"] for _, place in places_of_boxes(page))  # callers
    page.screenshot(path=str(SCREENSHOTS / f"flame-table-{width}-{scheme}.png"))
    shown = row.locator("td").last
    assert shown.inner_text() == "zlib.compress"
    assert shown.evaluate("one => one.scrollWidth <= one.clientWidth")
    edge = place_of(page, "app.server.run")
    page.mouse.move(edge["x"] + edge["width"] - 4, edge["y"] + 8)  # there is no room to the right of it
    tip = page.locator("#tip").bounding_box()
    assert tip
    assert page.locator("#tip strong").evaluate("one => one.getClientRects().length") == 1  # in one line
    assert tip["x"] + tip["width"] <= width
    page.screenshot(path=str(SCREENSHOTS / f"flame-tip-{width}-{scheme}.png"))
    page.go_back()
    wait_until(page, "document.querySelector('.box.pivot') === null")
    if width == 1400:
        page.mouse.move(box["x"] + 5, box["y"] + 8)
        page.locator("table.functions tr.marked", has_text="zlib.compress").wait_for()


def test_the_table_is_sorted_searched_and_walked_by_the_keyboard(serve: Serve, visitor: Visitor) -> None:
    page = visitor.open(f"{serve(profile_named('py.cpu'))}/ui/flamegraph", width=1400)
    names = page.locator("table.functions td:last-child")
    assert names.first.inner_text() == "zlib.compress"
    page.get_by_role("button", name="Total", exact=True).click()
    assert names.first.inner_text() == "__main__.<module>"
    assert "by=cum" in page.url
    page.fill("#search", "fib|odd")
    wait_until(page, "document.querySelectorAll('table.functions tbody tr').length === 2")
    page.locator("table.functions tbody tr").first.focus()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("Enter")
    assert page.locator(".box.pivot").count() == 1
    again = visitor.open(page.url, width=1400)
    assert again.locator("th[aria-sort=descending]").inner_text() == "Total"
    assert again.locator("table.functions tr.picked").count() == 1


def test_rows_below_the_window_are_made_when_scrolled_to_and_the_selected_one_is_there_at_once(
    serve: Serve, visitor: Visitor
) -> None:
    builder = ProfileBuilder([ValueType("cpu", "nanoseconds")])
    for number in range(250):
        builder.add([(f"work{number:03}", "/srv/a.py", 1, 1)], [(300 - number) * 10**6])
    url = f"{serve(builder.build())}/ui/flamegraph"
    page = visitor.open(f"{url}?p=^work150$", width=1400)
    assert page.locator("table.functions tr.picked").inner_text().split()[-1] == "work150"
    page = visitor.open(url, width=1400)
    assert page.locator("table.functions tbody tr").count() < 100
    page.mouse.move(200, 500)
    page.mouse.wheel(0, 3000)
    wait_until(page, "document.querySelectorAll('table.functions tbody tr').length === 200")
    texts = page.locator("table.functions td:last-child").all_inner_texts()
    assert texts == [f"work{number:03}" for number in range(200)]
    page.get_by_role("button", name="50 more").click()
    wait_until(page, "document.querySelectorAll('table.functions tbody tr').length === 250")


def test_the_table_is_there_on_wide_windows_and_its_switch_is_in_the_address(
    serve: Serve, visitor: Visitor
) -> None:
    url = f"{serve(profile_named('py.cpu'))}/ui/flamegraph"
    page = visitor.open(url, width=1400)
    assert page.locator("table.functions").count() == 1
    page.get_by_role("button", name="Table").click()
    assert page.locator("table.functions").count() == 0
    assert "table=f" in page.url
    assert visitor.open(page.url, width=1400).locator("table.functions").count() == 0
    assert visitor.open(url, width=700).locator("table.functions").count() == 0


@pytest.mark.parametrize("window", WINDOWS, ids=str)
def test_the_source_of_the_selection_is_in_a_drawer_with_heat_per_line(
    serve: Serve, visitor: Visitor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, window: tuple[int, int]
) -> None:
    from conduit.profile.builder import ProfileBuilder
    from conduit.profile.model import ValueType

    monkeypatch.chdir(tmp_path)  # sources are read below it
    source = tmp_path / "work.py"
    source.write_text("def hot():\n    one = 1\n    two = 2\n    return one\n")
    builder = ProfileBuilder([ValueType("cpu", "nanoseconds")])
    builder.add([("hot", str(source), 2, 1), ("main", str(source), 9, 8)], [3 * 10**9])
    builder.add([("hot", str(source), 3, 1), ("main", str(source), 9, 8)], [10**9])
    page = visitor.open(f"{serve(builder.build())}/ui/flamegraph", width=window[0], height=window[1])
    page.get_by_role("button", name="Lines", exact=True).click()
    page.get_by_text("Select a function").wait_for()
    page.locator(".box", has_text="hot").click()
    page.locator(".drawer td", has_text="one = 1").wait_for()
    heats = page.evaluate(
        "[...document.querySelectorAll('.drawer tr.hot')].map(r => [r.innerText.trim().split(/\\s+/)[2], Number(r.style.getPropertyValue('--heat'))])"
    )
    assert [number for number, _ in heats] == ["2", "3"]
    assert heats[0][1] > heats[1][1] >= 10  # a paler one is not seen on a dark page
    assert "lines=t" in page.url
    page.screenshot(path=str(SCREENSHOTS / f"flame-drawer-{window[0]}.png"))
    again = visitor.open(page.url)
    again.locator(".drawer td", has_text="one = 1").wait_for()
    again.get_by_role("button", name="Close").click()
    assert "lines" not in again.url
    assert not again.locator(".drawer").is_visible()


@pytest.mark.parametrize("scheme", SCHEMES)
@pytest.mark.parametrize("window", WINDOWS, ids=str)
def test_a_framework_s_rows_are_one_row_that_a_click_unfolds_and_a_switch_shows_all(
    serve: Serve, visitor: Visitor, window: tuple[int, int], scheme: str
) -> None:
    width, height = window
    page = visitor.open(f"{serve(deep_profile())}/ui/flamegraph", width=width, height=height, scheme=scheme)
    chain = page.locator(".box.chain", has_text="frames").first
    assert "23 frames: " in (chain.get_attribute("aria-label") or "")
    folded = page.evaluate("document.querySelector('.flame').offsetHeight")
    assert folded < height, "the whole of a stack of 60 rows fits the window"
    page.screenshot(path=str(SCREENSHOTS / f"flame-folded-{width}-{scheme}.png"))
    chain.click()
    page.locator('.box[aria-label^="django.core.handler_3:"]').wait_for()
    assert "open=" in page.url
    assert visitor.open(page.url).locator('.box[aria-label^="django.core.handler_3:"]').count() == 1
    page.get_by_role("button", name="All frames").click()
    wait_until(page, "document.querySelectorAll('.box.chain').length === 0")
    assert "frames=all" in page.url
    assert page.locator('.box[aria-label^="shop.step_20:"]').count() == 3


def test_with_only_your_code_in_the_picture_the_table_is_of_it_too(serve: Serve, visitor: Visitor) -> None:
    builder = ProfileBuilder([ValueType("cpu", "nanoseconds")])
    view, render = (
        ("shop.view", "/srv/shop.py", 3, 3),
        ("lib.render", "/usr/lib/python3/dist-packages/lib.py", 1, 1),
    )
    builder.add([render, view], [70 * 10**6])
    builder.add([view], [20 * 10**6])
    builder.add([("shop.count", "/srv/shop.py", 9, 9), render, view], [10 * 10**6])
    page = visitor.open(f"{serve(builder.build())}/ui/flamegraph", width=1400)
    rows = page.locator("table.functions tbody tr")
    assert sorted(text.split()[-1] for text in rows.all_inner_texts()) == [
        "lib.render",
        "shop.count",
        "shop.view",
    ]
    page.get_by_role("button", name="Only your code").click()
    cells = [cell.replace("\t", " ") for cell in rows.all_inner_texts()]
    assert [[cell.split("ms")[0] for cell in row.split()] for row in cells] == [
        ["90", "100", "shop.view"],
        ["10", "10", "shop.count"],
    ]
    assert "mine=t" in page.url
    page.locator('.box[aria-label^="lib.render:"]').wait_for(state="detached")
    box = place_of(page, "shop.view")
    page.mouse.move(box["x"] + 40, box["y"] + 6)
    assert "self + libraries 90ms" in page.locator(".detail .numbers").inner_text()
    page.mouse.click(box["x"] + 40, box["y"] + 6)
    page.get_by_role("button", name="Lines", exact=True).click()
    page.locator(".drawer", has_text="self (flat) 20ms").wait_for()
    told = page.locator(".drawer p.explain")
    assert "the picture adds the libraries that a function called to its own amount" in told.inner_text()
    page.get_by_role("button", name="Only your code").click()
    told.wait_for(state="detached")


def test_only_your_code_is_switched_off_by_the_selection_of_a_function_that_it_hides(
    serve: Serve, visitor: Visitor
) -> None:
    builder = ProfileBuilder([ValueType("cpu", "nanoseconds")])
    render = ("lib.render", "/usr/lib/python3/dist-packages/lib.py", 1, 1)
    builder.add([render, ("shop.view", "/srv/shop.py", 3, 3)], [70 * 10**6])
    page = visitor.open(f"{serve(builder.build())}/ui/flamegraph", width=1400)
    only, told = page.get_by_role("button", name="Only your code"), page.locator(".remark")
    only.click()
    page.get_by_role("link", name="Top", exact=True).click()
    page.locator("table.top tbody tr", has_text="lib.render").click()
    page.get_by_role("link", name="Flame graph").first.click()
    page.locator('.box.pivot[aria-label^="lib.render:"]').wait_for()
    assert told.inner_text() == "“Only your code” is off: lib.render is not your code."
    assert only.get_attribute("aria-pressed") == "false"
    assert "mine=" not in page.url
    only.click()
    assert told.inner_text() == "The whole profile is shown: lib.render is not your code."
    page.locator(".box.root").wait_for()
    assert page.locator(".box .text").all_inner_texts() == ["all", "shop.view"]
    page.locator("#search").click()
    page.keyboard.type("render")
    page.get_by_text("0 boxes, 0% matched, 1 function hidden by “Only your code”").wait_for()
    told_box = page.locator("#matched").bounding_box()
    assert told_box
    assert told_box["x"] + told_box["width"] <= 1400
    assert page.locator("table.functions tbody").inner_text() == (
        "1 function that matches is hidden by “Only your code”."
    )
    page.keyboard.press("Enter")
    page.locator('.box.pivot[aria-label^="lib.render:"]').wait_for()
    assert only.get_attribute("aria-pressed") == "false"
    assert page.locator("#matched").inner_text() == "1 box, 100% matched"
    page.keyboard.press("Escape")
    assert told.inner_text() == ""


def test_several_selected_functions_are_marked_in_the_picture_until_one_is_chosen_there(
    serve: Serve, visitor: Visitor
) -> None:
    page = visitor.open(f"{serve(profile_named('py.cpu'))}/ui/top", width=1400)
    for name in ("zlib.compress", "json.encoder.JSONEncoder.iterencode"):
        page.locator("table.top tbody tr", has_text=name).first.locator("td").first.click()
    page.get_by_role("link", name="Flame graph", exact=True).click()
    page.locator(".remark", has_text="The 2 selected functions are marked.").wait_for()
    marked = page.locator(".box.hit").evaluate_all("all => all.map((one) => one.ariaLabel.split(':')[0])")
    assert set(marked) == {"zlib.compress", "json.encoder.JSONEncoder.iterencode"}
    assert page.locator("table.functions tbody tr").count() == 2  # those beside it, as in a search
    page.screenshot(path=str(SCREENSHOTS / "flame-marked.png"))
    box = place_of(page, "zlib.compress")
    page.mouse.click(box["x"] + box["width"] / 2, box["y"] + 6)
    page.wait_for_url("**p=*compress*")
    assert page.locator(".box.hit").count() == 0
    assert page.locator(".remark").inner_text() == ""
    assert page.locator("#picked").count() == 0


def test_the_selected_function_is_selected_in_every_view(serve: Serve, visitor: Visitor) -> None:
    page = visitor.open(f"{serve(deep_profile())}/ui/flamegraph?frames=all")
    box = place_of(page, "json.encode_2")
    page.mouse.click(box["x"] + 40, box["y"] + 6)
    page.get_by_role("link", name="Source", exact=True).click()
    page.get_by_text("Only json.encode_2.").wait_for()
    page.get_by_role("link", name="Peek").click()
    page.get_by_text("Only json.encode_2.").wait_for()
    page.get_by_role("link", name="Top", exact=True).click()
    page.locator("table.top tbody tr.picked", has_text="json.encode_2").wait_for()
    page.locator("table.top tbody tr.picked").click()  # and no longer
    page.get_by_role("link", name="Flame graph").click()
    page.locator(".box.root").wait_for()
    assert page.locator(".box.pivot").count() == 0
