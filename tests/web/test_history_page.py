"""The history page: numbers survive the way into it, and a person finds the commit with mouse and keyboard."""

from __future__ import annotations

import base64
import hashlib
import json
import random
import re
from array import array
from typing import TYPE_CHECKING

import pytest

from conduit.history.findings import find_all
from conduit.history.series import Point, Series, SeriesKey, read_history
from conduit.history.store import StoredRun
from conduit.web.history_page import history_file, page_data
from tests.web.conftest import wait_until
from tests.web.test_browser import axe_findings

if TYPE_CHECKING:
    from pathlib import Path

    from playwright.sync_api import Browser, Page

    from tests.web.conftest import Visitor

COMMITS = [hashlib.sha1(str(number).encode()).hexdigest() for number in range(120)]


def series_of(name: str, values: list[float], unit: str = "sec/op") -> Series:
    points = [
        Point(
            commit,
            f"2026-0{1 + number // 20}-{1 + number % 20:02}T00:00:00Z",
            value,
            value * 0.99,
            value * 1.02,
            5,
            "3.13.1",
            "abc",
            (),
        )
        for number, (commit, value) in enumerate(zip(COMMITS, values, strict=False))
    ]
    return Series(SeriesKey(name, unit, "linux amd64", "3.13"), tuple(points))


def stepped(factor: float, seed: int = 1) -> list[float]:
    rng = random.Random(seed)
    return [2e-6 * (1 + rng.gauss(0, 0.005)) * (factor if number >= 80 else 1) for number in range(120)]


@pytest.fixture(scope="module")
def series() -> list[Series]:
    return [
        series_of("shop:Steady-2", stepped(1)),
        series_of("shop:Slower-2", stepped(1.2, seed=2)),
        series_of("shop:Slower-2", [3.0] * 120, "allocs/op"),
    ]


@pytest.fixture
def page(visitor: Visitor, series: list[Series], tmp_path: Path) -> Page:
    file = tmp_path / "history.html"
    subjects = {COMMITS[80]: "prices are <b>looked up</b> again"}
    file.write_bytes(history_file("shop: benchmark history", series, find_all(series), subjects))
    return visitor.open(file.as_uri(), width=1400, height=850)


def test_values_and_intervals_are_in_the_page_to_the_last_part_in_ten_thousand(series: list[Series]) -> None:
    data = page_data("title", series, find_all(series), {})
    row = data["series"][1]
    values = array("f", base64.b64decode(row["values"]))
    assert list(values) == pytest.approx(series[1].values, rel=1e-6)
    span = array("H", base64.b64decode(row["span"]))
    assert (span[0], span[1]) == (100, 200)
    assert [
        data["commits"][at]["id"] for at in array("I", base64.b64decode(data["commit_sets"][row["commits"]]))
    ] == COMMITS
    (step,) = row["steps"]
    assert (step["position"], step["direction"], step["first_commit"]) == (80, "worse", COMMITS[80])


def test_series_of_the_same_commits_share_one_list_of_them(series: list[Series]) -> None:
    assert len(page_data("title", series, [], {})["commit_sets"]) == 1


def test_the_document_names_no_other_and_lets_only_its_own_scripts_run(series: list[Series]) -> None:
    text = history_file(
        "</script><b>", series, [], {COMMITS[0]: "</script><script>alert(1)</script>"}
    ).decode()
    assert "default-src 'none'" in text
    assert "<script>alert" not in text
    data = re.search(r'id="data">(.*?)</script>', text, re.DOTALL)
    assert data is not None
    assert json.loads(data[1])["commits"][0]["subject"] == "</script><script>alert(1)</script>"


def test_what_moved_comes_first_and_the_filters_count_what_is_left(page: Page) -> None:
    assert page.locator(".tile-name").all_inner_texts()[0] == "shop:Slower-2"
    assert "+20" in page.locator(".tile-step .worse").inner_text()
    assert "shows steps from" in page.locator(".tile-step").first.inner_text()
    page.keyboard.press("/")
    page.keyboard.type("steady")
    assert page.locator(".tile").count() == 1
    assert page.locator("#matched").inner_text() == "1 of 3"
    page.locator("#filter").fill("")
    page.locator("#unit").select_option("allocs/op")
    assert page.locator(".tile").count() == 1
    assert "unit=allocs" in page.url


def test_a_picture_that_a_filter_took_away_after_it_was_seen_is_passed_over(
    browser: Browser, series: list[Series], tmp_path: Path
) -> None:
    file = tmp_path / "history.html"
    longer = series_of("shop:Longer-2", [2e-6] * 120)
    file.write_bytes(history_file("shop: benchmark history", [*series, longer], [], {}))
    page = browser.new_page()
    problems: list[str] = []
    page.on("pageerror", lambda error: problems.append(str(error)))
    # The browser tells of what it saw one task later; here the test is the browser.
    page.add_init_script(
        """window.IntersectionObserver = class {
             constructor(tell) { window.tell = tell; this.observed = []; window.seen = this.observed; }
             observe(element) { this.observed.push(element); }
           }"""
    )
    page.goto(file.as_uri())
    page.evaluate(
        """() => {
             const [gone, kept] = window.seen;
             gone.remove();
             window.tell([gone, kept].map((target) => ({ target, isIntersecting: true })));
           }"""
    )
    assert page.evaluate("window.seen[1].width") > 100
    page.close()
    assert not problems


