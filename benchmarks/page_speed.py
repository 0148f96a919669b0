"""Times the pages in a real browser: first picture, frames while hovering, scrolling and zooming, the server.

    python benchmarks/page_speed.py [LARGE.pb.gz] [--small SMALL.pb.gz] [--registry DOCUMENT] [--seconds 3] [--json]

LARGE is made by `python benchmarks/profile_large.py generate LARGE.pb.gz --shared`. Needs Chromium and playwright (extra
`dev`). Printed are: seconds from the start of the command to the first picture; milliseconds between two frames (median,
95th percentile) and frames a second while the pointer moves, the wheel scrolls and Ctrl+wheel zooms; the most memory that
the server took; how long a second tab waited while the first picture was made; and for the small profile, seconds from
opening its address to its picture. For a metadata document's page: seconds from the command to the page, milliseconds
from a letter in the search box to the results laid out, and frames while the table of routes is scrolled and the graph
of the resource with most neighbours is moved and zoomed. Without a graphics card the frames are painted by the CPU, as on a build machine.
"""

from __future__ import annotations

import argparse
import json
import math
import re
import shutil
import statistics
import subprocess
import sys
import threading
import time
import urllib.request
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

if TYPE_CHECKING:
    from collections.abc import Callable

    from playwright.sync_api import Browser, Page

PROGRAMS = ("chromium", "chromium-browser", "google-chrome", "chrome")
# When the picture of a new document is on the screen: the boxes are there, and the frame that paints them has ended. The
# page itself takes the time: goto() returns after all scripts, and wait_for() looks only every 0.1 s.
PAINTED = """new MutationObserver((_, observer) => {
  if (document.querySelectorAll(".box").length < 3) return;
  observer.disconnect();
  requestAnimationFrame(() => setTimeout(() => { window.painted = performance.timeOrigin + performance.now(); }));
}).observe(document, { childList: true, subtree: true });"""
# Frames are counted by the browser itself; `frames` holds the times of all since `start`.
COUNTER = """() => { window.frames_seen = []; const tick = (now) => { window.frames_seen.push(now);
  window.counting = requestAnimationFrame(tick); }; window.counting = requestAnimationFrame(tick); }"""
STOP = "() => { cancelAnimationFrame(window.counting); return window.frames_seen; }"


