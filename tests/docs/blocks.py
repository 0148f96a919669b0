"""Markdown pages as sequences of blocks that can be run, with the output that each promises.

What a page may say, and what is done with it:

- ```` ```console ```` runs every `$ ` line with bash; the lines up to the next `$ ` are what it must print on
  standard output and standard error together. A line that ends in a backslash goes on in the next (`> ` is allowed).
  `$ ` lines that follow without output between them must print nothing, unless the next line says otherwise.
- ```` ```python ```` runs as a script of its own; an ```` ```output ```` block right after it is what it must print.
  With `>>>` prompts in it the block is an interactive session instead, checked as such.
- All blocks of a page share one new, empty folder as their working directory, and run in page order.
- `<!-- files: examples/shop.json docs/data/*.txt -->` copies files from the project into that folder, by their names.
- `<!-- file: NAME -->` before a block of any language writes the block to NAME there instead of running it.
- `<!-- exit: 1 -->` before a console block: the last command must end with this status (0 where nothing is said).
- `<!-- skip: REASON -->` before a block: not run. The reason is compulsory.
- Blocks in other languages (`sh` for installation, `json`, `text`) are not run; a `$ conduit …` line in one of them
  is an error, so that no example escapes.

- Ports 6070 to 6099 in a page stand for free ones: other numbers are used when it runs, and put back in what it prints.

What differs from run to run is compared by rule, on both sides: times (`1.5ms`, `0.03s`), addresses (`0x7f…`), process
ids, the folder's own path, and in benchmark text the machine, the iterations, ns/op and every B/op and allocs/op but
0 (Python versions differ there); warnings below benchmark results, and those of a recording about too few samples or
time that was not sampled, may come or not. Of a table from a profile that was
taken just now (it has a `Time:`, or lists the page's own files), the functions, lines and their order are compared, and no figures. A line that is only `…` or `...` stands for any number of lines; `…` inside a line for any text.
"""

from __future__ import annotations

import contextlib
import random
import re
import socket
from pathlib import Path
from typing import NamedTuple

_FENCE = re.compile(r"^(?P<indent> *)(?P<fence>```+|~~~+) *(?P<language>[\w+-]*)[^`]*$")
_DIRECTIVE = re.compile(r"^\s*<!-- *(?P<name>files|file|exit|skip): *(?P<value>.*?) *-->\s*$")


_PAGE_PORT = re.compile(r"\b60[7-9]\d\b")
_PORTS = range(20_000, 32_000)  # the kernel gives those above to whoever asks for any


class FreePorts:
    """The free ports that the ports of one page stand for, so that pages can run at the same time, and beside services."""

    def __init__(self) -> None:
        self._free: dict[str, str] = {}

    def put(self, text: str) -> str:
        """A page's text as it is run."""
        return _PAGE_PORT.sub(lambda port: self._of(port[0]), text)

    def put_back(self, printed: str) -> str:
        """What was printed as the page shows it."""
        for port, free in self._free.items():
            printed = re.sub(rf"\b{free}\b", port, printed)
        return printed

    def _of(self, port: str) -> str:
        while port not in self._free:
            candidate = random.choice(_PORTS)
            with contextlib.suppress(OSError), socket.socket() as probe:
                probe.bind(("", candidate))
                if str(candidate) not in self._free.values():
                    self._free[port] = str(candidate)
        return self._free[port]


class Block(NamedTuple):
    """One fenced block: its language, its text, where it begins, and the directives that stand before it."""

    language: str
    text: str
    line: int
    directives: dict[str, str]


class Command(NamedTuple):
    """One command of a console block and the output that the page shows for it."""

    words: str
    expected: str
    line: int


def read_blocks(text: str) -> list[Block]:
    """Every fenced block of a page, in order. Raises `ValueError` for a fence that is never closed."""
    blocks: list[Block] = []
    directives: dict[str, str] = {}
    lines = text.splitlines()
    position = 0
    while position < len(lines):
        line = lines[position]
        position += 1
        if directive := _DIRECTIVE.match(line):
            directives[directive["name"]] = directive["value"]
        elif opening := _FENCE.match(line):
            end = _closing(lines, position, opening)
            body = [one.removeprefix(opening["indent"]) for one in lines[position:end]]
            blocks.append(
                Block(opening["language"], "".join(f"{one}\n" for one in body), position, directives)
            )
            position, directives = end + 1, {}
        elif line.strip() and "files" not in directives:
            directives = {}
    return blocks


def _closing(lines: list[str], start: int, opening: re.Match[str]) -> int:
    for number in range(start, len(lines)):
        stripped = lines[number].strip()
        if stripped and set(stripped) == {opening["fence"][0]} and len(stripped) >= len(opening["fence"]):
            return number
    raise ValueError(f"line {start}: the block is never closed")


