"""Heap profiles on the page: growth, without imports, every sample type in a single file."""

from __future__ import annotations

import json
import math
import random
import re
from typing import TYPE_CHECKING

import pytest

from conduit.cli.pprof import run
from conduit.profile.codec import encode
from conduit.profile.merge import difference
from conduit.profile.model import ValueType
from conduit.report.leaks import sampling_variance
from conduit.report.options import Options
from conduit.web import single_file_report
from conduit.web.application import ViewError
from conduit.web.configs import SavedConfigs
from conduit.web.session import ProfileSession
from tests.report.making import HEAP, profile_of

from .conftest import SCREENSHOTS
from .test_browser import axe_findings

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from conduit.profile.model import Profile

    from .conftest import Visitor

MAIN, LEAK, CACHE = ("main", "/srv/app.py", 1), ("leak", "/srv/app.py", 7), ("cache", "/srv/app.py", 9)
IMPORT, MODULE = ("_find_and_load", "<frozen importlib._bootstrap>", 1), ("<module>", "/srv/lib.py", 3)


def heap(second: int, leaked: int, imported: int = 900) -> Profile:
    """At a second of the clock: so many leaked bytes, a full cache, what an import allocated."""
    stacks = [([MAIN, LEAK], leaked), ([MAIN, CACHE], 500), ([MAIN, IMPORT, MODULE], imported)]
    return profile_of(
        [(stack, [4, 4 * size, 2, size]) for stack, size in stacks],
        types=HEAP,
        time_nanos=(1_700_000_000 + second) * 10**9,
    )


SERIES = [heap(0, 100), heap(5, 300), heap(10, 600, imported=1000)]


def session_of(profile: Profile, tmp_path: Path, **more: object) -> ProfileSession:
    return ProfileSession(profile, Options(), SavedConfigs(tmp_path / "none.json"), **more)  # type: ignore[arg-type]


def test_what_grew_is_the_leak_and_imports_only_on_request(tmp_path: Path) -> None:
    session = session_of(SERIES[-1], tmp_path, series=SERIES, series_sources=["a", "b", "c"])
    page = session.page("growth", {})
    (row,) = page["views"]["growth"]["rows"]
    assert (row["name"], row["grown"], row["rate"], row["held"], row["steady"]) == (
        "leak",
        "+500B",
        "50B/s",
        "600B",
        True,
    )
    assert page["imports"] == {"leftOut": True}
    assert page["command"] == "conduit pprof -leaks a b c"
    rows = session.page("growth", {"imports": "t"})["views"]["growth"]["rows"]
    assert {row["name"]: (row["grown"], row["steady"]) for row in rows} == {
        "leak": ("+500B", True),
        "<module>": ("+100B", False),
    }
    assert session.page("growth", {"f": "cache"})["views"]["growth"]["rows"] == []


def test_a_comparison_and_two_recordings_have_growth_and_one_profile_has_none(tmp_path: Path) -> None:
    compared = session_of(difference(SERIES[-1], SERIES[0], mark_base=True), tmp_path)
    assert [row["name"] for row in compared.page("growth", {})["views"]["growth"]["rows"]] == ["leak"]
    live = session_of(SERIES[0], tmp_path, fetch=lambda: SERIES[-1])
    assert not live.page("top", {})["grows"]
    with pytest.raises(ViewError, match="-leaks and two or more heap profiles"):
        live.page("growth", {})
    live.refresh()
    assert live.page("top", {})["grows"]
    assert live.page("growth", {})["views"]["growth"]["over"] == "10s"


def test_growth_is_followed_through_the_recordings_of_one_process(tmp_path: Path) -> None:
    restarted, later = heap(15, 50), heap(20, 450)
    recordings = iter([SERIES[-1], restarted, later])
    session = session_of(SERIES[0], tmp_path, fetch=lambda: next(recordings))
    session.refresh()
    assert session.page("growth", {})["views"]["growth"]["rows"][0]["grown"] == "+500B"
    session.refresh()
    assert not session.page("top", {})["grows"]
    with pytest.raises(ViewError, match="of another process than the one before"):
        session.page("growth", {})
    session.refresh()
    growth = session.page("growth", {})["views"]["growth"]
    assert (growth["rows"][0]["grown"], growth["profiles"]) == ("+400B", 2)


def test_every_view_leaves_imports_out_on_request(tmp_path: Path) -> None:
    session = session_of(SERIES[-1], tmp_path, sources=["heap.prof"])
    assert session.page("top", {})["views"]["top"]["total"] == 2100
    assert session.page("top", {})["imports"] == {"leftOut": False}
    page = session.page("top", {"imports": "f"})
    assert page["views"]["top"]["total"] == 1100
    assert "-without_imports" in page["command"]
    assert session.page("flamegraph", {"imports": "f"})["views"]["flamegraph"]["total"] == 1100
    assert session.page("flamegraph", {})["views"]["flamegraph"]["total"] == 2100
    without = session_of(profile_of([([MAIN], [1, 1, 1, 1])], types=HEAP), tmp_path)
    assert without.page("top", {})["imports"] is None


