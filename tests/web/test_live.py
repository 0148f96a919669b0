"""Live sources recorded again and compared, and what a reader takes along: pictures, links, stacks, command lines."""

from __future__ import annotations

import re
import shlex
import threading
import xml.etree.ElementTree as ET
from typing import TYPE_CHECKING, Any

import pytest

from conduit.cli.pprof import run
from conduit.fetch.inputs import Request, fetch_again
from conduit.profile.builder import ProfileBuilder
from conduit.profile.codec import encode
from conduit.profile.model import ValueType
from conduit.report.errors import FetchError
from conduit.report.options import Options
from conduit.web.application import ViewError
from conduit.web.command_line import command_line
from conduit.web.configs import SavedConfigs
from conduit.web.recordings import KEPT
from conduit.web.session import ProfileSession

from .conftest import SCREENSHOTS, profile_named, wait_until
from .test_browser import axe_findings
from .test_comparison import LIBRARIES, recorded, table
from .test_flame_graph import colour_at

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from conduit.profile.model import Profile

    from .conftest import Visitor

    Serve = Callable[..., str]


def growing() -> Callable[[], Profile]:
    """Each recording has a function more than the one before."""
    profiles: Iterator[Profile] = (recorded(work=10 * n, **{f"step{n}": 5}) for n in range(2, 100))
    return lambda: next(profiles)


def live(tmp_path: Path) -> ProfileSession:
    configs = SavedConfigs(tmp_path / "none.json")
    return ProfileSession(recorded(work=10, step1=5), Options(), configs, fetch=growing())


def test_the_last_recordings_are_kept_and_the_newest_is_shown(tmp_path: Path) -> None:
    session = live(tmp_path)
    for _ in range(KEPT + 2):
        session.refresh()
    page = session.page("top", {})
    kept = [one["number"] for one in page["recordings"]["kept"]]
    assert kept == list(range(4, 4 + KEPT))
    assert page["recordings"] == {
        **page["recordings"],
        "shown": kept[-1],
        "before": kept[-2],
        "against": None,
    }
    assert any(row["name"] == f"step{kept[-1]}" for row in page["views"]["top"]["rows"])
    older = session.page("top", {"recording": str(kept[0])})
    assert any(row["name"] == f"step{kept[0]}" for row in older["views"]["top"]["rows"])
    with pytest.raises(ViewError, match="no recording '1' any more"):
        session.page("top", {"recording": "1"})


def test_a_recording_is_compared_with_the_one_before(tmp_path: Path) -> None:
    session = live(tmp_path)
    session.refresh()
    content: dict[str, Any] = session.page("changes", {"against": "1"})["views"]["changes"]
    assert table(content)["work"] == ("10ms", "20ms", "+10ms", "+100%")
    assert table(content)["step1"][3] == "gone"
    assert session.page("top", {})["compared"] is False


@pytest.mark.parametrize("width", [1400, 390])
def test_record_again_shows_the_new_recording_and_compares_it(
    serve: Serve, visitor: Visitor, width: int
) -> None:
    url = serve(recorded(work=10, step1=5), fetch=growing())
    page = visitor.open(f"{url}/ui/flamegraph", width=width)
    page.get_by_role("button", name="Record again").click()
    page.locator('.box[aria-label^="step2:"]').wait_for()
    page.get_by_role("link", name="Compare with the one before").click()
    page.get_by_text("compared with").wait_for()
    page.get_by_role("link", name="Changes").click()
    page.get_by_role("cell", name="+10ms").first.wait_for()
    page.screenshot(path=str(SCREENSHOTS / f"live-{width}.png"))
    page.get_by_role(
        "button", name="Record again"
    ).click()  # and stays in the comparison, now with the second one
    page.get_by_role("cell", name="step3").first.wait_for()
    assert "against=2" in page.url
    page.get_by_role("link", name="Show it alone").click()
    page.locator('.box[aria-label^="step3:"]').wait_for()
    page.get_by_label("Recording").select_option("1")
    page.locator('.box[aria-label^="step1:"]').wait_for()


