"""Sources: files, standard input and servers; what fails is said, what was fetched is saved."""

from __future__ import annotations

import io
import socket
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest

from conduit.fetch.download import Target, download, profile_url, without_password
from conduit.fetch.endpoint_urls import endpoint_url
from conduit.fetch.inputs import Request, fetch_again, fetch_profile, is_executable
from conduit.profile.codec import decode, encode
from conduit.profile.limits import DEFAULT_LIMITS
from conduit.report.errors import FetchError
from tests.report.making import HEAP, MILLISECOND, profile_of

STACK = [("main", "/srv/app/main.py", 3), ("work", "/srv/app/work.py", 7)]
PROFILE = encode(profile_of([(STACK, [2, 20 * MILLISECOND])], time_nanos=10, duration_nanos=10**9))


class _Handler(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        path, _, _ = self.path.partition("?")
        self.server.asked.append(self.path)  # type: ignore[attr-defined]
        if path == "/refused":
            self._answer(404, b"Unknown profile\n", {"X-Go-Pprof": "1", "Content-Type": "text/plain"})
        elif path == "/plain-refusal":
            self._answer(500, b"do not show this", {"Content-Type": "text/html"})
        elif path == "/nonsense":
            self._answer(200, b"<html>", {})
        else:
            self._answer(200, PROFILE, {})

    def _answer(self, status: int, body: bytes, headers: dict[str, str]) -> None:
        self.send_response(status)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Nothing on standard error."""


@contextmanager
def _server() -> Iterator[tuple[str, list[str]]]:
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Handler)
    server.daemon_threads = True
    server.asked = []  # type: ignore[attr-defined]
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"127.0.0.1:{server.server_port}", server.asked  # type: ignore[attr-defined]
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@pytest.fixture
def saved(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder where fetched profiles go."""
    monkeypatch.setenv("PPROF_TMPDIR", str(tmp_path / "saved"))
    monkeypatch.setenv("no_proxy", "*")
    return tmp_path / "saved"


def test_a_host_alone_means_its_cpu_profile_and_what_it_sends_is_saved(saved: Path) -> None:
    said: list[str] = []
    with _server() as (host, asked):
        profile = fetch_profile(Request([host], seconds=3), said.append)
        fetch_profile(Request([host]), said.append)
    assert asked == ["/debug/pprof/profile?seconds=3", "/debug/pprof/profile"]
    assert [sample.values for sample in profile.samples] == [[2, 20 * MILLISECOND]]
    first = saved / "pprof.main.py.samples.cpu.001.pb.gz"
    assert said[:3] == [
        f"Fetching profile over HTTP from http://{host}/debug/pprof/profile?seconds=3",
        "Please wait... (3s)",
        f"Saved profile in {first}",
    ]
    assert decode(first.read_bytes()).samples[0].values == [2, 20 * MILLISECOND]
    assert sorted(path.name for path in saved.iterdir()) == [
        "pprof.main.py.samples.cpu.001.pb.gz",
        "pprof.main.py.samples.cpu.002.pb.gz",
    ]


def test_a_server_s_own_words_are_shown_only_if_it_says_that_they_are_for_this(saved: Path) -> None:
    said: list[str] = []
    with _server() as (host, _), pytest.raises(FetchError, match="failed to fetch any source profiles"):
        fetch_profile(Request([f"http://{host}/refused", f"http://{host}/plain-refusal"]), said.append)
    assert f"http://{host}/refused: server response: 404 Not Found - Unknown profile" in said
    assert f"http://{host}/plain-refusal: server response: 500 Internal Server Error" in said
    assert not saved.exists()


def _trickle(server: socket.socket, head: bytes) -> None:
    """Answer each connection with `head` and then with a byte now and then, until the other side goes."""
    while True:
        try:
            connection, _ = server.accept()
        except OSError:
            return
        with connection, suppress(OSError):
            connection.recv(1 << 16)
            connection.sendall(head)
            while True:
                connection.sendall(b"x")
                time.sleep(0.05)


@pytest.mark.parametrize(
    "head",
    [
        b"",
        b"HTTP/1.1 200 OK\r\nX: ",
        b"HTTP/1.1 200 OK\r\n\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Length: 99999\r\n\r\n",
    ],
    ids=["status", "header", "body", "body of known length"],
)
def test_a_server_that_sends_a_byte_now_and_then_is_not_waited_for_beyond_the_limit(
    head: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("conduit.fetch.download._GRACE", 0.0)
    with socket.create_server(("127.0.0.1", 0)) as server:
        thread = threading.Thread(target=_trickle, args=(server, head), daemon=True)
        thread.start()
        url = f"http://127.0.0.1:{server.getsockname()[1]}/"
        with pytest.raises(
            FetchError, match=r"no complete answer within 0\.5 s; -timeout=SECONDS waits longer"
        ):
            download(Target(url, 0.5))
        server.shutdown(socket.SHUT_RDWR)
    thread.join()


def test_a_second_fetch_says_of_each_source_why_it_failed(tmp_path: Path) -> None:
    said: list[str] = []
    missing = tmp_path / "none.prof"
    with pytest.raises(FetchError) as caught:
        fetch_again(Request([str(missing)]), said.append)
    assert str(caught.value) == f"failed to fetch any source profiles; {said[0]}"
    assert said[0].startswith(f"{missing}: ")


def test_a_source_without_end_is_refused_by_its_size(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(DEFAULT_LIMITS, "size_bytes", 1 << 20)
    said: list[str] = []
    with pytest.raises(FetchError, match="failed to fetch any source profiles"):
        fetch_profile(Request(["/dev/zero"]), said.append)
    assert said == ["/dev/zero: read /dev/zero: more than 1,048,576 bytes, the limit for a profile"]


def test_what_no_profile_is_and_what_nobody_serves_are_errors_of_that_source(saved: Path) -> None:
    said: list[str] = []
    with _server() as (host, _):
        profile = fetch_profile(Request([f"{host}/nonsense", f"{host}/heap", "gone.pb.gz"]), said.append)
    assert len(profile.samples) == 1
    assert f"{host}/nonsense: parsing profile: unrecognized profile format" in said
    assert "gone.pb.gz: stat gone.pb.gz: no such file or directory" in said
    assert "Fetched 1 source profiles out of 3" in said
    with pytest.raises(FetchError):
        fetch_profile(Request([host]), said.append)
    assert any("connection refused" in line for line in said)
    assert saved.exists()


@pytest.mark.parametrize(
    "source", ["{}/h\xe9ap", "{}/\udcff", "{}/heap?\udcff=1", "u:\udcff@{}/heap", "{}/a b"]
)
def test_an_address_may_hold_what_is_not_ascii(saved: Path, source: str) -> None:
    with _server() as (host, asked):
        fetch_profile(Request([source.format(host)]), lambda _: None)
    assert asked[0].isascii()


@pytest.mark.parametrize("host", ["\udcff", "a" * 70 + ".example", "lo\udcffcal:1"])
def test_a_host_that_has_no_name_is_an_error_of_that_source(saved: Path, host: str) -> None:
    said: list[str] = []
    with pytest.raises(FetchError):
        fetch_profile(Request([f"http://{host}/heap"]), said.append)
    assert 'Get "http://' in said[-1]


def test_where_no_thread_can_be_started_the_addresses_are_too_many(
    saved: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def start(_: threading.Thread) -> None:
        raise RuntimeError("can't start new thread")

    monkeypatch.setattr(threading.Thread, "start", start)
    with pytest.raises(
        FetchError, match="from 2 addresses at the same time: can't start new thread; give fewer"
    ):
        fetch_profile(Request(["localhost:1", "localhost:2"]), lambda _: None)


@pytest.mark.parametrize("scheme", ["", "http://", "https+insecure://", "ftp://"])
def test_no_message_shows_the_password_of_a_source(saved: Path, scheme: str) -> None:
    said: list[str] = []
    with pytest.raises(FetchError) as error:
        fetch_profile(Request([f"{scheme}user:hunter@2@localhost:1/heap"]), said.append)
    text = "\n".join([*said, str(error.value)])
    assert "user:***@localhost" in text
    assert "hunter" not in text


@pytest.mark.parametrize("service", ["http://u:hunter2@host:port/", "u:hunter2@host:port"])
def test_no_message_about_an_endpoint_shows_the_password(service: str) -> None:
    with pytest.raises(FetchError, match=r"u:\*\*\*@host:port.* is no URL"):
        endpoint_url(service, "heap")


def test_a_file_beats_a_url_of_the_same_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "localhost:1").write_bytes(PROFILE)
    assert fetch_profile(Request(["localhost:1"]), pytest.fail).samples


def test_a_dash_is_standard_input(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(PROFILE)))
    assert fetch_profile(Request(["-"]), pytest.fail).samples[0].values[0] == 2


def test_two_hundred_files_add_up(tmp_path: Path) -> None:
    path = tmp_path / "one.pb.gz"
    path.write_bytes(PROFILE)
    total = fetch_profile(Request([str(path)] * 200), pytest.fail)
    assert [sample.values for sample in total.samples] == [[400, 4000 * MILLISECOND]]
    assert total.duration_nanos == 200 * 10**9


def test_a_base_is_subtracted_and_with_diff_base_marked(tmp_path: Path) -> None:
    path = tmp_path / "one.pb.gz"
    path.write_bytes(PROFILE)
    name = str(path)
    assert not fetch_profile(Request([name], [name]), pytest.fail).samples
    marked = fetch_profile(Request([name], [name], diff_base=True), pytest.fail)
    assert sorted(sample.values[0] for sample in marked.samples) == [-2, 2]


def test_profiles_with_nothing_in_common_do_not_add_up(tmp_path: Path) -> None:
    one, other = tmp_path / "cpu", tmp_path / "heap"
    one.write_bytes(PROFILE)
    other.write_bytes(encode(profile_of([(STACK, [1, 2, 3, 4])], HEAP)))
    with pytest.raises(FetchError, match=r"^problem fetching source profiles: profiles have empty common"):
        fetch_profile(Request([str(one), str(other)]), pytest.fail)


def test_the_first_of_several_names_is_the_program_if_it_is_a_binary(tmp_path: Path) -> None:
    script = tmp_path / "script.py"
    script.write_text("print()\n", encoding="utf-8")
    assert is_executable(str(Path(sys.executable).resolve()))
    assert not is_executable(str(script))
    assert not is_executable(str(tmp_path))


@pytest.mark.parametrize(
    ("source", "seconds", "timeout", "url", "wait"),
    [
        ("localhost:8080", -1, -1, "http://localhost:8080/debug/pprof/profile", 60),
        ("localhost:8080/", 20, -1, "http://localhost:8080/debug/pprof/profile?seconds=20", 30),
        ("http://h/debug/pprof/", -1, -1, "http://h/debug/pprof/profile", 60),
        ("h:80/ops/debug/pprof", 5, -1, "http://h:80/ops/debug/pprof/profile?seconds=5", 7.5),
        ("http://h/debug/pprof/heap?gc=1", -1, -1, "http://h/debug/pprof/heap?gc=1", 60),
        ("http://h/p?seconds=4&a=b", -1, -1, "http://h/p?a=b&seconds=4", 6),
        ("http://h/p?seconds=4", 10, 7, "http://h/p?seconds=10", 7),
        ("https+insecure://h/p", -1, -1, "https+insecure://h/p", 60),
        ("127.0.0.1:6060/debug/pprof/heap", -1, -1, "http://127.0.0.1:6060/debug/pprof/heap", 60),
        ("[::1]:6060/x", -1, -1, "http://[::1]:6060/x", 60),
    ],
)
def test_a_source_names_a_url_and_how_long_to_wait_for_it(
    source: str, seconds: int, timeout: int, url: str, wait: float
) -> None:
    assert profile_url(source, seconds, timeout) == (url, wait)


@pytest.mark.parametrize(
    "source",
    ["cpu.prof", "dir/cpu.prof", "file:///etc/passwd", "", "http://h:port/x", "mem_2023-11-02_03:55:24"],
)
def test_what_names_no_host_is_no_url(source: str) -> None:
    assert profile_url(source, -1, -1) is None


@pytest.mark.parametrize(
    ("url", "shown"),
    [
        ("http://a:s3cret@h/p", "http://a:***@h/p"),
        ("a:s3cret@h:1/p", "a:***@h:1/p"),
        ("http://ghp_s3cret1234567890@h/p", "http://***@h/p"),
        ("http://operator@h/p", "http://operator@h/p"),
        *(
            (f"http://h/p?{name}=s3cret&seconds=5", f"http://h/p?{name}=***&seconds=5")
            for name in ("token", "access_key", "auth", "jwt", "sessionid", "sig", "X-Amz-Signature", "otp")
        ),
        ("http://h/p?author=me&seconds=5", "http://h/p?author=me&seconds=5"),
        ("profiles/a@b.pb.gz", "profiles/a@b.pb.gz"),
    ],
)
def test_an_address_is_shown_without_its_secrets_and_otherwise_as_it_is(url: str, shown: str) -> None:
    assert without_password(url) == shown
