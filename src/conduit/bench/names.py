"""Names of benchmarks, and which of them a command line means, by the rules of Go's `testing` package.

A pattern is cut at `/` (outside brackets) into levels; each is searched for, unanchored, in that level of the
name. `|` outside brackets separates whole patterns. A name with more levels than the pattern matches when the
pattern's levels do; a name with fewer matches partially: it runs only to find its sub-benchmarks. Where several
patterns match, one that matches fully decides, whatever their order: with `-bench='Render/n=16|Async'` Go passes
BenchmarkRenderAsync over, because its first level matches `Render` first.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Sequence

PREFIX = "Benchmark"
GOARCH = {"x86_64": "amd64", "aarch64": "arm64", "i686": "386", "armv7l": "arm"}
"""Go's names of processors, the values of the label goarch, by those of `platform.machine()`."""


def go_name(function_name: str) -> str:
    """Return Go's name for a Python benchmark: `bench_registry_init` → `BenchmarkRegistryInit`."""
    words = function_name.removeprefix("bench").split("_")
    return PREFIX + "".join(word[:1].upper() + word[1:] for word in words)


def numbered(name: str, processors: int) -> str:
    """Return the name with the number of processors behind it, which is left out where it is 1."""
    return name if processors == 1 else f"{name}-{processors}"


def rewrite(name: str) -> str:
    """Return a sub-benchmark's name as it is printed: white space becomes `_`, what cannot be printed is escaped."""
    return "".join(_printable(character) for character in name)


def _printable(character: str) -> str:
    if character.isspace():
        return "_"
    if character.isprintable():
        return character
    code = ord(character)
    short = {7: "\\a", 8: "\\b"}.get(code)
    if short:
        return short
    if code < 0x80:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code < 0x10000 else f"\\U{code:08x}"


class UniqueNames:
    """Names within one parent: the second `a` becomes `a#01`, an empty one `#00`."""

    def __init__(self) -> None:
        self._used: dict[str, int] = {}

    def claim(self, parent: str, name: str) -> str:
        """Return the full name for a child, unlike all given out before."""
        base = f"{parent}/{rewrite(name)}"
        while True:
            times = self._used.get(base, 0)
            self._used[base] = times + 1
            if times == 0 and name:
                if not self._is_taken_number(base):
                    return base
                continue
            candidate = f"{base}#{times:02d}"
            if not self._used.get(candidate):
                return candidate

    def _is_taken_number(self, name: str) -> bool:
        prefix, mark, number = name.rpartition("#")
        is_number = bool(mark) and len(number) >= 2 and number.isdigit()
        return is_number and int(number) < self._used.get(prefix, 0)


class Match(NamedTuple):
    """Whether a name is selected, and whether only as the parent of selected names."""

    matches: bool
    is_partial: bool


class NameFilter:
    """What `-bench` and `-skip` select. Raises `ValueError` for a pattern that is no regular expression."""

    def __init__(self, bench: str = ".", skip: str = "") -> None:
        self._bench = _compile(bench, "bench")
        self._skip = _compile(skip, "skip") if skip else None

    def match(self, full_name: str) -> Match:
        """Decide about one full name, its levels separated by `/`."""
        levels = full_name.split("/")
        found = _match_any(self._bench, levels)
        if found.matches and self._skip is not None:
            skipped = _match_any(self._skip, levels)
            if skipped.matches and not skipped.is_partial:
                return Match(False, False)
        return found


def _match_any(alternatives: list[list[re.Pattern[str]]], levels: Sequence[str]) -> Match:
    found = Match(False, False)
    for patterns in alternatives:
        if all(pattern.search(level) for pattern, level in zip(patterns, levels, strict=False)):
            if len(levels) >= len(patterns):
                return Match(True, False)
            found = Match(True, True)
    return found


def _compile(text: str, flag: str) -> list[list[re.Pattern[str]]]:
    alternatives: list[list[re.Pattern[str]]] = []
    position = 0
    for alternative in split_outside_brackets(text, "|"):
        patterns = []
        for element in split_outside_brackets(alternative, "/"):
            try:
                patterns.append(re.compile(rewrite(element)))
            except re.error as error:
                raise ValueError(
                    f'invalid regexp for element {position} of -{flag} ("{element}"): '
                    f"error parsing regexp: {error}"
                ) from None
            position += 1
        alternatives.append(patterns)
    return alternatives


def split_outside_brackets(text: str, separator: str) -> list[str]:
    """Cut at a separator that is in no `[…]`, no `(…)` and not behind a backslash."""
    parts: list[str] = []
    squares = rounds = start = position = 0
    while position < len(text):
        character = text[position]
        if character == "[":
            squares += 1
        elif character == "]":
            squares = max(squares - 1, 0)
        elif character == "(" and not squares:
            rounds += 1
        elif character == ")" and not squares:
            rounds -= 1
        elif character == "\\":
            position += 1
        elif character == separator and not squares and not rounds:
            parts.append(text[start:position])
            start = position + 1
        position += 1
    return [*parts, text[start:]]
