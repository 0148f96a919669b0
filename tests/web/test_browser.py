"""The page in a real browser: every view and menu, and a picture of each for a person to look at."""

from __future__ import annotations

import random
import re
from typing import TYPE_CHECKING

import pytest

from conduit.profile.builder import ProfileBuilder
from conduit.profile.merge import merge, scale_values, set_label
from conduit.profile.model import ValueType
from conduit.report.options import Options
from conduit.web import single_file_report
from tests.web.conftest import place_of, places_of_boxes, wait_until

from .conftest import SCREENSHOTS, profile_named

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from playwright.sync_api import Page

    from conduit.profile.model import Profile

    from .conftest import Visitor

    Serve = Callable[..., str]

VIEWS = ("flamegraph", "top", "graph", "peek", "source", "labels")
FORMS = {
    "light": {},
    "dark": {"scheme": "dark"},
    "narrow": {"width": 420, "height": 760},
}


def boxes(page: Page) -> list[str]:
    return page.locator(".box .text").all_inner_texts()


def detail(page: Page) -> str:
    return page.locator(".detail").inner_text()


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("view", VIEWS)
def test_every_view_draws_without_a_complaint(serve: Serve, visitor: Visitor, view: str, form: str) -> None:
    page = visitor.open(f"{serve(profile_named('py.cpu'))}/ui/{view}", **FORMS[form])  # type: ignore[arg-type]
    assert page.locator("main").inner_text().strip()
    assert page.locator(".empty").count() == 0
    overflow = page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
    assert overflow <= 0, "the page is wider than the window"
    SCREENSHOTS.mkdir(parents=True, exist_ok=True)
    page.screenshot(path=str(SCREENSHOTS / f"{view}-{form}.png"))


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("view", VIEWS)
def test_axe_finds_nothing_in_any_view(serve: Serve, visitor: Visitor, view: str, scheme: str) -> None:
    page = visitor.open(f"{serve(profile_named('py.cpu'))}/ui/{view}", scheme=scheme)
    assert axe_findings(page) == []


def axe_findings(page: Page) -> list[tuple[str, str]]:
    from axe_playwright_python.sync_playwright import Axe

    if not page.evaluate("'axe' in window"):
        page.evaluate(Axe().axe_script)
    rules = {"label-content-name-mismatch": {"enabled": True}}  # experimental, and so off by default
    # To describe and hand over every element that passes took as long as to test them all.
    found = page.evaluate(
        """async (options) => (await axe.run(document, options)).violations.map((one) => [one.id, one.nodes[0].html])""",
        {"rules": rules, "resultTypes": ["violations"]},
    )
    return [(rule, html) for rule, html in found]


def test_widths_are_shares_and_children_stand_below_their_callers(serve: Serve, visitor: Visitor) -> None:
    page = visitor.open(f"{serve(profile_named('py.cpu'))}/ui/flamegraph")
    root, main, run = (place_of(page, name) for name in ("all", "__main__.<module>", "app.server.run"))
    assert root["y"] < main["y"] < run["y"]
    assert run["width"] / root["width"] == pytest.approx(1.06 / 1.09, abs=0.01)


def test_hovering_tells_name_own_and_whole_amount(serve: Serve, visitor: Visitor) -> None:
    page = visitor.open(f"{serve(profile_named('py.cpu'))}/ui/flamegraph")
    page.locator(".box", has_text="json.encoder.JSONEncoder.iterencode").first.hover()
    assert "self 90ms │ total 490ms (44.95%)" in detail(page)


def test_a_click_pivots_shows_callers_above_and_back_returns(serve: Serve, visitor: Visitor) -> None:
    page = visitor.open(f"{serve(profile_named('py.cpu'))}/ui/flamegraph")
    whole = boxes(page)
    page.get_by_text("zlib.compress").first.click()
    assert "p=" in page.url
    pivot = page.locator(".box.pivot")
    # It is called from two places; both are its callers now, and it is as wide as the picture.
    assert pivot.bounding_box()["width"] == pytest.approx(
        page.locator(".flame").bounding_box()["width"], abs=2
    )
    below = pivot.bounding_box()["y"]
    callers = [label for label, place in places_of_boxes(page) if place["y"] < below]
    assert any("iterencode" in label for label in callers)
    assert "510ms (46.79% of 1.09s)" in page.locator(".separator").inner_text()
    page.screenshot(path=str(SCREENSHOTS / "pivot.png"))
    page.go_back()
    assert boxes(page) == whole
    page.go_forward()
    assert page.locator(".box.pivot").count() == 1
    page.keyboard.press("Escape")
    assert boxes(page) == whole


