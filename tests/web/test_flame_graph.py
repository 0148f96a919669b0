"""The flame graph under a real mouse, wheel, finger and keyboard, on stacks deeper than the window."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING, Any

import pytest

from conduit.profile.builder import ProfileBuilder
from conduit.profile.model import ValueType
from tests.web.conftest import place_of, places_of_boxes, wait_for, wait_until

from .conftest import SCREENSHOTS

if TYPE_CHECKING:
    from collections.abc import Callable

    from playwright.sync_api import Page

    from conduit.profile.model import Profile

    from .conftest import Visitor

    Serve = Callable[..., str]

WINDOWS = [(1400, 800), (700, 800), (390, 760)]
SITE = "/srv/.venv/lib/python3.11/site-packages"


def deep_profile() -> Profile:
    """A view of a web application: 24 rows of a framework, then what differs, 60 rows deep."""
    builder = ProfileBuilder([ValueType("cpu", "nanoseconds")])
    chain = [("main", "/srv/shop/manage.py", 1, 1)]
    chain += [
        (f"django.core.handler_{row}", f"{SITE}/django/core/handlers.py", row + 1, 1) for row in range(24)
    ]
    for leaf in range(3):
        rest = [(f"json.encode_{leaf}", "/usr/lib/python3.11/json/encoder.py", 5, 1)]
        rest += [(f"shop.step_{row}", "/srv/shop/steps.py", row + 1, 1) for row in range(34)]
        rest += [(f"shop.leaf_{leaf}", "/srv/shop/leaves.py", leaf + 1, 1)]
        builder.add([*reversed(chain + rest)], [(leaf + 1) * 10**8])
    return builder.build()


def large_profile() -> Profile:
    generator = random.Random(8)
    builder = ProfileBuilder([ValueType("cpu", "nanoseconds")])
    for number in range(30_000):
        path = [(f"f{int(generator.paretovariate(0.7))}", "/a.py", 1, 1) for _ in range(12)]
        builder.add([("leaf", "/a.py", number % 7, 1), *path], [10**7])
    return builder.build()


def colour_at(page: Page, x: float, y: float) -> list[int]:
    """The canvas's colour at a point of the window."""
    found: list[int] = page.evaluate(
        """([x, y]) => { const canvas = document.querySelector(".flame canvas"), box = canvas.getBoundingClientRect();
        const ratio = canvas.width / box.width;
        return [...canvas.getContext("2d").getImageData((x - box.left) * ratio, (y - box.top) * ratio, 1, 1).data]; }""",
        [x, y],
    )
    return found


def in_window(page: Page, selector: str) -> bool:
    inside: bool = page.evaluate(
        """(selector) => { const box = document.querySelector(selector).getBoundingClientRect();
        return box.width > 0 && box.top >= 0 && box.left >= 0 && box.bottom <= innerHeight && box.right <= innerWidth; }""",
        selector,
    )
    return inside


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("window", WINDOWS, ids=str)
def test_the_wheel_reaches_the_leaves_and_details_stay_in_the_window(
    serve: Serve, visitor: Visitor, window: tuple[int, int], scheme: str
) -> None:
    width, height = window
    page = visitor.open(
        f"{serve(deep_profile())}/ui/flamegraph?frames=all", width=width, height=height, scheme=scheme
    )
    page.mouse.move(width / 2, height - 100)
    page.mouse.wheel(0, 5000)
    wait_until(page, "scrollY > 400")
    leaf = place_of(page, "shop.leaf_2")
    x, y = leaf["x"] + leaf["width"] / 2, leaf["y"] + leaf["height"] / 2
    assert 0 < y < height
    page.mouse.move(x, y)
    page.get_by_text("self 300ms", exact=False).first.wait_for()
    assert in_window(page, ".detail .name")
    assert in_window(page, "#tip")
    assert page.locator("#tip").inner_text().splitlines()[:2] == ["shop.leaf_2", "/srv/shop/leaves.py:1"]
    assert colour_at(page, x, y + 6)[3] == 255
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=str(SCREENSHOTS / f"flame-deep-{width}-{scheme}.png"))


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("window", WINDOWS, ids=str)
def test_control_and_wheel_zoom_about_the_pointer_shift_and_wheel_pan(
    serve: Serve, visitor: Visitor, window: tuple[int, int], scheme: str
) -> None:
    width, height = window
    page = visitor.open(
        f"{serve(deep_profile())}/ui/flamegraph?frames=all", width=width, height=height, scheme=scheme
    )
    middle = place_of(page, "json.encode_1")
    x = middle["x"] + middle["width"] / 2
    page.mouse.move(x, middle["y"] + 5)
    page.keyboard.down("Control")
    page.mouse.wheel(0, -300)
    page.keyboard.up("Control")
    page.wait_for_url("**z=*")
    zoomed = place_of(page, "json.encode_1")
    assert zoomed["width"] > 2 * middle["width"]
    assert zoomed["x"] < x < zoomed["x"] + zoomed["width"]
    assert page.evaluate("scrollY") == 0
    page.keyboard.down("Shift")
    page.mouse.wheel(0, 120)
    page.keyboard.up("Shift")
    wait_for(page, lambda: place_of(page, "json.encode_1")["x"] < zoomed["x"] - 50)


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("window", WINDOWS, ids=str)
def test_dragging_pans_in_both_directions_and_is_no_click(
    serve: Serve, visitor: Visitor, window: tuple[int, int], scheme: str
) -> None:
    width, height = window
    page = visitor.open(
        f"{serve(deep_profile())}/ui/flamegraph?frames=all&z=0.3,2", width=width, height=height, scheme=scheme
    )
    before = place_of(page, "json.encode_1")
    page.mouse.move(width * 0.7, 600)
    page.mouse.down()
    page.mouse.move(width * 0.7 - 100, 500, steps=4)
    page.mouse.up()
    wait_until(page, "scrollY > 50")
    page.wait_for_url(lambda address: "z=0.3,2" not in address)  # it is noted when the picture is at rest
    assert place_of(page, "json.encode_1")["x"] == pytest.approx(before["x"] - 100, abs=3)
    assert "p=" not in page.url