def test_a_package_keeps_its_colour_in_the_next_recording_and_when_the_page_is_loaded_again(
    serve: Serve, visitor: Visitor
) -> None:
    def of_libraries(**amounts: int) -> Profile:
        builder = ProfileBuilder([ValueType("cpu", "nanoseconds")])
        for name, amount in amounts.items():
            builder.add([(f"{name}.work", f"{LIBRARIES}/{name}/work.py", 1, 1)], [amount])
        return builder.build()

    def colour_of(library: str) -> list[int]:
        page.wait_for_timeout(100)
        box = page.locator(f'.box[aria-label^="{library}.work:"]').bounding_box()
        assert box is not None
        return colour_at(page, box["x"] + 2, box["y"] + box["height"] - 3)

    url = serve(of_libraries(alpha=10, beta=4), fetch=lambda: of_libraries(alpha=5, beta=8, gamma=20))
    page = visitor.open(f"{url}/ui/flamegraph")
    first = {name: colour_of(name) for name in ("alpha", "beta")}
    assert first["alpha"] != first["beta"]
    page.get_by_role("button", name="Record again").click()
    page.locator('.box[aria-label^="gamma.work:"]').wait_for()
    assert {name: colour_of(name) for name in first} == first
    page.reload()
    page.locator('.box[aria-label^="gamma.work:"]').wait_for()
    assert {name: colour_of(name) for name in first} == first


@pytest.mark.parametrize("width", [1400, 700, 390])
def test_record_again_says_for_how_long_and_what_is_left(serve: Serve, visitor: Visitor, width: int) -> None:
    asked = threading.Event()
    profile = recorded(work=10)
    profile.duration_nanos = 3000 * 10**9

    def fetch() -> Profile:
        if asked.is_set():
            raise FetchError("failed to fetch any source profiles; http://localhost:1/: connection refused")
        asked.wait(20)
        return profile

    page = visitor.open(f"{serve(profile, fetch=fetch)}/ui/flamegraph", width=width)
    page.get_by_role("button", name="Record again (3000 s)").click()
    page.get_by_role("button", name=re.compile(r"Recording… 2\d\d\d s left")).wait_for()  # it counts down
    asked.set()
    page.get_by_role("button", name="Record again (3000 s)").click()
    page.locator("#errors", has_text="http://localhost:1/: connection refused").wait_for()
    page.get_by_role("button", name="Record again (3000 s)").wait_for()
    assert visitor.complaints.pop().startswith(
        "Failed to load resource"
    )  # the browser logs the answer itself


def test_a_recording_takes_as_many_seconds_as_are_asked_for_within_the_limits(tmp_path: Path) -> None:
    asked: list[int] = []

    def record(seconds: int) -> Profile:
        asked.append(seconds)
        return recorded(work=seconds)

    configs = SavedConfigs(tmp_path / "none.json")
    session = ProfileSession(
        recorded(work=10), Options(), configs, fetch=growing(), fetch_for=record, max_seconds=60
    )
    session.refresh("20")
    session.refresh()
    assert asked == [20]
    for text in ("0", "61", "1.5", "-1", "²", "9" * 30):
        with pytest.raises(ViewError, match="expected a whole number of seconds, from 1 to 60"):
            session.refresh(text)
    unlimited = ProfileSession(recorded(work=10), Options(), configs, fetch=growing(), fetch_for=record)
    unlimited.refresh("900")
    assert asked[-1] == 900


