"""Work that the first picture does not need comes after it: the page is seen sooner."""

from __future__ import annotations

from typing import TYPE_CHECKING

from tests.web.conftest import profile_named

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.web.conftest import Visitor

    Serve = Callable[..., str]


def test_the_page_is_laid_out_few_times_before_it_rests(serve: Serve, visitor: Visitor) -> None:
    url = f"{serve(profile_named('py.cpu'))}/ui/flamegraph"
    page = visitor.open(url, width=1400)
    session = page.context.new_cdp_session(page)
    session.send("Performance.enable")

    def layouts() -> int:
        metrics = session.send("Performance.getMetrics")["metrics"]
        return next(int(one["value"]) for one in metrics if one["name"] == "LayoutCount")

    before = layouts()
    page.reload()
    page.locator(".box").nth(2).wait_for()
    assert layouts() - before <= 7  # each measurement after a change would be one more


def test_no_table_of_languages_is_loaded_for_the_first_picture(serve: Serve, visitor: Visitor) -> None:
    page = visitor.open(f"{serve(profile_named('py.cpu'))}/ui/top", width=1400)
    page.evaluate("""() => { window.asked = 0; const spell = Number.prototype.toLocaleString;
        Number.prototype.toLocaleString = function (...all) { window.asked += 1; return spell.apply(this, all); }; }""")
    page.get_by_role("link", name="Flame graph", exact=True).first.click()
    page.locator(".box").nth(2).wait_for()
    assert page.evaluate("() => window.asked") == 0
    assert page.evaluate("() => [0, 999, 1000, 1234567].map(Conduit.frame.thousands)") == [
        "0",
        "999",
        "1,000",
        "1,234,567",
    ]
