"""A real browser, or the reason why there is none. CI sets CONDUIT_REQUIRE_BROWSER, and then a missing one fails."""

from __future__ import annotations

import os
import shutil
import threading
from base64 import b64encode
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from conduit.http.messages import plain_response
from conduit.profile.codec import decode
from conduit.report.options import Options
from conduit.web.application import Application
from conduit.web.configs import SavedConfigs
from conduit.web.server import LocalServer
from conduit.web.session import ProfileSession

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from playwright.sync_api import Browser, Frame, Locator, Page

    from conduit.http.messages import Answer, Request, Response
    from conduit.profile.model import Profile

SCREENSHOTS = Path(__file__).resolve().parents[2] / "build" / "screenshots"
PROFILES = Path(__file__).resolve().parents[1] / "golden" / "pprof" / "profiles"
# The first, a Debian package, is Chromium without a window around the page: it needs a fifth less CPU time.
_PROGRAMS = ("chromium-headless-shell", "chromium", "chromium-browser", "google-chrome", "chrome")
_SWITCHES = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]


def profile_named(name: str) -> Profile:
    return decode((PROFILES / f"{name}.pb.gz").read_bytes())


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    program = next(filter(None, map(shutil.which, _PROGRAMS)), None)
    if program is None:
        message = "no Chromium on this machine (apt-get install chromium)"
        if os.environ.get("CONDUIT_REQUIRE_BROWSER"):
            pytest.fail(message)
        pytest.skip(message)
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        started = playwright.chromium.launch(executable_path=program, args=_SWITCHES)
        yield started
        started.close()


class Place:
    """An address where test after test is answered: at a new one, the browser would compile all scripts anew."""

    def __init__(self) -> None:
        self.answer: Answer = nobody
        self._server = LocalServer(lambda *_: lambda request, gone: self.answer(request, gone), "localhost:0")
        self.url = self._server.url
        self._thread = threading.Thread(target=self._server.serve, daemon=True)
        self._thread.start()

    def close(self) -> None:
        self._server.close()
        self._thread.join()


def nobody(request: Request, cancelled: threading.Event) -> Response:
    return plain_response(503, "no test is answered here")


@pytest.fixture(scope="session")
def places() -> Iterator[list[Place]]:
    made: list[Place] = []
    yield made
    for place in made:
        place.close()


@pytest.fixture
def serve(tmp_path: Path, places: list[Place]) -> Iterator[Callable[..., str]]:
    """Serves a profile's page and returns its address."""
    taken = 0

    def start(profile: Profile, **session: object) -> str:
        nonlocal taken
        if taken == len(places):
            places.append(Place())
        place = places[taken]
        taken += 1
        configs = SavedConfigs(tmp_path / "settings.json")
        place.answer = Application(ProfileSession(profile, Options(), configs, **session)).answer  # type: ignore[arg-type]
        return place.url

    yield start
    for place in places[:taken]:
        place.answer = nobody


class Tab:
    """A page of the browser that test after test uses: a new one costs a process of its own, a third of a second."""

    def __init__(self, browser: Browser) -> None:
        self.visitor: Visitor | None = None
        self._next: Visitor | None = None
        self._origins: set[str] = set()
        self.page = browser.new_context().new_page()
        self.page.context.set_default_timeout(12_000)
        self.page.on("pageerror", lambda error: self._complain(str(error)))
        self.page.on(
            "console", lambda message: self._complain(message.text) if message.type == "error" else None
        )
        self.page.on("request", lambda request: self.visitor.watch(request.url) if self.visitor else None)
        self.page.on("framenavigated", self._arrive)

    def go(self, visitor: Visitor, url: str) -> None:
        """Open an address; what the page of the test before says until then is nobody's complaint."""
        self._next = visitor
        self._origins.clear()
        if "#" in url and url.partition("#")[0] == self.page.url.partition("#")[0]:
            self.page.goto("about:blank")  # else this would be a step within the page of the test before
        self.page.goto(url)

    def _arrive(self, frame: Frame) -> None:
        if frame.parent_frame is None and self._next is not None and not is_blank(frame.url):
            self.visitor = self._next
            self._origins.add(origin_of(frame.url))
            self.visitor.watch(frame.url)

    def _complain(self, text: str) -> None:
        if self.visitor:
            self.visitor.complaints.append(text)

    def leave(self) -> bool:
        """Forget what the test did, and return whether the next one finds this tab like a new one."""
        strewn = self._origins - {origin_of(self.page.url)}  # only the page itself can forget what it stored
        if self.page.is_closed() or len(self.page.context.pages) > 1 or strewn:
            self.visitor = self._next = None
            self.page.context.close()
            return False
        # What the page complained about until now is heard before it answers.
        self.page.evaluate("() => { try { localStorage.clear(); sessionStorage.clear(); } catch {} }")
        self.visitor = self._next = None
        # It stays until the next test opens its own, since to leave it takes half as long as that; but it rests.
        self.page.evaluate(
            """() => { stop(); for (let last = setTimeout(String); last > 0; last -= 1) clearTimeout(last);
            for (let last = requestAnimationFrame(String); last > 0; last -= 1) cancelAnimationFrame(last); }"""
        )
        self.page.context.clear_cookies()
        self.page.context.clear_permissions()
        self.page.mouse.move(-1, -1)
        return True


