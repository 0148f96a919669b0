"""What stopped readers on the way from a profile to its cause, by a real mouse at each width, light and dark."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from conduit.profile.builder import ProfileBuilder
from conduit.profile.merge import difference
from conduit.profile.model import ValueType
from conduit.report.options import Options
from conduit.web.comparison import is_noise
from conduit.web.configs import SavedConfigs
from conduit.web.session import ProfileSession

from .conftest import SCREENSHOTS, place_of, profile_named, wait_until
from .test_browser import axe_findings
from .test_comparison import compared, profile_of
from .test_flame_graph import SITE, WINDOWS

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

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
    page.get_by_role("button", name="Lines", exact=True).click()
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
    assert row.locator("td").nth(1).text_content() == "300ms30.00%"
    assert page.locator(".separator").inner_text().startswith("300ms (30.00% of 1s)")
    box = page.locator(".box.pivot").get_attribute("aria-label")
    assert box == "query: 300ms (30.00%)"
    page.get_by_role("button", name="Whole profile").click()
    page.locator('.box.root[aria-label="all: 400ms (40.00% of 1s)"]').wait_for()
    picture(page, f"show-from-{width}-{scheme}")


def sampled(**counts: int) -> Profile:
    """`main` calls every function, for so many samples of 10 ms; those named `lib…` are a library's below `main`."""
    builder = ProfileBuilder([ValueType("samples", "count"), ValueType("cpu", "nanoseconds")])
    for name, count in counts.items():
        file = f"{SITE}/lib.py" if name.startswith("lib") else "/srv/a.py"
        builder.add([(name, file, 1, 1), ("main", "/srv/a.py", 9, 8)], [count, count * 10**7])
    return builder.build()


def changed(page: Page) -> list[tuple[str, str]]:
    """The functions of Changes in their order, and what is said beside each."""
    rows = page.locator("table.changes tbody tr").all()
    return [
        (row.locator("a").inner_text(), " ".join(row.locator(".maybe").all_inner_texts())) for row in rows
    ]


@light_and_dark
@at_each_width
def test_a_change_that_few_samples_show_is_marked_and_stands_last(
    serve: Serve, visitor: Visitor, window: tuple[int, int], scheme: str
) -> None:
    width, height = window
    before, after = sampled(slower=20, many=400, faster=40), sampled(slower=26, many=415, faster=12)
    url = serve(difference(after, before, mark_base=True))
    page = visitor.open(f"{url}/ui/changes", width=width, height=height, scheme=scheme)
    # Of 52 samples 12 are few; that 815 are 400 and 415, and 46 are 20 and 26, is chance.
    assert changed(page) == [("faster", ""), ("many", "may be noise"), ("slower", "may be noise")]
    if width > 640:
        assert page.get_by_role("cell", name="400 → 415").is_visible()
    assert "460 samples before, 453 after" in page.locator("#facts").inner_text()
    assert axe_findings(page) == []
    picture(page, f"noise-{width}-{scheme}")
    page.get_by_role("button", name="Without noise").click()
    assert changed(page) == [("faster", "")]
    page.get_by_role("link", name="Make totals equal").click()
    page.get_by_text("Totals are made equal: ").wait_for()
    assert changed(page) == [("faster", "")]


@pytest.mark.parametrize(
    ("before", "after", "share", "noise"),
    [
        (0, 5, 0.5, True),  # 1 of 16: each of five falls on one side
        (0, 6, 0.5, False),  # 1 of 32
        (10, 22, 0.5, True),
        (10, 23, 0.5, False),
        (10, 20, 0.4, False),  # after was recorded for a shorter time
        (1000, 1080, 0.5, True),
        (1000, 1200, 0.5, False),
        (3, 9, 1.0, True),  # a side has no samples: nothing can be told
    ],
)
def test_few_samples_tell_a_change_from_chance_as_the_binomial_distribution_does(
    before: int, after: int, share: float, noise: bool
) -> None:
    assert is_noise(before, after, share) is noise


