"""The requests that Grafana Alloy and Parca make of the configurations in the how-to pages, and what they refuse.

The rules are those of their scrapers' sources (Alloy `internal/component/pyroscope/scrape`, Parca `pkg/scrape` and
`pkg/normalizer`), written anew. The programs themselves are not run here. Profiles that last are asked for one second.
"""

from __future__ import annotations

import re
import threading
import time
import urllib.request
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

import pytest

from conduit._native import available
from conduit.debug import Access, serve
from conduit.profile.codec import decode
from conduit.record import waits

if TYPE_CHECKING:
    from collections.abc import Iterator

    from conduit.profile.model import Profile, Sample

pytestmark = pytest.mark.skipif(not available(), reason="the C extension is not built here")

PAGES = Path(__file__).resolve().parents[2] / "docs" / "how-to"


class Target(NamedTuple):
    """One profile that a scraper asks for; with `delta` it sends `seconds`."""

    path: str
    delta: bool


DEFAULTS = {
    "memory": Target("/debug/pprof/allocs", delta=False),
    "block": Target("/debug/pprof/block", delta=False),
    "goroutine": Target("/debug/pprof/goroutine", delta=False),
    "mutex": Target("/debug/pprof/mutex", delta=False),
    "process_cpu": Target("/debug/pprof/profile", delta=True),
}
# Alloy computes these itself, from one scrape to the next; all other types go as they are.
DIFFERENCES = {
    "memory": ("alloc_objects", "alloc_space"),
    "mutex": ("contentions", "delay"),
    "block": ("contentions", "delay"),
}
TYPES = {
    "memory": ["alloc_objects", "alloc_space", "inuse_objects", "inuse_space"],
    "block": ["contentions", "delay"],
    "mutex": ["contentions", "delay"],
    "goroutine": ["goroutine"],
    "process_cpu": ["samples", "cpu"],
}


def configuration(page: str, language: str) -> str:
    blocks = re.findall(rf"```{language}\n(.*?)```", (PAGES / page).read_text(), re.DOTALL)
    assert len(blocks) == 1
    return str(blocks[0])


def alloy_targets() -> dict[str, Target]:
    """Alloy's defaults, changed by the page's `profiling_config`."""
    targets = dict(DEFAULTS)
    text = configuration("alloy-pyroscope.md", "text")
    for name, label, body in re.findall(r'profile\.(\w+)\s*(?:"(\w+)")?\s*\{(.*?)\}', text, re.DOTALL):
        attributes = dict(re.findall(r"(\w+)\s*=\s*(\S+)", body))
        assert set(attributes) <= {"enabled", "path", "delta"}
        assert name == "custom" or name in DEFAULTS
        if attributes["enabled"] == "true":
            targets[label or name] = Target(attributes["path"].strip('"'), attributes.get("delta") == "true")
    return targets


def parca_targets() -> dict[str, Target]:
    """Parca's defaults, changed by the page's `pprof_config`."""
    targets = dict(DEFAULTS)
    _, _, text = configuration("parca.md", "yaml").partition("pprof_config:\n")
    for name, body in re.findall(r"^ {8}(\w+):\n((?: {10}.*\n)+)", text, re.MULTILINE):
        keys = dict(re.findall(r"^ {10}(\w+): (\S+)$", body, re.MULTILINE))
        assert set(keys) <= {"enabled", "path", "delta", "seconds", "keep_sample_type"}
        assert name in DEFAULTS or keys["enabled"] == "true"
        targets[name] = Target(keys.get("path") or DEFAULTS[name].path, keys.get("delta") == "true")
    return targets


class Answer(NamedTuple):
    status: int
    content_type: str
    body: bytes


