"""The list of long tests names tests that exist."""

from __future__ import annotations

import re

from tests.house.tree import PROJECT
from tests.long_tests import LONG_TESTS


def test_every_line_of_the_list_is_the_beginning_of_a_tests_name() -> None:
    missing = []
    for line in LONG_TESTS:
        path, _, name = line.partition("::")
        text = (PROJECT / path).read_text(encoding="utf-8")
        function = name.partition("[")[0]
        if not re.search(rf"^(?:async )?def {re.escape(function)}", text, re.MULTILINE):
            missing.append(line)
    assert missing == []


def test_the_list_is_sorted_and_no_line_is_covered_by_another() -> None:
    assert list(LONG_TESTS) == sorted(LONG_TESTS)
    assert [line for line in LONG_TESTS if line.startswith(tuple(set(LONG_TESTS) - {line}))] == []
