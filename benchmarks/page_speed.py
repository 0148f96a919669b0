"""How quick the page is in a real browser on a large profile: first picture, pivot, frames while hovering and zooming.

    python benchmarks/page_speed.py large.pb.gz [rounds] [screenshot.png]

`python benchmarks/profile_large.py generate large.pb.gz --shared` makes a profile that draws thousands of boxes, without
`--shared` one of random stacks, which draws few. Needs Chromium and Playwright. Times are of the browser (navigation
timing, requestAnimationFrame) while a real pointer moves and a real wheel turns; the server's own time is printed apart.
"""

from __future__ import annotations

import random
import shutil
import statistics
import sys
import tempfile
import threading
import time
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any

from playwright.sync_api import sync_playwright

from conduit.profile.codec import decode
from conduit.report.options import Options
from conduit.web.configs import SavedConfigs
from conduit.web.server import PageServer
from conduit.web.session import ProfileSession

if TYPE_CHECKING:
    from collections.abc import Callable

    from playwright.sync_api import Page

    Action = Callable[[Page, list[list[float]]], None]

COUNT_FRAMES = """() => {
  const seen = window.frames_seen = [];
  const tick = (now) => { if (window.frames_seen === seen) { seen.push(now); requestAnimationFrame(tick); } };
  requestAnimationFrame(tick);
}"""
TAKE_FRAMES = """() => { const seen = window.frames_seen; window.frames_seen = null; return seen; }"""
VISIBLE = """() => [...document.querySelectorAll('.box')].map((box) => box.getBoundingClientRect())
  .filter((at) => at.width > 3 && at.top > 0 && at.bottom < innerHeight)
  .map((at) => [at.left + at.width / 2, at.top + at.height / 2])"""
PAINT = """() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => {
  const [load] = performance.getEntriesByType('navigation');
  done({ answered: load.responseStart, arrived: load.responseEnd, drawn: performance.now(), boxes: document.querySelectorAll('.box').length });
})))"""


def frames_during(page: Page, action: Action, places: list[list[float]]) -> dict[str, float]:
    """Milliseconds between the frames that the page gets while something is done to it."""
    page.evaluate(COUNT_FRAMES)
    action(page, places)
    seen = page.evaluate(TAKE_FRAMES)
    between = sorted(after - before for before, after in pairwise(seen))
    return {
        "median": statistics.median(between),
        "most": between[int(len(between) * 0.95)],
        "worst": between[-1],
    }


def hover(page: Page, places: list[list[float]]) -> None:
    for x, y in places[:150]:
        page.mouse.move(x, y)


def zoom(page: Page, places: list[list[float]]) -> None:
    page.mouse.move(*places[0])
    for notch in (-80, 80):
        for _ in range(20):
            page.mouse.wheel(0, notch)


def visit(url: str, rounds: int, picture: str | None) -> list[dict[str, Any]]:
    program = shutil.which("chromium") or shutil.which("google-chrome")
    taken = []
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=program,
            args=["--no-sandbox", "--disable-background-networking", "--disable-sync"],
        )
        for _ in range(rounds):
            page = browser.new_page(viewport={"width": 1600, "height": 1000})
            page.goto(f"{url}/ui/flamegraph", timeout=300_000)
            found = page.evaluate(PAINT)
            if picture:
                page.screenshot(path=picture)
            places = page.evaluate(VISIBLE)
            random.Random(4).shuffle(places)
            found["hover"] = frames_during(page, hover, places)
            found["zoom"] = frames_during(page, zoom, places)
            page.keyboard.press("Escape")
            started = time.perf_counter()
            page.locator(".box").nth(5).click()
            page.evaluate(
                "() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)))"
            )
            found["pivot"] = 1000 * (time.perf_counter() - started)
            taken.append(found)
            page.close()
        browser.close()
    return taken


def main() -> None:
    path, rounds = Path(sys.argv[1]), int(sys.argv[2]) if len(sys.argv) > 2 else 5
    picture = sys.argv[3] if len(sys.argv) > 3 else None
    profile = decode(path.read_bytes())
    with tempfile.TemporaryDirectory() as folder:
        session = ProfileSession(profile, Options(), SavedConfigs(Path(folder) / "settings.json"))
        server = PageServer(session, "localhost:0")
        thread = threading.Thread(target=server.serve)
        thread.start()
        try:
            taken = visit(server.url, rounds, picture)
        finally:
            server.close()
            thread.join()
    median = statistics.median
    print(f"{path.name}, median of {rounds} visits, 1600 x 1000 pixels")
    print(f"  the server made the view in      {median(t['answered'] for t in taken):8.0f} ms")
    print(f"  it came over the wire in         {median(t['arrived'] - t['answered'] for t in taken):8.0f} ms")
    print(f"  first picture after that         {median(t['drawn'] - t['arrived'] for t in taken):8.0f} ms")
    print(f"  boxes                            {median(t['boxes'] for t in taken):8.0f}")
    print(f"  a pivot, click to picture        {median(t['pivot'] for t in taken):8.0f} ms")
    for kind, words in (("hover", "hovering"), ("zoom", "zooming")):
        frames = [median(t[kind][which] for t in taken) for which in ("median", "most", "worst")]
        print(
            f"  between frames while {words}    {frames[0]:8.1f} ms; 95 % within {frames[1]:.1f}, worst {frames[2]:.1f}"
        )


if __name__ == "__main__":
    main()