@pytest.mark.parametrize("width", [1400, 390])
def test_the_seconds_to_record_begin_with_those_on_show_and_can_be_changed(
    serve: Serve, visitor: Visitor, width: int
) -> None:
    def record(seconds: int) -> Profile:
        profile = recorded(**{f"for{seconds}": 5})
        profile.duration_nanos = seconds * 10**9
        return profile

    profile = recorded(work=10)
    profile.duration_nanos = 7 * 10**9
    url = serve(profile, fetch=lambda: profile, fetch_for=record, max_seconds=60)
    page = visitor.open(f"{url}/ui/flamegraph", width=width)
    field = page.get_by_role("spinbutton", name="Seconds to record")
    assert field.input_value() == "7"
    field.fill("600")
    page.get_by_role("button", name="Record again").click()
    assert page.get_by_role("button", name="Record again").is_enabled()  # the field shows the fault
    field.fill("20")
    field.press("Enter")
    page.locator('.box[aria-label^="for20:"]').wait_for()
    assert field.input_value() == "20"
    page.get_by_label("Recording", exact=True).select_option("1")
    page.locator('.box[aria-label^="work:"]').wait_for()
    assert field.input_value() == "7"
    assert axe_findings(page) == []


def test_a_heap_profile_of_the_whole_process_asks_for_no_seconds(tmp_path: Path) -> None:
    heap = profile_named("go.heap")
    session = ProfileSession(
        heap, Options(), SavedConfigs(tmp_path / "none.json"), fetch=lambda: heap, fetch_for=lambda _: heap
    )
    assert session.page("top", {})["recordings"]["seconds"] is None


def test_the_url_of_a_live_source_has_the_seconds_that_the_page_asks_for() -> None:
    request = Request(["http://localhost:1/debug/pprof/profile?seconds=3"])
    with pytest.raises(FetchError, match="seconds=12"):
        fetch_again(request, lambda _: None, 12)
    assert request.seconds == -1


def test_a_page_of_files_records_nothing(serve: Serve, visitor: Visitor) -> None:
    page = visitor.open(f"{serve(recorded(a=1))}/ui/top")
    assert not page.locator("#live").is_visible()


@pytest.mark.parametrize(
    ("view", "parameters"),
    [
        ("top", {"f": "fib|odd", "si": "samples"}),
        ("peek", {"f": "fib"}),
        ("source", {"f": "fib"}),
        ("labels", {}),
        ("graph", {"h": "it's"}),
        ("top", {"g": "lines", "calltree": "t", "nf": "0.1", "sort": "cum"}),
    ],
)
def test_the_command_line_prints_the_view_in_a_terminal(
    tmp_path: Path, capsysbinary: pytest.CaptureFixture[bytes], view: str, parameters: dict[str, str]
) -> None:
    path = tmp_path / "a b.prof"
    path.write_bytes(encode(profile_named("py.cpu")))
    configs = SavedConfigs(tmp_path / "none.json")
    session = ProfileSession(profile_named("py.cpu"), Options(), configs, sources=[str(path)])
    page = session.page(view, parameters)
    words = shlex.split(page["command"])
    assert words[:2] == ["conduit", "pprof"]
    assert run(words[2:]) == 0
    printed = capsysbinary.readouterr().out.decode()
    assert printed.strip()
    if view == "top":
        for row in page["views"]["top"]["rows"][:3]:
            assert row["name"] in printed
            assert row["flatText"] in printed


@pytest.mark.parametrize(
    ("source", "shown"),
    [
        (
            "http://pprof:hunter2@localhost:1/debug/pprof/profile",
            "'http://pprof:***@localhost:1/debug/pprof/profile'",
        ),
        ("pprof:hunter2@localhost:1", "'pprof:***@localhost:1'"),
        (
            "http://localhost:1/heap?access_token=hunter2&gc=1",
            "'http://localhost:1/heap?access_token=***&gc=1'",
        ),
        (
            "http://localhost:1/heap?gc=1&X-Amz-Signature=hunter2",
            "'http://localhost:1/heap?gc=1&X-Amz-Signature=***'",
        ),
        ("heap token=3.prof", "'heap token=3.prof'"),
    ],
)
def test_the_command_line_holds_no_password_or_token_of_a_source(source: str, shown: str) -> None:
    base = [f"-diff_base=old.prof,{source}"]
    for line in (
        command_line("top", Options(), {}, [source], base),
        command_line("growth", Options(), {}, [source], base, [source, source]),
    ):
        assert "hunter2" not in line
        assert line.endswith(shown)


