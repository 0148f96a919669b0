"""The flame graph from left to right in time, where samples say when they were taken."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from conduit.profile.builder import ProfileBuilder
from conduit.profile.model import ValueType
from conduit.report.options import Options
from conduit.web.configs import SavedConfigs
from conduit.web.session import ProfileSession
from conduit.web.time_order import TIME_LABEL

from .conftest import SCREENSHOTS

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
    page.get_by_role("link", name="Sort: by time").click()
    page.locator('.box[aria-label^="thread b:"]').wait_for()
    boxes = [(box.get_attribute("aria-label"), box.bounding_box()) for box in page.locator(".box").all()]
    row = sorted(
        (place["x"], str(label).split(":")[0])
        for label, place in boxes
        if place and str(label).split(":")[0] in ("load", "parse", "idle")
    )
    assert [name for _, name in row] == ["load", "parse", "load", "idle"]
    assert page.get_by_text("1 sample without a time").count() == 1
    page.screenshot(path=str(SCREENSHOTS / "flame-time.png"))
    page.get_by_role("link", name="Sort: heaviest first").click()
    page.locator('.box[aria-label^="thread b:"]').wait_for(state="detached")
