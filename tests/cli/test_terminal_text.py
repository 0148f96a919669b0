"""Nothing that others wrote is obeyed by the terminal."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
import threading
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path

import pytest

from conduit.cli.terminal_text import printable
from conduit.profile.codec import encode
from tests.report.making import MILLISECOND, profile_of

CONDUIT = [sys.executable, "-m", "conduit"]
ESCAPES = "\x1b[2J\x1b]0;title\x07\x9b31m\u202e"


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


def test_names_in_a_profile_reach_a_file_as_they_are_and_a_terminal_as_escapes(tmp_path: Path) -> None:
    path = tmp_path / "cpu.prof"
    path.write_bytes(encode(profile_of([([(f"work{ESCAPES}", "/srv/a.py", 3)], [2, 20 * MILLISECOND])])))
    command = [*CONDUIT, "pprof", "-top", str(path)]
    assert f"work{ESCAPES}".encode() in subprocess.run(command, capture_output=True).stdout
    ours, theirs = pty.openpty()
    process = subprocess.Popen(command, stdout=theirs, stderr=subprocess.PIPE)
    os.close(theirs)
    shown = b""
    try:
        while piece := os.read(ours, 4096):
            shown += piece
    except OSError:  # the other end is closed
        os.close(ours)
    process.communicate()
    assert rb"work\x1b[2J" in shown
    assert b"\x1b" not in shown


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
