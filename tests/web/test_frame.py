"""The frame that every page shares: one set of files, and the same keys, menus and colours in a real browser."""

from __future__ import annotations

import json
import threading
from typing import TYPE_CHECKING

import pytest

from conduit.history.findings import find_all
from conduit.http.messages import Request
from conduit.metadata.schema import Metadata, Resource
from conduit.report.options import Options
from conduit.web import single_file_report
from conduit.web.history_page import history_file
from conduit.web.page import STATIC
from conduit.web.registry import registry_file
from conduit.web.trace_viewer import TraceViewer

from .conftest import profile_named, wait_until
from .test_browser import axe_findings
from .test_history_page import series_of, stepped

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from .conftest import Visitor

PAGES = ("profile", "history", "registry", "trace")
SEARCH = {"profile": "search", "history": "filter", "registry": "search"}
EVENTS = [
    {"ph": "M", "name": "process_name", "pid": 7, "tid": 7, "args": {"name": "shop"}},
    {"ph": "M", "name": "thread_name", "pid": 7, "tid": 8, "args": {"name": "worker"}},
    {"ph": "X", "name": "price", "pid": 7, "tid": 7, "ts": 1000.0, "dur": 2000},
    {"ph": "X", "name": "tax", "pid": 7, "tid": 8, "ts": 2500, "dur": 1500.0},
]


@pytest.fixture
def viewer(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[TraceViewer]:
    """The viewer of two events, with a page in the place of Perfetto's."""
    folder = tmp_path / "perfetto"
    folder.mkdir()
    (folder / "index.html").write_text(
        '<!DOCTYPE html><html lang="en"><title>Perfetto</title><main><h1>timeline</h1></main></html>'
    )
    monkeypatch.setattr("conduit.web.trace_viewer._page_folder", lambda: folder)
    path = tmp_path / "trace.json"
    path.write_text(json.dumps({"traceEvents": EVENTS}))
    made = TraceViewer(path)
    thread = threading.Thread(target=made.serve)
    thread.start()
    yield made
    made.close()
    thread.join()


@pytest.fixture
def document(viewer: TraceViewer) -> Callable[[str], bytes]:
    """Returns one page as the document that a browser gets."""

    def make(page: str) -> bytes:
        if page == "profile":
            return single_file_report(profile_named("py.cpu"), Options(), lambda _: None)
        if page == "history":
            series = [series_of("shop:Slower-2", stepped(1.2))]
            return history_file("shop", series, find_all(series), {})
        if page == "registry":
            return registry_file(Metadata(version="1.0", resources=(Resource(name="Book"),)), "shop")
        return bytes(viewer.answer(Request("GET", "/", "", {"host": "localhost"}, "127.0.0.1")).body)

    return make


@pytest.fixture
def address(document: Callable[[str], bytes], viewer: TraceViewer, tmp_path: Path) -> Callable[[str], str]:
    def make(page: str) -> str:
        if page == "trace":
            return viewer.url
        path = tmp_path / f"{page}.html"
        path.write_bytes(document(page))
        return path.as_uri()

    return make


@pytest.mark.parametrize("page", PAGES)
def test_every_page_starts_from_the_same_head_style_and_script(
    document: Callable[[str], bytes], page: str
) -> None:
    text = document(page).decode()
    style, script = ((STATIC / name).read_text() for name in ("frame.css", "frame.js"))
    assert text.index(f"<style>{style}</style>") == text.index("<style>")
    assert text.index(f"<script>{script}</script>") == text.index("<script>")
    assert text.startswith('<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">')
    assert 'class="brand"' in text
    assert 'id="menu-show"' in text


@pytest.mark.parametrize("page", PAGES)
def test_colours_keys_and_escape_are_the_same_on_every_page(
    address: Callable[[str], str], visitor: Visitor, page: str
) -> None:
    opened = visitor.open(address(page))
    opened.locator("#menu-show summary").click()
    opened.get_by_role("button", name="dark colours").click()
    assert opened.evaluate("document.documentElement.dataset.theme") == "dark"
    assert opened.locator("#menu-show[open]").count() == 0
    opened.locator("#menu-show summary").click()
    opened.keyboard.press("Escape")
    assert opened.locator("#menu-show[open]").count() == 0
    assert opened.evaluate("document.activeElement.textContent") == "Show"
    opened.keyboard.press("?")
    keys = opened.get_by_role("dialog", name="Keyboard")
    assert "search" in keys.inner_text()
    assert axe_findings(opened) == []
    opened.keyboard.press("Escape")
    assert keys.count() == 0
    if page == "trace":  # served: Chromium may lose a file's storage where it is opened again at once
        opened.reload()
        assert opened.evaluate("document.documentElement.dataset.theme") == "dark"
    if page in SEARCH:
        opened.keyboard.press("/")
        assert opened.evaluate("document.activeElement.id") == SEARCH[page]
        opened.keyboard.press("?")
        assert opened.get_by_role("dialog").count() == 0, "a question mark is typed into the box"


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("width", [1400, 390])
def test_the_trace_stands_below_the_bar_with_its_facts_and_axe_finds_nothing(
    viewer: TraceViewer, visitor: Visitor, width: int, scheme: str
) -> None:
    opened = visitor.open(viewer.url, width=width, scheme=scheme)
    assert opened.frame_locator("#viewer").locator("h1").inner_text() == "timeline"
    assert opened.locator("#facts").inner_text().startswith("2 events · 3ms · 2 threads")
    assert opened.locator("#legend").text_content() == "shop: thread 7\nshop: worker"
    wait_until(opened, "document.activeElement.id === 'viewer'")
    theme = opened.evaluate("JSON.parse(localStorage.getItem('perfettoSettings')).theme")
    assert theme == scheme
    assert opened.evaluate("document.documentElement.scrollWidth <= innerWidth")
    assert axe_findings(opened) == []


def test_perfettos_worker_keeps_no_page(viewer: TraceViewer) -> None:
    answer = viewer.answer(Request("GET", "/service_worker.js", "v=1", {"host": "localhost"}, "127.0.0.1"))
    assert (answer.status, b"fetch" in answer.body) == (200, False)
