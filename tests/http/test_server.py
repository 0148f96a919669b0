"""The server on raw bytes: every request is answered or refused, and none is read as two."""

from __future__ import annotations

import logging
import os
import resource
import socket
import threading
from typing import TYPE_CHECKING, Any

import pytest

from conduit.http import server as http_server
from conduit.http.messages import Request, Response, plain_response
from conduit.http.server import ClientWatch, HttpServer

if TYPE_CHECKING:
    from collections.abc import Iterator


class Application:
    """Keeps the requests it sees, and answers with what `reply` says."""

    def __init__(self) -> None:
        self.requests: list[Request] = []

    def answer(self, request: Request, cancelled: threading.Event) -> Response:
        self.requests.append(request)
        if request.path == "/fail":
            raise RuntimeError("a fault of the handler")
        if request.path == "/wait":
            return plain_response(200, str(cancelled.wait(60)))
        return plain_response(200, "fine")


@pytest.fixture
def application() -> Application:
    return Application()


@pytest.fixture
def address(application: Application) -> Iterator[tuple[str, int]]:
    server = HttpServer(application.answer, ("127.0.0.1", 0), max_body=1000)
    thread = threading.Thread(target=server.serve)
    thread.start()
    yield server.address
    server.close()
    thread.join()


def send(address: tuple[str, int], data: bytes) -> bytes:
    """Everything the server answers until it closes the connection."""
    with socket.create_connection(address, timeout=20) as client:
        client.sendall(data)
        received = b""
        while piece := client.recv(65536):
            received += piece
    return received


def get(target: bytes, *headers: bytes) -> bytes:
    return b"\r\n".join(
        [b"GET " + target + b" HTTP/1.1", b"Host: localhost", *headers, b"Connection: close", b"", b""]
    )


