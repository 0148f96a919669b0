"""Rows that are lines of code: what is selected in them leads to their function everywhere."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from conduit.profile.builder import ProfileBuilder
from conduit.profile.model import ValueType
from conduit.report.options import Options
from conduit.web.configs import SavedConfigs
from conduit.web.session import ProfileSession
from tests.web.conftest import wait_until

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from conduit.profile.model import Profile
    from tests.web.conftest import Visitor

    Serve = Callable[..., str]


def shop_profile() -> Profile:
    """One function with two lines, and another that calls it; the folder has a blank in its name."""
    builder = ProfileBuilder([ValueType("cpu", "nanoseconds")])
    for line, value in ((18, 500), (19, 300)):
        builder.add(
            [("shop.total", "/srv/my shop/a.py", line, 17), ("shop.view", "/srv/my shop/b.py", 4, 3)],
            [value * 10**6],
            labels={"route": f"/{line}"},
        )
    builder.add([("shop.idle", "/srv/my shop/b.py", 9, 8)], [200 * 10**6])
    return builder.build()


def data_of(tmp_path: Path, view: str, **parameters: str) -> Any:
    session = ProfileSession(shop_profile(), Options(), SavedConfigs(tmp_path / "none.json"))
    return session.page(view, parameters)["views"][view]


def test_rows_that_are_lines_name_their_function_and_those_that_are_functions_need_not(
    tmp_path: Path,
) -> None:
    rows = data_of(tmp_path, "top", g="lines")["rows"]
    assert (rows[0]["name"], rows[0]["function"]) == ("shop.total /srv/my shop/a.py:18", "shop.total")
    assert {row["function"] for row in data_of(tmp_path, "top")["rows"]} == {None}
    by_label = data_of(tmp_path, "labels", g="lines", label="route")["top"]["rows"]
    assert by_label[0]["function"] == "shop.total"


def test_focus_on_a_line_of_top_keeps_the_stacks_of_its_function(serve: Serve, visitor: Visitor) -> None:
    page = visitor.open(f"{serve(shop_profile())}/ui/top?g=lines", width=1400)
    page.locator("table.top tbody tr", has_text="a.py:18").click()
    page.locator("#picked").get_by_role("button", name="Focus").click()
    page.locator(".filters .chip").wait_for()
    assert page.locator(".filters .chip").inner_text().startswith("focus: shop.total")
    names = page.locator("table.top tbody td:last-child").all_inner_texts()
    assert "shop.total /srv/my shop/a.py:18" in names
    assert not any("shop.idle" in name for name in names)


def test_a_line_of_top_leads_to_the_source_and_the_callers_of_its_function(
    serve: Serve, visitor: Visitor
) -> None:
    url = f"{serve(shop_profile())}/ui/top?g=lines"
    page = visitor.open(url, width=1400)
    page.locator("table.top tbody tr", has_text="a.py:18").click()
    page.locator("#picked").get_by_role("link", name="Source").click()
    page.get_by_text("shop.total").first.wait_for()
    assert page.locator("#refused").inner_text() == ""
    page = visitor.open(url, width=1400)
    page.locator("table.top tbody tr", has_text="a.py:18").click()
    page.locator(".views a[data-view=peek]").click()
    wait_until(page, "document.querySelector('pre.text')?.textContent.includes('shop.view')")
    assert page.locator("#refused").inner_text() == ""


def test_a_place_at_the_end_of_a_name_may_hold_a_column(serve: Serve, visitor: Visitor) -> None:
    page = visitor.open(f"{serve(shop_profile())}/ui/top", width=1400)
    forms = ["shop.total:18:4", "shop.total:18", "shop.total"]
    assert page.evaluate("(all) => all.map(Conduit.flameTree.bare)", forms) == ["shop.total"] * 3
    patterns = ["^shop\\.total:18:4$", "^shop\\.total:18$", "^shop\\.total$"]
    assert (
        page.evaluate("(all) => all.map(Conduit.flameTree.bareExpression)", patterns)
        == ["^shop\\.total$"] * 3
    )