def test_the_pointer_names_the_commit_below_it_and_two_clicks_compare(page: Page) -> None:
    page.locator(".tile", has_text="+20").click()
    chart = page.locator("#chart")
    box = chart.bounding_box()
    assert box is not None
    page.mouse.move(box["x"] + 90, box["y"] + box["height"] / 2)
    assert (
        COMMITS[0][:10] in page.locator("#under").inner_text()
        or COMMITS[1][:10] in page.locator("#under").inner_text()
    )
    page.mouse.click(box["x"] + 100, box["y"] + box["height"] / 2)
    page.mouse.click(box["x"] + box["width"] - 20, box["y"] + box["height"] / 2)
    rows = page.locator("#comparison-body tr").all_inner_texts()
    assert len(rows) == 3
    picked = page.locator("#comparison-body tr.picked").inner_text()
    assert re.search(r"\+(19|20)\.\d\d%", picked)
    assert "intervals apart" in picked
    assert "conduit history compare" in page.locator("#comparison-command").inner_text()
    page.reload()
    assert page.locator("#comparison").is_visible()
    page.go_back()
    wait_until(page, "document.getElementById('comparison').hidden")


def test_the_keyboard_alone_finds_the_commit_of_a_step(page: Page) -> None:
    page.locator(".tile", has_text="+20").focus()
    page.keyboard.press("Enter")
    page.locator("#chart").focus()
    page.keyboard.press("Home")
    for _ in range(8):
        page.keyboard.press("PageDown")
    said = page.locator("#under").inner_text()
    assert COMMITS[80][:10] in said
    assert "prices are <b>looked up</b> again" in said
    page.keyboard.press("Escape")
    assert page.locator("#overview").is_visible()


@pytest.mark.parametrize("width", [1400, 700, 390])
@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_nothing_is_wider_than_the_window_and_axe_finds_nothing(page: Page, width: int, scheme: str) -> None:
    page.emulate_media(color_scheme=scheme)
    page.set_viewport_size({"width": width, "height": 850})
    for open_series in (False, True):
        if open_series:
            page.locator(".tile", has_text="+20").click()
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        assert axe_findings(page) == []


def family_of(tmp_path: Path) -> Path:
    """A page of two commits of a benchmark with three sizes, from real benchmark text."""
    runs = []
    for commit, date, factor in ((COMMITS[0], "2026-01-01", 1.0), (COMMITS[1], "2026-01-02", 1.5)):
        lines = [
            f"commit: {commit}",
            f"commit-date: {date}T00:00:00Z",
            "goos: linux",
            "python: 3.13.1",
            "pkg: shop",
        ]
        for size in (10, 100, 1000):
            rng = random.Random(size)
            lines += [
                f"BenchmarkSort/n={size}-2\t100\t{size * factor * (1 + rng.random() / 50):.3f} ns/op"
                for _ in range(6)
            ]
        runs.append(StoredRun(commit, "\n".join(lines) + "\n"))
    history = read_history(runs)
    assert history.warnings == ()
    file = tmp_path / "family.html"
    file.write_bytes(history_file("shop", history.series, [], {}))
    return file


def test_two_commits_in_the_one_file_have_benchstats_test(visitor: Visitor, tmp_path: Path) -> None:
    address = family_of(tmp_path).as_uri()
    picked = f"points={COMMITS[0][:12]},{COMMITS[1][:12]}"
    page = visitor.open(
        f"{address}#series=shop:Sort/n=100-2 sec/op linux 3.13&{picked}", width=1400, height=850
    )
    rows = page.locator("#comparison-tests-body tr").all_inner_texts()
    assert len(rows) == 4
    assert all("+50.00%" in row and "(p=0.002 n=6)" in row and "± 1%" in row for row in rows[:3])
    assert "geomean" in rows[3]
    assert page.locator("#comparison-facts").is_hidden()


def test_a_benchmark_of_several_sizes_is_drawn_by_size_and_leads_to_the_history_of_each(
    visitor: Visitor, tmp_path: Path
) -> None:
    address = f"{family_of(tmp_path).as_uri()}#series=shop:Sort/n=100-2 sec/op linux 3.13"
    page = visitor.open(address, width=1400, height=850)
    page.get_by_role("button", name="by n").click()
    assert axe_findings(page) == []
    chart = page.locator("#chart")
    chart.focus()
    page.keyboard.press("End")
    said = page.locator("#under").inner_text()
    assert said.startswith(f"shop:Sort/n=1000-2 · n 1000 · {COMMITS[1][:10]}: 15")
    page.keyboard.press("Enter")
    assert page.locator("#one-name").inner_text() == "shop:Sort/n=1000-2"
    assert page.get_by_role("button", name="by commit").get_attribute("aria-pressed") == "true"
