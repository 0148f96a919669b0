"""Times the profile page in a real browser: first picture, frames while hovering, scrolling and zooming, the server.

    python benchmarks/page_speed.py LARGE.pb.gz [--small SMALL.pb.gz] [--seconds 3] [--json]

LARGE is made by `python benchmarks/profile_large.py generate LARGE.pb.gz --shared`. Needs Chromium and playwright (extra
`dev`). Printed are: seconds from the start of the command to the first picture; milliseconds between two frames (median,
95th percentile) and frames a second while the pointer moves, the wheel scrolls and Ctrl+wheel zooms; the most memory that
the server took; how long a second tab waited while the first picture was made; and for the small profile, seconds from
opening its address to its picture. Without a graphics card the frames are painted by the CPU, as on a build machine.
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

if TYPE_CHECKING:
    from collections.abc import Callable

    from playwright.sync_api import Browser, Page

PROGRAMS = ("chromium", "chromium-browser", "google-chrome", "chrome")
# Frames are counted by the browser itself; `frames` holds the times of all since `start`.
COUNTER = """() => { window.frames_seen = []; const tick = (now) => { window.frames_seen.push(now);
  window.counting = requestAnimationFrame(tick); }; window.counting = requestAnimationFrame(tick); }"""
STOP = "() => { cancelAnimationFrame(window.counting); return window.frames_seen; }"


class Server:
    """`conduit pprof -http` in a process of its own, from the command to its end."""

    def __init__(self, path: str) -> None:
        self.started = time.monotonic()
        command = [sys.executable, "-m", "conduit", "pprof", "-http=localhost:", "-no_browser", path]
        self.process = subprocess.Popen(command, stderr=subprocess.PIPE, text=True)
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


def open_page(browser: Browser, url: str) -> tuple[Page, float]:
    """Open a flame graph and wait for its boxes; returns the page and the seconds since its address was opened."""
    page = browser.new_page(viewport={"width": 1400, "height": 850})
    before = time.monotonic()
    page.goto(f"{url}/ui/flamegraph?frames=all")
    page.locator(".box").nth(2).wait_for(timeout=120_000)
    return page, time.monotonic() - before


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
    server = Server(path)
    waited: list[float] = []
    other = threading.Thread(target=second_tab, args=(server.url, waited))
    try:
        other.start()
        page, _ = open_page(browser, server.url)
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
    server = Server(path)
    try:
        open_page(browser, server.url)[0].close()
        return {"visible_s": min(open_page(browser, server.url)[1] for _ in range(5))}
    finally:
        server.stop()


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("large")
    parser.add_argument("--small")
    parser.add_argument("--seconds", type=float, default=3.0)
    parser.add_argument("--json", action="store_true")
    arguments = parser.parse_args()
    program = next(filter(None, map(shutil.which, PROGRAMS)), None)
    if program is None:
        raise SystemExit("no Chromium on this machine (apt-get install chromium)")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=program, args=["--no-sandbox"])
        found = {"large": measure_large(browser, arguments.large, arguments.seconds)}
        if arguments.small:
            found["small"] = measure_small(browser, arguments.small)
        browser.close()
    if arguments.json:
        print(json.dumps(found, indent=2))
        return
    large = found["large"]
    print(
        f"first picture {large['first_picture_s']:.2f} s after the command, server {large['server_mb']:.0f} MB at most,"
    )
    print(f"a second tab waited {large['second_tab_s']:.2f} s")
    for name in ("hover", "scroll", "zoom"):
        row = large[name]
        print(
            f"{name:>7}: {row['frames_per_s']:5.1f} frames/s, median {row['median_ms']:.1f} ms, 95th percentile {row['p95_ms']:.1f} ms"
        )
    if "small" in found:
        print(f"small profile: visible {found['small']['visible_s']:.2f} s after its address was opened")


if __name__ == "__main__":
    main()
