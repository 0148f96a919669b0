"""Nothing that others wrote is obeyed by the terminal."""

from __future__ import annotations

import contextlib
import io
import json
import os
import pty
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from conduit.control_characters import GuardedStream, printable, write_sequence
from conduit.metadata import encode as encode_metadata
from conduit.profile.codec import encode
from conduit.sources.openapi import parse_openapi
from tests.report.making import HEAP, MILLISECOND, profile_of

CONDUIT = [sys.executable, "-m", "conduit"]
ESCAPES = "\x1b[2J\x1b]0;title\x07\x9b31m\u202e"

PYPERF = {
    "version": "1.0",
    "metadata": {"unit": "second", "loops": 1, "cpu_model_name": f"cpu{ESCAPES}"},
    "benchmarks": [{"metadata": {"name": f"name{ESCAPES}"}, "runs": [{"values": [0.1, 0.2]}]}],
}
API = {
    "openapi": "3.1.0",
    "info": {"title": ESCAPES, "version": "1"},
    "paths": {f"/a{ESCAPES}": {"get": {"summary": ESCAPES, "responses": {}}}},
}


def obeyed(text: str) -> list[str]:
    """The characters that a terminal obeys, but for the ends of lines and the progress line."""
    return [each for each in text.replace("\r\x1b[K", "") if each not in "\t\n" and printable(each) != each]


class _Rude(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(500, "no\x1b[2J")
        self.send_header("X-Go-Pprof", "1")
        self.send_header("Content-Type", "text/plain; charset=utf-8")
        self.end_headers()
        self.wfile.write(ESCAPES.encode())

    def log_message(self, *_: object) -> None:
        """Nothing on standard error."""


def test_the_words_of_a_server_are_shown_without_its_escape_sequences() -> None:
    with HTTPServer(("127.0.0.1", 0), _Rude) as server:
        threading.Thread(target=server.handle_request).start()
        url = f"http://127.0.0.1:{server.server_port}/debug/pprof/heap"
        ran = subprocess.run([*CONDUIT, "pprof", "-top", url], capture_output=True)
    assert ran.returncode == 2
    said = ran.stderr.decode()
    assert r"\x1b[2J\x1b]0;title\x07\x9b31m\u202e" in said
    assert all(character.isprintable() or character == "\n" for character in said)


def on_a_terminal(folder: Path, *arguments: str) -> str:
    """What a command shows on a terminal that is its standard output and its standard error."""
    ours, theirs = pty.openpty()
    with subprocess.Popen([*CONDUIT, *arguments], cwd=folder, stdout=theirs, stderr=theirs) as process:
        os.close(theirs)
        shown = b""
        with contextlib.suppress(OSError):  # the other end is closed
            while piece := os.read(ours, 4096):
                shown += piece
        os.close(ours)
        process.wait()
    return shown.decode().replace("\r\n", "\n")


def heap(path: Path, count: int) -> None:
    stack = [(f"work{ESCAPES}", f"/srv/{ESCAPES}.py", 3)]
    path.write_bytes(encode(profile_of([(stack, [count, count << 20] * 2)], HEAP, time_nanos=count * 10**9)))


def test_names_in_a_profile_reach_a_file_as_they_are_and_a_terminal_as_escapes(tmp_path: Path) -> None:
    path = tmp_path / "cpu.prof"
    path.write_bytes(encode(profile_of([([(f"work{ESCAPES}", "/srv/a.py", 3)], [2, 20 * MILLISECOND])])))
    command = [*CONDUIT, "pprof", "-top", str(path)]
    assert f"work{ESCAPES}".encode() in subprocess.run(command, capture_output=True).stdout
    shown = on_a_terminal(tmp_path, "pprof", "-top", str(path))
    assert r"work\x1b[2J" in shown
    assert obeyed(shown) == []


@pytest.mark.parametrize(
    "arguments",
    [
        ("pprof", "-leaks", "1.heap", "2.heap", "3.heap"),
        ("import", "results.json"),
        ("introspect", "routes", "--format=json", "--metadata=metadata.json"),
        ("collect", "--openapi", "api.json", "-o", f"made{ESCAPES}.json"),
        ("bench", "-benchtime=1x", "."),
        ("run", f"-cpuprofile=no/{ESCAPES}", f"missing{ESCAPES}.py"),
    ],
    ids=lambda arguments: arguments[0] + arguments[1],
)
def test_no_command_lets_a_terminal_obey_what_others_wrote(
    arguments: tuple[str, ...], tmp_path: Path
) -> None:
    for count in (1, 2, 3):
        heap(tmp_path / f"{count}.heap", count)
    (tmp_path / "results.json").write_text(json.dumps(PYPERF))
    (tmp_path / "metadata.json").write_bytes(
        encode_metadata(parse_openapi(json.dumps(API).encode(), "api.json"))
    )
    (tmp_path / "api.json").write_text(json.dumps(API))
    (tmp_path / "bench_it.py").write_text(f"def bench_it(b):\n    raise ValueError({ESCAPES!r})\n")
    shown = on_a_terminal(tmp_path, *arguments)
    assert r"\x1b[2J" in shown or r"\u001b[2J" in shown
    assert obeyed(shown) == []


def test_messages_reach_a_pipe_without_what_a_terminal_would_obey(tmp_path: Path) -> None:
    (tmp_path / "api.json").write_text(json.dumps(API))
    command = [*CONDUIT, "collect", "--openapi", "api.json", "-o", f"made{ESCAPES}.json"]
    ran = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True)
    assert r"wrote made\x1b[2J" in ran.stderr
    assert obeyed(ran.stderr) == []


def test_a_guarded_stream_passes_on_the_sequences_of_conduit_s_own() -> None:
    raw = io.BytesIO()
    stream = GuardedStream(raw, "utf-8", write_through=True)
    assert stream.write("a\x1b[2Jb\n") == 7
    write_sequence(stream, "\r\x1b[K")
    print("\x9b", end="", file=stream)
    assert raw.getvalue() == rb"a\x1b[2Jb" + b"\n\r\x1b[K" + rb"\x9b"


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a\tb\nc\r\n", "a\tb\nc\n"),
        ("50%\rdone", r"50%\rdone"),
        ("caf\u00e9 \u200b", "caf\u00e9 \u200b"),
        ("\x00\x7f\x85", r"\x00\x7f\x85"),
    ],
)
def test_only_what_a_terminal_obeys_becomes_an_escape(text: str, shown: str) -> None:
    assert printable(text) == shown
