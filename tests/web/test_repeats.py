"""Several profiles before, several after: which functions moved beyond chance, on the page and on the command line."""

from __future__ import annotations

import json
import random
from typing import TYPE_CHECKING, Any

import pytest

from conduit.bench.statistics.multiple import adjust_p_values
from conduit.cli.pprof import run
from conduit.fetch.inputs import split_names
from conduit.profile.builder import ProfileBuilder
from conduit.profile.codec import encode
from conduit.profile.merge import difference, merge
from conduit.profile.model import ValueType
from conduit.report.options import Options
from conduit.web.repeats import sum_repeats

from .conftest import SCREENSHOTS
from .test_browser import axe_findings

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from playwright.sync_api import Page

    from conduit.profile.model import Profile

    from .conftest import Visitor

STILL = [f"still{number}" for number in range(30)]


def recorded(rng: random.Random, **amounts: int) -> Profile:
    """`main` calls every function; each amount, in milliseconds, is a few percent off, as a sampler's is."""
    builder = ProfileBuilder([ValueType("cpu", "nanoseconds")])
    for name, amount in {**dict.fromkeys(STILL, 100), **amounts}.items():
        spread = round(rng.gauss(amount, amount / 20))
        if spread:
            builder.add([(name, "/srv/a.py", 1, 1), ("main", "/srv/a.py", 9, 8)], [spread * 10**6])
    return builder.build()


def sides(count: int = 10) -> tuple[list[Profile], list[Profile]]:
    rng = random.Random(3)
    before = [recorded(rng, slower=100, faster=300, speck=0) for _ in range(count)]
    return before, [recorded(rng, slower=130, faster=200, new=60, speck=1) for _ in range(count)]


def written(folder: Path, count: int = 10) -> tuple[list[str], list[str]]:
    names: tuple[list[str], list[str]] = ([], [])
    for side, profiles in enumerate(sides(count)):
        for number, profile in enumerate(profiles):
            path = folder / f"{'old' if side == 0 else 'new'}{number}.pb.gz"
            path.write_bytes(encode(profile))
            names[side].append(str(path))
    return names


def test_adjusted_p_values_are_those_of_scipy() -> None:
    given = [0.01, 0.04, 0.03, 0.005, 1.0, 0.2, 0.04]
    expected = [0.035, 0.056, 0.056, 0.035, 1.0, 0.7 / 3, 0.056]  # scipy.stats.false_discovery_control(given)
    assert adjust_p_values(given) == pytest.approx(expected)
    assert adjust_p_values([]) == []


def test_what_really_changed_moved_and_nothing_else_did() -> None:
    found = sum_repeats(*sides(), Options(granularity="functions"))
    assert {name for name, p in found.p_values["flat"].items() if p <= 0.05} == {"slower", "faster", "new"}
    assert set(found.p_values["flat"]) == {
        *STILL,
        "slower",
        "faster",
        "new",
    }  # main took nothing itself, the speck next to nothing
    assert "main" in found.p_values["cum"]
    assert found.p_values["flat"]["faster"] == pytest.approx(
        2 / 184_756 * 33 / 3
    )  # C(20, 10) ways, each as probable; 3 of 33 least


def test_shares_are_tested_where_totals_are_made_equal() -> None:
    before, after = sides()
    rng = random.Random(9)
    longer = [
        recorded(rng, slower=1300, faster=2000, new=600, **dict.fromkeys(STILL, 1000)) for _ in range(6)
    ]
    as_recorded = sum_repeats(before, longer, Options(granularity="functions"))
    assert (
        sum(p <= 0.05 for p in as_recorded.p_values["flat"].values()) > 30
    )  # everything took ten times as long
    as_shares = sum_repeats(before, longer, Options(granularity="functions", normalize=True))
    assert {name for name, p in as_shares.p_values["flat"].items() if p <= 0.05} == {
        "slower",
        "faster",
        "new",
    }
    assert as_shares.totals.means[0] == pytest.approx(as_shares.totals.means[1])
    assert after


def test_three_profiles_a_side_are_too_few_for_any_difference() -> None:
    assert not sum_repeats(*sides(3), Options()).can_tell
    four = sum_repeats(*sides(4), Options())
    assert four.can_tell
    # Of four against four the least p is 2/70, of six 2/924, of seven 2/3432: for one function of 30 it takes seven.
    assert (four.needed(1), four.needed(2), four.needed(30)) == (0, 5, 7)


def changes(*arguments: str, capsys: pytest.CaptureFixture[str]) -> tuple[int, str, str]:
    status = run(["-changes", *arguments])
    captured = capsys.readouterr()
    return status, captured.out, captured.err