@light_and_dark
@at_each_width
def test_changes_open_on_the_readers_functions_and_a_row_leads_to_its_function(
    serve: Serve, visitor: Visitor, window: tuple[int, int], scheme: str
) -> None:
    width, height = window
    site = ("lib.inner", f"{SITE}/lib.py")
    stacks = (
        site,
        ("lib.outer", f"{SITE}/lib.py"),
        ("view", "/srv/views.py"),
        ("lib.serve", f"{SITE}/serve.py"),
    )
    before, after = profile_of(stacks, 100), profile_of(stacks, 300)
    url = serve(difference(after, before, mark_base=True))
    page = visitor.open(f"{url}/ui/changes", width=width, height=height, scheme=scheme)
    assert page.get_by_role("button", name="Your code").get_attribute("aria-pressed") == "true"
    assert [name for name, _ in changed(page)] == ["view"]  # with what the library took for it
    page.get_by_role("button", name="Self", exact=True).click()
    assert [name for name, _ in changed(page)] == ["lib.inner"]
    page.get_by_role("button", name="Your code").click()
    row = page.locator("table.changes tbody tr").bounding_box()
    assert row
    page.mouse.click(row["x"] + row["width"] / 2, row["y"] + row["height"] / 2)
    page.locator(".box.pivot", has_text="view").wait_for()
    assert page.locator(".separator").inner_text().startswith("100ms (100% of")
    picture(page, f"led-{width}-{scheme}")
    page.go_back()
    page.locator("table.changes tbody tr").first.focus()
    page.keyboard.press("Enter")
    page.locator(".box.pivot", has_text="view").wait_for()


@light_and_dark
@at_each_width
def test_notes_on_the_recording_are_readable_to_their_end(
    serve: Serve, visitor: Visitor, window: tuple[int, int], scheme: str
) -> None:
    width, height = window
    profile = deep()
    note = "only 43 samples: 0.44s of CPU time was used while the profile was taken. Shares are accurate to about 8 percentage points; run for longer or at a higher rate"
    profile.comments.extend([note, "2 samples were lost", "one more"])
    page = visitor.open(f"{serve(profile)}/ui/flamegraph", width=width, height=height, scheme=scheme)
    shown = page.locator("#notes p")
    assert shown.all_inner_texts() == [note, "2 samples were lost", "1 more note: click the title above"]
    for one in (*shown.all(), page.locator("#facts")):
        box = one.bounding_box()
        assert box
        assert box["x"] + box["width"] <= width
        assert one.evaluate("e => e.scrollWidth <= Math.max(e.clientWidth, e.offsetWidth) + 1")
        assert one.evaluate("e => getComputedStyle(e.parentElement).overflow") == "visible"
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")
    picture(page, f"notes-{width}-{scheme}")


@light_and_dark
def test_bars_that_go_on_beyond_a_narrow_window_say_so_and_a_click_on_the_sign_scrolls(
    serve: Serve, visitor: Visitor, scheme: str
) -> None:
    page = visitor.open(f"{serve(compared())}/ui/flamegraph", width=390, height=760, scheme=scheme)
    for bar in (".views", ".explain"):
        ahead, back = page.locator(f"{bar} > .cue.ahead"), page.locator(f"{bar} > .cue.back")
        assert ahead.is_visible()
        assert not back.is_visible()
        box = ahead.bounding_box()
        assert box
        assert box["x"] + box["width"] <= 390
        page.locator(bar).evaluate("bar => { window.ended = 0; bar.onscrollend = () => { ended += 1; }; }")
        for turn in range(8):
            if not ahead.is_visible():
                break
            page.mouse.click(box["x"] + box["width"] / 2, box["y"] + box["height"] / 2)
            wait_until(page, f"ended > {turn}")
        assert back.is_visible()
        assert not ahead.is_visible()
    assert axe_findings(page) == []
    picture(page, f"cues-{scheme}")
    page.goto(f"{page.url.split('/ui/')[0]}/ui/source")
    current = page.locator(".views [aria-current]").bounding_box()  # what is current is not beyond the edge
    assert current
    assert current["x"] >= 0
    assert current["x"] + current["width"] <= 390
    page.set_viewport_size({"width": 1400, "height": 800})
    assert not page.locator(".views > .cue.ahead").is_visible()


