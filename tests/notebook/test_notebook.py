"""The magic commands, in a real kernel."""

from __future__ import annotations

from typing import Any

import pytest

nbclient = pytest.importorskip("nbclient")
nbformat = pytest.importorskip("nbformat")
pytest.importorskip("ipykernel")

SPIN = """%%cpuprofile{file}
import time
def spin():
    end = time.thread_time() + 1
    while time.thread_time() < end:
        pass
spin()
"""


def run(*cells: str) -> list[list[dict[str, Any]]]:
    """Run cells in a kernel of this Python and return each one's outputs."""
    book = nbformat.v4.new_notebook(
        cells=[nbformat.v4.new_code_cell(cell) for cell in ("%load_ext conduit", *cells)]
    )
    nbclient.NotebookClient(book, timeout=60, kernel_name="python3").execute()
    return [cell["outputs"] for cell in book["cells"][1:]]


def text(outputs: list[dict[str, Any]], stream: str) -> str:
    return "".join(one["text"] for one in outputs if one.get("name") == stream)


def test_a_profiled_cell_shows_a_flame_graph_and_a_table_without_ipythons_frames(tmp_path: Any) -> None:
    path = tmp_path / "cpu.prof"
    cell, kept = run(SPIN.format(file=f" {path}"), "print(spin.__name__)")
    (shown,) = [one["data"] for one in cell if one["output_type"] == "execute_result"]
    assert shown["text/html"].startswith("<pre>CPU time, by the line that led there")
    assert "</pre><svg" in shown["text/html"]
    assert "http" not in shown["text/html"].replace("http://www.w3.org/2000/svg", "")
    assert "  In [2].spin" in shown["text/plain"]
    assert "run_cell" not in shown["text/plain"]
    assert path.exists()
    (by_line,) = shown["text/plain"].partition("CPU time, by the line")[2].splitlines()[1:2]
    assert by_line.endswith(
        ("  In [2].spin line 5: while time.thread_time() < end:", "  In [2].spin line 6: pass")
    )
    assert text(kept, "stdout") == "spin\n"  # names of the cell are names of the notebook


def test_memory_that_a_cell_keeps_is_shown_under_the_function_that_allocated_it() -> None:
    cell, total = run(
        "%%memprofile\ndef make():\n    return [bytes(1000) for _ in range(500)]\nkept = make()",
        "import sys; print(sum(map(sys.getsizeof, kept)))",
    )
    (shown,) = [one["data"] for one in cell if one["output_type"] == "execute_result"]
    assert "Type: inuse_space" in shown["text/plain"]
    # The allocator rounds sizes up to 16 bytes; from Python 3.12 on, the list is in the same row.
    rows = [line.split() for line in shown["text/plain"].splitlines() if ".make" in line]
    assert rows, shown["text/plain"]
    row = rows[0]
    kept = int(text(total, "stdout"))
    assert kept <= float(row[0].removesuffix("kB")) * 1024 <= kept * 1.05


def test_a_warning_of_a_profiled_cell_is_shown_once() -> None:
    (cell,) = run("%%cpuprofile\nfor n in range(1_000_000):\n    n * n")
    (shown,) = [one["data"] for one in cell if one["output_type"] == "execute_result"]
    everything = text(cell, "stderr") + shown["text/plain"]
    assert everything.count("Shares are accurate to about") == 1


def test_bench_prints_a_line_of_benchmark_text_and_says_what_is_wrong_with_the_rest() -> None:
    good, wrong, empty, failing = run(
        "numbers = [3, 1, 2]\n%bench sorted(numbers)", "%bench sorted(", "%bench", "%bench 1 / 0"
    )
    assert text(good, "stdout").startswith("Benchmark")
    assert "ns/op" in text(good, "stdout")
    assert "allocs/op" in text(good, "stdout")
    assert "was never closed: sorted(" in text(wrong, "stderr")
    assert "nothing to measure" in text(empty, "stderr")
    assert "division by zero" in text(failing, "stderr")


def test_memory_that_a_library_allocated_is_shown_by_the_line_of_the_cell_that_led_there() -> None:
    (cell,) = run(
        "%%memprofile\nimport copy\nkept = []\ndef keep(n):\n    rows = [[i, i] for i in range(n)]\n"
        "    kept.append(copy.deepcopy(rows))\nkeep(5000)"
    )
    (shown,) = [one["data"] for one in cell if one["output_type"] == "execute_result"]
    heading, first, *_ = shown["text/plain"].partition("Held at the end, ")[2].splitlines()
    assert heading == "by the line that led there, libraries left out:"
    # As the notebook numbers its cells and lines.
    assert first.endswith("  In [2].keep line 6: kept.append(copy.deepcopy(rows))")
    assert float(first.split()[0].removesuffix("kB").removesuffix("MB")) > 0
