"""A person at the registry's page: with mouse and keyboard, wide and narrow, in light and dark, back and by link."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, urlencode

import pytest

from conduit.metadata.difference import difference
from conduit.web.registry import registry_file
from conduit.web.registry.difference_data import difference_data
from tests.web.conftest import wait_until
from tests.web.registry.conftest import owned_by
from tests.web.test_browser import axe_findings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from playwright.sync_api import Browser, Page

    from conduit.metadata.schema import Metadata

    Visit = Callable[..., Page]


@pytest.fixture(scope="module")
def window(browser: Browser) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": 1400, "height": 900})
    context.set_default_timeout(12_000)
    opened = context.new_page()
    yield opened
    context.close()


@pytest.fixture
def visit(window: Page, address: str) -> Iterator[Visit]:
    """Opens a state of the page; fails on any complaint and any request to elsewhere."""
    problems: list[str] = []

    def complain(error: object) -> None:
        problems.append(str(error))

    def watch(request: object) -> None:
        url = str(getattr(request, "url", ""))
        if not url.startswith((address, "file:", "data:")):
            problems.append(url)

    window.on("pageerror", complain)
    window.on("request", watch)

    def open_state(width: int = 1400, scheme: str = "light", base: str = address, **state: str) -> Page:
        window.set_viewport_size({"width": width, "height": 900})
        window.emulate_media(color_scheme=scheme)  # type: ignore[arg-type]
        window.goto("about:blank")
        window.goto(
            f"{base}#{urlencode(state)}" if base.startswith("file:") else f"{base}/#{urlencode(state)}"
        )
        return window

    yield open_state
    window.remove_listener("pageerror", complain)
    window.remove_listener("request", watch)
    assert problems == []


def texts(page: Page, selector: str) -> list[str]:
    return page.locator(selector).all_inner_texts()


def test_the_keyboard_alone_finds_a_resource_and_comes_back(visit: Visit) -> None:
    page = visit()
    page.keyboard.press("/")
    page.keyboard.type("ordln")
    assert page.locator(".hit-row").first.inner_text().split() == [
        "resource",
        "OrderLine",
        "shop",
        "·",
        "django_model",
    ]
    page.keyboard.press("Enter")
    wait_until(page, "document.querySelector('h2.name')?.textContent === 'OrderLine'")
    assert "name=OrderLine" in page.url
    # The results are gone, so the box names none of them any more.
    assert page.locator("#search").get_attribute("aria-expanded") == "false"
    assert page.locator("#search").get_attribute("aria-activedescendant") is None
    page.go_back()
    wait_until(page, "document.querySelectorAll('.hit-row').length > 0")
    assert page.locator("#search").input_value() == "ordln"


def test_arrows_choose_among_the_results_and_kinds_narrow_them(visit: Visit) -> None:
    page = visit()
    page.keyboard.press("/")
    page.keyboard.type("book")
    page.keyboard.press("ArrowDown")
    assert page.locator("#search").get_attribute("aria-activedescendant") == "hit-1"
    page.get_by_role("button", name=re.compile("^routes ")).click()
    assert {text.split()[0] for text in texts(page, ".hit-row")} == {"route"}
    page.locator(".hit-row", has_text="DELETE").click()
    assert page.locator("h2.name").inner_text() == "DELETE /api/books/{id}/"


def test_a_resource_shows_what_it_holds_who_refers_to_it_and_where_it_stands(visit: Visit) -> None:
    page = visit(view="resource", name="Author")
    assert "A writer of books." in page.locator("#view").inner_text()
    assert texts(page, "[aria-label='Fields'] tbody tr:nth-child(2) td")[:5] == [
        "name", "string", "required", "'anonymous'", "@max(80)",
    ]  # fmt: skip
    assert texts(page, "[aria-label='Referred to by'] tbody tr") == ["Book\tauthor\tbelongs_to\tCASCADE"]
    assert "slugify" in page.locator("[aria-label='Hooks']").inner_text()
    assert "min_length" in page.locator("[aria-label='Validations']").inner_text()
    assert page.locator("[aria-label='Routes'] tbody tr").count() == 3
    page.locator(".one-head .location").click()
    wait_until(page, "document.querySelector('tr.picked') !== null")
    assert page.locator("tr.picked").inner_text().split() == ["4", "class", "Author(models.Model):"]
    assert "# <b>not markup</b>" in page.locator("table.source").inner_text()
    page.go_back()
    wait_until(page, "document.querySelector('h2.name')?.textContent === 'Author'")


def test_the_chain_of_a_deletion_is_drawn_and_leads_on(visit: Visit) -> None:
    page = visit(view="resource", name="Author")
    shown = page.locator("#deletion").inner_text()
    assert (
        "affects 4 resources, deletes rows of 2, is forbidden by 1 relationship"
        in page.locator("#view").inner_text()
    )
    assert re.search(r"Book\s*\.author\s*deleted", shown)
    page.locator("#deletion summary", has_text="of Review").click()
    nested = page.locator("#deletion > li > ul > li > details > ul > li > details > ul > li").inner_text()
    assert re.sub(r"\s+", " ", nested) == "Vote .review key set to null"
    page.locator("#deletion").get_by_role("link", name="OrderLine").click()
    assert page.locator("h2.name").inner_text() == "OrderLine"


def test_missing_steps_are_asked_for_in_words_and_by_a_menu(visit: Visit) -> None:
    page = visit(view="routes")
    page.locator("#route-filter").click()
    page.keyboard.type("POST without auth")
    assert texts(page, "table.routes tbody tr td:nth-child(2)") == ["/api/reviews/"]
    assert page.locator("#route-count").inner_text() == "1 of 6,000 routes"
    assert page.locator("#route-filter").evaluate("box => box === document.activeElement")
    page.locator("#route-filter").fill("")
    page.locator("#route-missing").select_option("auth")
    page.locator("#route-kind").select_option("write")
    assert texts(page, "table.routes tbody tr td:nth-child(2)") == ["/api/reviews/"]
    page.go_back()
    wait_until(page, "document.querySelectorAll('table.routes tbody tr').length === 2")


def test_six_thousand_routes_are_drawn_as_they_are_scrolled_to(visit: Visit) -> None:
    page = visit(view="routes")
    before = page.locator("table.routes tbody tr").count()
    assert before < 1_000
    page.mouse.move(600, 500)
    page.mouse.wheel(0, 20_000)
    wait_until(page, f"document.querySelectorAll('table.routes tbody tr').length > {before}")
    page.get_by_role("button", name="method", exact=True).click()
    assert set(texts(page, "table.routes tbody tr td:nth-child(1)")) == {"DELETE"}
    assert page.locator("th[aria-sort]").get_attribute("aria-sort") == "ascending"


def test_paths_are_a_tree_that_opens_where_the_address_says(visit: Visit) -> None:
    page = visit(view="routes", shape="tree")
    page.locator("#paths summary", has_text="/api").first.click()
    wait_until(page, "location.hash.includes('below')")
    shown = page.locator("#paths").inner_text()
    assert "/authors/" in shown
    page.reload()
    assert "/authors/" in page.locator("#paths").inner_text()
    page.locator("#paths summary", has_text="/books").click()
    page.locator("#paths").get_by_role("link", name="PATCH").first.click()
    assert page.locator("h2.name").inner_text().startswith("PATCH /api/books/")


def test_the_matrix_of_guards_marks_the_route_that_is_not_like_its_group(visit: Visit) -> None:
    page = visit(view="guards")
    sentence = page.locator(".outliers summary", has_text="IsAuthenticated")
    assert sentence.inner_text() == "1 of 6 routes of shop has no IsAuthenticated"
    row = page.locator("table.matrix tbody tr", has_text="shop").first
    assert re.sub(r"\s+", " ", row.inner_text()).startswith("shop 6 5 −1 5 −1 1")
    row.get_by_role("link", name="shop").click()
    assert page.locator("td.outlier").count() == 2
    assert "POST /api/reviews/" in page.locator("tr", has=page.locator("td.outlier")).inner_text()
    page.go_back()
    wait_until(page, "document.querySelectorAll('table.matrix tbody tr').length === 2")


@pytest.mark.parametrize("by", ["app", "resource", "path"])
def test_every_number_of_the_matrix_leads_to_so_many_routes(visit: Visit, by: str) -> None:
    page = visit(view="guards", by=by)
    row = page.locator("table.matrix tbody tr", has=page.locator("td.outlier")).first
    if not row.count():
        row = page.locator("table.matrix tbody tr").first
    total = int(row.locator("td.number a").inner_text())
    links = [(link.get_attribute("href") or "", link.inner_text()) for link in row.locator("td a").all()]
    assert len(links) >= 3
    for href, number in links:
        shown = visit(**dict(parse_qsl(href.removeprefix("#"))))
        counted = shown.locator("#route-count").inner_text().split(" ")[0].replace(",", "")
        assert int(counted) == (total if number == "all" else int(number.lstrip("−"))), href


def test_the_list_of_resources_is_sorted_by_the_heading_clicked(visit: Visit) -> None:
    page = visit(view="resource")
    heading = page.get_by_role("columnheader", name="referred to by")
    heading.get_by_role("button").click()
    rows = page.locator("table.rows tbody tr")
    assert rows.first.inner_text().startswith("Book")  # of Review and of OrderLine
    assert heading.get_attribute("aria-sort") == "descending"
    heading.get_by_role("button").click()
    assert heading.get_attribute("aria-sort") == "ascending"
    assert not rows.first.inner_text().startswith("Book")


def test_what_is_found_and_followed_begins_at_its_top_and_back_returns(visit: Visit) -> None:
    page = visit(view="resource")
    page.locator("table.rows tbody tr a").nth(60).scroll_into_view_if_needed()
    below = page.evaluate("scrollY")
    assert below > 300
    page.keyboard.press("/")
    page.keyboard.type("author")
    wait_until(page, "document.querySelector('#hit-0') !== null && scrollY === 0")
    page.keyboard.press("Enter")
    wait_until(page, "document.querySelector('h2.name')?.textContent === 'Author' && scrollY === 0")


def test_arrows_lead_from_row_to_row(visit: Visit) -> None:
    page = visit(view="resource", app="shop")
    page.get_by_role("link", name="Author", exact=True).focus()
    page.keyboard.press("ArrowDown")
    page.keyboard.press("ArrowDown")
    assert page.evaluate("document.activeElement.textContent") == "Review"
    page.keyboard.press("Enter")
    assert page.locator("h2.name").inner_text() == "Review"


def test_names_that_the_document_lacks_are_told(visit: Visit) -> None:
    page = visit(view="resource", name="Autor")
    assert "The document has no resource Autor." in page.locator("#view").inner_text()
    page = visit(view="source", file="0", line="1")
    wait_until(page, "document.querySelector('.listing, .empty') !== null")
    page = visit(view="source", file="1", line="1")
    wait_until(page, "document.querySelector('.empty') !== null")
    assert "No such file" in page.locator(".empty").inner_text()


def test_the_single_file_needs_no_server(visit: Visit, large: Metadata, tmp_path: Path) -> None:
    path = tmp_path / "shop.html"
    path.write_bytes(registry_file(large, "shop"))
    page = visit(base=path.as_uri(), view="resource", name="Book")
    assert page.locator("h2.name").inner_text() == "Book"
    assert page.locator("a.location").count() == 0  # there is no server to ask for the file
    page.keyboard.press("/")
    page.keyboard.type("vote")
    page.keyboard.press("Enter")
    wait_until(page, "document.querySelector('h2.name')?.textContent === 'Vote'")


STATES: tuple[dict[str, str], ...] = (
    {},
    {"view": "find", "q": "book"},
    {"view": "resource"},
    {"view": "resource", "name": "Author"},
    {"view": "routes", "q": "in shop"},
    {"view": "routes", "shape": "tree"},
    {"view": "route", "route": "POST /api/authors/"},
    {"view": "route", "route": "GET /admin/shop/"},
    {"view": "tasks"},
    {"view": "guards"},
    {"view": "guards", "group": "shop"},
)


# The labels of the tables of rows that scroll sideways: a matrix and a source may, a list of rows may not.
SIDEWAYS = """[...document.querySelectorAll(".scroll:has(> table.stack)")]
    .filter((region) => region.scrollWidth > region.clientWidth).map((region) => region.ariaLabel)"""


def test_in_a_narrow_window_the_rows_of_a_table_stand_in_lines_and_can_still_be_sorted(visit: Visit) -> None:
    page = visit(width=390, view="routes", q="in shop")
    row = page.locator("table.routes tbody tr").first
    lefts = row.locator("td").evaluate_all("cells => cells.map((cell) => cell.getBoundingClientRect().left)")
    assert max(lefts) < 390
    tops = row.locator("td").evaluate_all("cells => cells.map((cell) => cell.getBoundingClientRect().top)")
    assert tops[0] == pytest.approx(tops[1], abs=4) and tops[2] > tops[1] + 10
    page.get_by_role("button", name="path", exact=True).click()
    paths = texts(page, "table.routes td.path")
    assert paths == sorted(paths)
    page = visit(width=390, view="resource", name="Author")
    label = "getComputedStyle(document.querySelector('[aria-label=Fields] td[data-label=default]'), '::before').content"
    assert "default" in page.evaluate(label)
    assert page.get_by_role("table").first.get_by_role("row").count() > 2


@pytest.mark.parametrize(("width", "scheme"), [(1400, "light"), (390, "dark")])
def test_nothing_is_wider_than_the_window_and_axe_finds_nothing(
    visit: Visit, width: int, scheme: str
) -> None:
    for state in STATES:
        page = visit(width=width, scheme=scheme, **state)
        assert page.evaluate("document.documentElement.scrollWidth") <= width, state
        assert page.evaluate(SIDEWAYS) == [], state
        assert axe_findings(page) == [], state


@pytest.fixture(scope="module")
def compared(large: Metadata, tmp_path_factory: pytest.TempPathFactory) -> str:
    """The page beside an older document, in which reviews were guarded and books outlived their authors, with costs."""
    from msgspec.structs import replace

    resources, routes = list(large.resources), list(large.routes)
    resources[1] = replace(resources[1], relationships=(owned_by("Author", "author", "SET_NULL"),))
    routes[7] = replace(routes[7], middleware=("IsAuthenticated",))
    old = replace(large, resources=tuple(resources), routes=tuple(routes))
    found = difference_data(difference(old, large), "old.json", "| Markdown |\n")
    column = {
        "title": "CPU", "type": "cpu", "file": "cpu.prof", "profile": 0, "total": "440ms",
        "routes": {"GET /api/books/": [300, "300ms", "68.18%"], "POST /api/books/": [100, "100ms", "22.73%"]},
        "resources": {"Book": [400, "400ms", "90.91%"]},
        "others": {"(no route)": [40, "40ms", "9.09%"]},
    }  # fmt: skip
    path = tmp_path_factory.mktemp("compared") / "page.html"
    path.write_bytes(registry_file(large, "shop", difference=found, costs={"columns": [column]}))
    return path.as_uri()


def test_a_loosened_guard_and_a_longer_deletion_stand_first(visit: Visit, compared: str) -> None:
    page = visit(base=compared, view="difference")
    assert texts(page, "ul.risks li") == [
        "less guarded POST /api/reviews/ lost IsAuthenticated",
        "Author: deleting a row of Author now also deletes rows of Book, Review, is now forbidden by OrderLine.book",
    ]
    assert "Book.author" in page.locator("[aria-label='Changes']").inner_text()
    page.locator(".markdown summary").click()
    assert page.locator("#markdown").input_value() == "| Markdown |\n"
    page.locator("ul.risks").get_by_role("link", name="Author", exact=True).click()
    assert page.locator("h2.name").inner_text() == "Author"


def test_costs_stand_beside_routes_and_resources_and_lead_to_the_profile(visit: Visit, compared: str) -> None:
    page = visit(base=compared, view="cost")
    assert texts(page, "table.cost tbody tr td:nth-child(2)") == [
        "300ms 68.18%",
        "100ms 22.73%",
        "40ms 9.09%",
    ]
    assert "-tagfocus=route=^GET /api/books/$" in page.locator("table.cost code").first.inner_text()
    page.get_by_role("link", name="by resource").click()
    assert texts(page, "table.cost tbody tr") == ["Book\t400ms 90.91%"]
    page.get_by_role("link", name="Book").click()
    assert "CPU: 400ms 90.91% of 440ms" in page.locator("p.cost").inner_text()
    page = visit(base=compared, view="routes", sort="cost0")
    assert texts(page, "table.routes tbody tr td.number")[:2] == ["300ms 68.18%", "100ms 22.73%"]


@pytest.mark.parametrize("view", ["difference", "cost"])
def test_axe_finds_nothing_beside_an_older_document(visit: Visit, compared: str, view: str) -> None:
    page = visit(base=compared, width=390, scheme="dark", view=view)
    assert page.evaluate("document.documentElement.scrollWidth") <= 390
    assert page.evaluate(SIDEWAYS) == []
    assert axe_findings(page) == []
