"""Labels as facets, sample types as tabs, and the page's first line."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from conduit.profile.builder import ProfileBuilder
from conduit.profile.model import ValueType
from conduit.report.options import Options
from conduit.web.configs import SavedConfigs
from conduit.web.session import ProfileSession

from .conftest import SCREENSHOTS, profile_named, wait_until

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

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
    assert top["columns"] == ["/orders", "/a=b,c", "(none)"]
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


def test_the_first_line_tells_when_for_how_long_and_how_much(tmp_path: Path) -> None:
    profile = requests_profile()
    profile.comments.append("3 samples were lost")
    session = ProfileSession(profile, Options(), SavedConfigs(tmp_path / "none.json"))
    page = session.page("top", {})
    date, *rest = page["facts"]
    assert date.startswith("2026-09-")
    assert rest == ["2s recorded", "1us cpu in all"]
    assert page["notes"] == ["3 samples were lost"]


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
    page.get_by_role("button", name="Source", exact=True).click()
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
