"""`conduit pprof` in a process of its own: output, exit status, the shell on a terminal, bad input."""

from __future__ import annotations

import os
import pty
import select
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from conduit.cli.pprof.shell import Shell
from conduit.profile.codec import decode
from conduit.report.options import Options
from tests.conftest import OWN_GOLDEN

PROFILES = OWN_GOLDEN / "pprof" / "profiles"
PY_CPU = str(PROFILES / "py.cpu.pb.gz")
Command = Callable[..., "subprocess.CompletedProcess[str]"]


def test_data_goes_to_standard_output_and_everything_else_to_standard_error(conduit_command: Command) -> None:
    done = conduit_command("pprof", "-top", PY_CPU)
    assert done.returncode == 0
    assert done.stdout.startswith("a visible comment\nType: cpu\n")
    assert done.stderr == "Main binary filename not available.\n"


def test_what_a_format_writes_is_complete_or_not_there(conduit_command: Command, tmp_path: Path) -> None:
    target = tmp_path / "top.txt"
    done = conduit_command("pprof", f"-output={target}", "-top", PY_CPU)
    assert done.stdout == ""
    assert f"Generating report in {target}\n" in done.stderr
    assert target.read_text(encoding="utf-8").startswith("a visible comment\n")
    failed = conduit_command("pprof", f"-output={tmp_path}/missing/top.txt", "-top", PY_CPU)
    assert failed.returncode == 2
    assert f"open {tmp_path}/missing/top.txt: no such file or directory" in failed.stderr


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["-top", "/nowhere/x.pb.gz"], "stat /nowhere/x.pb.gz: no such file or directory"),
        (["-top", __file__], "parsing profile: unrecognized profile format"),
        (["-top", "-focus=(", PY_CPU], "parsing focus regexp: error parsing regexp"),
        (["-peek=(", PY_CPU], "parsing argument regexp"),
        (["-top", "-nosuch", PY_CPU], "flag provided but not defined: -nosuch"),
        (["-top", "-unit"], "flag needs an argument: -unit"),
        (["-top", "-sample_index=7", PY_CPU], "is outside the range"),
        (["-disasm=fib", PY_CPU], "no matches found for regexp fib"),
        (["-check", "{", PY_CPU], "not a rule in TOML's notation"),
    ],
)
def test_a_wrong_call_says_what_is_wrong_and_exits_with_2(
    conduit_command: Command, arguments: list[str], words: str
) -> None:
    done = conduit_command("pprof", *arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert words in done.stderr
    assert "Traceback" not in done.stderr


def test_standard_input_is_a_source(conduit_command: Command) -> None:
    content = Path(PY_CPU).read_bytes()
    command = [sys.executable, "-m", "conduit", "pprof", "-comments", "-"]
    done = subprocess.run(command, input=content, capture_output=True, timeout=60, check=True)
    assert done.stdout == b"a visible comment\n# a hidden comment\n"


def test_a_reader_that_goes_away_is_no_error() -> None:
    command = f"{sys.executable} -m conduit pprof -raw {PROFILES}/rand.1.pb.gz | head -n 1"
    done = subprocess.run(
        ["bash", "-o", "pipefail", "-c", command], capture_output=True, text=True, timeout=60
    )
    assert done.stdout.strip()
    assert "Traceback" not in done.stderr


def test_the_long_help_tells_of_what_is_ours_and_the_short_one_is_the_original_s(
    conduit_command: Command,
) -> None:
    long, short = conduit_command("pprof", "--help"), conduit_command("pprof", "-h")
    assert (long.returncode, short.returncode) == (0, 0)
    assert long.stdout.startswith(short.stderr)
    assert "-collapsed" in long.stdout
    assert "-check RULES" in long.stdout
    assert "-collapsed" not in short.stderr


def test_an_expression_that_backtracks_for_ever_elsewhere_is_answered(
    conduit_command: Command,
) -> None:
    done = conduit_command("pprof", "-top", "-focus=(a*)*(a*)*(a|a)*$(a*)*b" + "(x+x+)+y" * 5, PY_CPU)
    assert done.returncode == 0
    assert "Focus expression matched no samples" in done.stderr


def _shell() -> tuple[Shell, list[str]]:
    said: list[str] = []
    return Shell(decode(Path(PY_CPU).read_bytes()), Options(), said.append), said


def test_completion_offers_commands_options_and_functions() -> None:
    shell, _ = _shell()
    assert shell.complete("topp") == ["topproto"]
    assert "nodecount" in shell.complete("no")
    assert shell.complete("help tagf") == ["tagfocus"]
    assert shell.complete("list odd") == ["app.math.odd"]
    assert shell.complete("top 5 -fi") == ["-app.math.fib"]
    assert shell.complete("tags thr") == []
    assert shell.complete("list ") == []
    assert {"cpu", "mean_cpu", "total_cpu"} <= set(shell.complete(""))


def test_options_of_one_command_do_not_persist_and_assignments_do() -> None:
    shell, said = _shell()
    name, argument, options = shell.parse_command(["top", "5", "main", "run", "-init", "-cum", ">out.txt"])
    assert (name, argument) == ("top", "")
    assert (options.nodecount, options.focus, options.ignore) == (5, "main|run", "init")
    assert (options.sort, options.output) == ("cum", "out.txt")
    assert (shell.options.nodecount, shell.options.focus, shell.options.sort) == (-1, "", "flat")
    assert shell.execute("nodecount = 7 //: a remark")
    assert shell.execute("lines=1")
    assert shell.execute("mean_cpu")
    assert (shell.options.nodecount, shell.options.granularity) == (7, "lines")
    assert (shell.options.mean, shell.options.sample_index) == (True, "cpu")
    assert shell.execute("total_cpu")
    assert not shell.options.mean
    assert said == []
    assert not shell.execute("quit")


def test_the_sample_type_shown_is_the_one_in_use() -> None:
    shell, _ = _shell()
    assert (
        "  sample_index              = cpu                  //: [samples | cpu | wall]"
        in shell.options_table()
    )


def test_help_of_conduit_s_own_formats_is_a_word_away() -> None:
    shell, said = _shell()
    shell.execute("help conduit")
    shell.execute("help collapsed")
    assert "-collapsed" in said[0]
    assert said[1].startswith("Outputs one line for each stack")


class _Terminal:
    """The other end of a pseudo-terminal; what was read beyond the wanted text stays for the next call."""

    def __init__(self, handle: int) -> None:
        self._handle = handle
        self._unread = b""

    def read_until(self, wanted: bytes, seconds: float = 60) -> bytes:
        end = time.monotonic() + seconds
        while wanted not in self._unread:
            assert time.monotonic() < end, f"{wanted!r} never came; so far {self._unread!r}"
            if select.select([self._handle], [], [], 0.5)[0]:
                self._unread += os.read(self._handle, 4096)
        before, found, self._unread = self._unread.partition(wanted)
        return before + found


def test_on_a_terminal_lines_are_completed_and_remembered_in_the_next_session(tmp_path: Path) -> None:
    pytest.importorskip("readline")
    environment = {**os.environ, "XDG_STATE_HOME": str(tmp_path), "TERM": "dumb", "INPUTRC": "/dev/null"}
    for keys, wanted in (
        (b"topp\t >report.pb.gz\r", b"topproto >report.pb.gz"),
        (b"\x10\x10\r", b"topproto >report.pb.gz"),
    ):
        master, slave = pty.openpty()
        process = subprocess.Popen(
            [sys.executable, "-m", "conduit", "pprof", PY_CPU],
            stdin=slave, stdout=slave, stderr=slave, cwd=tmp_path, env=environment, close_fds=True,
        )  # fmt: skip
        os.close(slave)
        try:
            terminal = _Terminal(master)
            terminal.read_until(b"(pprof) ")
            os.write(master, keys)
            seen = terminal.read_until(b"Generating report in report.pb.gz")
            assert wanted in seen.replace(b"\x07", b"").replace(b"  ", b" ")
            terminal.read_until(b"(pprof) ")
            os.write(master, b"quit\r")
            assert process.wait(timeout=30) == 0
        finally:
            process.kill()
            process.wait()
            os.close(master)
    assert (tmp_path / "report.pb.gz").read_bytes()[:2] == b"\x1f\x8b"
    assert "topproto" in (tmp_path / "conduit" / "pprof_history").read_text(encoding="utf-8")
