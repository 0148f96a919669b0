"""A terminal for tests: a program runs in a pseudo-terminal, and what it draws is read from a screen of cells."""

from __future__ import annotations

import fcntl
import os
import pty
import re
import select
import signal
import subprocess
import termios
import time
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from typing import Self

_TOKEN = re.compile(r"\x1b\[([0-9;?]*)([@-~])|\x1b[^\[]|\x1b\[[0-9;?]*$|\x1b$|[\s\S]")
_PATIENCE_S = 120.0  # only how long a failure takes


class Screen:
    """The cells of a terminal, after the movements and deletions that prompt_toolkit uses."""

    def __init__(self, rows: int, columns: int) -> None:
        self.resize(rows, columns)

    def resize(self, rows: int, columns: int) -> None:
        self.rows, self.columns = rows, columns
        self.cells = [[" "] * columns for _ in range(rows)]
        self.row = self.column = 0
        self._rest = ""

    @property
    def lines(self) -> list[str]:
        return ["".join(row).rstrip() for row in self.cells]

    def feed(self, text: str) -> None:
        text, self._rest = self._rest + text, ""
        for match in _TOKEN.finditer(text):
            token = match.group()
            if match.end() == len(text) and token[0] == "\x1b" and match.group(2) is None and len(token) < 20:
                self._rest = token  # the sequence goes on in what is read next
            elif match.group(2):
                self._control(match.group(1), match.group(2))
            elif token == "\r":
                self.column = 0
            elif token == "\n":
                self.row = min(self.row + 1, self.rows - 1)
            elif token == "\b":
                self.column = max(self.column - 1, 0)
            elif token.isprintable():
                if self.column < self.columns:
                    self.cells[self.row][self.column] = token
                self.column += 1

    def _control(self, parameters: str, kind: str) -> None:
        numbers = [int(number or 0) for number in parameters.lstrip("?").split(";")]
        count = numbers[0] or 1
        if kind == "A":
            self.row = max(self.row - count, 0)
        elif kind == "B":
            self.row = min(self.row + count, self.rows - 1)
        elif kind == "C":
            self.column += count
        elif kind == "D":
            self.column = max(min(self.column, self.columns) - count, 0)
        elif kind == "H":
            self.row, self.column = count - 1, (numbers[1] or 1) - 1 if len(numbers) > 1 else 0
        elif kind == "K":
            self.cells[self.row][self.column :] = [" "] * (self.columns - self.column)
        elif kind == "J":
            first = 0 if numbers[0] == 2 else self.row + 1
            if not numbers[0]:
                self._control("", "K")
            for row in range(first, self.rows):
                self.cells[row] = [" "] * self.columns


class TerminalProgram:
    """A program in a pseudo-terminal of its own. Standard error is kept apart."""

    def __init__(self, command: list[str], cwd: Path, environment: dict[str, str], rows: int = 24) -> None:
        self.screen = Screen(rows, 80)
        self.written = ""
        self._master, self._terminal = pty.openpty()
        termios.tcsetwinsize(self._terminal, (rows, 80))
        self.settings: list[Any] = termios.tcgetattr(self._terminal)
        self.process = subprocess.Popen(
            command,
            stdin=self._terminal,
            stdout=self._terminal,
            stderr=subprocess.PIPE,
            cwd=cwd,
            env=environment,
            start_new_session=True,
            preexec_fn=lambda: fcntl.ioctl(0, termios.TIOCSCTTY, 0),
        )

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.process.kill()
        self.process.communicate()
        os.close(self._master)
        os.close(self._terminal)

    def type(self, keys: str) -> None:
        os.write(self._master, keys.encode())

    def resize(self, rows: int, columns: int) -> None:
        self.screen.resize(rows, columns)
        termios.tcsetwinsize(self._master, (rows, columns))
        self.process.send_signal(signal.SIGWINCH)

    def wait_for(self, is_reached: Callable[[list[str]], bool]) -> list[str]:
        """Return the lines of the screen once they are as wanted."""
        end = time.monotonic() + _PATIENCE_S
        while not is_reached(self.screen.lines):
            assert time.monotonic() < end, "\n".join(self.screen.lines)
            assert self.process.poll() is None, (self.process.returncode, self._errors())
            self._read(0.2)
        return self.screen.lines

    def wait(self) -> tuple[int, str]:
        """Return the exit status and what was written to standard error."""
        end = time.monotonic() + _PATIENCE_S
        while self.process.poll() is None:
            assert time.monotonic() < end, "\n".join(self.screen.lines)
            self._read(0.1)
        self._read(0)
        return self.process.returncode, self._errors()

    def settings_now(self) -> list[Any]:
        return termios.tcgetattr(self._terminal)

    def _errors(self) -> str:
        assert self.process.stderr is not None
        return self.process.stderr.read().decode()

    def _read(self, seconds: float) -> None:
        while select.select([self._master], [], [], seconds)[0]:
            text = os.read(self._master, 65536).decode("utf-8", "replace")
            self.written += text
            self.screen.feed(text)
            seconds = 0