def test_zoom_pivot_and_folding_are_in_the_address_and_come_back_with_it(
    serve: Serve, visitor: Visitor
) -> None:
    url = serve(deep_profile())
    page = visitor.open(f"{url}/ui/flamegraph?frames=all")
    page.get_by_role("button", name="Only your code").click()
    page.wait_for_url("**mine=t*")
    wait_until(page, """!document.querySelector('.box[aria-label^="json."]')""")
    names = page.locator(".box .text").all_inner_texts()
    assert not any("handler" in name or "json" in name for name in names)
    assert any("step_0" in name for name in names)
    again = visitor.open(page.url)
    assert again.locator(".box .text").all_inner_texts() == names
    zoomed = visitor.open(f"{url}/ui/flamegraph?frames=all&z=0.5,4")
    assert place_of(zoomed, "json.encode_1")["width"] > 700
    assert zoomed.locator('.box[aria-label^="json.encode_2:"]').count() == 0
    zoomed.keyboard.press("Escape")
    zoomed.wait_for_url(lambda address: "z=" not in address)


def test_colours_tell_whose_code_a_box_is_and_the_legend_fades_one(serve: Serve, visitor: Visitor) -> None:
    page = visitor.open(f"{serve(deep_profile())}/ui/flamegraph?frames=all")
    assert page.locator(".keys .key").all_inner_texts()[:3] == ["your code", "libraries", "standard library"]
    spots = {name: place_of(page, name) for name in ("main", "django.core.handler_0", "json.encode_2")}
    colours = {name: colour_at(page, box["x"] + 400, box["y"] + 17) for name, box in spots.items()}
    (red, _, blue, _), (library_red, _, library_blue, _) = colours["main"], colours["django.core.handler_0"]
    assert red > blue
    assert library_blue > library_red
    page.get_by_role("button", name="libraries").click()
    box = spots["django.core.handler_0"]
    assert colour_at(page, box["x"] + 400, box["y"] + 17) != colours["django.core.handler_0"]
    assert colour_at(page, spots["main"]["x"] + 400, spots["main"]["y"] + 17) == colours["main"]


def test_boxes_left_out_of_a_large_picture_are_counted_and_come_with_the_zoom(
    serve: Serve, visitor: Visitor
) -> None:
    page = visitor.open(f"{serve(large_profile())}/ui/flamegraph")
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url) if "/subtree" in request.url else None)
    target = places_of_boxes(page)[2][1]
    page.mouse.move(target["x"] + target["width"] / 2, target["y"] + 5)
    assert asked == []
    with page.expect_response("**/subtree*") as answered:
        page.keyboard.down("Control")
        for _ in range(6):
            page.mouse.wheel(0, -300)
        page.keyboard.up("Control")
    part = answered.value.json()
    assert len(part["parents"]) > 100
    assert "below=" in asked[0]
    page.wait_for_timeout(500)
    page.screenshot(path=str(SCREENSHOTS / "flame-finer.png"))


def test_a_finger_reaches_the_menu_by_the_actions_button(serve: Serve, visitor: Visitor) -> None:
    page = visitor.open(f"{serve(deep_profile())}/ui/flamegraph?frames=all", width=390, height=760)
    page.locator('.box[aria-label^="django.core.handler_3:"]').click()
    page.get_by_role("button", name="Actions…").click()
    assert "Focus" in page.get_by_role("menu").locator("button").all_inner_texts()