class Server:
    """`conduit … -http` in a process of its own, from the command to its end."""

    def __init__(self, command: str, *arguments: str) -> None:
        self.started = time.monotonic()
        words = [sys.executable, "-m", "conduit", command, "-http=localhost:", "-no_browser", *arguments]
        self.process = subprocess.Popen(words, stderr=subprocess.PIPE, text=True)
        assert self.process.stderr is not None
        for line in self.process.stderr:
            found = re.search(r"http://\S+", line)
            if found:
                self.url = found[0]
                return
        raise SystemExit("the server did not start")

    def peak_mb(self) -> float:
        """The most memory that the process had, in MB."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        found = re.search(r"VmHWM:\s+(\d+)", status)
        return int(found[1]) / 1024 if found else math.nan

    def stop(self) -> None:
        """End the process."""
        self.process.terminate()
        self.process.wait()


def open_page(browser: Browser, url: str) -> Page:
    """Open a flame graph and wait for its boxes."""
    page = browser.new_page(viewport={"width": 1400, "height": 850})
    page.goto(f"{url}/ui/flamegraph?frames=all")
    page.locator(".box").nth(2).wait_for(timeout=120_000)
    return page


def frame_times(page: Page, act: Callable[[Page, int], None], seconds: float) -> dict[str, float]:
    """Milliseconds between two frames while `act(page, step)` is called again and again."""
    page.evaluate(COUNTER)
    end, step = time.monotonic() + seconds, 0
    while time.monotonic() < end:
        act(page, step)
        step += 1
    times = page.evaluate(STOP)
    gaps = [later - earlier for earlier, later in pairwise(times)]
    return {
        "median_ms": statistics.median(gaps),
        "p95_ms": statistics.quantiles(gaps, n=20)[-1],
        "frames_per_s": 1000 * len(gaps) / (times[-1] - times[0]),
        "inputs_per_s": step / seconds,
    }


def hover(page: Page, step: int) -> None:
    page.mouse.move(500 + (step * 37) % 850, 200 + (step * 23) % 600)


def scroll(page: Page, step: int) -> None:
    page.mouse.wheel(0, 120 if (step // 12) % 2 == 0 else -120)


def zoom(page: Page, step: int) -> None:
    page.mouse.wheel(0, -60 if (step // 20) % 2 == 0 else 60)


def second_tab(url: str, waited: list[float]) -> None:
    """Ask for the table while the first picture is made."""
    time.sleep(0.3)
    before = time.monotonic()
    with urllib.request.urlopen(f"{url}/ui/top") as answer:
        answer.read()
    waited.append(time.monotonic() - before)


def measure_large(browser: Browser, path: str, seconds: float) -> dict[str, Any]:
    server = Server("pprof", path)
    waited: list[float] = []
    other = threading.Thread(target=second_tab, args=(server.url, waited))
    try:
        other.start()
        page = open_page(browser, server.url)
        found: dict[str, Any] = {"first_picture_s": time.monotonic() - server.started}
        other.join()
        found["second_tab_s"] = waited[0]
        page.wait_for_timeout(500)
        page.mouse.move(900, 400)
        found["hover"] = frame_times(page, hover, seconds)
        found["scroll"] = frame_times(page, scroll, seconds)
        page.keyboard.down("Control")
        found["zoom"] = frame_times(page, zoom, seconds)
        page.keyboard.up("Control")
        found["server_mb"] = server.peak_mb()
    finally:
        server.stop()
    return found


def measure_small(browser: Browser, path: str) -> dict[str, float]:
    server = Server("pprof", path)
    try:
        times = [seconds_until_painted(browser, server.url) for _ in range(9)]
        return {"visible_s": statistics.median(times[1:])}
    finally:
        server.stop()


def seconds_until_painted(browser: Browser, url: str) -> float:
    """Open a flame graph in a new window without a cache; returns the seconds from its address to its picture."""
    page = browser.new_page(viewport={"width": 1400, "height": 850})
    page.add_init_script(PAINTED)
    before = time.time()
    page.goto(f"{url}/ui/flamegraph?frames=all")
    painted_ms: float = page.wait_for_function("window.painted").json_value()
    page.close()
    return painted_ms / 1000 - before


class CpuOfPage:
    """CPU time of the page's own thread since this was made; other processes do not count, as they do on the clock."""

    def __init__(self, page: Page) -> None:
        self._session = page.context.new_cdp_session(page)
        self._session.send("Performance.enable", {"timeDomain": "threadTicks"})
        self._start = self._now()

    def _now(self) -> float:
        metrics = self._session.send("Performance.getMetrics")["metrics"]
        return next(float(one["value"]) for one in metrics if one["name"] == "TaskDuration")

    def spent_ms(self) -> float:
        """Milliseconds since the start."""
        return 1000 * (self._now() - self._start)


QUERIES = ("device", "post user", "serializer.id", "iplist", "circuit term", "api/")
# From the letter to the results laid out; reading a size lays the page out.
TYPE = """(text) => { const box = document.getElementById("search"), before = performance.now();
  box.value = text; box.dispatchEvent(new Event("input", { bubbles: true }));
  document.documentElement.offsetHeight; return performance.now() - before; }"""
# Neighbours are added until the graph has as many boxes as it shows.
GROW = """() => { const model = Conduit.registry.model, degree = new Map();
  for (const one of model.resources) for (const relation of one.relations)
    for (const name of [one.name, relation.target]) degree.set(name, (degree.get(name) || 0) + 1);
  return [...degree].sort((a, b) => b[1] - a[1])[0][0]; }"""


def pan(page: Page, step: int) -> None:
    page.mouse.move(700 + (step * 7) % 200, 450 + (step * 5) % 150)


