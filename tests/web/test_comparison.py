"""Before and after: the table of changes, one picture of the difference, two pictures in step, equal totals."""

from __future__ import annotations

import re
import shutil
from typing import TYPE_CHECKING, Any

import pytest

from conduit.profile.builder import ProfileBuilder
from conduit.profile.merge import difference
from conduit.profile.model import ValueType
from conduit.report.options import Options
from conduit.web import single_file_report
from conduit.web.application import ViewError
from conduit.web.comparison import change_text
from conduit.web.configs import SavedConfigs
from conduit.web.session import ProfileSession
from tests.web.conftest import place_of, places_of_boxes, wait_for, wait_until

from .conftest import SCREENSHOTS
from .test_browser import axe_findings
from .test_flame_graph import colour_at

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from playwright.sync_api import Page

    from conduit.profile.model import Profile

    from .conftest import Visitor

    Serve = Callable[..., str]

LIBRARIES = "/srv/.venv/lib/python3.11/site-packages"


def recorded(**amounts: int) -> Profile:
    """`main` calls every function named, for so many milliseconds."""
    builder = ProfileBuilder([ValueType("cpu", "nanoseconds")])
    for name, amount in amounts.items():
        if amount:
            builder.add([(name, "/srv/a.py", 1, 1), ("main", "/srv/a.py", 9, 8)], [amount * 10**6])
    return builder.build()


def profile_of(stack: tuple[tuple[str, str], ...], amount: int) -> Profile:
    """One stack of (function, file), leaf first, for so many milliseconds."""
    builder = ProfileBuilder([ValueType("cpu", "nanoseconds")])
    builder.add([(name, file, 1, 1) for name, file in stack], [amount * 10**6])
    return builder.build()


def compared() -> Profile:
    before, after = recorded(slower=100, faster=200, old=50), recorded(slower=300, faster=100, new=300)
    return difference(after, before, mark_base=True)


def changes(tmp_path: Path, profile: Profile, **parameters: str) -> dict[str, Any]:
    session = ProfileSession(profile, Options(), SavedConfigs(tmp_path / "none.json"))
    content: dict[str, Any] = session.page("changes", parameters)["views"]["changes"]
    return content


def table(content: dict[str, Any], key: str = "flat") -> dict[str, tuple[str, ...]]:
    return {
        row["name"].split()[0]: tuple(row[key][part] for part in ("before", "after", "change", "percent"))
        for row in content["rows"]
    }


@pytest.mark.parametrize(
    ("before", "after", "text"),
    [
        (0, 5, "new"),
        (5, 0, "gone"),
        (5, 5, "0%"),
        (10**9, 10**9 + 110, "+<0.01%"),
        (10**9, 10**9 - 110, "-<0.01%"),
        (10**6, 10**6 + 100, "+0.01%"),
        (200, 300, "+50.00%"),
    ],
)
def test_a_change_is_a_share_of_before_and_a_tiny_one_has_no_exponent(
    before: int, after: int, text: str
) -> None:
    assert change_text(before, after) == text


