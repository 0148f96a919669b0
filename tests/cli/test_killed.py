"""What kill -9 leaves of the files that commands write."""

from __future__ import annotations

import random
import re

import pytest

from tests.cli.killed import COMMANDS, kill_often
from tests.conftest import PROJECT

# The files of the source that write, and the commands of the harness that lead there.
WRITERS = {
    "bench/against/environments.py": (),  # folders: built under a temporary name, tests/bench/test_held_folders.py
    "bench/against/worktree.py": ("against", "history run", "bisect"),
    "cli/against.py": ("against",),
    "cli/bench.py": ("bench",),
    "cli/children/run.py": ("children",),
    "cli/collect.py": ("collect",),
    "cli/dump.py": ("dump",),
    "cli/history/page.py": ("history",),
    "cli/hook.py": ("hook",),
    "cli/import_results.py": ("import", "export"),
    "cli/introspect/page.py": ("registry",),
    "cli/pprof/output.py": ("pprof", "page"),
    "cli/pprof/shell.py": ("shell",),
    "cli/record.py": ("record",),
    "cli/top/screen.py": ("top",),
    "fetch/saving.py": ("saved", "numbered"),
    "files.py": (),  # the writer itself
    "history/store.py": ("save", "notes", "history import", "history prune", "history run"),
    "metadata/compiled_file.py": ("compiled",),
    "pytest_plugin.py": ("pytest",),
    "record/recording.py": ("run", "bisect"),
    "record/trace.py": ("trace",),
    "sources/document_cache.py": ("document",),
    "web/configs.py": ("settings",),
}
_WRITES = re.compile(r"\b(write_file_whole|new_file|held_folder|worktree_of)\(")


def test_the_harness_has_a_command_for_every_place_that_writes() -> None:
    source = PROJECT / "src" / "conduit"
    found = {
        str(path.relative_to(source))
        for path in source.rglob("*.py")
        if any(_WRITES.search(line) for line in path.read_text().splitlines() if "def " not in line)
    }
    assert found - {"bench/against/held_folders.py", "history/checkouts.py"} == set(WRITERS)
    assert {name for names in WRITERS.values() for name in names} == set(COMMANDS)


def test_no_other_place_opens_a_file_to_write() -> None:
    source = PROJECT / "src" / "conduit"
    opens = re.compile(
        r"""open\([^)]*["'][wax]b?\+?["']|write_text\(|write_bytes\(|write_history_file\(|os\.replace\("""
    )
    found = {
        str(path.relative_to(source))
        for path in source.rglob("*.py")
        if opens.search(path.read_text()) and str(path.relative_to(source)) not in WRITERS
    }
    assert found == {
        "cli/closed_streams.py",  # standard output itself
        "cli/doctor/self_test.py",  # in a temporary folder, as the following
        "cli/recording_tree.py",
        "fetch/foreign/memray.py",
        "history/compared.py",
        "history/series.py",
        "record/attach/client.py",
        "record/trace_file.py",  # under the temporary name that record/trace.py makes
    }


@pytest.mark.slow
@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_that_is_killed_leaves_its_file_as_before_or_whole(name: str) -> None:
    outcomes = kill_often(name, 10, random.Random(1).random)
    assert outcomes["before"] + outcomes["new"] == 10
    assert outcomes["worktrees"] == 0
