"""The flame graph from left to right in time, where samples say when they were taken."""

from __future__ import annotations

import json
import shlex
from typing import TYPE_CHECKING, Any

import pytest

from conduit.cli.pprof import run
from conduit.fetch.inputs import Request, fetch_profile
from conduit.profile.builder import ProfileBuilder
from conduit.profile.codec import encode
from conduit.profile.model import TIME_LABEL, ValueType
from conduit.report.options import Options
from conduit.report.pipeline import prepare_report, print_report
from conduit.web import single_file_report
from conduit.web.application import ViewError
from conduit.web.configs import SavedConfigs
from conduit.web.session import ProfileSession

from .conftest import SCREENSHOTS, places_of_boxes
from .test_browser import axe_findings

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from conduit.profile.model import Profile

    from .conftest import Visitor

    Serve = Callable[..., str]

# thread, time, function called by main, milliseconds; not in order
SAMPLES = [
    ("a", 30, "load", 10),
    ("a", 10, "load", 10),
    ("a", 20, "parse", 30),
    ("a", 40, "load", 10),
    ("b", 15, "idle", 20),
]


def timed() -> Profile:
    builder = ProfileBuilder([ValueType("cpu", "nanoseconds")])
    for thread, time, name, amount in SAMPLES:
        stack = [(name, "/srv/a.py", 1, 1), ("main", "/srv/a.py", 9, 8)]
        builder.add(
            stack, [amount * 10**6], labels={"thread": thread}, numeric_labels={TIME_LABEL: time * 10**9}
        )
    builder.add([("untimed", "/srv/a.py", 1, 1)], [10**6], labels={"thread": "a"})
    return builder.build()


def flame(tmp_path: Path, profile: Profile, **parameters: str) -> dict[str, Any]:
    session = ProfileSession(profile, Options(), SavedConfigs(tmp_path / "none.json"))
    content: dict[str, Any] = session.page("flamegraph", parameters)["views"]["flamegraph"]
    return content