@pytest.mark.parametrize("graphviz", [True, False])
def test_a_graph_without_a_function_whose_changes_cancel_out_has_no_edge_to_it(
    graphviz: bool, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    if not graphviz:
        monkeypatch.setenv("PATH", str(tmp_path))
    elif shutil.which("dot") is None:
        pytest.skip("Graphviz is not installed")
    places = [(name, "/srv/a.py", line, line) for line, name in enumerate(("leaf", "work", "main"), 1)]
    builder = ProfileBuilder([ValueType("cpu", "nanoseconds")])
    builder.add(places[1:], [1000])
    builder.add(places, [50], {"route": "/old"})
    builder.add(places, [-50], {"route": "/new"})
    session = ProfileSession(builder.build(), Options(), SavedConfigs(tmp_path / "none.json"))
    graph = session.page("graph", {})["views"]["graph"]
    assert list(graph["names"].values()) == ["work", "main"]
    if graphviz:
        assert set(re.findall(r"<title>(N\d+(?:&#45;&gt;N\d+)?)</title>", graph["svg"])) == {
            "N1",
            "N2",
            "N2&#45;&gt;N1",
        }
    else:
        assert [(edge["from"], edge["to"]) for edge in graph["edges"]] == [(1, 0)]


def test_what_changed_most_stands_first_with_both_amounts(tmp_path: Path) -> None:
    content = changes(tmp_path, compared())
    assert table(content) == {
        "new": ("0", "300ms", "+300ms", "new"),
        "slower": ("100ms", "300ms", "+200ms", "+200.00%"),
        "faster": ("200ms", "100ms", "-100ms", "-50.00%"),
        "old": ("50ms", "0", "-50ms", "gone"),
        "main": ("0", "0", "0", "0%"),
    }
    assert [row["name"].split()[0] for row in content["rows"]][:3] == ["new", "slower", "faster"]
    assert table(content, "cum")["main"] == ("350ms", "700ms", "+350ms", "+100%")
    assert (content["before"], content["after"], content["normalised"]) == ("350ms", "700ms", False)


def counted(encode: int, view: int) -> Profile:
    """A framework that calls a function of its own and one of the project, in samples of 10 ms."""
    builder = ProfileBuilder([ValueType("samples", "count"), ValueType("cpu", "nanoseconds")])
    run = ("lib.run", f"{LIBRARIES}/lib.py", 2, 1)
    for name, file, count in (
        ("lib.encode", f"{LIBRARIES}/lib.py", encode),
        ("app.view", "/srv/app.py", view),
    ):
        builder.add([(name, file, 8, 7), run], [count, count * 10**7])
    return builder.build()


def test_where_no_change_on_show_is_certain_the_page_says_which_others_are(
    serve: Serve, visitor: Visitor
) -> None:
    profile = difference(counted(300, 4), counted(100, 2), mark_base=True)
    page = visitor.open(f"{serve(profile)}/ui/changes", width=1400)
    page.get_by_text(
        "More than chance: none of these, 1 under “Self”, 2 under “Total, with callees”."
    ).wait_for()
    page.get_by_text("Amounts: each of your functions, with the libraries").wait_for()
    page.get_by_role("button", name="Self", exact=True).click()
    page.get_by_text("Amounts: each function itself.").wait_for()
    assert not page.get_by_text("More than chance").is_visible()


def test_with_equal_totals_a_change_is_one_of_the_share(tmp_path: Path) -> None:
    content = changes(tmp_path, compared(), norm="t")
    assert (content["before"], content["after"], content["normalised"]) == ("350ms", "350ms", True)
    assert table(content)["slower"] == ("100ms", "150ms", "+50ms", "+50.00%")
    assert table(content)["faster"] == ("200ms", "50ms", "-150ms", "-75.00%")


def test_the_first_line_of_a_comparison_has_both_totals(tmp_path: Path) -> None:
    session = ProfileSession(compared(), Options(), SavedConfigs(tmp_path / "none.json"))
    assert session.page("top", {})["facts"] == ["cpu: 350ms before, 700ms after (+100%)"]


def test_a_difference_with_unmarked_sides_has_the_sums_of_its_increases_and_decreases(tmp_path: Path) -> None:
    before, after = recorded(slower=100, faster=200, old=50), recorded(slower=300, faster=100, new=300)
    session = ProfileSession(difference(after, before), Options(), SavedConfigs(tmp_path / "none.json"))
    facts = session.page("top", {})["facts"]
    assert facts == ["cpu: +500ms in stacks that grew, -150ms in others (+350ms in all)"]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1400, 700, 390])
def test_a_difference_says_what_its_colours_and_signs_mean(
    serve: Serve, visitor: Visitor, width: int, scheme: str
) -> None:
    page = visitor.open(f"{serve(compared())}/ui/flamegraph?table=t", width=width, scheme=scheme)
    page.get_by_title("Help").click()
    help_text = page.locator(".help p").first.inner_text()
    assert help_text.startswith("Width = before and after added up. Grey: what both have.")
    page.get_by_title("Help").click()
    # 100 ms before and 300 after: half of the box is the change, and half is in both.
    drawn = place_of(page, "slower")
    sides = [colour_at(page, drawn["x"] + drawn["width"] * part, drawn["y"] + 3) for part in (0.46, 0.54)]
    assert sides[0] != sides[1]
    assert page.locator(".keys .meaning").all_inner_texts() == ["grew", "shrank", "in both"]
    heads = page.locator("table.functions thead th").all_inner_texts()
    assert [head.split("\n")[0].strip() for head in heads] == ["Self change", "Total change", "Function"]
    rows = dict(
        zip(
            page.locator("table.functions td:last-child").all_inner_texts(),
            page.locator("table.functions td:first-child").all_inner_texts(),
            strict=True,
        )
    )
    assert rows["slower"].split() == ["+200ms+57.14%"] or rows["slower"].split() == ["+200ms", "+57.14%"]
    assert rows["faster"].startswith("-100ms")
    assert "-28.57%" in rows["faster"]
    assert page.get_by_role("link", name="Changes").is_visible()
    box = page.get_by_role("link", name="Changes").bounding_box()
    assert box
    assert box["x"] + box["width"] < width  # not beyond the edge of the narrow window
    page.screenshot(path=str(SCREENSHOTS / f"difference-{width}-{scheme}.png"))
    assert axe_findings(page) == []