def test_the_command_line_names_what_moved_first(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    old, new = written(tmp_path)
    status, out, err = changes(f"-diff_base={','.join(old)}", *new, capsys=capsys)
    assert (status, err) == (0, "")
    assert "10 profiles before, 10 after. 3 of 33 functions tested moved beyond chance" in out
    rows = [line for line in out.splitlines() if "/srv/a.py" in line]
    assert [row.split()[-2] for row in rows[:3]] == ["faster", "new", "slower"]
    assert [" moved " in row for row in rows] == [True] * 3 + [False] * (len(rows) - 3)
    status, out, _ = changes("-json", f"-diff_base={','.join(old)}", *new, capsys=capsys)
    document: dict[str, Any] = json.loads(out)
    assert document["repeats"]["moved"] == {"flat": 3, "cum": 3}
    row = next(row for row in document["rows"] if row["name"].startswith("slower"))
    assert [len(side) for side in row["flat"]["each"]] == [10, 10]


def test_changes_that_few_samples_show_are_marked_on_the_command_line_and_stand_last(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    for name, counts in (("old", (20, 400, 40)), ("new", (26, 415, 12))):
        builder = ProfileBuilder([ValueType("samples", "count"), ValueType("cpu", "nanoseconds")])
        for function, count in zip(("slower", "many", "faster"), counts, strict=True):
            builder.add([(function, "/srv/a.py", 1, 1)], [count, count * 10**7])
        (tmp_path / name).write_bytes(encode(builder.build()))
    arguments = (f"-diff_base={tmp_path / 'old'}", str(tmp_path / "new"))
    _, out, _ = changes(*arguments, capsys=capsys)
    rows = [line for line in out.splitlines() if "/srv/a.py" in line]
    assert [(row.split()[-2], "may be noise" in row) for row in rows] == [
        ("faster", False),
        ("many", True),
        ("slower", True),
    ]
    assert "May be noise: so few samples may differ by chance" in out
    _, scaled, _ = changes("-normalize", *arguments, capsys=capsys)
    assert scaled.count("  may be noise  ") == 2


def test_one_profile_a_side_is_compared_without_a_test(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    old, new = written(tmp_path, 1)
    _, out, _ = changes(f"-diff_base={old[0]}", new[0], capsys=capsys)
    assert "does not show which changes are chance: give 4 or more" in out
    assert "moved" not in out
    _, out, _ = changes(f"-diff_base={old[0]}", old[0], capsys=capsys)
    assert "No function changed." in out


@pytest.mark.parametrize(
    ("arguments", "reason"),
    [((), "give the older one as -diff_base=OLD"), (("-diff_base=x", "-top"), "cannot be given with -top")],
)
def test_changes_without_two_sides_or_with_another_report_is_refused(
    arguments: tuple[str, ...], reason: str, capsys: pytest.CaptureFixture[str]
) -> None:
    status, out, err = changes(*arguments, "new.pb.gz", capsys=capsys)
    assert (status, out) == (2, "")
    assert reason in err


def test_commas_part_sources_but_not_the_name_of_a_file_that_exists(tmp_path: Path) -> None:
    one, two, both = tmp_path / "a", tmp_path / "b", tmp_path / "a,b"
    for path in (one, two, both):
        path.touch()
    assert split_names(f"{one},{two}") == [str(one), str(two)]
    assert split_names(str(both)) == [str(both)]
    assert split_names(f"{one},{tmp_path}/missing") == [str(one), f"{tmp_path}/missing"]
    assert split_names("http://h/p?a=1,2") == ["http://h/p?a=1,2"]
    assert split_names("http://h/p,http://i/p") == ["http://h/p", "http://i/p"]
    assert split_names("") == []


@pytest.fixture
def page(serve: Callable[..., str], visitor: Visitor) -> Page:
    before, after = sides()
    url = serve(difference(merge(after), merge(before), mark_base=True), repeats=(before, after))
    return visitor.open(f"{url}/ui/changes", width=1400)


def test_the_page_says_what_moved_and_keeps_to_it_on_request(page: Page) -> None:
    page.get_by_text("10 profiles before, 10 after: 3 of 33 functions moved beyond chance.").wait_for()
    names = page.locator("table.changes tbody td:last-child")
    assert [text.split()[0] for text in names.all_inner_texts()[:3]] == ["faster", "new", "slower"]
    page.screenshot(path=str(SCREENSHOTS / "changes-moved.png"))
    page.get_by_text("How this is tested").click()
    assert axe_findings(page) == []
    page.get_by_role("button", name="Only what moved").click()
    assert names.count() == 3
    assert "moved=t" in page.url
    page.get_by_role("button", name="With callees").click()
    page.get_by_text("3 of 34 functions moved").wait_for()
    assert page.locator(".how[open]").count() == 1
    page.get_by_text("sums of 10 and 10 profiles").wait_for()
    page.reload()
    page.get_by_text("3 of 34 functions moved").wait_for()
    assert names.count() == 3
    page.get_by_role("link", name="Make totals equal").click()
    page.get_by_text("Totals are made equal: ").wait_for()
    assert page.get_by_text("10 profiles before").count() == 1