def test_calls_stand_in_the_order_of_their_samples_and_go_on_while_stacks_begin_alike(tmp_path: Path) -> None:
    content = flame(tmp_path, timed(), time="t")
    nodes = [
        (content["names"][source], content["names"][content["sources"][parent]], value // 10**6)
        for parent, source, value in zip(
            content["parents"], content["sources"], content["values"], strict=True
        )
    ][1:]
    assert nodes == [
        ("thread a", "root", 0),
        ("main", "thread a", 0),
        ("load", "main", 10),
        ("parse", "main", 30),
        ("load", "main", 20),  # two samples, one call
        ("thread b", "root", 0),
        ("main", "thread b", 0),
        ("idle", "main", 20),
    ]
    assert content["untimed"] == 1
    for key in ("owners", "packages", "modules", "files", "shortNames"):
        assert len(content[key]) == len(content["names"])


def test_a_profile_without_times_offers_no_such_order(tmp_path: Path) -> None:
    builder = ProfileBuilder([ValueType("cpu", "nanoseconds")])
    builder.add([("a", "/a.py", 1, 1)], [1])
    content = flame(tmp_path, builder.build(), time="t")
    assert content["hasTimes"] is False
    assert "inOrder" not in content


def test_left_is_earlier_on_the_page(serve: Serve, visitor: Visitor) -> None:
    page = visitor.open(f"{serve(timed())}/ui/flamegraph?frames=all", width=1400)
    assert page.locator('.box[aria-label^="load:"]').count() == 1
    page.get_by_role("link", name="Sort by time").click()
    page.locator('.box[aria-label^="thread b:"]').wait_for()
    boxes = [(place["x"], label.split(":")[0]) for label, place in places_of_boxes(page)]
    row = sorted(box for box in boxes if box[1] in ("load", "parse", "idle"))
    assert [name for _, name in row] == ["load", "parse", "load", "idle"]
    assert page.get_by_text("1 sample without a time").count() == 1
    page.screenshot(path=str(SCREENSHOTS / "flame-time.png"))
    page.get_by_role("link", name="Sort by weight").click()
    page.locator('.box[aria-label^="thread b:"]').wait_for(state="detached")


def test_a_row_for_each_thread_says_how_much_it_took_when(tmp_path: Path) -> None:
    session = ProfileSession(timed(), Options(), SavedConfigs(tmp_path / "none.json"))
    strip = session.page("top", {})["strip"]
    assert strip["seconds"] == 30
    assert [row["name"] for row in strip["threads"]] == ["thread a", "thread b"]
    first, second = (row["amounts"] for row in strip["threads"])
    assert (sum(first), sum(second)) == (60 * 10**6, 20 * 10**6)
    assert second[49] == 20 * 10**6  # it ended 5 of 30 seconds after the first sample, in 300 parts


def test_a_range_holds_for_every_view_and_a_malformed_one_is_refused(tmp_path: Path) -> None:
    session = ProfileSession(timed(), Options(), SavedConfigs(tmp_path / "none.json"))
    top = session.page("top", {"range": "4,12"})["views"]["top"]
    assert {row["name"]: row["flat"] // 10**6 for row in top["rows"]} == {"parse": 30, "idle": 20, "main": 0}
    assert session.page("flamegraph", {"range": "4,12"})["views"]["flamegraph"]["total"] == 50 * 10**6
    assert session.page("top", {})["views"]["top"]["total"] == 81 * 10**6
    for text in ("4", "a,b", "5,4", "nan,1"):
        with pytest.raises(ViewError, match="expected START,END in seconds"):
            session.page("top", {"range": text})


EVENTED = {
    "$schema": "https://www.speedscope.app/file-format-schema.json",
    "shared": {"frames": [{"name": "main"}, {"name": "load"}]},
    "profiles": [
        {
            "type": "evented", "name": name, "unit": "seconds", "startValue": 0, "endValue": 4,
            "events": [
                {"type": "O", "frame": 0, "at": 0}, {"type": "O", "frame": 1, "at": start},
                {"type": "C", "frame": 1, "at": start + 1}, {"type": "C", "frame": 0, "at": 4},
            ],
        }
        for name, start in (("one", 1), ("two", 2))
    ],
}  # fmt: skip


def test_a_file_of_events_has_times_on_the_page_and_none_elsewhere(tmp_path: Path) -> None:
    path = tmp_path / "events.json"
    path.write_text(json.dumps(EVENTED))
    page = fetch_profile(Request([str(path)], times=True), pytest.fail)
    strip = ProfileSession(page, Options(), SavedConfigs(tmp_path / "none.json")).page("top", {})["strip"]
    assert [row["name"] for row in strip["threads"]] == ["thread one", "thread two"]
    elsewhere = fetch_profile(Request([str(path)]), pytest.fail)
    assert len(elsewhere.samples) == 4  # main and load of each thread
    assert not any(sample.numeric_labels for sample in elsewhere.samples)


def test_the_command_line_of_a_range_prints_that_time(
    tmp_path: Path, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    path = tmp_path / "timed.prof"
    path.write_bytes(encode(timed()))
    session = ProfileSession(timed(), Options(), SavedConfigs(tmp_path / "none.json"), sources=[str(path)])
    page = session.page("top", {"range": "4,11"})
    assert run(shlex.split(page["command"])[2:]) == 0
    printed = capsysbinary.readouterr().out.decode()
    rows = page["views"]["top"]["rows"]
    assert [row["name"] for row in rows] == ["parse", "idle", "main"]
    for row in rows:
        words = [line.split() for line in printed.splitlines() if line.endswith(f" {row['name']}")]
        assert [(flat, percent) for flat, percent, *_ in words] == [(row["flatText"], row["flatPercent"])]


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1400, 700, 390])
def test_a_file_for_the_firefox_profiler_has_a_strip_only_where_it_has_times(
    serve: Serve, visitor: Visitor, tmp_path: Path, width: int, scheme: str
) -> None:
    builder = ProfileBuilder([ValueType("wall", "nanoseconds")])
    for thread, time, name, amount in SAMPLES:
        stack, times = [(name, "/srv/a.py", 1, 1)], {TIME_LABEL: time * 10**9}
        builder.add(stack, [amount * 10**6], labels={"thread": thread}, numeric_labels=times)
    for profile, threads in ((builder.build(), 2), (timed(), 0)):
        report = prepare_report(profile, "gecko", Options(), pytest.fail)
        path = tmp_path / f"{threads}.json"
        path.write_bytes(print_report(report))
        read = fetch_profile(Request([str(path)], times=True), pytest.fail)
        page = visitor.open(f"{serve(read)}/ui/flamegraph", width=width, scheme=scheme)
        page.locator(".flame").wait_for()
        assert page.locator("#strip").is_visible() == bool(threads)
        assert page.locator(".strip-names div").count() == threads
        assert page.get_by_role("link", name="Sort by time").count() == (1 if threads else 0)


def test_a_drag_over_the_strip_shows_that_time_alone(serve: Serve, visitor: Visitor) -> None:
    page = visitor.open(f"{serve(timed())}/ui/top", width=1400)
    field = page.locator(".strip-field").bounding_box()
    assert field is not None
    page.mouse.move(field["x"] + field["width"] * 0.2, field["y"] + 8)
    page.mouse.down()
    page.mouse.move(field["x"] + field["width"] * 0.5, field["y"] + 8, steps=4)
    page.mouse.up()
    page.get_by_role("cell", name="load").wait_for(state="detached")
    assert "range=6" in page.url
    assert axe_findings(page) == []
    page.get_by_label("From, in seconds").fill("0")
    page.keyboard.press("Enter")
    page.get_by_role("cell", name="load").wait_for()
    page.get_by_role("button", name="All of the time").click()
    page.get_by_role("cell", name="untimed").wait_for()


@pytest.mark.parametrize("order", ["", "&time=t"])
def test_a_single_file_draws_a_range_as_the_server_does(
    serve: Serve, visitor: Visitor, tmp_path: Path, order: str
) -> None:
    path = tmp_path / "timed.html"
    path.write_bytes(single_file_report(timed(), Options(), lambda _: None))
    wanted = f"flamegraph?frames=all&table=t&range=9.5,25{order}"

    def seen(address: str) -> tuple[list[str], list[str], str]:
        page = visitor.open(address, width=1400)
        page.locator('.box[aria-label^="parse:"]').wait_for()
        boxes = sorted(str(box.get_attribute("aria-label")) for box in page.locator(".box").all())
        return (
            boxes,
            page.locator("table.functions tbody tr").all_inner_texts(),
            page.locator(".detail").inner_text(),
        )

    served = seen(f"{serve(timed())}/ui/{wanted}")
    assert "load" not in "".join(served[1]).partition("parse")[0]
    assert seen(f"{path.as_uri()}#{wanted}") == served
    page = visitor.open(path.as_uri(), width=1400)
    page.locator(".strip-field").wait_for()
    page.get_by_label("To, in seconds").fill("6")
    page.get_by_label("To, in seconds").press("Enter")
    page.locator('.box[aria-label^="parse:"]').wait_for(state="detached")
    page.get_by_role("button", name="All of the time").click()
    page.locator('.box[aria-label^="parse:"]').wait_for()
    assert axe_findings(page) == []