@light_and_dark
@at_each_width
def test_the_source_of_a_function_is_shown_without_a_filter_on_the_other_views(
    serve: Serve, visitor: Visitor, window: tuple[int, int], scheme: str
) -> None:
    width, height = window
    page = visitor.open(f"{serve(deep())}/ui/flamegraph", width=width, height=height, scheme=scheme)
    click_box(page, "query")
    page.get_by_role("button", name="Actions…").click()
    page.get_by_role("menuitem", name="Show source code").click()
    page.get_by_text("Only query.").wait_for()
    assert page.locator("section.function h2").all_inner_texts() == ["query"]
    assert page.locator(".chip").count() == 0
    page.get_by_role("link", name="Top", exact=True).click()
    page.locator("table.top tbody tr").nth(2).wait_for()  # all three functions
    page.go_back()
    page.get_by_role("link", name="Show all functions").click()
    page.locator("section.function").nth(2).wait_for()
    assert "fn=" not in page.url
    page.locator("section.function h2 a").first.click()
    page.get_by_text("Each line of code that has samples").wait_for()
    assert page.locator(".chip").count() == 0


@light_and_dark
@at_each_width
def test_selected_rows_of_top_say_what_can_be_done_with_them_and_names_are_whole(
    serve: Serve, visitor: Visitor, window: tuple[int, int], scheme: str
) -> None:
    width, height = window
    page = visitor.open(f"{serve(profile_named('py.cpu'))}/ui/top", width=width, height=height, scheme=scheme)
    for cell in page.locator("table.top tbody tr:nth-child(-n+5) td:last-child").all():
        box = cell.bounding_box()
        assert box
        assert box["x"] + box["width"] <= width
    row = page.get_by_role("row", name="app.math.fib")
    before = row.bounding_box()
    assert before
    page.mouse.click(before["x"] + 30, before["y"] + 8)
    bar = page.locator("#picked")
    assert bar.locator("strong").inner_text() == "app.math.fib"
    assert row.bounding_box() == before  # nothing moved under the pointer
    box = bar.bounding_box()
    assert box
    assert box["y"] + box["height"] <= height + 1
    assert axe_findings(page) == []
    picture(page, f"picked-{width}-{scheme}")
    link = bar.get_by_role("link", name="Flame graph").bounding_box()
    assert link
    page.mouse.click(link["x"] + 5, link["y"] + 5)
    page.locator('.box.pivot[aria-label^="app.math.fib"]').wait_for()


def test_a_narrow_window_has_the_names_of_peek_within_it(serve: Serve, visitor: Visitor) -> None:
    page = visitor.open(f"{serve(profile_named('py.cpu'))}/ui/peek", width=390, height=760)
    assert page.locator("pre.text").evaluate("one => one.scrollWidth <= one.clientWidth")
    name = page.get_by_role("link", name="app.math.fib /app/mathx.py:7").first.bounding_box()
    assert name
    assert name["x"] + name["width"] <= 390


@at_each_width
def test_a_click_beside_a_labels_value_filters_and_the_filter_stands_there_in_plain_words(
    serve: Serve, visitor: Visitor, window: tuple[int, int]
) -> None:
    width, height = window
    builder = ProfileBuilder([ValueType("cpu", "nanoseconds")])
    for route, milliseconds in (("GET /cart/{n}", 30), ("GET /health", 10)):
        builder.add([("view", "/srv/a.py", 1, 1)], [milliseconds * 10**6], labels={"route": route})
    page = visitor.open(f"{serve(builder.build())}/ui/labels", width=width, height=height)
    cell = page.get_by_role("row", name="GET /cart/{n}").first.locator("td").nth(1).bounding_box()
    assert cell
    page.mouse.click(cell["x"] + cell["width"] / 2, cell["y"] + cell["height"] / 2)
    page.locator(".chip", has_text="tag focus: route:GET /cart/{n}").wait_for()
    assert page.get_by_role("row", name="GET /health").count() == 0


