"""The output of a profiled cell, made from a profile."""

from __future__ import annotations

import linecache
import sys
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from conduit.notebook import _import_first, _view
from tests.report.making import HEAP, profile_of

if TYPE_CHECKING:
    from pathlib import Path

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


def test_imports_at_the_head_of_a_cell_run_first_and_nothing_else_of_it_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("first", "second", "third"):
        (tmp_path / f"imported_{name}.py").write_text("done = 1\n", encoding="utf-8")
    monkeypatch.syspath_prepend(tmp_path)
    shell: Any = SimpleNamespace()
    _import_first(
        shell,
        "# note\nimport imported_first as one\nfrom imported_second import done\nraise SystemExit\n"
        "import imported_third\n",
    )
    assert {name for name in sys.modules if name.startswith("imported_")} == {
        "imported_first",
        "imported_second",
    }
    _import_first(shell, "import imported_nowhere\nimport imported_third\n")
    _import_first(shell, "!ls\nimport imported_third\n")
    assert "imported_third" not in sys.modules
    for name in ("first", "second"):
        monkeypatch.delitem(sys.modules, f"imported_{name}")
