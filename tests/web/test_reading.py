"""What stopped readers on the way from a profile to its cause, by a real mouse at each width, light and dark."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from conduit.profile.builder import ProfileBuilder
from conduit.profile.merge import difference
from conduit.profile.model import ValueType

from .conftest import SCREENSHOTS, wait_until
from .test_browser import axe_findings
from .test_comparison import compared
from .test_flame_graph import WINDOWS, place_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from playwright.sync_api import Page

    from conduit.profile.model import Profile

    from .conftest import Visitor

    Serve = Callable[..., str]

at_each_width = pytest.mark.parametrize("window", WINDOWS, ids=str)
light_and_dark = pytest.mark.parametrize("scheme", ["light", "dark"])


def picture(page: Page, name: str) -> None:
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=str(SCREENSHOTS / f"{name}.png"))


def click_box(page: Page, name: str) -> None:
    box = place_of(page, name)
    page.mouse.click(box["x"] + min(20, box["width"] / 2), box["y"] + 6)


def unreadable() -> Profile:
    """A function whose file is not on this machine, with samples on two of its lines."""
    builder = ProfileBuilder([ValueType("cpu", "nanoseconds")])
    main = ("main", "/nowhere/main.py", 3, 1)
    for line, milliseconds in ((12, 300), (15, 100)):
        builder.add([("shop.price", "/nowhere/shop.py", line, 10), main], [milliseconds * 10**6])
    return builder.build()


def lines_of(page: Page, holder: str) -> list[list[str]]:
    found: list[list[str]] = page.locator(f"{holder} table.listing tbody tr").evaluate_all(
        "rows => rows.map((row) => [...row.cells].map((cell) => cell.textContent))"
    )
    return found


@light_and_dark
@at_each_width
def test_lines_whose_text_cannot_be_read_have_their_numbers_and_amounts(
    serve: Serve, visitor: Visitor, window: tuple[int, int], scheme: str
) -> None:
    width, height = window
    url = serve(unreadable())
    page = visitor.open(f"{url}/ui/flamegraph", width=width, height=height, scheme=scheme)
    click_box(page, "shop.price")
    page.get_by_role("button", name="Source", exact=True).click()
    page.locator(".drawer .missing", has_text="The text of these lines is missing").wait_for()
    assert lines_of(page, ".drawer") == [["300ms", "300ms", "12", ""], ["100ms", "100ms", "15", ""]]
    picture(page, f"unreadable-{width}-{scheme}")
    assert axe_findings(page) == []
    page.get_by_role("link", name="Source", exact=True).click()
    page.locator("main > .missing").wait_for()
    assert lines_of(page, "main section:first-of-type")[0] == ["300ms", "300ms", "12", ""]
    assert page.locator("main").inner_text().count("no such file") == 1
    assert axe_findings(page) == []


def labelled(**routes: int) -> Profile:
    """`view` under each route, for so many milliseconds."""
    builder = ProfileBuilder([ValueType("cpu", "nanoseconds")])
    for route, milliseconds in routes.items():
        builder.add([("view", "/srv/a.py", 1, 1)], [milliseconds * 10**6], labels={"route": route})
    return builder.build()


def deep() -> Profile:
    """`main` for 600 ms itself, and `view`, which it calls, for 400 ms, 300 of them in `query`."""
    builder = ProfileBuilder([ValueType("cpu", "nanoseconds")])
    main, view = ("main", "/srv/a.py", 1, 1), ("view", "/srv/a.py", 2, 2)
    for stack, milliseconds in (
        ([main], 600),
        ([view, main], 100),
        ([("query", "/srv/a.py", 3, 3), view, main], 300),
    ):
        builder.add(stack, [milliseconds * 10**6])
    return builder.build()


@light_and_dark
@at_each_width
def test_each_share_of_a_comparison_names_its_own_total(
    serve: Serve, visitor: Visitor, window: tuple[int, int], scheme: str
) -> None:
    width, height = window
    page = visitor.open(
        f"{serve(compared())}/ui/flamegraph?table=t", width=width, height=height, scheme=scheme
    )
    head = page.locator("table.functions thead th").first.inner_text()
    assert "% of all before" in head
    click_box(page, "slower")
    separator = page.locator(".separator")
    totals = ("", "") if width < 500 else ("350ms ", "700ms ")
    of_each = f"100ms (28.57% of {totals[0]}before) → 300ms (42.86% of {totals[1]}after)"
    assert separator.inner_text().startswith(of_each)
    assert separator.evaluate("one => one.scrollWidth <= one.clientWidth")  # it is not cut
    page.get_by_label("Search by regular expression").fill("slower|old")
    page.locator("#matched", has_text="2 boxes, 42.86% of before, 42.86% of after").wait_for()
    told = page.locator("#matched").bounding_box()
    assert told
    assert told["x"] + told["width"] <= width
    picture(page, f"shares-{width}-{scheme}")
    page.get_by_role("button", name="Two pictures").click()
    wait_until(page, "document.querySelectorAll('.box.pivot').length === 2")
    assert separator.inner_text().startswith(of_each)
    after = page.locator(".box.pivot").last.get_attribute("aria-label")
    assert after
    assert after.startswith("slower: 300ms (42.86%) after")
    page.get_by_role("link", name="Top", exact=True).click()
    page.get_by_text("percentages are shares of the 350ms before").wait_for()


def test_the_labels_of_a_comparison_have_both_sides_with_their_own_shares(
    serve: Serve, visitor: Visitor
) -> None:
    before, after = (labelled(home=home, cart=cart) for home, cart in ((300, 100), (300, 500)))
    page = visitor.open(f"{serve(difference(after, before, mark_base=True))}/ui/labels")
    rows = page.locator("table.facets").first.locator("tbody tr")
    texts = {row.locator("td").first.inner_text(): row.locator("td").all_inner_texts() for row in rows.all()}
    assert texts["home"][1:5] == ["300ms", "75.00%", "300ms", "37.50%"]
    assert texts["cart"][1:5] == ["100ms", "25.00%", "500ms", "62.50%"]


@light_and_dark
@at_each_width
def test_shares_have_one_total_also_where_stacks_are_shown_from_a_function_on(
    serve: Serve, visitor: Visitor, window: tuple[int, int], scheme: str
) -> None:
    width, height = window
    url = f"{serve(deep())}/ui/flamegraph?sf=view&table=t"
    page = visitor.open(url, width=width, height=height, scheme=scheme)
    click_box(page, "query")
    page.wait_for_url("**p=*")
    row = page.locator("table.functions tr.picked")
    assert row.locator("td").nth(1).inner_text() == "300ms30.00%"
    assert page.locator(".separator").inner_text().startswith("300ms (30.00% of 1s)")
    box = page.locator(".box.pivot").get_attribute("aria-label")
    assert box == "query: 300ms (30.00%)"
    page.get_by_role("button", name="Whole profile").click()
    page.locator('.box.root[aria-label="all: 400ms (40.00% of 1s)"]').wait_for()
    picture(page, f"show-from-{width}-{scheme}")