def test_a_password_may_hold_a_comma() -> None:
    line = command_line("top", Options(), {}, ["new.prof"], ["-diff_base=http://a:hunter,2@h/p,b:hunter@h"])
    assert shlex.split(line) == [
        "conduit",
        "pprof",
        "-top",
        "-diff_base=http://a:***@h/p,b:***@h",
        "new.prof",
    ]


def test_a_page_of_a_service_with_a_token_does_not_hold_it(serve: Serve, visitor: Visitor) -> None:
    url = serve(
        recorded(work=10), sources=["http://pprof:hunter2@localhost:1/debug/pprof/profile"], fetch=growing()
    )
    page = visitor.open(f"{url}/ui/flamegraph", width=1400)
    assert "hunter2" not in page.content()
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    page.locator("#menu-save > summary").click()
    page.get_by_role("button", name="Copy the command line").click()
    page.get_by_text("write the password for ***").wait_for()
    copied = page.evaluate("navigator.clipboard.readText()")
    assert shlex.split(copied)[-1] == "http://pprof:***@localhost:1/debug/pprof/profile"


def test_the_picture_is_saved_as_svg_and_png(serve: Serve, visitor: Visitor, tmp_path: Path) -> None:
    page = visitor.open(f"{serve(profile_named('py.cpu'))}/ui/flamegraph", width=1400)
    for kind in ("SVG", "PNG"):
        page.locator("#menu-save > summary").click()
        with page.expect_download() as started:
            page.get_by_role("button", name=f"Save the picture as {kind}").click()
        path = tmp_path / started.value.suggested_filename
        started.value.save_as(path)
        assert path.suffix == f".{kind.lower()}"
        if kind == "SVG":
            texts = [text.text for text in ET.parse(path).iter("{http://www.w3.org/2000/svg}text")]
            assert "app.server.run" in texts
        else:
            assert path.read_bytes().startswith(b"\x89PNG\r\n")
            assert path.stat().st_size > 3000


def test_the_graph_is_saved_too(serve: Serve, visitor: Visitor, tmp_path: Path) -> None:
    page = visitor.open(f"{serve(profile_named('py.cpu'))}/ui/graph")
    page.locator("#menu-save > summary").click()
    with page.expect_download() as started:
        page.get_by_role("button", name="Save the picture as SVG").click()
    started.value.save_as(tmp_path / "graph.svg")
    assert "zlib" in (tmp_path / "graph.svg").read_text()


def test_a_stack_a_link_and_a_command_line_are_copied(serve: Serve, visitor: Visitor) -> None:
    url = serve(profile_named("py.cpu"), sources=["cpu.prof"])
    page = visitor.open(f"{url}/ui/flamegraph?frames=all", width=1400)
    page.context.grant_permissions(["clipboard-read", "clipboard-write"])
    copied = "navigator.clipboard.readText()"
    page.locator('.box[aria-label^="app.math.odd:"]').first.click(button="right")
    assert (
        page.get_by_role("menu", name="app.math.odd").evaluate("e => getComputedStyle(e, '::before').content")
        == '"app.math.odd"'
    )
    page.get_by_role("menuitem", name="Copy stack").click()
    page.get_by_text("copied").wait_for()
    stack = page.evaluate(copied).split("\n")
    assert stack[0] == "__main__.<module>"
    assert stack[-1] == "app.math.odd"
    page.locator('.box[aria-label^="zlib.compress:"]').first.click(button="right")
    page.get_by_role("menuitem", name="Copy link").click()
    wait_until(page, f"{copied}.then((text) => text.startsWith('http:'))")
    assert visitor.open(page.evaluate(copied)).locator(".box.pivot").count() == 1
    page.locator("#menu-save > summary").click()
    page.get_by_role("button", name="Copy the command line").click()
    wait_until(page, f"{copied}.then((text) => text === 'conduit pprof -top cpu.prof')")