@pytest.fixture(scope="module")
def base() -> Iterator[str]:
    """A service that computes, allocates and waits, so that no profile is empty for want of something to show."""
    ended, lock = threading.Event(), threading.Lock()
    kept: list[bytes] = []
    turns = [threading.Semaphore(0) for _ in range(2)]

    def work(turn: threading.Semaphore) -> None:
        while not ended.is_set():
            with lock:
                kept.append(bytes(2000) * (sum(range(5000)) % 3 + 50))
                del kept[:-50]
                time.sleep(0.001)
            turn.release()

    waits.set_mutex_profile_fraction(1)
    waits.set_block_profile_rate(1)
    workers = [threading.Thread(target=work, args=(turn,)) for turn in turns]
    for worker in workers:
        worker.start()
    try:
        with serve("localhost:0", Access(token="a secret")) as server:
            # Sampled one byte in 512 KiB: that 64 MiB leave no sample has a chance of e^-128.
            blocks = [bytes(1 << 20) for _ in range(64)]
            for turn in turns:  # each has slept while the other waited for its lock
                for _ in range(10):
                    turn.acquire()
            yield f"http://{server.address}"
            del blocks
    finally:
        ended.set()
        for worker in workers:
            worker.join()
        waits.set_mutex_profile_fraction(0)
        waits.set_block_profile_rate(0)


def scrape(base: str, target: Target, agent: str) -> Answer:
    url = base + target.path + ("?seconds=1" if target.delta else "")
    headers = {"User-Agent": agent, "Accept-Encoding": "gzip", "Authorization": "Bearer a secret"}
    with urllib.request.urlopen(urllib.request.Request(url, headers=headers), timeout=30) as response:
        assert response.url == url
        assert (
            response.headers.get("Content-Encoding") is None
        )  # Go's client would unpack it, and pass on what is inside
        return Answer(response.status, response.headers["Content-Type"], response.read())


def stack_key(sample: Sample) -> tuple[object, ...]:
    places = tuple(location.address for location in sample.locations)
    return places, tuple(
        sorted(
            (key, tuple(values)) for key, values in (*sample.labels.items(), *sample.numeric_labels.items())
        )
    )


@pytest.mark.parametrize("name", [*DEFAULTS, "wall"])
def test_alloy_gets_what_it_accepts(base: str, name: str) -> None:
    answer = scrape(base, alloy_targets()[name], "GrafanaAlloy/v1.12")
    assert answer.status // 100 == 2
    assert answer.content_type.startswith("application/octet-stream")
    assert answer.body[:2] == b"\x1f\x8b"  # neither text nor markup nor JSON, which it refuses
    profile = decode(answer.body)
    assert profile.samples
    assert [kind.type for kind in profile.sample_types] == TYPES.get(
        name, [kind.type for kind in profile.sample_types]
    )
    assert len(profile.sample_types) <= 4  # its computation of differences has room for four values


@pytest.mark.parametrize("name", DIFFERENCES)
def test_differences_that_alloy_computes_are_never_negative_and_find_their_stacks_again(
    base: str, name: str
) -> None:
    target = alloy_targets()[name]
    before, after = (decode(scrape(base, target, "GrafanaAlloy/v1.12").body) for _ in range(2))
    columns = [n for n, kind in enumerate(after.sample_types) if kind.type in DIFFERENCES[name]]
    later = {stack_key(sample): sample.values for sample in after.samples}
    assert len(later) == len(after.samples)
    for sample in before.samples:
        values = later[stack_key(sample)]
        assert all(values[column] >= sample.values[column] for column in columns)
    assert after.time_nanos > before.time_nanos


@pytest.mark.parametrize("name", [*DEFAULTS, "wall"])
def test_parca_gets_what_it_accepts(base: str, name: str) -> None:
    answer = scrape(base, parca_targets()[name], "conprof/v0.25")
    assert answer.status == 200
    profile = decode(answer.body)
    check_as_parca(profile)
    assert profile.time_nanos > 0
    assert profile.period_type is not None
    assert all(
        line.function and line.function.name for location in profile.locations for line in location.lines
    )
    if parca_targets()[name].delta:
        assert profile.duration_nanos >= 10**9


def check_as_parca(profile: Profile) -> None:
    """Ids count from one without gaps, every sample has a value for each type, and every label a key."""
    for table in (profile.mappings, profile.functions, profile.locations):
        assert [row.id for row in table] == list(range(1, len(table) + 1))
    assert profile.sample_types
    for sample in profile.samples:
        assert len(sample.values) == len(profile.sample_types)
        assert all((*sample.labels, *sample.numeric_labels))
        assert all(1 <= location.id <= len(profile.locations) for location in sample.locations)
