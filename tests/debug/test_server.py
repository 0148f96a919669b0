from __future__ import annotations

import http.client
import random
import socket
import threading
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from conduit.debug import Access, Server, serve
from conduit.debug.kinds import KINDS
from conduit.profile.codec import decode


def fetch(url: str) -> bytes:
    with urllib.request.urlopen(url, timeout=20) as response:
        return bytes(response.read())


def place(server: Server) -> tuple[str, int]:
    host, _, port = server.address.rpartition(":")
    return host.strip("[]"), int(port)


def others_than(before: set[threading.Thread]) -> set[threading.Thread]:
    """Return the threads that have started since; those of an earlier test may still end, and are not counted."""
    return set(threading.enumerate()) - before


def settles(before: set[threading.Thread]) -> bool:
    deadline = time.monotonic() + 20
    while others_than(before) and time.monotonic() < deadline:
        time.sleep(0.01)
    return not others_than(before)


def test_the_index_and_a_profile_are_served_on_a_port_of_its_own() -> None:
    with serve("localhost:0") as server:
        assert b"full goroutine stack dump" in fetch(server.url)
        decode(fetch(f"{server.url}goroutine")).check_valid()


def test_a_taken_port_and_a_public_address_are_refused() -> None:
    with serve("localhost:0") as server, pytest.raises(OSError, match="in use"):
        serve(server.address)
    with pytest.raises(ValueError, match="other machines can reach"):
        serve("0.0.0.0:0")
    with pytest.raises(ValueError, match="expected host:port"):
        serve("localhost")


def test_a_unix_socket_serves_and_is_removed(tmp_path: Path) -> None:
    path = tmp_path / "debug.sock"
    with serve(f"unix:{path}"), socket.socket(socket.AF_UNIX) as client:
        client.connect(str(path))
        client.sendall(b"GET /debug/pprof/cmdline HTTP/1.0\r\nHost: localhost\r\n\r\n")
        assert client.recv(100).startswith(b"HTTP/1.1 200 OK")
    assert not path.exists()


def test_closing_during_a_profile_ends_it_and_leaves_no_thread() -> None:
    before = set(threading.enumerate())
    server = serve("localhost:0")

    def ask() -> None:
        try:
            fetch(f"{server.url}goroutine?seconds=60")
        except (urllib.error.URLError, ConnectionError, http.client.HTTPException):
            return  # a server that closes may cut the line instead of answering

    client = threading.Thread(target=ask)
    client.start()
    while len(others_than(before)) < 3:  # the server, the client, and what answers it
        assert client.is_alive()
        time.sleep(0.01)
    server.close()
    client.join(20)
    assert not client.is_alive()
    assert settles(before)


def test_a_client_that_hangs_up_frees_its_thread() -> None:
    with serve("localhost:0") as server:
        before = set(threading.enumerate())
        with socket.create_connection(place(server)) as client:
            client.sendall(b"GET /debug/pprof/goroutine?seconds=60 HTTP/1.1\r\nHost: localhost\r\n\r\n")
            while not others_than(before):
                time.sleep(0.01)
        assert settles(before)


def test_connections_that_say_nothing_or_half_a_request_do_not_stop_the_others() -> None:
    with serve("localhost:0") as server:
        silent = [socket.create_connection(place(server)) for _ in range(5)]
        silent[0].sendall(b"GET /debug/pp")
        silent[1].shutdown(socket.SHUT_WR)
        try:
            assert fetch(f"{server.url}cmdline")
        finally:
            for connection in silent:
                connection.close()


def test_a_thousand_random_requests_are_all_answered_and_no_descriptor_leaks() -> None:
    generator = random.Random(6060)
    recordings = {"profile", "wall", "trace"}
    names = [*(set(KINDS) - recordings), "", "cmdline", "symbol", "nosuch", "a/b", "%00"]
    parameters = [
        "",
        "debug=1",
        "debug=2",
        "debug=x",
        "seconds=0",
        "seconds=-1",
        "seconds=abc",
        "gc=1",
        "x=%ff",
    ]
    methods = ["GET", "GET", "GET", "HEAD", "POST", "DELETE"]
    with serve("localhost:0") as server:
        descriptors = len(list(Path("/proc/self/fd").iterdir()))
        threads = set(threading.enumerate())
        for _ in range(1000):
            connection = http.client.HTTPConnection(*place(server), timeout=20)
            method, name, query = (generator.choice(options) for options in (methods, names, parameters))
            connection.request(method, f"/debug/pprof/{name}?{query}", headers={"Host": "localhost"})
            response = connection.getresponse()
            assert response.status in (200, 400, 404, 405), (method, name, query)
            response.read()
            connection.close()
        assert settles(threads)
        assert len(list(Path("/proc/self/fd").iterdir())) <= descriptors + 1


def test_a_token_is_needed_where_one_is_set() -> None:
    with serve("localhost:0", Access(token="secret")) as server:
        with pytest.raises(urllib.error.HTTPError, match="401"):
            fetch(server.url)
        request = urllib.request.Request(server.url, headers={"Authorization": "Bearer secret"})
        with urllib.request.urlopen(request, timeout=20) as response:
            assert response.status == 200


def test_other_machines_are_answered_with_a_token_only(
    caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CONDUIT_DEBUG_TOKEN", raising=False)
    with serve("127.0.0.1:0", Access(remote=True)) as server:
        token = caplog.text.partition("Bearer ")[2].partition("`")[0]
        with pytest.raises(urllib.error.HTTPError, match="401"):
            fetch(server.url)
        request = urllib.request.Request(server.url, headers={"Authorization": f"Bearer {token}"})
        with urllib.request.urlopen(request, timeout=20) as response:
            assert response.status == 200
    with serve("127.0.0.1:0", Access(remote=True, open=True)) as server:
        assert fetch(server.url)


def test_the_client_sends_the_token_that_stands_in_an_address(tmp_path: Path) -> None:
    from conduit.errors import ConduitError
    from conduit.fetch.inputs import Request, fetch_profile

    with serve("localhost:0", Access(token="a b/c@d")) as server:
        address = server.url.replace("://", "://pprof:a%20b%2Fc%40d@") + "goroutine"
        profile = fetch_profile(Request(sources=[address]), lambda _: None)
        assert profile.sample_types[0].type == "goroutine"
        with pytest.raises(ConduitError):
            fetch_profile(Request(sources=[address.replace("a%20b", "wrong")]), lambda _: None)
