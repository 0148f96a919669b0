"""What stopped readers on the way from a profile to its cause, by a real mouse at each width, light and dark."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from conduit.profile.builder import ProfileBuilder
from conduit.profile.model import ValueType

from .conftest import SCREENSHOTS
from .test_browser import axe_findings
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