def test_a_pivot_in_the_address_is_opened_and_kept_when_the_view_changes(
    serve: Serve, visitor: Visitor
) -> None:
    page = visitor.open(f"{serve(profile_named('py.cpu'))}/ui/flamegraph?p=^zlib%5C.compress%24")
    assert page.locator(".box.pivot").inner_text() == "zlib.compress"
    page.get_by_role("link", name="Top").click()
    page.get_by_role("link", name="Flame graph").click()
    assert page.locator(".box.pivot").inner_text() == "zlib.compress"


def test_search_marks_matches_and_says_their_share(serve: Serve, visitor: Visitor) -> None:
    page = visitor.open(f"{serve(profile_named('py.cpu'))}/ui/flamegraph")
    page.keyboard.press("/")
    page.keyboard.type("fib|odd")
    page.get_by_text("36.70% matched").wait_for()  # (270 + 130) of 1090 ms, recursion counted once
    assert page.locator(".box.hit").count() >= 2
    page.screenshot(path=str(SCREENSHOTS / "search.png"))
    page.fill("#search", "(")
    page.get_by_text("not a regexp").wait_for()


def test_the_wheel_zooms_with_control_held_and_escape_returns(serve: Serve, visitor: Visitor) -> None:
    page = visitor.open(f"{serve(profile_named('py.cpu'))}/ui/flamegraph")
    target = page.locator(".box", has_text="zlib.compress").last
    before = [place for label, place in places_of_boxes(page) if label.startswith("zlib.compress:")][-1][
        "width"
    ]
    target.hover()
    page.keyboard.down("Control")
    page.mouse.wheel(0, -300)
    page.keyboard.up("Control")
    wait_until(
        page,
        "before => [...document.querySelectorAll('.box')].some(b => b.innerText === 'zlib.compress' && b.clientWidth > before * 1.5)",
        arg=before,
    )
    page.keyboard.press("Escape")
    wait_until(
        page,
        "before => [...document.querySelectorAll('.box')].some(b => b.innerText === 'zlib.compress' && Math.abs(b.clientWidth - before) < 3)",
        arg=before,
    )


def test_the_keyboard_walks_the_boxes_and_enter_pivots(serve: Serve, visitor: Visitor) -> None:
    page = visitor.open(f"{serve(profile_named('py.cpu'))}/ui/flamegraph")
    page.locator(".box").first.focus()
    for key in ("ArrowDown", "ArrowDown", "ArrowDown", "ArrowRight"):
        page.keyboard.press(key)
    name = page.evaluate("document.activeElement.getAttribute('aria-label')")
    assert name.startswith("app.math.even")
    page.keyboard.press("Enter")
    assert page.locator(".box.pivot").inner_text() == "app.math.even"


def test_the_context_menu_focuses_on_a_function(serve: Serve, visitor: Visitor) -> None:
    page = visitor.open(f"{serve(profile_named('py.cpu'))}/ui/flamegraph")
    page.get_by_text("json.encoder.JSONEncoder.iterencode").first.click(button="right")
    menu = page.get_by_role("menu")
    assert {"Focus", "Ignore", "Hide", "Show from", "Show source code"} <= set(
        menu.locator("button").all_inner_texts()
    )
    menu.get_by_text("Focus", exact=True).click()
    page.get_by_text("focus: json.encoder").wait_for()
    assert not any("fib" in text for text in boxes(page))
    page.get_by_role("button", name="remove focus").click()
    page.get_by_text("app.math.fib").first.wait_for()


@pytest.mark.parametrize(
    ("action", "parameter"),
    [("Focus", "f"), ("Ignore", "i"), ("Hide", "h"), ("Show", "s"), ("Show from", "sf")],
)
def test_refine_uses_the_selected_rows_and_reset_forgets(
    serve: Serve, visitor: Visitor, action: str, parameter: str
) -> None:
    page = visitor.open(f"{serve(profile_named('py.cpu'))}/ui/top")
    page.locator("#menu-refine > summary").click()
    assert page.get_by_role("button", name=action, exact=True).is_disabled()
    page.keyboard.press("Escape")
    page.get_by_role("row", name="app.math.fib").click()
    page.locator("#menu-refine > summary").click()
    page.locator("#menu-refine").get_by_role("button", name=action, exact=True).click()
    page.wait_for_url(f"**{parameter}=%5Eapp*")
    page.locator("#menu-refine > summary").click()
    page.get_by_role("link", name="Reset").click()
    page.wait_for_url(lambda url: f"{parameter}=" not in url)


def test_the_table_sorts_by_the_heading_clicked_and_back(serve: Serve, visitor: Visitor) -> None:
    page = visitor.open(f"{serve(profile_named('py.cpu'))}/ui/top")
    first = page.locator("tbody tr td:last-child").first
    assert first.inner_text() == "zlib.compress"
    page.get_by_role("button", name="Cum", exact=True).click()
    assert first.inner_text() == "__main__.<module>"
    page.get_by_role("button", name="Name").click()
    assert first.inner_text() == "__main__.<module>"
    assert page.locator("th[aria-sort=ascending]").inner_text() == "Name"


