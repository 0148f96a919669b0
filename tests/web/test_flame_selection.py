"""What a search finds and what is selected in the flame graph: in the window, in the menus, at every granularity."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from conduit.profile.builder import ProfileBuilder
from conduit.profile.model import ValueType

from .conftest import SCREENSHOTS, open_menu, place_of, places_of_boxes, wait_until

if TYPE_CHECKING:
    from collections.abc import Callable

    from playwright.sync_api import Page

    from conduit.profile.model import Profile

    from .conftest import Visitor

    Serve = Callable[..., str]

WINDOWS = [(1400, 800), (700, 800), (390, 760)]
MIDDLEWARE = "shop.middleware.wrap"
BYLINE = "shop.catalogue.byline"


def request_profile() -> Profile:
    """A request through 30 middlewares with a wrapper around each, then a catalogue and 12 rows of queries below it.

    The wrapper takes 1 ms in each of its places; `byline` 10 ms at line 18 and 5 ms at line 19.
    """
    builder = ProfileBuilder([ValueType("cpu", "nanoseconds")])
    path = [("main", "/srv/shop/main.py", 1, 1)]
    for row in range(30):
        path.append((MIDDLEWARE, "/srv/shop/middleware.py", 3, 1))
        builder.add([*reversed(path)], [10**6])
        path.append((f"shop.middleware.step_{row:02}", "/srv/shop/steps.py", 10 * row + 2, 10 * row + 1))
    for line, milliseconds in ((18, 10), (19, 5)):
        query = [(f"orm.query_{line}_{row:02}", "/srv/orm/query.py", row + 2, row + 1) for row in range(12)]
        byline = (BYLINE, "/srv/shop/catalogue.py", line, 12)
        builder.add([byline, *reversed(path)], [milliseconds * 10**6])
        builder.add([*reversed(query), byline, *reversed(path)], [milliseconds * 10**7])
    builder.add([("shop.views.other", "/srv/shop/views.py", 2, 1), *reversed(path[:8])], [40 * 10**6])
    return builder.build()


def in_sight(page: Page, name: str) -> bool:
    """Whether a function's box is in the window, under the bars and not behind the source."""
    top, bottom = page.evaluate(
        """() => { const drawer = document.querySelector(".drawer:not([hidden])");
        return [document.querySelector(".flame-bar").getBoundingClientRect().bottom,
          drawer ? drawer.getBoundingClientRect().top : innerHeight]; }"""
    )
    box = place_of(page, name)
    return bool(top - 0.5 <= box["y"] and box["y"] + box["height"] <= bottom)


@pytest.mark.parametrize("window", WINDOWS, ids=str)
def test_a_search_and_enter_bring_the_widest_hit_into_the_window(
    serve: Serve, visitor: Visitor, window: tuple[int, int]
) -> None:
    width, height = window
    page = visitor.open(f"{serve(request_profile())}/ui/flamegraph?frames=all", width=width, height=height)
    assert not in_sight(page, BYLINE)
    page.keyboard.press("/")
    page.keyboard.type("byline", delay=20)
    page.get_by_text("1 box,").wait_for()
    assert in_sight(page, BYLINE)
    page.screenshot(path=str(SCREENSHOTS / f"search-hit-{width}.png"))
    page.keyboard.press("Enter")
    page.wait_for_url("**p=*byline*")
    wait_until(page, "document.querySelector('.box.pivot') !== null")
    assert in_sight(page, BYLINE)
    assert in_sight(page, "shop.middleware.step_29")
    assert in_sight(page, "orm.query_18_03")
    page.screenshot(path=str(SCREENSHOTS / f"search-selected-{width}.png"))


def test_a_search_does_not_scroll_where_a_hit_is_in_the_window_and_typing_on_does_not_either(
    serve: Serve, visitor: Visitor
) -> None:
    page = visitor.open(f"{serve(request_profile())}/ui/flamegraph?frames=all", width=1400)
    page.mouse.move(900, 600)
    page.mouse.wheel(0, 200)
    wait_until(page, "scrollY === 200")
    page.keyboard.press("/")
    page.keyboard.type("step_1", delay=20)
    page.get_by_text("10 boxes,").wait_for()
    assert page.evaluate("scrollY") == 200
    page.fill("#search", "byline")
    page.get_by_text("1 box,").wait_for()
    scrolled = page.evaluate("scrollY")
    assert scrolled > 300
    page.keyboard.type("|nothing", delay=20)
    assert page.evaluate("scrollY") == scrolled


def test_a_search_while_zoomed_elsewhere_moves_to_its_hit(serve: Serve, visitor: Visitor) -> None:
    page = visitor.open(f"{serve(request_profile())}/ui/flamegraph?frames=all&z=0,8", width=1400)
    page.fill("#search", "views.other")
    page.get_by_text("1 box,").wait_for()
    box = place_of(page, "shop.views.other")
    assert box["width"] > 100
    assert in_sight(page, "shop.views.other")


@pytest.mark.parametrize("window", WINDOWS, ids=str)
def test_a_click_in_the_table_brings_the_function_into_the_window(
    serve: Serve, visitor: Visitor, window: tuple[int, int]
) -> None:
    width, height = window
    page = visitor.open(
        f"{serve(request_profile())}/ui/flamegraph?frames=all&table=t", width=width, height=height
    )
    page.locator("table.functions tbody tr", has_text="byline").click()
    wait_until(page, "document.querySelector('.box.pivot') !== null")
    assert in_sight(page, BYLINE)
    opened = visitor.open(page.url, width=width, height=height)
    assert in_sight(opened, BYLINE)
    opened.get_by_role("button", name="Lines", exact=True).click()
    opened.get_by_text("The text of these lines is missing").wait_for()
    assert in_sight(opened, BYLINE)


