"""`bench_import`: the time of an import in interpreters of their own."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from conduit.bench import bench_import

Command = Callable[..., "subprocess.CompletedProcess[str]"]
HEAD = "from conduit.bench import bench_import\n"
ROW = r"^Benchmark(\w+)\S*\s+2\s+([\d.]+) ns/op\s+([\d.]+) modules/op"


def test_only_the_import_is_measured_and_every_iteration_is_a_first_one(
    run_bench: Command, project: Path
) -> None:
    (project / "slow_package.py").write_text("import time\ntime.sleep(0.2)\nprint('loaded')\n")
    (project / "empty_package.py").write_text("")
    text = f"import sys; sys.path.insert(0, {str(project)!r})\n{HEAD}"
    text += "bench_slow = bench_import('slow_package')\nbench_empty = bench_import('empty_package')\n"
    printed = run_bench("-benchtime=2x", bench_a=text).stdout
    rows = {name: (float(time), float(modules)) for name, time, modules in re.findall(ROW, printed, re.M)}
    assert list(rows) == ["Slow", "Empty"]  # and no benchmark `Import` of the function itself
    assert rows["Slow"][0] >= 200e6
    assert rows["Empty"][0] < rows["Slow"][0]
    assert rows["Empty"][1] == rows["Slow"][1] == 1


def test_a_module_that_cannot_be_imported_fails_with_its_error(run_bench: Command) -> None:
    ran = run_bench("-benchtime=1x", bench_a=f"{HEAD}bench_a = bench_import('no.such')\n")
    assert "ModuleNotFoundError: No module named 'no'" in ran.stdout
    assert ran.returncode == 1


def test_memory_of_other_processes_is_refused_in_a_warning(run_bench: Command) -> None:
    ran = run_bench("-benchtime=1x", "-benchmem", bench_a=f"{HEAD}bench_a = bench_import('json')\n")
    assert "allocs/op: n/a, the work runs in other processes" in ran.stdout
    assert not re.search(r"\d B/op", ran.stdout)


def test_a_text_that_is_no_name_is_refused() -> None:
    with pytest.raises(ValueError, match="expected a module's dotted name"):
        bench_import("json; print(1)")


def test_modules_are_all_that_a_fresh_interpreter_loads_for_the_import(
    run_bench: Command, project: Path
) -> None:
    (project / "package_of_two.py").write_text("import importlib.machinery, importlib\nimport json.decoder\n")
    program = (
        f"import sys; sys.path.insert(0, {str(project)!r}); n = len(sys.modules); import package_of_two; "
    )
    answer = subprocess.run(
        [sys.executable, "-c", program + "print(len(sys.modules) - n)"], capture_output=True, text=True
    )
    text = f"import sys; sys.path.insert(0, {str(project)!r})\n{HEAD}bench_two = bench_import('package_of_two')\n"
    printed = run_bench("-benchtime=2x", bench_a=text).stdout
    [(_, _, modules)] = re.findall(ROW, printed, re.M)
    assert float(modules) == int(answer.stdout)
