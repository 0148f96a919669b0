"""How quick the page is in a real browser on a large profile: first picture, pivot, and frames while hovering.

    python benchmarks/page_speed.py large.pb.gz [rounds]

`python benchmarks/profile_large.py generate large.pb.gz` makes the profile. Needs Chromium and Playwright. Times are of
the browser (navigation timing, requestAnimationFrame); the server's own time for the view is printed apart.
"""

from __future__ import annotations

import shutil
import statistics
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

from playwright.sync_api import sync_playwright

from conduit.profile.codec import decode
from conduit.report.options import Options
from conduit.web.configs import SavedConfigs
from conduit.web.server import PageServer
from conduit.web.session import ProfileSession

FRAMES = """async () => {
  const boxes = [...document.querySelectorAll('.box')].filter((box) => box.clientWidth > 8);
  const times = [];
  let last = performance.now();
  for (let n = 0; n < 120; n += 1) {
    boxes[(n * 37) % boxes.length].dispatchEvent(new MouseEvent('mouseover', { bubbles: true }));
    await new Promise(requestAnimationFrame);
    const now = performance.now();
    times.push(now - last);
    last = now;
  }
  times.sort((a, b) => a - b);
  return { median: times[60], worst: times[118] };
}"""
PAINT = """() => new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(() => {
  const [load] = performance.getEntriesByType('navigation');
  done({ answered: load.responseStart, arrived: load.responseEnd, drawn: performance.now(), boxes: document.querySelectorAll('.box').length });
})))"""


def visit(url: str, rounds: int) -> list[dict[str, Any]]:
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
            found["frames"] = page.evaluate(FRAMES)
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
    profile = decode(path.read_bytes())
    with tempfile.TemporaryDirectory() as folder:
        session = ProfileSession(profile, Options(), SavedConfigs(Path(folder) / "settings.json"))
        server = PageServer(session, "localhost:0")
        thread = threading.Thread(target=server.serve)
        thread.start()
        try:
            taken = visit(server.url, rounds)
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
    print(f"  between frames while hovering    {median(t['frames']['median'] for t in taken):8.1f} ms median")
    print(
        f"                                   {median(t['frames']['worst'] for t in taken):8.1f} ms worst but one"
    )


if __name__ == "__main__":
    main()