def is_blank(url: str) -> bool:
    return url.startswith("about:")


def scheme_of(url: str) -> str:
    return url.partition(":")[0]


def origin_of(url: str) -> str:
    return "/".join(url.split("/", 3)[:3])


class Visitor:
    """Opens pages and keeps what the page complained about; a test fails on any complaint or foreign request."""

    def __init__(self, browser: Browser, idle: list[Tab]) -> None:
        self._browser = browser
        self._idle = idle
        self._used: list[Tab] = []
        self.complaints: list[str] = []
        self.foreign: list[str] = []

    def open(
        self, url: str, *, width: int = 1280, height: int = 800, scheme: str = "light", media: str = "screen"
    ) -> Page:
        tab = self._idle_tab(url) or Tab(self._browser)
        self._used.append(tab)
        tab.page.set_viewport_size({"width": width, "height": height})
        tab.page.emulate_media(media=media, color_scheme=scheme)  # type: ignore[arg-type]
        tab.go(self, url)
        return tab.page

    def _idle_tab(self, url: str) -> Tab | None:
        """Take a tab that was at such an address last: from files to a server and back, it would need a new process."""
        empty = [tab for tab in self._idle if is_blank(tab.page.url)]
        alike = [tab for tab in self._idle if scheme_of(tab.page.url) == scheme_of(url)]
        fit = empty + self._idle[::-1] if is_blank(url) else alike + empty
        if not fit:
            return None
        self._idle.remove(fit[0])
        return fit[0]

    def watch(self, url: str) -> None:
        if not url.startswith(("http://localhost:", "file:", "data:")):
            self.foreign.append(url)

    def leave(self) -> None:
        # The first one is the next one's first: the scripts that it has compiled are the most.
        self._idle[:0] = [tab for tab in self._used if tab.leave()]


@pytest.fixture(scope="session")
def idle_tabs() -> list[Tab]:
    return []


@pytest.fixture
def visitor(browser: Browser, idle_tabs: list[Tab]) -> Iterator[Visitor]:
    visiting = Visitor(browser, idle_tabs)
    yield visiting
    visiting.leave()
    assert visiting.complaints == []
    assert visiting.foreign == []


def wait_until(page: Page, condition: str, arg: object = None, seconds: float = 15) -> None:
    """Wait until a JavaScript expression holds, or a function of `arg` that is given as text.

    Playwright's own `wait_for_function` asks again by `eval`, which the pages' content security policy refuses.
    """
    for _ in range(round(seconds / 0.02)):
        if page.evaluate(condition, arg):
            return
        page.wait_for_timeout(20)
    raise AssertionError(f"after {seconds} s this does not hold: {condition}")


def wait_for(page: Page, holds: Callable[[], bool], seconds: float = 15) -> None:
    """Wait until what a test itself finds out on the page holds."""
    for _ in range(round(seconds / 0.02)):
        if holds():
            return
        page.wait_for_timeout(20)
    raise AssertionError(f"after {seconds} s this does not hold: {holds}")


@contextmanager
def open_menu(page: Page, menu: str) -> Iterator[Locator]:
    """Open a menu as a person does, and close it again.

    A page fills its menus after the picture is drawn, or as one is opened: who reads a closed one may read the
    entries of the view before. The mouse is moved here: Playwright's own click may scroll the page under the bar.
    """
    place = page.locator(f"#{menu} > summary").bounding_box()
    assert place is not None
    middle = place["x"] + place["width"] / 2, place["y"] + place["height"] / 2
    page.mouse.click(*middle)
    page.locator(f"#{menu}[open]").wait_for()
    yield page.locator(f"#{menu} .items")
    page.mouse.click(*middle)
    page.locator(f"#{menu}[open]").wait_for(state="detached")


def places_of_boxes(page: Page) -> list[tuple[str, dict[str, float]]]:
    """The label and the place of each box that is seen.

    Boxes are made anew with each picture, so they are looked for and measured in one step.
    """
    found: list[tuple[str, dict[str, float]]] = page.evaluate(
        """() => [...document.querySelectorAll(".box[aria-label]")].map((box) => [box.getAttribute("aria-label"),
        box.getBoundingClientRect().toJSON()]).filter(([, place]) => place.width > 0)"""
    )
    return found


def place_of(page: Page, name: str) -> dict[str, float]:
    """The place of a function's first box; waits until there is one."""
    for _ in range(750):
        for label, place in places_of_boxes(page):
            if label.startswith(f"{name}:"):
                return place
        page.wait_for_timeout(20)
    raise AssertionError(f"after 15 s there is no box of {name}")


def light_share(page: Page, shot: bytes) -> float:
    """The share of a picture's pixels that are light, counted in a page that takes pictures from elsewhere."""
    share: float = page.evaluate(
        """async (data) => { const image = new Image(); image.src = data; await image.decode();
        const canvas = new OffscreenCanvas(image.width, image.height), pen = canvas.getContext("2d");
        pen.drawImage(image, 0, 0); const all = pen.getImageData(0, 0, image.width, image.height).data;
        let light = 0; for (let n = 0; n < all.length; n += 4) light += (all[n] + all[n + 1] + all[n + 2]) / 3 > 140;
        return light / (all.length / 4); }""",
        "data:image/png;base64," + b64encode(shot).decode(),
    )
    return share