def test_two_pictures_come_back_after_a_look_at_the_table(serve: Serve, visitor: Visitor) -> None:
    page = visitor.open(f"{serve(compared())}/ui/flamegraph", width=1400)
    page.get_by_role("button", name="Lines", exact=True).click()
    page.locator('.box[aria-label^="slower:"]').click()
    heads = page.locator(".drawer th")  # amounts of a comparison are changes
    heads.first.wait_for()
    assert heads.all_inner_texts()[:2] == ["Self change", "Total change"]
    assert page.locator(".drawer tr.hot td").all_inner_texts()[:2] == ["+200ms", "+200ms"]
    page.keyboard.press("Escape")
    page.get_by_role("button", name="Two pictures").click()
    page.wait_for_url("**pictures=two*")
    page.get_by_role("link", name="Changes").click()
    page.locator(".totals").wait_for()
    page.get_by_role("link", name="Flame graph").click()
    wait_until(page, """document.querySelectorAll('.box[aria-label^="slower:"]').length === 2""")


def test_only_ones_own_code_is_compared_on_request(serve: Serve, visitor: Visitor) -> None:
    before, after = (
        profile_of((("dumps", f"{LIBRARIES}/json5.py"), ("view", "/srv/shop/views.py")), amount)
        for amount in (100, 160)
    )
    page = visitor.open(f"{serve(difference(after, before, mark_base=True))}/ui/flamegraph", width=1400)
    page.locator('.box[aria-label^="dumps:"]').wait_for()
    page.get_by_role("button", name="Only your code").click()
    page.wait_for_url("**mine=t*")
    wait_until(page, """document.querySelector('.box[aria-label^="dumps:"]') === null""")
    label = page.locator('.box[aria-label^="view:"]').get_attribute("aria-label")
    assert label == "view: 100ms → 160ms, +60.00%"
    assert page.locator("table.functions tbody tr").all_inner_texts() == ["+60ms+60.00%\t+60ms+60.00%\tview"]
    page.get_by_role("button", name="Two pictures").click()
    page.get_by_role("link", name="Changes").click()
    page.get_by_role("button", name="Self", exact=True).click()
    page.get_by_role("link", name="dumps").click()  # what it hides: it gives way
    wait_until(page, """document.querySelectorAll('.box.pivot[aria-label^="dumps:"]').length === 2""")
    assert page.locator(".remark").inner_text() == "“Only your code” is off: dumps is not your code."


def test_filters_hold_for_both_sides(tmp_path: Path) -> None:
    assert set(table(changes(tmp_path, compared(), f="er$"))) == {"slower", "faster", "main"}


def test_without_a_base_the_view_says_how_to_get_one(tmp_path: Path) -> None:
    with pytest.raises(ViewError, match="-diff_base=OLD"):
        changes(tmp_path, recorded(a=1))


def place(page: Page, name: str, pane: int) -> dict[str, float]:
    found = [box for label, box in places_of_boxes(page) if label.startswith(f"{name}:")]
    return sorted(found, key=lambda box: box["x"])[pane]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1400, 700, 390])
def test_two_pictures_move_in_step_and_share_one_scale(
    serve: Serve, visitor: Visitor, width: int, scheme: str
) -> None:
    page = visitor.open(f"{serve(compared())}/ui/flamegraph?table=f", width=width, scheme=scheme)
    page.get_by_role("button", name="Two pictures").click()
    wait_until(page, """document.querySelectorAll('.box[aria-label^="slower:"]').length === 2""")
    assert "pictures=two" in page.url
    before, after = place(page, "slower", 0), place(page, "slower", 1)
    assert after["width"] / before["width"] == pytest.approx(3, rel=0.1)  # 100 ms and 300 ms, in one scale
    assert before["y"] == after["y"]
    page.mouse.move(after["x"] + 5, after["y"] + 8)
    page.locator(".detail", has_text="100ms → 300ms, +200").wait_for()
    page.screenshot(path=str(SCREENSHOTS / f"two-pictures-{width}-{scheme}.png"))
    page.keyboard.down("Control")
    page.mouse.wheel(0, -200)
    page.keyboard.up("Control")
    page.wait_for_url("**z=*")
    wait_for(page, lambda: place(page, "slower", 0)["width"] > before["width"] * 1.3)
    page.keyboard.press("Escape")
    page.locator('.box[aria-label^="slower:"]').last.click()
    page.wait_for_url("**p=*")
    assert page.locator(".box.pivot").count() == 2
    heads = page.locator(".sides span")  # which is which, with a function selected, too
    assert heads.all_inner_texts() == ["Before: 100ms", "After: 300ms"]
    named = page.locator(".detail .name").bounding_box()
    assert named
    assert named["width"] > 150
    lines = page.locator(".detail > :not([hidden])").evaluate_all(
        "all => all.slice(1).map((one) => one.offsetTop)"
    )
    assert max(lines) - min(lines) < 20  # numbers and buttons stand beside each other
    page.screenshot(path=str(SCREENSHOTS / f"two-pictures-selected-{width}-{scheme}.png"))
    again = visitor.open(page.url, width=width, scheme=scheme)
    assert again.locator(".box.pivot").count() == 2