def refinements(page: Page) -> list[bool]:
    """Whether each of Focus, Ignore, Hide, Show and Show from can be chosen."""
    with open_menu(page, "menu-refine") as items:
        enabled: list[bool] = items.locator("> button").evaluate_all("all => all.map((one) => !one.disabled)")
        return enabled


def test_a_selection_in_the_flame_graph_enables_refine_and_leaving_it_disables_it(
    serve: Serve, visitor: Visitor
) -> None:
    page = visitor.open(f"{serve(request_profile())}/ui/flamegraph?frames=all", width=1400)
    assert refinements(page) == [False] * 5
    box = place_of(page, "shop.middleware.step_03")
    page.mouse.click(box["x"] + 40, box["y"] + 8)
    page.wait_for_url("**p=*step_03*")
    assert refinements(page) == [True] * 5
    page.keyboard.press("Escape")
    page.wait_for_url(lambda address: "p=" not in address)
    assert refinements(page) == [False] * 5
    page.locator("table.functions tbody tr", has_text="byline").click()
    page.wait_for_url("**p=*byline*")
    assert refinements(page) == [True] * 5
    assert refinements(visitor.open(page.url, width=1400)) == [True] * 5
    page.get_by_text("Refine", exact=True).click()
    page.get_by_role("button", name="Ignore", exact=True).click()
    page.locator(".chip", has_text=f"ignore: {BYLINE}").wait_for()
    assert refinements(page) == [False] * 5
    assert page.locator("#picked").count() == 0


def test_another_granularity_keeps_the_selected_function_by_its_heaviest_line(
    serve: Serve, visitor: Visitor
) -> None:
    page = visitor.open(f"{serve(request_profile())}/ui/flamegraph?frames=all", width=1400)
    page.locator("table.functions tbody tr", has_text="byline").click()
    page.wait_for_url("**p=*byline*")
    page.locator("#menu-show > summary").click()
    page.get_by_role("link", name="line", exact=True).click()
    page.get_by_text(f"byline:18 is the heaviest of the 2 lines of {BYLINE}.").wait_for()
    assert in_sight(page, f"{BYLINE}:18")
    said = page.locator(".remark").bounding_box()
    assert said
    assert 0 <= said["y"] < place_of(page, f"{BYLINE}:18")["y"]
    assert page.locator(".detail .numbers").inner_text() == "self 10ms │ total 110ms (46.81%)"
    assert refinements(page) == [True] * 5
    page.screenshot(path=str(SCREENSHOTS / "selected-line.png"))
    box = place_of(page, "shop.middleware.step_29:292")
    page.mouse.click(box["x"] + 40, box["y"] + 8)
    page.wait_for_url("**p=*step_29*")
    page.locator("#menu-show > summary").click()
    page.get_by_role("link", name="function", exact=True).click()
    page.wait_for_url("**g=functions*")
    wait_until(
        page,
        "document.querySelector('.box.pivot')?.getAttribute('aria-label').startsWith('shop.middleware.step_29:')",
    )
    assert page.locator(".remark").inner_text() == ""
    page.locator("#menu-show > summary").click()
    page.get_by_role("link", name="file", exact=True).click()
    page.get_by_text("The boxes are files: shop.middleware.step_29").wait_for()


def test_of_a_function_inside_itself_the_header_says_what_the_table_says(
    serve: Serve, visitor: Visitor
) -> None:
    page = visitor.open(f"{serve(request_profile())}/ui/flamegraph?frames=all", width=1400)
    row = page.locator("table.functions tbody tr", has_text=MIDDLEWARE)
    assert row.locator("td").first.inner_text().startswith("30ms")
    row.click()
    page.wait_for_url("**p=*wrap*")
    assert page.locator(".detail .numbers").inner_text() == "self 30ms │ total 235ms (100%)"
    box = next(place for name, place in places_of_boxes(page) if name.startswith(f"{MIDDLEWARE}:"))
    page.mouse.move(box["x"] + 300, box["y"] + 8)
    page.locator("#tip", has_text="self 30ms │ total 235ms (100%)").wait_for()


@pytest.mark.parametrize("shown", ["mine=t", "p=step_29", "mine=t&p=step_29"])
@pytest.mark.parametrize("width", [390, 500, 700, 760, 1000])
def test_the_picture_stays_under_the_pointer_while_boxes_are_hovered(
    serve: Serve, visitor: Visitor, width: int, shown: str
) -> None:
    page = visitor.open(
        f"{serve(request_profile())}/ui/flamegraph?frames=all&{shown}", width=width, height=900
    )
    top = "document.querySelector('.flame canvas').getBoundingClientRect().top"
    before, seen = page.evaluate(top), set()
    page.mouse.move(1, 1)
    for _, box in places_of_boxes(page)[::5]:
        if before < box["y"] < 880:
            page.mouse.move(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
            assert page.evaluate(top) == before
            seen.add(page.locator(".detail .name").inner_text())
    assert len(seen) > 2


def test_escape_closes_the_help_before_it_leaves_the_selection(serve: Serve, visitor: Visitor) -> None:
    page = visitor.open(f"{serve(request_profile())}/ui/flamegraph?frames=all&p=step_00", width=1400)
    page.locator(".help summary").click()
    page.get_by_text("Each box is a function.").wait_for()
    page.keyboard.press("Escape")
    assert not page.get_by_text("Each box is a function.").is_visible()
    assert page.locator(".box.pivot").count() == 1
    page.keyboard.press("Escape")
    page.wait_for_url(lambda address: "p=" not in address)
