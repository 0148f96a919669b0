"""Labels as facets, sample types as tabs, and the page's first line."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from conduit.profile.builder import ProfileBuilder
from conduit.profile.merge import difference
from conduit.profile.model import ValueType
from conduit.report.options import Options
from conduit.web.configs import SavedConfigs
from conduit.web.session import ProfileSession

from .conftest import SCREENSHOTS, open_menu, profile_named, wait_until

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from playwright.sync_api import Page

    from conduit.profile.model import Profile

    from .conftest import Visitor

    Serve = Callable[..., str]


def requests_profile() -> Profile:
    """Two routes on two threads, and a sample without a route."""
    builder = ProfileBuilder([ValueType("samples", "count"), ValueType("cpu", "nanoseconds")])
    rows = [
        ("encode", "/orders", "a", 3, 300),
        ("encode", "/a=b,c", "b", 1, 100),
        ("query", "/orders", "b", 2, 500),
        ("idle", None, "a", 1, 100),
    ]
    for name, route, thread, count, value in rows:
        labels = {"thread": thread, **({"route": route} if route else {})}
        builder.add(
            [(name, "/srv/app.py", 1, 1), ("main", "/srv/app.py", 9, 8)], [count, value], labels=labels
        )
    profile = builder.build(1_790_000_000_000_000_000)
    profile.duration_nanos = 2 * 10**9
    return profile


def labels_of(tmp_path: Path, profile: Profile, **parameters: str) -> dict[str, Any]:
    session = ProfileSession(profile, Options(), SavedConfigs(tmp_path / "none.json"))
    content: dict[str, Any] = session.page("labels", parameters)["views"]["labels"]
    return content


def test_each_label_has_its_values_with_amount_share_and_count(tmp_path: Path) -> None:
    content = labels_of(tmp_path, requests_profile())
    rows = {
        facet["key"]: [(v["text"], v["amount"], v["share"], v["count"]) for v in facet["values"]]
        for facet in content["facets"]
    }
    assert rows == {
        "route": [("/orders", "800ns", "80.00%", "5"), ("/a=b,c", "100ns", "10.00%", "1")],
        "thread": [("b", "600ns", "60.00%", "3"), ("a", "400ns", "40.00%", "4")],
    }
    without = {facet["key"]: facet["without"] for facet in content["facets"]}
    assert [without["route"][name] for name in ("text", "amount", "share", "count")] == [
        "without route",
        "100ns",
        "10.00%",
        "1",
    ]
    assert without["thread"] is None
    assert content["counted"] == "samples"


def test_labels_that_the_program_set_come_before_those_of_every_recording(tmp_path: Path) -> None:
    builder = ProfileBuilder([ValueType("cpu", "nanoseconds")])
    for number in range(28):
        thread, tenant = f"worker {number % 2}", f"shop {number % 3}"
        labels = {"task": f"request {number}", "thread": thread, "tenant": tenant, "process": "7"}
        builder.add([("view", "/srv/app.py", 1, 1)], [100], labels=labels)
    content = labels_of(tmp_path, builder.build())
    assert [facet["key"] for facet in content["facets"]] == ["tenant", "thread", "task", "process"]
    assert content["by"] == "tenant"


def test_functions_by_a_label_add_up_to_their_own_amounts(tmp_path: Path) -> None:
    top = labels_of(tmp_path, requests_profile(), label="route")["top"]
    assert top["columns"] == ["/orders", "/a=b,c", "without route"]
    assert [(row["name"], row["total"], row["cells"]) for row in top["rows"]] == [
        ("query", "500ns", ["500ns", ".", "."]),
        ("encode", "400ns", ["300ns", "100ns", "."]),
        ("idle", "100ns", [".", ".", "100ns"]),
    ]


def test_the_filter_of_a_value_keeps_its_samples_and_no_others_and_filters_combine(tmp_path: Path) -> None:
    content = labels_of(tmp_path, requests_profile())
    filters = {v["text"]: v["filter"] for facet in content["facets"] for v in facet["values"]}
    for text, amount in (("/orders", "800ns"), ("/a=b,c", "100ns"), ("a", "400ns")):
        facets = labels_of(tmp_path, requests_profile(), tf=filters[text])["facets"]
        assert any(v["text"] == text and v["amount"] == amount for facet in facets for v in facet["values"])
        assert labels_of(tmp_path, requests_profile(), ti=filters[text])["facets"]
    both = labels_of(tmp_path, requests_profile(), tf=f"{filters['/orders']},{filters['b']}")
    assert [v["amount"] for facet in both["facets"] for v in facet["values"]] == ["500ns", "500ns"]


def test_the_filter_of_a_label_separates_its_samples_from_those_without_it(tmp_path: Path) -> None:
    having = labels_of(tmp_path, requests_profile())["facets"][0]["without"]["having"]
    [kept] = labels_of(tmp_path, requests_profile(), ti=having)["facets"]
    assert [(v["text"], v["amount"]) for v in kept["values"]] == [("a", "100ns")]
    route, _ = labels_of(tmp_path, requests_profile(), tf=having)["facets"]
    assert (route["key"], route["without"]) == ("route", None)
    assert [v["amount"] for v in route["values"]] == ["800ns", "100ns"]


def test_the_first_line_tells_when_for_how_long_and_how_much(tmp_path: Path) -> None:
    profile = requests_profile()
    profile.comments.append("3 samples were lost")
    session = ProfileSession(profile, Options(), SavedConfigs(tmp_path / "none.json"))
    page = session.page("top", {})
    date, *rest = page["facts"]
    assert date.startswith("2026-09-")
    assert rest == ["2s recorded", "1us cpu in all"]
    assert page["notes"] == ["3 samples were lost"]


def test_the_values_of_a_comparison_are_not_cut_in_a_wide_window(serve: Serve, visitor: Visitor) -> None:
    builder = ProfileBuilder([ValueType("samples", "count"), ValueType("cpu", "nanoseconds")])
    for number in range(3):
        labels = {
            "route": f"GET /items/{number}",
            "thread": f"Thread-{number} (process_request_thread)",
            "task": f"Task-{number}",
        }
        builder.add([("main", "/srv/app.py", 9, 8)], [100, 123_456_789], labels=labels)
    profile = difference(builder.build(), builder.build(), mark_base=True)
    page = visitor.open(f"{serve(profile)}/ui/labels", width=1400, height=900)
    page.get_by_text("of all after").first.wait_for()
    regions = page.locator(".facet:not(.wide) .scroll")
    assert regions.count() == 3
    assert regions.evaluate_all("all => all.map((one) => one.scrollWidth - one.clientWidth)") == [0, 0, 0]


def test_a_label_that_is_filtered_by_keeps_its_place_and_the_functions_stay_listed_by_it(
    tmp_path: Path,
) -> None:
    builder = ProfileBuilder([ValueType("cpu", "nanoseconds")])
    for number in range(40):
        labels = {"route": f"/{number % 2}", "request": f"r{number}", "thread": f"worker {number % 3}"}
        builder.add([("view", "/srv/app.py", 1, 1)], [100], labels=labels)
    profile = builder.build()
    whole = labels_of(tmp_path, profile)
    order, by = [facet["key"] for facet in whole["facets"]], whole["by"]
    assert (order, by) == (["route", "thread", "request"], "route")
    for facet in whole["facets"]:
        content = labels_of(tmp_path, profile, tf=facet["values"][0]["filter"])
        assert [facet["key"] for facet in content["facets"]] == order
        assert content["by"] == by


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1400, 700, 390])
def test_a_click_on_values_keeps_their_samples(
    serve: Serve, visitor: Visitor, width: int, scheme: str
) -> None:
    page = visitor.open(f"{serve(requests_profile())}/ui/labels", width=width, scheme=scheme)
    page.get_by_role("link", name="/orders", exact=True).click()
    page.get_by_text("tag focus: route:/orders").wait_for()
    page.get_by_role("link", name="b", exact=True).click()
    page.locator(".chip", has_text="thread:b").wait_for()
    assert page.locator("table.facets").first.locator("td").nth(1).inner_text() == "500ns"
    page.screenshot(path=str(SCREENSHOTS / f"labels-{width}-{scheme}.png"))
    page.get_by_role("button", name="remove tag focus").click()
    page.get_by_role("link", name="without route", exact=True).click()
    page.get_by_text("tag ignore: ^route:").wait_for()
    assert page.locator("table.facets").first.locator("td").nth(1).inner_text() == "100ns"
    page.get_by_role("button", name="remove tag ignore").click()
    page.get_by_role("link", name="/a=b,c", exact=True).wait_for()
    page.get_by_label("Functions by label").select_option("thread")
    page.get_by_role("columnheader", name="b", exact=True).wait_for()


def test_the_four_types_of_a_memory_profile_are_tabs(serve: Serve, visitor: Visitor) -> None:
    page = visitor.open(f"{serve(profile_named('go.heap'))}/ui/flamegraph")
    tabs = page.locator("#types a")
    assert tabs.all_inner_texts() == ["alloc_objects", "alloc_space", "inuse_objects", "inuse_space"]
    assert page.locator("#types [aria-current]").inner_text() == "inuse_space"
    page.get_by_role("link", name="alloc_objects").click()
    page.locator("#types [aria-current]", has_text="alloc_objects").wait_for()
    assert page.title().endswith("alloc_objects")
    assert "inuse_space" not in page.locator("#facts").inner_text()
    page.get_by_role("link", name="inuse_space").click()
    page.locator("#types [aria-current]", has_text="inuse_space").wait_for()
    page.set_viewport_size({"width": 390, "height": 760})
    place = "one => { const { left, right } = one.getBoundingClientRect(); return [left, right]; }"
    wait_until(page, "document.querySelector('#types').scrollLeft > 0")
    left, right = page.locator("#types [aria-current]").evaluate(place)  # the tab is not under an arrow
    assert left >= page.locator("#types .cue.back").evaluate(place)[1]
    assert right <= 390
    strip, arrow = (page.locator(one).evaluate(place) for one in ("#types", "#types .cue.back"))
    assert arrow[0] == strip[0]  # nothing looks out beside it


def test_another_sample_type_keeps_the_selected_function_and_the_source(
    serve: Serve, visitor: Visitor
) -> None:
    page = visitor.open(f"{serve(profile_named('py.cpu'))}/ui/flamegraph", width=1400)
    page.locator("table.functions tr", has_text="zlib.compress").click()
    page.wait_for_url("**p=*")
    page.get_by_role("button", name="Lines", exact=True).click()
    page.wait_for_url("**lines=t*")
    page.get_by_role("link", name="samples", exact=True).click()
    page.locator("#types [aria-current]", has_text="samples").wait_for()
    assert page.locator(".box.pivot").get_attribute("aria-label").startswith("zlib.compress")  # type: ignore[union-attr]
    assert page.locator(".drawer").is_visible()


def test_the_name_of_a_function_in_top_is_read_in_a_narrow_window(serve: Serve, visitor: Visitor) -> None:
    page = visitor.open(f"{serve(profile_named('go.heap'))}/ui/top", width=390, height=760)
    cell = page.locator("tbody td:last-child").first.bounding_box()
    assert cell
    assert cell["width"] > 130
    assert cell["height"] < 80


def wide_profile() -> Profile:
    """Long names of routes, threads and functions, as a web service has them; 60 functions."""
    builder = ProfileBuilder([ValueType("samples", "count"), ValueType("cpu", "nanoseconds")])
    routes = ["GET /report/{customer}", "GET /search", "GET /reportsforallofthecustomersatonce"]
    threads = ["AnyIO worker thread", "MainThread"]
    for number in range(60):
        name = f"uvicorn.protocols.http.httptools_impl.RequestResponseCycle.send_{number:02}"
        labels = {"route": routes[number % 3], "thread": threads[number % 2], "task": f"Task-{number}"}
        stack = [(name, "/srv/svc/text.py", 1, 1), ("main", "/srv/svc/main.py", 9, 8)]
        builder.add(stack, [1, (100 - number) * 10**7], labels=labels)
    return builder.build()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1400, 700, 390])
def test_a_row_of_the_functions_by_a_label_leads_to_the_flame_graph_and_its_head_stays(
    serve: Serve, visitor: Visitor, width: int, scheme: str
) -> None:
    page = visitor.open(f"{serve(wide_profile())}/ui/labels", width=width, scheme=scheme)
    rows = page.locator("table.by-label tbody tr")
    row = rows.nth(1)
    assert "send_01" in row.locator("a").inner_text()
    row.scroll_into_view_if_needed()
    place = row.locator("td").nth(1).bounding_box()
    assert place
    page.mouse.click(place["x"] + 5, place["y"] + 5)  # beside the link
    page.wait_for_url("**/flamegraph?*p=*send_01*")
    page.locator(".box.pivot").wait_for()
    page.go_back()
    page.wait_for_url("**/labels*")
    page.locator("table.by-label").wait_for()
    rows.nth(2).focus()
    page.keyboard.press("Enter")
    page.wait_for_url("**/flamegraph?*p=*send_02*")
    page.go_back()
    page.wait_for_url("**/labels*")
    page.locator("table.by-label").wait_for()
    if width == 390:
        return
    last = rows.last
    last.scroll_into_view_if_needed()
    head = page.get_by_role("columnheader", name="Function", exact=True).bounding_box()
    assert head
    assert 0 <= head["y"] < 800
    under = page.evaluate(
        "([x, y]) => document.elementFromPoint(x, y).textContent", [head["x"] + 20, head["y"] + 9]
    )
    assert under == "Function"
    page.screenshot(path=str(SCREENSHOTS / f"labels-functions-{width}-{scheme}.png"))


@pytest.mark.parametrize("width", [1400, 700, 390])
def test_values_of_labels_break_after_a_slash_or_a_space_and_not_in_a_word(
    serve: Serve, visitor: Visitor, width: int
) -> None:
    page = visitor.open(f"{serve(wide_profile())}/ui/labels", width=width)
    lines: dict[str, list[str]] = page.evaluate(
        """() => Object.fromEntries([...document.querySelectorAll("table.facets td.value a")].map((link) => {
        const lines = []; let bottom = -1;
        for (const node of [...link.childNodes].filter((one) => one.nodeType === 3)) {
          for (let at = 0; at < node.length; at += 1) {
            const range = new Range(); range.setStart(node, at); range.setEnd(node, at + 1);
            const box = range.getBoundingClientRect();
            if (!box.width) continue;
            if (box.bottom > bottom + 4) { lines.push(""); bottom = box.bottom; }
            lines[lines.length - 1] += node.data[at];
          } }
        return [link.textContent, lines]; }))"""
    )
    assert {"GET /report/{customer}", "MainThread", "AnyIO worker thread"} <= set(lines)
    for text, parts in lines.items():
        for part in parts[:-1]:
            assert (
                part.rstrip()[-1] in "/." or text[len(part.rstrip())] == " " or len(part.split("/")[-1]) >= 20
            ), parts
    assert lines["MainThread"] == ["MainThread"]
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


def ticked(page: Page) -> list[str]:
    """The entries of the menu Show with a tick."""
    with open_menu(page, "menu-show") as items:
        return [text for text in items.locator("a").all_inner_texts() if text.startswith("✓ ")]


def test_the_menu_shows_the_granularity_that_is_on_show(serve: Serve, visitor: Visitor) -> None:
    url = serve(requests_profile())
    page = visitor.open(f"{url}/ui/labels")
    assert ticked(page) == ["✓ function"]
    page.get_by_role("link", name="Flame graph", exact=True).click()
    page.wait_for_url("**/flamegraph*")
    wait_until(page, "document.querySelector('.box') !== null")
    assert ticked(page) == ["✓ function and file"]
    page.locator("#menu-show > summary").click()
    page.get_by_role("link", name="line", exact=True).click()
    page.wait_for_url("**g=lines*")
    wait_until(page, "document.querySelector('.box[aria-label^=\"main:9:\"]') !== null")
    assert ticked(page) == ["✓ line"]
    assert page.get_by_role("link", name="make totals equal").count() == 0


def test_samples_without_a_label_have_one_name_in_the_table_and_in_the_picture(tmp_path: Path) -> None:
    session = ProfileSession(requests_profile(), Options(), SavedConfigs(tmp_path / "none.json"))
    tree = session.page("flamegraph", {"tagroot": "route,thread"})["views"]["flamegraph"]
    boxes = {
        tree["names"][tree["sources"][n]] for n, parent in enumerate(tree["parents"]) if n and parent == 0
    }
    assert boxes == {"/orders", "/a=b,c", "without route"}
    focused = session.page("flamegraph", {"tagroot": "route", "f": "^without route$"})["views"]["flamegraph"]
    assert sum(focused["values"]) == 100
    assert "without route" in session.page("labels", {"label": "route"})["views"]["labels"]["top"]["columns"]


def test_a_request_for_which_no_route_was_found_keeps_its_name(tmp_path: Path) -> None:
    builder = ProfileBuilder([ValueType("cpu", "nanoseconds")])
    for number, labels in enumerate([{"route": "(no route)"}, {}]):
        builder.add([("view", "/srv/app.py", 1, 1)], [100 + number], labels=labels)
    session = ProfileSession(builder.build(), Options(), SavedConfigs(tmp_path / "none.json"))
    tree = session.page("flamegraph", {"tagroot": "route"})["views"]["flamegraph"]
    assert {"(no route)", "without route"} <= set(tree["names"])
