"""Laws of the C extension, one test each."""

from __future__ import annotations

import re
from pathlib import Path

NATIVE = Path(__file__).resolve().parents[2] / "src" / "conduit" / "_native"
MAX_LINE = 120
_WORDS = re.compile(
    r"\b(whoever|nobody|somebody|anybody|meanwhile|strangers?|books|heard|bury|buried|divert(?:ed)?|take_apart"
    r"|(?:MOST|FEWEST|LARGEST|HIGHEST|LONGEST|SHORTEST)_\w+)\b",
    re.IGNORECASE,
)


def lines_that(pattern: re.Pattern[str]) -> dict[str, list[str]]:
    found = {
        path.name: [line.strip() for line in path.read_text("utf-8").splitlines() if pattern.search(line)]
        for path in sorted(NATIVE.glob("*.[ch]"))
    }
    assert len(found) > 30
    return {name: lines for name, lines in found.items() if lines}


def test_only_python_layout_h_includes_the_interpreters_internal_headers() -> None:
    assert set(lines_that(re.compile(r"#\s*include\s*<(internal/|pycore_)"))) == {"python_layout.h"}


def test_only_python_layout_h_tests_the_version_of_the_interpreter() -> None:
    assert set(lines_that(re.compile(r"PY_(VERSION_HEX|M[AI][A-Z]+_VERSION)|Py_BUILD_CORE"))) == {
        "python_layout.h"
    }


def test_only_hash_table_h_multiplies_by_a_hash_constant() -> None:
    found = lines_that(re.compile(r"0x[0-9A-F]{16}"))
    assert set(found) <= {"hash_table.h", "random.h"}, found


def test_no_line_of_c_is_longer_than_120_characters() -> None:
    assert not lines_that(re.compile(f".{{{MAX_LINE + 1}}}"))


def test_no_line_of_c_uses_a_word_that_needs_a_second_reading() -> None:
    assert not lines_that(_WORDS)


def test_every_header_begins_with_a_comment_that_says_what_it_is_for() -> None:
    for path in NATIVE.glob("*.h"):
        assert path.read_text("utf-8").startswith("/* "), path.name


def test_no_two_c_files_need_each_other() -> None:
    needs = {
        path.stem: {
            other
            for other in re.findall(r'#include "(\w+)\.h"', path.read_text("utf-8"))
            if other != path.stem and (NATIVE / f"{other}.c").exists()
        }
        for path in NATIVE.glob("*.c")
    }
    for header in NATIVE.glob("*.h"):
        includes = re.findall(r'#include "(\w+)\.h"', header.read_text("utf-8"))
        needs.setdefault(header.stem, set()).update(name for name in includes if name in needs)
    removed = True
    while removed:
        leaves = [name for name, others in needs.items() if not others & needs.keys()]
        removed = bool(leaves)
        for name in leaves:
            del needs[name]
    assert not needs
