"""Bytes of HTTP against the page, the endpoint and the trace viewer; the pages' parameters; saved configurations; traces.

A request must be answered, and never by the boundary that catches a handler's fault.
"""

from __future__ import annotations

import socket
from functools import cache
from pathlib import Path
from tempfile import mkdtemp
from typing import TYPE_CHECKING
from unittest.mock import patch

from conduit.debug.access import Access
from conduit.debug.endpoint import Endpoint
from conduit.errors import ConduitError
from conduit.http.messages import Request
from conduit.http.server import ClientWatch, HttpServer, _Handler
from conduit.profile.builder import ProfileBuilder
from conduit.profile.model import ValueType
from conduit.report.options import Options
from conduit.web.application import VIEWS, Application
from conduit.web.configs import SavedConfigs
from conduit.web.session import ProfileSession
from conduit.web.trace_viewer import _content, _frame_data, _source_files, read_trace
from tests.fuzz.frame import Kind

if TYPE_CHECKING:
    from conduit.http.messages import Answer


@cache
def folder() -> Path:
    return Path(mkdtemp(prefix="conduit-fuzz-"))


@cache
def application() -> Application:
    builder = ProfileBuilder([ValueType("samples", "count"), ValueType("cpu", "nanoseconds")])
    for number in range(6):
        stack = [(f"f{number}", "/app/a.py", number + 1, 1), ("main", "/app/main.py", 3, 1)]
        builder.add(
            stack,
            [1, 10**7 * (number + 1)],
            labels={"thread": f"T{number % 2}"},
            numeric_labels={"bytes": 64},
        )
    return Application(ProfileSession(builder.build(), Options(), SavedConfigs(folder() / "settings.json")))


@cache
def server(name: str) -> HttpServer:
    answers: dict[str, Answer] = {
        "page": lambda request, cancelled: application().answer(request, cancelled),
        "endpoint": Endpoint(Access(token="secret")).answer,
    }
    return HttpServer(answers[name], ("127.0.0.1", 0), max_body=1 << 20 if name == "page" else 0)


_wait = ClientWatch.wait


def _wait_briefly(watch: ClientWatch, timeout: float | None = None) -> bool:
    """Repeated bytes are further requests for profiles of some seconds, and each is waited for."""
    return _wait(watch, None if timeout is None else min(timeout, 0.01))


def send(name: str, data: bytes) -> None:
    """One connection that sends the bytes and no more; every answer on it is looked at."""
    ours, theirs = socket.socketpair()
    with ours, theirs:
        for end in (ours, theirs):
            end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, 1 << 22)
        theirs.sendall(data)
        theirs.shutdown(socket.SHUT_WR)
        with patch.object(ClientWatch, "wait", _wait_briefly):
            _Handler(ours, ("127.0.0.1", 1), server(name)._listener)
        ours.shutdown(socket.SHUT_RDWR)
        received = b""
        while piece := theirs.recv(1 << 16):
            received += piece
    assert not received or received.startswith(b"HTTP/1.1 "), received[:100]
    assert b"internal error: " not in received, received[:300]


def ask(query: bytes) -> None:
    """Every view with the parameters."""
    for view in VIEWS:
        request = Request("GET", f"/ui/{view}", query.decode("latin-1"), {"host": "localhost"}, "127.0.0.1")
        status = application().answer(request).status
        assert status in (200, 400), status


def read_settings(data: bytes) -> None:
    path = folder() / "fuzzed.json"
    path.write_bytes(data)
    SavedConfigs(path).all()


def read_trace_file(data: bytes) -> None:
    path = folder() / "trace"
    path.write_bytes(data)
    content = _content(read_trace(path))
    _source_files(content)
    _frame_data("trace", len(data), content)


_GET = b"GET %s HTTP/1.1\r\nHost: localhost:8080\r\nAccept-Encoding: gzip\r\nAuthorization: Bearer secret\r\n\r\n"
_POST = b"POST /ui/saveconfig HTTP/1.1\r\nHost: localhost\r\nX-Conduit-Token: x\r\nContent-Length: 12\r\n\r\nconfig=a&f=b"
_WORDS = (
    b"Transfer-Encoding: chunked\r\n",
    b"Content-Length: 5\r\n",
    b"Host: evil\r\n",
    b"Host: [::1]:80\r\n",
    b"Expect: 100-continue\r\n",
    b"Connection: keep-alive\r\n",
    b"Cookie: conduit_debug=x; =;;\r\n",
    b"Authorization: Basic ====\r\n",
    b"Origin: null\r\n",
    b"HEAD ",
    b"http://[",
    b"?seconds=1e9&debug=2&",
    b"%00%0d%0a",
    b"\r\n\r\n",
    b"\r\n ",
)
_QUERY_WORDS = tuple(
    word.encode()
    for word in (
        *(
            "&f=",
            "&i=",
            "&h=",
            "&s=",
            "&sf=",
            "&tf=",
            "&ti=",
            "&ts=",
            "&th=",
            "&g=lines",
            "&g=",
            "&si=",
            "&n=",
            "&nf=",
        ),
        *(
            "&ef=",
            "&sort=cum",
            "&unit=",
            "&tagroot=",
            "&tagleaf=thread",
            "&calltree=t",
            "&rel=t",
            "&config=",
            "&trim=f",
        ),
        *(
            "(?i)",
            "[^",
            "){9}",
            "a{1000}",
            "\\p{L}",
            ".*",
            "^$",
            "|",
            "1kb:2mb",
            "bytes=:64",
            "-inf",
            "nan",
            "%ff",
            "+",
        ),
    )
)

KINDS = (
    Kind(
        "http-page",
        (
            _GET % b"/ui/top?f=f1&si=cpu",
            _GET % b"/ui/flamegraph",
            _GET % b"/ui/peek",
            _GET % b"/ui/download",
            _POST,
        ),
        lambda data: send("page", data),
        (),
        _WORDS,
    ),
    Kind(
        "http-endpoint",
        (
            _GET % b"/debug/pprof/",
            _GET % b"/debug/pprof/goroutine?debug=2",
            _GET % b"/debug/pprof/block?seconds=3",
            _GET % b"/debug/pprof/symbol?0x1+2",
            _GET % b"/debug/pprof/login?token=secret",
        ),
        lambda data: send("endpoint", data),
        (),
        _WORDS,
    ),
    Kind(
        "page-parameters",
        (b"f=f1&si=cpu&n=3", b"g=lines&tf=thread=T1&trim=f", b"p=main&nf=0.1"),
        ask,
        (),
        _QUERY_WORDS,
    ),
    Kind(
        "saved-configurations",
        (b'{"configs": [{"name": "x", "focus": "a", "nodecount": 5, "trim": false, "nodefraction": 0.1}]}',),
        read_settings,
        (ConduitError,),
        (
            b'"sort": "cum",',
            b'"granularity": "lines"',
            b"null",
            b"[[[[",
            b'{"configs":',
            b'"name": 5',
            b"true",
        ),
    ),
    Kind(
        "trace-file",
        (b'{"traceEvents": [{"ph": "X", "ts": 1, "dur": 2, "name": "f"}], "file_info": {"files": {}}}',),
        read_trace_file,
        (ConduitError,),
        (b"\x1f\x8b\x08", b'"traceEvents"', b"[[[[", b"go 1.21 trace", b"{"),
    ),
)