def read_commands(block: Block) -> list[Command]:
    """The `$ ` commands of a console block. Raises `ValueError` for text before the first one."""
    commands: list[Command] = []
    lines = block.text.splitlines()
    position = 0
    while position < len(lines):
        if not lines[position].startswith("$ "):
            raise ValueError(f"line {block.line + position + 1}: expected a line that begins with '$ '")
        start = position
        words = [lines[position][2:]]
        while words[-1].endswith("\\") and position + 1 < len(lines):
            position += 1
            words.append(lines[position].removeprefix("> "))
        position += 1
        first = position
        while position < len(lines) and not lines[position].startswith("$ "):
            position += 1
        expected = "".join(f"{line}\n" for line in lines[first:position])
        commands.append(Command("\n".join(words), expected, block.line + start + 1))
    return commands


Masks = tuple[tuple[re.Pattern[str], str], ...]

_MASKS: Masks = (
    # On a busy machine a recording may get little of the processor, or late, and says so.
    (
        re.compile(
            r"^.*\b(only \d+ samples?: |\d+ samples? (was|were) lost: |[\d.]+s of CPU time was (not sampled|used to start)).*\n?",
            re.MULTILINE,
        ),
        "",
    ),
    (re.compile(r"\b\d+(\.\d+)?(e[+-]\d+)? ?(ns|µs|us|ms|s)\b(?!/)"), "TIME"),
    (re.compile(r" *\b\d+(\.\d+)?[kMG]?B/s\b"), " RATE"),
    (re.compile(r"^ *grown +rate +held +objects( +grew in)?$", re.MULTILINE), r"grown rate held objects\1"),
    (re.compile(r"^ +(?=\+\d)", re.MULTILINE), ""),
    (re.compile(r"^\S+ (?=that imports allocated)", re.MULTILINE), "SIZE "),
    (re.compile(r"\b0x[0-9a-fA-F]{6,}\b"), "ADDRESS"),
    (re.compile(r"\b(pid|PID|process) \d+\b"), r"\1 PID"),
)
_BENCHMARK_MASKS: Masks = (
    (re.compile(r"^(goarch|cpu|python): .*", re.MULTILINE), r"\1: ANY"),
    (re.compile(r"^(Benchmark\S+?)-\d+ *\t *\d+\t *[\d.]+ ns/op", re.MULTILINE), r"\1 N TIME ns/op"),
    (re.compile(r"\t *(?!0 )[\d.]+ (B|allocs)/op"), r" N \1/op"),
    (re.compile(r"^--- WARN: .*\n(?:    .*\n)*", re.MULTILINE), ""),
    # A time that is far below its target alone on a machine may be above it beside others.
    (re.compile(r"^(.* ns/op) (target met|acceptable)$", re.MULTILINE), r"\1 GRADE"),
)
_FIGURE = r" *(?:TIME|-?[\d.]+\w*)"
_FRESH_PROFILE_MASKS: Masks = (
    (re.compile(r"^(File|Time|Duration|Total): .*", re.MULTILINE), r"\1: ANY"),
    (re.compile(r"^(Dropped \d+ nodes?|only \d+ samples?)\b.*\n", re.MULTILINE), ""),
    (re.compile(r"^Showing nodes accounting for .*", re.MULTILINE), "Showing nodes"),
    (re.compile(rf"^{_FIGURE}{_FIGURE}%{_FIGURE}%{_FIGURE}{_FIGURE}%  ", re.MULTILINE), "ROW "),
    (re.compile(r"^ROW \[(not sampled|no Python frames|thread start and end)\].*\n", re.MULTILINE), ""),
    (re.compile(r"^ *\S+ +\S+ \(flat, cum\) .*", re.MULTILINE), "(flat, cum)"),
    (re.compile(r"^ *\S+ +\S+ +(\d+):", re.MULTILINE), r"\1:"),
)
# A profile that was taken just now has a time; a listing from it names a file of the page's own folder.
_FRESH_PROFILE = re.compile(r"^Time: |^ROUTINE =+ .* in FOLDER/", re.MULTILINE)


def mask(text: str, folder: Path) -> str:
    """The text with everything replaced that differs from run to run."""
    return _replaced(text.replace(str(folder), "FOLDER"), _MASKS)


def _replaced(text: str, masks: Masks) -> str:
    for pattern, name in masks:
        text = pattern.sub(name, text)
    return "".join(f"{line.rstrip()}\n" for line in text.splitlines())


def agrees(printed: str, expected: str, folder: Path) -> bool:
    """Whether an output is the one that a page shows, by the rules above."""
    is_fresh = _FRESH_PROFILE.search(printed.replace(str(folder), "FOLDER"))
    printed, expected = mask(printed, folder), mask(expected, folder)
    # A page that has its own `…` in a table is compared as it stands; one that shows all of it, by the rules for it.
    rules = [(), _BENCHMARK_MASKS, *([_FRESH_PROFILE_MASKS] if is_fresh else [])]
    return any(_matches(_replaced(printed, masks), _replaced(expected, masks)) for masks in rules)


def _matches(printed: str, expected: str) -> bool:
    parts = []
    for line in expected.splitlines():
        if line.strip() in ("…", "..."):
            parts.append(r"(?:.*\n)*?")
        else:
            parts.append(".*".join(map(re.escape, line.split("…"))) + r"\n")
    return re.fullmatch("".join(parts), printed) is not None
