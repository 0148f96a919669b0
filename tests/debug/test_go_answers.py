"""Every request that was made to Go's net/http/pprof, made here: same status, headers and error texts."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from conduit.debug.endpoint import Endpoint
from conduit.debug.kinds import KINDS
from conduit.http.messages import Request

PROBE = json.loads((Path(__file__).parent.parent / "golden" / "httppprof" / "probe.json").read_text())
# How a body travels is the server's business, and its length depends on the program.
TRANSPORT = {"Transfer-Encoding", "Content-Length"}
# A leaked goroutine has no counterpart in Python.
NOT_HERE = {"goroutineleak"}


def resource(case: dict[str, Any]) -> str:
    return str(case["path"].partition("?")[0].removeprefix("/debug/pprof/"))


def parameter(case: dict[str, Any]) -> Any:
    waits = case["elapsed"] >= 0.9
    return pytest.param(case, id=f"{case['method']}-{case['path']}", marks=pytest.mark.slow if waits else ())


# A request that finds the profiler busy (500) has tests of its own.
CASES = [parameter(case) for case in PROBE if resource(case) not in NOT_HERE and case["status"] != 500]


@pytest.mark.parametrize("case", CASES)
def test_status_headers_and_texts_are_gos(case: dict[str, Any]) -> None:
    path, _, query = case["path"].partition("?")
    response = Endpoint().answer(Request(case["method"], path, query, {"host": "localhost"}, "127.0.0.1"))
    assert response.status == case["status"], response.body
    expected = {name: value for name, value in case["headers"].items() if name not in TRANSPORT}
    assert dict(response.headers) == expected
    if case["status"] >= 300 and case["method"] != "HEAD":
        assert response.body.decode() == case["head"].removesuffix("\n") + "\n" * case["head"].endswith("\n")
    if case["head"] == "<gzip>":
        assert response.body.startswith(b"\x1f\x8b")


def test_the_index_lists_all_that_gos_lists_but_for_the_named_departure() -> None:
    listed = (
        {resource(case) for case in PROBE if case["status"] == 200} - {"", "/", "/debug/pprof"} - NOT_HERE
    )
    request = Request("GET", "/debug/pprof/", "", {"host": "localhost"}, "127.0.0.1")
    page = Endpoint().answer(request).body.decode()
    assert [name for name in listed if f"<a href='{name}?debug=1'>{name}</a>" not in page] == []
    assert '<a href="goroutine?debug=2">full goroutine stack dump</a>' in page
    assert all(f"{name}: </div>" in page for name in KINDS)