@pytest.mark.parametrize(
    ("request_bytes", "status"),
    [
        (b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: \xb2\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: -1\r\n\r\n", 400),
        (b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nabc", 400),
        (b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 1001\r\n\r\n", 413),
        (b"POST / HTTP/1.1\r\nHost: localhost\r\nContent-Length: 99999999999999999999\r\n\r\n", 400),
        (
            b"POST / HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nGET /\r\n0\r\n\r\n",
            501,
        ),
        (b"GET http://[ HTTP/1.1\r\nHost: localhost\r\n\r\n", 400),
        (b"GET http://evil.example/ HTTP/1.1\r\nHost: localhost\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: localhost\r\nHost: evil.example\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: localhost\r\nno colon\r\nX: y\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: localhost\r\nX: a\r\n folded\r\n\r\n", 400),
        (b"GET /\r\nHost: localhost\r\n\r\n", 505),
        (b"GET / HTTP/3.7\r\nHost: localhost\r\n\r\n", 505),
        (b"GET /" + b"x" * 70_000 + b" HTTP/1.1\r\nHost: localhost\r\n\r\n", 414),
        (b"GET / HTTP/1.1\r\nHost: localhost\r\n" + b"X: y\r\n" * 200 + b"\r\n", 431),
        (b"BREW / HTTP/1.1\r\nHost: localhost\r\n\r\n", 501),
        (b"\x00\xff\r\n\r\n", 400),
        (b"GET / HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n", 200),
    ],
)
def test_a_request_is_answered_or_refused_once_and_the_connection_closed(
    address: tuple[str, int], application: Application, request_bytes: bytes, status: int
) -> None:
    answer = send(address, request_bytes)
    assert answer.startswith(f"HTTP/1.1 {status} ".encode())
    assert answer.count(b"HTTP/1.1 ") == 1
    assert len(application.requests) == (status == 200)


def test_a_failing_handler_is_answered_500_and_logged_and_the_server_goes_on(
    address: tuple[str, int], caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.ERROR, "conduit.http"):
        answer = send(address, get(b"/fail"))
    assert answer.startswith(b"HTTP/1.1 500 ")
    assert b"Traceback" not in answer
    assert "a fault of the handler" in caplog.text
    assert send(address, get(b"/")).startswith(b"HTTP/1.1 200 ")


def test_control_characters_of_a_request_reach_neither_the_log_nor_a_header(
    address: tuple[str, int], caplog: pytest.LogCaptureFixture
) -> None:
    answer = send(address, get(b"/fail\x1b[2J"))
    assert b"\x1b" not in answer
    assert "\x1b" not in caplog.messages[0] if caplog.messages else True


def test_a_body_of_the_announced_length_is_handed_over_and_the_next_request_starts_after_it(
    address: tuple[str, int], application: Application
) -> None:
    head = b"POST /a HTTP/1.1\r\nHost: localhost\r\nContent-Length: 18\r\n\r\n"
    answer = send(address, head + b"GET /b HTTP/1.1\r\n\r" + get(b"/c"))
    assert answer.count(b"HTTP/1.1 200 ") == 2
    assert [(r.path, r.body) for r in application.requests] == [("/a", b"GET /b HTTP/1.1\r\n\r"), ("/c", b"")]


def test_repeated_headers_are_joined_so_that_none_is_overlooked(
    address: tuple[str, int], application: Application
) -> None:
    send(address, get(b"/", b"Origin: http://localhost", b"Origin: http://evil.example"))
    assert application.requests[0].headers["origin"] == "http://localhost, http://evil.example"


def test_a_head_request_gets_the_headers_only(address: tuple[str, int]) -> None:
    answer = send(address, get(b"/").replace(b"GET", b"HEAD", 1))
    assert b"Content-Length: 5" in answer
    assert answer.endswith(b"\r\n\r\n")


def test_a_client_that_sends_a_byte_now_and_then_loses_its_connection(
    address: tuple[str, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http_server, "REQUEST_TIMEOUT_S", 0.0)
    with socket.create_connection(address, timeout=20) as client:
        client.sendall(b"GET / HT")
        assert client.recv(100) == b""


def test_more_connections_than_the_limit_are_told_so(
    application: Application, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(http_server, "MAX_CONNECTIONS", 1)
    server = HttpServer(application.answer, ("127.0.0.1", 0))
    thread = threading.Thread(target=server.serve)
    thread.start()
    try:
        with socket.create_connection(server.address, timeout=20) as first:
            first.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert first.recv(100).startswith(b"HTTP/1.1 200 ")
            assert send(server.address, b"").startswith(b"HTTP/1.1 503 ")
    finally:
        server.close()
        thread.join()


def test_a_client_that_hangs_up_is_noticed_with_a_descriptor_above_1023() -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    if hard < 2048:
        pytest.skip(f"this system allows {hard} open files, and the test needs 2,048")
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(soft, 2048), hard))
    held = [os.open(os.devnull, os.O_RDONLY) for _ in range(1100)]
    try:
        ours, theirs = socket.socketpair()
        assert ours.fileno() > 1023
        watch = ClientWatch(ours, threading.Event())
        assert not watch.is_set()
        theirs.sendall(b"more")
        assert not watch.is_set()
        ours.recv(4)
        theirs.close()
        assert watch.wait(60)
        ours.close()
    finally:
        for descriptor in held:
            os.close(descriptor)
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def test_head_and_body_of_a_short_response_are_one_piece_so_that_neither_waits(
    address: tuple[str, int],
) -> None:
    with socket.create_connection(address, timeout=20) as client:
        for _ in range(5):
            client.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
            assert client.recv(65536).endswith(b"\r\n\r\nfine\n")


def test_a_client_that_asks_before_it_sends_its_body_is_told_to_go_on(
    address: tuple[str, int], application: Application
) -> None:
    with socket.create_connection(address, timeout=20) as client:
        client.sendall(b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 2\r\nExpect: 100-continue\r\n\r\n")
        assert client.recv(65536).startswith(b"HTTP/1.1 100 ")
        client.sendall(b"ab")
        assert client.recv(65536).endswith(b"fine\n")
    assert application.requests[0].body == b"ab"


def test_pieces_of_a_long_response_are_sent_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    delays: list[int] = []
    answer = http_server._Handler._send

    def watch(handler: Any, response: Response) -> None:
        delays.append(handler.connection.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY))
        answer(handler, response)

    monkeypatch.setattr(http_server._Handler, "_send", watch)
    server = HttpServer(Application().answer, ("127.0.0.1", 0))
    thread = threading.Thread(target=server.serve)
    thread.start()
    try:
        assert b"fine" in send(server.address, get(b"/", b"Connection: close"))
    finally:
        server.close()
        thread.join()
    assert delays == [1]