def test_sample_types_are_tabs_granularities_and_tags_are_menus(serve: Serve, visitor: Visitor) -> None:
    page = visitor.open(f"{serve(profile_named('py.cpu'))}/ui/top")
    page.get_by_role("link", name="samples", exact=True).click()
    wait_until(page, "document.title.endsWith('samples')")
    page.locator("#menu-show > summary").click()
    page.get_by_role("link", name="line", exact=True).click()
    page.get_by_text("app.math.fib /app/mathx.py:7").wait_for()
    page.locator("#menu-refine > summary").click()
    page.get_by_text("thread", exact=True).click()
    page.get_by_role("link", name="MainThread").click()
    page.get_by_text("tag focus: thread=").wait_for()
    page.locator("#menu-refine > summary").click()
    page.get_by_text("thread", exact=True).click()
    page.get_by_role("link", name="thread as root frames").click()
    page.get_by_text("tag root: thread").wait_for()


def test_a_configuration_is_saved_and_deleted_through_the_menu(serve: Serve, visitor: Visitor) -> None:
    page = visitor.open(f"{serve(profile_named('py.cpu'))}/ui/top?f=fib")
    page.locator("#menu-config > summary").click()
    page.get_by_role("button", name="Save as…").click()
    page.fill("#ask-text", "mine")
    page.get_by_role("button", name="OK").click()
    page.wait_for_load_state()
    page.locator("#menu-config", has_text="mine").wait_for(state="attached")
    page.locator("#menu-config > summary").click()
    page.get_by_role("button", name="delete mine").click()
    page.locator("#menu-config", has_text="mine").wait_for(state="detached")


def test_the_download_is_the_profile(serve: Serve, visitor: Visitor) -> None:
    page = visitor.open(f"{serve(profile_named('py.cpu'))}/ui/top")
    with page.expect_download() as started:
        page.get_by_role("link", name="Download").click()
    assert started.value.suggested_filename == "profile.pb.gz"


def test_a_difference_shows_growth_in_red_and_shrinking_in_green(serve: Serve, visitor: Visitor) -> None:
    page = visitor.open(f"{serve(difference())}/ui/flamegraph")
    page.locator(".box", has_text="grower").first.hover()
    assert "100ms → 300ms, +200.00%" in detail(page)
    assert page.locator(".box", has_text="grower").locator(".delta.grew").count() == 1
    assert page.locator(".box", has_text="shrinker").locator(".delta.shrank").count() == 1
    page.screenshot(path=str(SCREENSHOTS / "difference.png"))


def test_a_net_difference_tells_the_change_and_claims_no_before(serve: Serve, visitor: Visitor) -> None:
    net = merge([two_functions(30, 10), scale_values(two_functions(10, 20), -1)])
    page = visitor.open(f"{serve(net)}/ui/flamegraph")
    page.locator(".box", has_text="grower").first.hover()
    assert "+200ms" in detail(page)
    page.locator(".box", has_text="shrinker").first.hover()
    assert "−100ms" in detail(page)


def difference() -> Profile:
    base = set_label(two_functions(10, 20), "pprof::base", ["true"])
    return merge([two_functions(30, 10), scale_values(base, -1)])


def two_functions(grower: int, shrinker: int) -> Profile:
    builder = ProfileBuilder([ValueType("cpu", "nanoseconds")])
    main = ("main", "/app/main.py", 1, 1)
    builder.add([("grower", "/app/a.py", 1, 1), main], [grower * 10**7])
    builder.add([("shrinker", "/app/a.py", 9, 9), main], [shrinker * 10**7])
    return builder.build()