def zoom_graph(page: Page, step: int) -> None:
    page.mouse.wheel(0, -60 if (step // 10) % 2 == 0 else 60)


def measure_registry(browser: Browser, path: str, seconds: float) -> dict[str, Any]:
    server = Server("introspect", f"--metadata={path}")
    try:
        page = browser.new_page(viewport={"width": 1400, "height": 850})
        page.goto(server.url)
        page.locator(".tile").first.wait_for()
        found: dict[str, Any] = {"first_picture_s": time.monotonic() - server.started}
        page.wait_for_timeout(500)
        letters = [text[:end] for text in QUERIES for end in range(1, len(text) + 1)]
        cpu = CpuOfPage(page)
        times = [page.evaluate(TYPE, text) for text in letters]
        found["search"] = {
            "cpu_ms": cpu.spent_ms() / len(times),
            "median_ms": statistics.median(times),
            "p95_ms": statistics.quantiles(times, n=20)[-1],
            "slowest_ms": max(times),
            "letters": len(times),
        }
        page.goto(f"{server.url}/#view=routes")
        page.locator("table.routes tbody tr").first.wait_for()
        page.mouse.move(700, 500)
        found["scroll"] = frame_times(page, scroll, seconds)
        page.goto(f"{server.url}/#view=graph&name={quote(page.evaluate(GROW))}")
        box = page.locator(".registry-graph g.node")
        box.first.wait_for()
        more = box.filter(has_text=re.compile(r"\+\d"))  # boxes with neighbours that are not shown
        for _ in range(12):
            if box.count() >= 40 or not more.count():
                break
            more.first.dispatch_event("click")
            page.wait_for_timeout(100)
        found["boxes"] = box.count()
        page.wait_for_timeout(500)
        page.mouse.move(700, 450)
        page.mouse.down()
        found["pan"] = frame_times(page, pan, seconds)
        page.mouse.up()
        found["zoom"] = frame_times(page, zoom_graph, seconds)
        found["server_mb"] = server.peak_mb()
        return found
    finally:
        server.stop()


def print_registry(found: dict[str, Any]) -> None:
    search = found["search"]
    print(
        f"registry: page {found['first_picture_s']:.2f} s after the command, server {found['server_mb']:.0f} MB"
    )
    print(
        f" search: {search['cpu_ms']:.1f} ms of CPU a letter; on the clock median {search['median_ms']:.1f} ms, 95th percentile {search['p95_ms']:.1f} ms, "
        f"slowest {search['slowest_ms']:.1f} ms ({search['letters']} letters)"
    )
    print(f"         graph of {found['boxes']} boxes:")
    print_frames(found, ("scroll", "pan", "zoom"))


def print_frames(found: dict[str, Any], names: tuple[str, ...]) -> None:
    for name in names:
        row = found[name]
        print(
            f"{name:>7}: {row['frames_per_s']:5.1f} frames/s, median {row['median_ms']:.1f} ms, 95th percentile {row['p95_ms']:.1f} ms"
        )


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("large", nargs="?")
    parser.add_argument("--small")
    parser.add_argument("--registry")
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    if not (arguments.large or arguments.small or arguments.registry):
        parser.error("expected LARGE.pb.gz, --small or --registry")
    program = next(filter(None, map(shutil.which, PROGRAMS)), None)
    if program is None:
        raise SystemExit("no Chromium on this machine (apt-get install chromium)")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        found: dict[str, Any] = {}
        if arguments.large:
            found["large"] = measure_large(browser, arguments.large, arguments.seconds)
        if arguments.small:
            found["small"] = measure_small(browser, arguments.small)
        if arguments.registry:
            found["registry"] = measure_registry(browser, arguments.registry, arguments.seconds)
        browser.close()
    if arguments.json:
        print(json.dumps(found, indent=2))
        return
    if "large" in found:
        large = found["large"]
        print(
            f"first picture {large['first_picture_s']:.2f} s after the command, server {large['server_mb']:.0f} MB at most,"
        )
        print(f"a second tab waited {large['second_tab_s']:.2f} s")
        print_frames(large, ("hover", "scroll", "zoom"))
    if "small" in found:
        print(f"small profile: visible {found['small']['visible_s']:.2f} s after its address was opened")
    if "registry" in found:
        print_registry(found["registry"])


if __name__ == "__main__":
    main()