def sampled(held: int, objects: int, second: int) -> Profile:
    """A sampled heap: so many bytes at one line, 512 kB apart on average."""
    profile = profile_of(
        [([MAIN, LEAK], [objects, held, objects, held])],
        types=HEAP,
        time_nanos=(1_700_000_000 + second) * 10**9,
    )
    return profile.replaced(period=512 * 1024, period_type=ValueType("space", "bytes"))


def test_growth_of_a_sampled_heap_has_the_error_that_its_number_of_samples_leaves(tmp_path: Path) -> None:
    # 100 samples of small objects stand for 50 MB: a tenth of it is one standard error.
    series = [sampled(52_428_800 // 4, 12_500, 0), sampled(52_428_800 // 4 + 52_428_800, 62_500, 10)]
    session = session_of(series[-1], tmp_path, series=series)
    content = session.page("growth", {})["views"]["growth"]
    (row,) = content["rows"]
    assert content["sampled"] == "512kB"
    assert row["grown"] == "+50MB"
    assert row["samples"] == "100 samples"
    assert row["error"] == "± 10MB"
    assert row["heldError"] == "± 11.2MB"
    exact = session_of(SERIES[-1], tmp_path, series=SERIES).page("growth", {})["views"]["growth"]
    assert (exact["sampled"], exact["rows"][0]["error"], exact["rows"][0]["samples"]) == ("", "", "")


def test_the_error_of_a_sampled_amount_holds_the_true_one_19_times_in_20() -> None:
    generator = random.Random(22)
    size, objects, period = 20_000, 2_000, 512 * 1024
    chance = 1 - math.exp(-size / period)
    inside = 0
    for _ in range(400):
        found = sum(generator.random() < chance for _ in range(objects))
        held, count = round(found * size / chance), round(found / chance)
        _, variance = sampling_variance(held, count, period)
        inside += abs(held - size * objects) <= 2 * math.sqrt(variance)
    assert 0.92 <= inside / 400 <= 0.98
    # An object far larger than the period is always sampled, and nothing has no error.
    assert sampling_variance(10**9, 1, period)[1] < 1
    assert sampling_variance(0, 0, period) == (0.0, 0.0)


@pytest.mark.parametrize(("rate", "noted"), [(512 * 1024, True), (1, False)])
def test_a_sampled_heap_says_which_amounts_are_uncertain(tmp_path: Path, rate: int, noted: bool) -> None:
    profile = SERIES[0].replaced(period_type=ValueType("space", "bytes"), period=rate)
    told = (
        "The heap was sampled, on average one object for each 512kB allocated: amounts below 1.5MB rest on few samples "
        "and may be far off"
    )
    session = session_of(profile, tmp_path, series=[profile, profile], series_sources=["a", "b"])
    assert session.page("top", {})["notes"] == ([told] if noted else [])
    assert session.page("growth", {})["notes"] == []  # which has the error of each amount
    compared = difference(
        profile, SERIES[0].replaced(period_type=profile.period_type, period=rate), mark_base=True
    )
    assert told not in session_of(compared, tmp_path).page("top", {})["notes"]


@pytest.mark.parametrize(
    ("rate", "told"),
    [
        (
            512 * 1024,
            "No growth seen from the first of 2 profiles to the last: less than 1.5MB of it may go unseen.",
        ),
        (1, "Nothing grew from the first of 2 profiles to the last."),
    ],
)
def test_growth_that_samples_may_not_show_is_not_said_to_be_none(
    serve: Callable[..., str], visitor: Visitor, rate: int, told: str
) -> None:
    profile = SERIES[0].replaced(period_type=ValueType("space", "bytes"), period=rate)
    page = visitor.open(
        f"{serve(profile, series=[profile, profile], series_sources=['a', 'b'])}/ui/growth", width=1400
    )
    page.get_by_text(told).wait_for()


@pytest.mark.parametrize("width", [1400, 390])
def test_growth_says_that_its_amounts_are_estimates(
    serve: Callable[..., str], visitor: Visitor, width: int
) -> None:
    series = [sampled(1_000_000, 20, 0), sampled(9_000_000, 180, 10)]
    changed = difference(series[-1], series[0], mark_base=True)
    page = visitor.open(f"{serve(changed, series=series)}/ui/growth", width=width)
    page.get_by_text("one object for each 512kB allocated, so amounts are estimates").wait_for()
    assert page.locator("table.growth td small", has_text="±").count() == 2
    assert axe_findings(page) == []
    assert page.evaluate("document.documentElement.scrollWidth <= innerWidth")


@pytest.mark.parametrize("width", [1400, 700, 390])
def test_growth_and_the_flame_graph_say_whether_imports_are_left_out_and_keep_the_choice(
    serve: Callable[..., str], visitor: Visitor, width: int
) -> None:
    changed = difference(SERIES[-1], SERIES[0], mark_base=True)
    url = serve(changed, series=SERIES)
    page = visitor.open(f"{url}/ui/growth", width=width)
    said = page.locator("#imports")
    assert said.inner_text() == "Imports are left out. Show imports"
    page.locator("table.growth tbody tr").first.locator("a").click()  # with the same amounts
    page.wait_for_url("**/flamegraph?*imports=f*")
    page.get_by_text("Imports are left out.").wait_for()
    page.get_by_role("link", name="Show imports").click()
    page.get_by_text("With the memory of imports.").wait_for()
    box = said.bounding_box()
    assert box
    assert box["x"] >= 0
    assert box["x"] + box["width"] <= width
    page.locator(".views a[data-view=growth]").click()
    page.locator("table.growth").wait_for()
    assert said.inner_text() == "With the memory of imports. Leave imports out"
    assert page.locator("table.growth tbody tr").count() == 2
    page.get_by_role("link", name="Leave imports out").click()
    page.get_by_text("Imports are left out.").wait_for()
    page.locator(".views a[data-view=flamegraph]").click()
    page.locator(".flame").wait_for()
    assert said.inner_text() == "Imports are left out. Show imports"
    assert (
        visitor.open(f"{url}/ui/flamegraph", width=width).locator("#imports").inner_text().startswith("With")
    )


def test_leaks_with_http_refuses_what_is_no_series_before_it_serves(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    path = tmp_path / "one.prof"
    path.write_bytes(encode(SERIES[0]))
    assert run(["-leaks", "-http=localhost:", "-no_browser", str(path)]) == 2
    assert "expected two or more" in capsys.readouterr().err


def test_growth_is_seen_and_leads_on(serve: Callable[..., str], visitor: Visitor) -> None:
    changed = difference(SERIES[-1], SERIES[0], mark_base=True)
    page = visitor.open(f"{serve(changed, series=SERIES)}/ui/growth", width=1400)
    page.get_by_text(
        "500B grown and still held at 1 line, from the first of 3 profiles to the last, 10s later."
    ).wait_for()
    page.screenshot(path=str(SCREENSHOTS / "growth.png"))
    assert axe_findings(page) == []
    page.get_by_role("link", name="Show imports").click()
    page.get_by_text("600B grown and still held at 2 lines").wait_for()
    page.locator("table.growth tbody tr").first.click(button="right")
    page.get_by_role("menuitem", name="Peek at callers and callees").click()
    page.wait_for_url("**/ui/peek?*")


def test_a_row_of_growth_leads_to_its_function_with_the_lines_of_its_source(
    serve: Callable[..., str], visitor: Visitor
) -> None:
    changed = difference(SERIES[-1], SERIES[0], mark_base=True)
    page = visitor.open(f"{serve(changed, series=SERIES)}/ui/growth", width=1400)
    row = page.locator("table.growth tbody tr").first.bounding_box()
    assert row
    page.mouse.click(row["x"] + 30, row["y"] + 10)
    page.wait_for_url("**/flamegraph?*lines=t*")
    page.locator(".drawer h2", has_text="leak").wait_for()
    page.locator(".drawer tr.hot").first.wait_for()


def test_a_single_file_holds_every_sample_type_and_equal_parts_once(visitor: Visitor, tmp_path: Path) -> None:
    path = tmp_path / "heap.html"
    path.write_bytes(single_file_report(SERIES[-1], Options(), lambda _: None))
    found = re.search(r'id="data">(.*?)</script>', path.read_text(), re.DOTALL)
    assert found is not None
    others = json.loads(found[1])["byType"]
    assert set(others) == {"0", "1", "2"}
    assert "names" not in others["0"]["views"]["flamegraph"]
    page = visitor.open(path.as_uri(), width=1400)
    total = page.locator('.box[aria-label^="all:"]')
    assert "2100B" in (total.get_attribute("aria-label") or "") or "2.05kB" in (
        total.get_attribute("aria-label") or ""
    )
    page.get_by_role("link", name="alloc_objects").click()
    page.get_by_text("12 alloc_objects in all").wait_for()
    page.get_by_role("link", name="Top").click()
    page.get_by_role("cell", name="4", exact=True).first.wait_for()
    assert page.url.endswith("#top?si=alloc_objects")
    page.get_by_role("link", name="inuse_space").click()
    page.get_by_role("cell", name="1000B", exact=True).first.wait_for()