@pytest.mark.parametrize("graphviz", ["with", "without"])
def test_the_graph_pans_zooms_and_selects(
    serve: Serve, visitor: Visitor, monkeypatch: pytest.MonkeyPatch, graphviz: str
) -> None:
    if graphviz == "without":
        monkeypatch.setattr("conduit.web.call_graph.shutil.which", lambda _: None)
    page = visitor.open(f"{serve(profile_named('go.cpu'))}/ui/graph")
    assert page.locator("g.node[data-name]").count() > 5
    page.screenshot(path=str(SCREENSHOTS / f"graph-{graphviz}-graphviz.png"))
    page.set_viewport_size({"width": 390, "height": 760})
    page.reload()  # a narrow window shows where the program starts
    frame = page.locator("div.graph").bounding_box()
    assert frame
    places = [place for node in page.locator("g.node").all() if (place := node.bounding_box())]
    start = max(
        (one for one in places if one["y"] <= min(place["y"] for place in places) + 1),
        key=lambda one: one["width"] * one["height"],
    )
    assert frame["x"] <= start["x"] + start["width"] / 2 <= frame["x"] + frame["width"]
    page.screenshot(path=str(SCREENSHOTS / f"graph-narrow-{graphviz}-graphviz.png"))
    before = page.locator(".graph svg").get_attribute("viewBox")
    page.locator("div.graph").hover()
    page.mouse.wheel(0, -200)
    wait_until(
        page, "before => document.querySelector('.graph svg').getAttribute('viewBox') !== before", arg=before
    )
    node = page.locator("g.node[data-name]").first
    node.focus()
    page.keyboard.press("Enter")
    assert "picked" in (node.get_attribute("class") or "")
    page.locator("#menu-refine > summary").click()
    assert page.locator("#menu-refine").get_by_role("button", name="Focus", exact=True).is_enabled()


def test_the_single_file_opens_from_disk_with_every_view_and_asks_nobody(
    visitor: Visitor, tmp_path: Path
) -> None:
    path = tmp_path / "report.html"
    path.write_bytes(single_file_report(profile_named("py.cpu"), Options(), lambda _: None))
    page = visitor.open(path.as_uri())
    assert "app.server.run" in boxes(page)
    page.get_by_text("zlib.compress").first.click()
    assert page.locator(".box.pivot").count() == 1
    for name, text in (
        ("Top", "zlib.compress"),
        ("Graph", "Drag to move"),
        ("Peek", "calls%"),
        ("Source", "flat"),
    ):
        page.get_by_role("link", name=name, exact=True).click()
        page.locator("main").get_by_text(text).first.wait_for()
    page.screenshot(path=str(SCREENSHOTS / "single-file-source.png"))


def test_markup_in_names_is_shown_as_text(serve: Serve, visitor: Visitor, tmp_path: Path) -> None:
    name = "<img src=x onerror=document.title='owned'></script><script>document.title='owned'</script>"
    builder = ProfileBuilder([ValueType("cpu", "nanoseconds")])
    builder.add([(name, name, 1, 1), ("main", "/m.py", 1, 1)], [10**9], labels={"<b>": "<i>"})
    url = serve(builder.build())
    page = visitor.open("about:blank")
    for view in VIEWS:
        page.goto(f"{url}/ui/{view}")
        assert "owned" not in page.title()
        assert page.locator("main img, main script").count() == 0
    path = tmp_path / "report.html"
    path.write_bytes(single_file_report(builder.build(), Options(), lambda _: None))
    assert "owned" not in visitor.open(path.as_uri()).title()


def test_an_empty_profile_says_what_to_do(serve: Serve, visitor: Visitor) -> None:
    url = serve(ProfileBuilder([ValueType("cpu", "nanoseconds")]).build())
    page = visitor.open("about:blank")
    for view in ("flamegraph", "top", "graph"):
        page.goto(f"{url}/ui/{view}")
        assert "conduit bench" in page.locator(".empty").inner_text()
    page.screenshot(path=str(SCREENSHOTS / "empty.png"))


def test_strange_profiles_draw(serve: Serve, visitor: Visitor) -> None:
    one = ProfileBuilder([ValueType("cpu", "nanoseconds")])
    one.add([("f" * 10_000, "/a.py", 1, 1)], [1])
    deep = ProfileBuilder([ValueType("cpu", "nanoseconds")])
    deep.add([("recurse", "/a.py", 1, 1)] * 5000, [10**9])
    for profile in (one.build(), deep.build(), scale_values(one.build(), -1)):
        page = visitor.open(f"{serve(profile)}/ui/flamegraph")
        assert page.locator(".box").count() >= 2


def test_printing_leaves_the_menus_out(serve: Serve, visitor: Visitor) -> None:
    page = visitor.open(f"{serve(profile_named('py.cpu'))}/ui/flamegraph", media="print")
    assert not page.locator("header").is_visible()
    assert page.locator(".box").first.is_visible()


def test_a_large_profile_is_drawn_pruned_and_says_so(serve: Serve, visitor: Visitor) -> None:
    generator = random.Random(8)
    builder = ProfileBuilder([ValueType("cpu", "nanoseconds")])
    for number in range(30_000):
        path = [(f"f{int(generator.paretovariate(0.7))}", "/a.py", 1, 1) for _ in range(12)]
        builder.add([("leaf", "/a.py", number % 7, 1), *path], [10**7])
    page = visitor.open(f"{serve(builder.build())}/ui/flamegraph")
    assert re.search(r"[\d,]+ boxes under 0\.017% are hidden", page.locator(".explain").inner_text())
    assert 10 < page.locator(".box").count() <= 800
