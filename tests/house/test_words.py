"""How the project speaks: plain technical English, one word for one thing, in lines that can be read.

`python -m tests.house.test_words` prints each forbidden word with the text around it.
"""

from __future__ import annotations

import ast
import re
from pathlib import Path

from tests.house.tree import PROJECT, modules, tracked_files

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
# A question may ask "What is …?"; a word in backticks is a name, such as one that the changelog says is gone.
PATTERN = re.compile(
    rf"(?<!`)\b({'|'.join(sorted(FORBIDDEN, key=len, reverse=True)).replace('what is', 'what is(?! this [^.!;:|]*[?])')})\b",
    re.IGNORECASE,
)
# What the project's own tree must not speak of: where and how it is made.
WORKPLACE = re.compile(r"/work/(wt|main|shared|\.)|\bissue-\d+\.txt", re.IGNORECASE)


def speaking_files() -> list[Path]:
    return [
        path
        for path in tracked_files(*SPEAKING)
        if path.suffix in SUFFIXES and "golden" not in path.parts and "_build" not in path.parts
    ]


def forbidden_words() -> list[str]:
    """Return each forbidden word with its file and the text around it."""
    found = []
    for path in speaking_files():
        # A word may be broken over two lines of a comment.
        text = re.sub(r"\s*\n\s*(#|\*|//)?\s*", " ", (PROJECT / path).read_text(encoding="utf-8"))
        found += [
            f"{path}: …{text[max(match.start() - 60, 0) : match.end() + 60]}… {FORBIDDEN[match[0].lower()]}"
            for match in PATTERN.finditer(text)
        ]
    return found


def test_no_file_has_a_forbidden_word() -> None:
    assert forbidden_words() == []


def test_no_module_has_a_line_that_is_wider_than_a_reader_can_follow() -> None:
    wide = [
        f"{path}:{number}"
        for path in tracked_files("src/*.py")
        for number, line in enumerate((PROJECT / path).read_text(encoding="utf-8").splitlines(), 1)
        if len(line) > WIDEST and "noqa" not in line
    ]
    assert wide == []


def broken_summaries(module: ast.Module) -> list[str]:
    """Return the first lines of the docstrings whose first sentence goes on in the second line."""
    documented = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    texts = [ast.get_docstring(node) for node in ast.walk(module) if isinstance(node, documented)]
    summaries = [text.partition("\n")[0].rstrip() for text in texts if text]
    return [summary for summary in summaries if not summary.endswith((".", ":", "?", "!"))]


def test_the_first_line_of_every_docstring_is_a_whole_sentence() -> None:
    assert broken_summaries(ast.parse('"""Return the\nnumber."""\nclass A:\n    """A letter."""')) == [
        "Return the"
    ]
    assert {path: found for path, module in modules().items() if (found := broken_summaries(module))} == {}


def test_no_file_speaks_of_the_place_where_it_is_made() -> None:
    speaks = {
        path.as_posix()
        for path in tracked_files()
        if path.suffix in SUFFIXES
        and WORKPLACE.search((PROJECT / path).read_text(encoding="utf-8", errors="replace"))
    }
    assert speaks <= {"tests/house/test_words.py"}


if __name__ == "__main__":
    print("\n".join(forbidden_words()))