def test_a_comparison_says_the_accuracy_of_both_sides_once(tmp_path: Path) -> None:
    before, after = sampled(work=25), sampled(work=100)
    for profile, count in ((before, 25), (after, 100)):
        profile.comments.append(
            f"only {count} samples: 1s of CPU time was used. Shares are accurate to about 9"
        )
    profile = difference(after, before, mark_base=True)
    profile.comments.append("2 samples were lost")
    page = ProfileSession(profile, Options(), SavedConfigs(tmp_path / "none.json")).page("top", {})
    told = "25 samples before, 100 after: their shares are accurate to about 10 and 5 percentage points"
    assert page["facts"][1] == told
    assert page["notes"] == ["2 samples were lost"]


LONG = (
    "/srv/shop/.venv/lib/python3.11/site-packages/framework/backends/something/handlers/dispatching_base.py"
)


@pytest.mark.parametrize("width", [1400, 900, 390])
def test_peek_shortens_long_paths_at_their_beginning_and_the_title_has_the_whole(
    serve: Serve, visitor: Visitor, width: int
) -> None:
    builder = ProfileBuilder([ValueType("cpu", "nanoseconds")])
    builder.add(
        [("framework.handlers.get_response", LONG, 181, 170), ("shop.view", "/srv/a.py", 2, 1)], [10**9]
    )
    page = visitor.open(f"{serve(builder.build())}/ui/peek", width=width)
    line = page.locator("pre.text a", has_text="framework.handlers.get_response").first
    assert line.inner_text().endswith("dispatching_base.py:181")
    if width == 900:  # the line wraps, so there is room for the whole
        assert LONG in line.inner_text()
    else:
        assert (line.get_attribute("title") or "").endswith(f"framework.handlers.get_response {LONG}:181")
        assert "…/" in line.inner_text()
    text = page.locator("pre.text")
    assert text.evaluate("e => e.scrollWidth <= e.clientWidth")
    assert page.locator("pre.text a", has_text="shop.view /srv/a.py:2").first.get_attribute("title") is None
    page.set_viewport_size({"width": 2400, "height": 800})
    page.locator("pre.text a", has_text=f"{LONG}:181").first.wait_for()


@light_and_dark
def test_a_switch_that_is_on_is_seen_in_a_narrow_window_and_the_sign_counts_the_controls_behind_it(
    serve: Serve, visitor: Visitor, scheme: str
) -> None:
    url = f"{serve(compared())}/ui/flamegraph?frames=all"
    page = visitor.open(url, width=390, height=760, scheme=scheme)
    for name in ("All frames",):
        box = page.get_by_role("button", name=name).bounding_box()
        assert box
        assert box["x"] >= 0
        assert box["x"] + box["width"] <= 350
    told = page.locator(".bar-of-view > .cue.ahead").inner_text()
    count = int(told.split()[0])
    seen = page.locator(".bar-of-view").evaluate(
        """bar => [...bar.querySelectorAll("a, button, summary, select")].filter((one) => one.offsetWidth
        && one.getBoundingClientRect().right <= bar.getBoundingClientRect().right - 38).length"""
    )
    every = page.locator(".bar-of-view").evaluate(
        "bar => [...bar.querySelectorAll('a, button, summary, select')].filter((one) => one.offsetWidth).length"
    )
    assert count >= 1
    assert count + seen == every
    assert page.locator(".views > .cue.ahead").inner_text()[0].isdigit()


@pytest.mark.parametrize("width", [1400, 390])
def test_lines_lose_the_indentation_that_all_have_where_the_window_is_narrow(
    serve: Serve, visitor: Visitor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, width: int
) -> None:
    monkeypatch.chdir(tmp_path)  # sources are read from here
    path = tmp_path / "deep.py"
    indent = " " * 40
    path.write_text(f"{indent}def total(self):\n{indent}    return 1\n\n")
    builder = ProfileBuilder([ValueType("cpu", "nanoseconds")])
    builder.add([("total", str(path), 1, 1)], [10**9])
    builder.add([("total", str(path), 2, 1)], [10**9])
    page = visitor.open(f"{serve(builder.build())}/ui/source", width=width)
    text = page.locator("table.listing td:last-child").all_inner_texts()
    shown = "" if width == 390 else indent
    assert text[:2] == [f"{shown}def total(self):", f"{shown}    return 1"]
    if width == 390:
        box = page.locator("table.listing td:last-child").first.bounding_box()
        assert box
        assert box["x"] + 100 < width
