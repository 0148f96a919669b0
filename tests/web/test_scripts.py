"""Every script of the pages under Node's own test runner, over a document that is just enough for it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from conduit.history.findings import find_all
from conduit.report.options import Options
from conduit.web import history_page, page, trace_viewer
from conduit.web.configs import SavedConfigs
from conduit.web.registry import page as registry_page
from conduit.web.registry.excerpts import source_excerpts
from conduit.web.registry.page_data import page_data
from conduit.web.session import ProfileSession

from .conftest import profile_named
from .registry.conftest import SOURCE, large_document
from .test_history_page import series_of, stepped
from .test_javascript import run_node

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


def profile(folder: Path) -> dict[str, Any]:
    session = ProfileSession(profile_named("py.cpu"), Options(), SavedConfigs(folder / "none.json"))
    return {"scripts": page.SCRIPTS, "data": session.single_file()}


def history(_: Path) -> dict[str, Any]:
    series = [
        series_of("shop:Steady-2", stepped(1)),
        series_of("shop:Slower-2", stepped(1.2, seed=2)),
        series_of("shop:Slower-2", [3.0] * 120, "allocs/op"),
    ]
    return {"data": history_page.page_data("shop", series, find_all(series), {})}


def registry(_: Path) -> dict[str, Any]:
    data = page_data(large_document(), "shop")
    return {"scripts": registry_page.SCRIPTS, "data": {**data, **source_excerpts(data, lambda _: SOURCE)}}


TESTS: dict[str, Callable[[Path], dict[str, Any]]] = {
    "frame": lambda _: {},
    "rows": lambda _: {},
    "trace": lambda _: {},
    "profile_views": profile,
    "history": history,
    "registry_views": registry,
}


@pytest.mark.parametrize("test", TESTS)
def test_the_scripts_do_as_their_own_tests_say(test: str, tmp_path: Path) -> None:
    run_node(f"{test}.test.js", TESTS[test](tmp_path), tmp_path)


def test_every_script_is_of_a_page_and_so_under_test() -> None:
    """The tests above load all scripts of each page, in their order."""
    pages = (page.SCRIPTS, history_page.SCRIPTS, registry_page.SCRIPTS, trace_viewer.SCRIPTS)
    assert {path.name for path in page.STATIC.glob("*.js")} == {name for names in pages for name in names}