def test_the_lines_of_a_function_that_did_not_change_are_said_to_have_no_change(
    serve: Serve, visitor: Visitor
) -> None:
    profile = difference(recorded(still=50, grew=90), recorded(still=50, grew=60), mark_base=True)
    page = visitor.open(f"{serve(profile)}/ui/flamegraph?p=^still$&lines=t", width=1400)
    page.get_by_text("No line of this function changed.").wait_for()


def test_whether_totals_were_made_equal_is_said_and_changed_by_a_link(serve: Serve, visitor: Visitor) -> None:
    page = visitor.open(f"{serve(compared())}/ui/changes", width=1400)
    assert "Totals are as recorded" in page.locator(".totals").inner_text()
    assert "350ms before, 700ms after (+100%)" in page.locator(".totals").inner_text()
    page.locator("#menu-show > summary").click()
    assert page.get_by_role("link", name="make totals equal").count() == 2  # in the menu and in the view
    page.keyboard.press("Escape")
    page.locator(".totals").get_by_role("link", name="Make totals equal").click()
    page.get_by_text("Totals are made equal: ").wait_for()
    page.get_by_role("button", name="With callees").click()
    assert "by=cum" in page.url
    page.screenshot(path=str(SCREENSHOTS / "changes.png"))
    assert axe_findings(page) == []
    page.get_by_role("link", name="Flame graph").click()
    page.get_by_role("link", name="Show totals as recorded").wait_for()


def test_a_page_without_a_base_has_no_changes(serve: Serve, visitor: Visitor) -> None:
    page = visitor.open(f"{serve(recorded(a=1))}/ui/top")
    assert not page.get_by_role("link", name="Changes").is_visible()


def test_one_file_holds_the_changes_and_both_pictures(visitor: Visitor, tmp_path: Path) -> None:
    path = tmp_path / "report.html"
    path.write_bytes(single_file_report(compared(), Options(), lambda _: None))
    page = visitor.open(path.as_uri())
    page.get_by_role("button", name="Two pictures").click()
    wait_until(page, """document.querySelectorAll('.box[aria-label^="slower:"]').length === 2""")
    page.get_by_role("link", name="Changes").click()
    page.get_by_role("cell", name="+300ms").wait_for()


@pytest.mark.parametrize("width", [1400, 390])
def test_top_of_a_comparison_has_the_sign_of_each_change_as_the_table_beside_the_picture_has(
    serve: Serve, visitor: Visitor, width: int
) -> None:
    url = serve(compared())
    page = visitor.open(f"{url}/ui/top", width=width)
    rows = page.locator("table.top tbody tr").evaluate_all(
        "all => all.map((row) => [...row.cells].map((cell) => cell.firstChild?.textContent ?? ''))"
    )
    found = {row[5]: (row[0], row[1], row[3]) for row in rows}
    assert found["new"] == ("+300ms", "+85.71%", "+300ms")
    assert found["faster"] == ("-100ms", "-28.57%", "-100ms")
    assert found["main"][0] == "0"
    alone = visitor.open(f"{serve(recorded(slower=100))}/ui/top", width=width)
    assert "+" not in alone.locator("table.top tbody").inner_text()


def test_no_two_controls_of_the_flame_graph_have_one_name(serve: Serve, visitor: Visitor) -> None:
    page = visitor.open(f"{serve(compared())}/ui/flamegraph?p=^new$", width=1400)
    page.locator(".box.pivot").wait_for()
    names: list[str] = page.locator(
        "header a:visible, header summary:visible, .explain :is(a, button):visible"
    ).evaluate_all("all => all.map((one) => one.textContent.trim()).filter(Boolean)")
    assert "Source" in names
    assert "Lines" in names
    assert len(names) == len(set(names))
