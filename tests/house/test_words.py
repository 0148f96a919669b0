"""How the project speaks: plain technical English, one word for one thing, in lines that can be read.

Files not yet reworded are listed in `not_yet_reworded.txt` with how many of these words, and lines that are too wide, each still
has. The list may only shrink: a file may have fewer than it says, never more, and a new file has none.
`python -m tests.house.test_words` writes it anew.
"""

from __future__ import annotations

import re
from collections import Counter
from pathlib import Path

from tests.house.tree import PROJECT, tracked_files

LIST = Path(__file__).parent / "not_yet_reworded.txt"
SPEAKING = ("src", "docs", "*.md", "examples", "Makefile", ".ci")
SUFFIXES = {".py", ".pyi", ".c", ".h", ".md", ".html", ".js", ".css", ".txt", ".toml", ""}
WIDEST = 120  # columns, in the package's own Python: docstrings and comments included

FORBIDDEN = {
    "whoever": "name the person: the caller, the user",
    "nobody": "say what does not happen",
    "somebody": "name the person: the caller, the user",
    "anybody": "name the person: the caller, the user",
    "meanwhile": "say during what",
    "what is": "name the thing",
    "that which": "name the thing",
    "of which": "make two sentences",
    "doubt": "warning",
    "doubts": "warnings",
    "doubted": "with a warning",
}
PATTERN = re.compile(rf"\b({'|'.join(sorted(FORBIDDEN, key=len, reverse=True))})\b", re.IGNORECASE)
# What the project's own tree must not speak of: where and how it is made.
WORKPLACE = re.compile(r"/work/(wt|main|shared|\.)|\bissue-\d+\.txt", re.IGNORECASE)


def speaking_files() -> list[Path]:
    return [
        path
        for path in tracked_files(*SPEAKING)
        if path.suffix in SUFFIXES and "golden" not in path.parts and "_build" not in path.parts
    ]


def count_forbidden() -> Counter[str]:
    """Return how many forbidden words each file has; files without any are left out."""
    counts: Counter[str] = Counter()
    for path in speaking_files():
        # A word may be broken over two lines of a comment.
        text = re.sub(r"\s*\n\s*(#|\*|//)?\s*", " ", (PROJECT / path).read_text(encoding="utf-8"))
        counts[path.as_posix()] += len(PATTERN.findall(text))
    return +counts


def count_wide() -> Counter[str]:
    """Return how many lines of each of the package's modules are wider than a reader can follow."""
    counts: Counter[str] = Counter()
    for path in tracked_files("src/*.py"):
        lines = (PROJECT / path).read_text(encoding="utf-8").splitlines()
        counts[path.as_posix()] = sum(len(line) > WIDEST and "noqa" not in line for line in lines)
    return +counts


COUNTED = {"words": count_forbidden, "wide": count_wide}


def allowed(kind: str) -> Counter[str]:
    found: Counter[str] = Counter()
    for line in LIST.read_text(encoding="utf-8").splitlines():
        each, count, path = line.split(maxsplit=2)
        if each == kind:
            found[path] = max(
                found[path], int(count)
            )  # two changes of the list are merged by keeping both lines
    return found


def test_no_file_has_more_of_the_forbidden_words_than_it_is_listed_with() -> None:
    too_many = count_forbidden() - allowed("words")
    assert not too_many, f"forbidden words ({__name__} says what instead): {dict(too_many)}"


def test_no_module_has_more_wide_lines_than_it_is_listed_with() -> None:
    too_many = count_wide() - allowed("wide")
    assert not too_many, f"lines of more than {WIDEST} columns: {dict(too_many)}"


def test_no_file_speaks_of_the_place_where_it_is_made() -> None:
    speaks = {
        path.as_posix()
        for path in tracked_files()
        if path.suffix in SUFFIXES
        and WORKPLACE.search((PROJECT / path).read_text(encoding="utf-8", errors="replace"))
    }
    assert speaks <= {"tests/house/test_words.py"}


def write_list() -> None:
    """Write the list anew; refuse to make it longer."""
    lines = []
    for kind, count in COUNTED.items():
        counts = count()
        if LIST.exists() and counts - allowed(kind):
            raise SystemExit(f"not written: more {kind} than before: {dict(counts - allowed(kind))}")
        lines += [f"{kind} {number} {path}\n" for path, number in sorted(counts.items())]
        print(f"{kind}: {sum(counts.values())} in {len(counts)} files")
    LIST.write_text("".join(lines), encoding="utf-8")


if __name__ == "__main__":
    write_list()