@pytest.mark.parametrize("width", [1400, 390])
def test_the_first_box_stands_near_the_top_of_the_window(serve: Serve, visitor: Visitor, width: int) -> None:
    builder = ProfileBuilder([ValueType("samples", "count"), ValueType("cpu", "nanoseconds")])
    builder.add([("work", "/srv/shop/work.py", 1, 1)], [1, 10**9])
    profile = builder.build(1_790_000_000_000_000_000)  # with a date, a duration and tabs above the picture
    profile.duration_nanos = 2 * 10**9
    page = visitor.open(f"{serve(profile)}/ui/flamegraph?frames=all", width=width, height=760)
    assert page.locator("#types").is_visible()
    assert place_of(page, "all")["y"] < 230


def test_a_picture_of_twenty_thousand_boxes_is_painted_from_those_in_the_window(
    serve: Serve, visitor: Visitor
) -> None:
    builder = ProfileBuilder([ValueType("cpu", "nanoseconds")])
    for leaf in range(700):
        stack = [(f"f{leaf}_{row}", f"/srv/m{leaf % 9}.py", row + 1, 1) for row in range(30)]
        builder.add(stack, [10**7])
    page = visitor.open(f"{serve(builder.build())}/ui/flamegraph", width=1400, height=400)
    counted: dict[str, Any] = page.evaluate(
        """() => { const pen = document.querySelector(".flame canvas").getContext("2d"); let calls = 0;
        const original = pen.fillRect; pen.fillRect = function (...all) { calls += 1; return original.apply(this, all); };
        return new Promise((resolve) => { scrollBy(0, 1); requestAnimationFrame(() => requestAnimationFrame(() => {
          pen.fillRect = original; resolve({ calls, elements: document.querySelectorAll(".box").length }); })); }); }"""
    )
    assert counted["elements"] <= 800
    assert 0 < counted["calls"] <= 700 * 24


@pytest.mark.parametrize("window", WINDOWS, ids=str)
def test_a_button_leads_from_a_function_and_from_a_zoom_back_to_the_whole_profile(
    serve: Serve, visitor: Visitor, window: tuple[int, int]
) -> None:
    width, height = window
    page = visitor.open(f"{serve(deep_profile())}/ui/flamegraph?table=t", width=width, height=height)
    back = page.get_by_role("button", name="Whole profile")
    assert not back.is_visible()
    box = place_of(page, "json.encode_2")
    page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
    page.wait_for_url("**p=*")
    assert page.locator("table.functions tr.picked").count() == 1
    lines = "selector => { const one = document.querySelector(selector); return one.scrollHeight <= one.clientHeight + 1; }"
    assert page.evaluate(lines, ".separator")  # one line, which nothing is drawn over
    assert page.evaluate(
        "(() => { const one = document.querySelector('.numbers'); return one.scrollWidth <= one.clientWidth; })()"
    )
    back.click()
    page.wait_for_url(lambda address: "p=" not in address)
    assert not back.is_visible()
    assert page.locator("table.functions tr.picked, table.functions tr.marked").count() == 0
    page.locator(".box.root").focus()
    page.keyboard.press("+")
    page.wait_for_url("**z=*")
    back.click()
    page.wait_for_url(lambda address: "z=" not in address)
    assert place_of(page, "json.encode_2")["width"] == pytest.approx(box["width"], abs=1)


@pytest.mark.parametrize("window", WINDOWS, ids=str)
def test_rows_are_as_tall_as_there_is_room(serve: Serve, visitor: Visitor, window: tuple[int, int]) -> None:
    width, height = window
    builder = ProfileBuilder([ValueType("cpu", "nanoseconds")])
    builder.add([("leaf", "/srv/a.py", 1, 1), ("main", "/srv/a.py", 9, 9)], [10**9])
    page = visitor.open(f"{serve(builder.build())}/ui/flamegraph", width=width, height=height)
    assert place_of(page, "leaf")["height"] == 29
    leaf = place_of(page, "leaf")
    page.mouse.click(leaf["x"] + 40, leaf["y"] + leaf["height"] - 2)  # what is drawn is what is clicked
    page.wait_for_url("**p=*leaf*")
    page = visitor.open(f"{serve(deep_profile())}/ui/flamegraph?frames=all", width=width, height=height)
    assert place_of(page, "main")["height"] == 19


def test_a_folded_chain_of_callers_is_named_from_the_top_of_the_picture_down(
    serve: Serve, visitor: Visitor
) -> None:
    page = visitor.open(f"{serve(deep_profile())}/ui/flamegraph?p=json.encode_2", width=1400)
    label = page.locator('.box.chain[aria-label*="handler"]').first.get_attribute("aria-label")
    assert label
    assert label.startswith("24 frames: core.handler_0 … core.handler_23")
