"""The output of a profiled cell, made from a profile."""

from __future__ import annotations

import linecache
from typing import TYPE_CHECKING

from conduit.notebook import _view
from tests.report.making import HEAP, profile_of

if TYPE_CHECKING:
    import pytest

CELL = "/tmp/ipykernel_7/42.py"


def test_the_answer_comes_first_with_the_text_of_its_lines_and_without_the_memory_of_imports(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    lines = ["#\n", "import pandas\n", f"kept = load('{'long ' * 30}')\n"]
    monkeypatch.setitem(linecache.cache, CELL, (1, None, lines, CELL))
    library = ("pandas.load", "/venv/lib/python3.11/site-packages/pandas/io.py", 7)
    imported = [("In [3].<module>", CELL, 2), ("_find_and_load", "<frozen importlib._bootstrap>", 1)]
    stacks = [(imported, 90 << 20), ([("In [3].<module>", CELL, 3), library], 10 << 20)]
    profile = profile_of([(stack, [1, size, 1, size]) for stack, size in stacks], HEAP)
    view = _view(profile)
    heading, row, blank, remark, *_ = repr(view).splitlines()
    assert heading == "Held at the end, by the line that led there, libraries left out:"
    assert row.startswith("      10MB   100%  In [3].<module> line 3: kept = load('long long ")
    assert row.endswith("…")
    assert len(row.partition(": ")[2]) == 80
    assert (blank, remark) == ("", "90MB that imports allocated are left out")
    assert "_find_and_load" not in repr(view)
    assert view.profile is profile
