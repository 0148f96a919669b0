"""What `conduit run -children` says of many small processes, and of those that change their user."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from conduit.cli.children.journal import OPEN_JOURNAL, Journal, OpenJournal
from conduit.cli.children.warning_lines import summed
from conduit.profile.codec import decode
from conduit.units import counted


def test_warnings_that_differ_in_numbers_are_one_line_for_many_processes() -> None:
    warnings = [(str(pid), f"0.0{pid % 10}s of CPU time was not sampled") for pid in range(11, 21)]
    assert summed(warnings) == ["10 processes, as process 11: 0.01s of CPU time was not sampled"]


@pytest.mark.parametrize("text", ["{} lost: signals came faster", "{} dropped: no memory to note them"])
def test_a_warning_is_of_one_kind_whether_it_is_of_one_sample_or_of_thousands(text: str) -> None:
    counts = [counted(count, "sample was", "samples were") for count in (1, 3, 1234)]
    warnings = [(str(pid), text.format(count)) for pid, count in enumerate(counts, 7)]
    assert summed(warnings) == [f"3 processes, as process 7: {text.format('1 sample was')}"]


def test_warnings_of_two_processes_and_of_other_kinds_stay_by_themselves() -> None:
    warnings = [("7", "0.01s was not sampled"), ("8-2", "0.02s was not sampled"), ("7", "stacks were cut")]
    assert summed(warnings) == [
        "process 7: 0.01s was not sampled",
        "process 8-2: 0.02s was not sampled",
        "process 7: stacks were cut",
    ]


@pytest.mark.skipif(not hasattr(os, "fork") or os.geteuid() != 0, reason="only root can change its user")
# pytest's worker has threads of its own; the child runs what follows and nothing else.
@pytest.mark.filterwarnings("ignore:This process .* is multi-threaded:DeprecationWarning")
@pytest.mark.parametrize("closes", [False, True], ids=["kept", "closed and taken by another file"])
def test_a_forked_worker_that_changes_its_user_still_notes_its_end(tmp_path: Path, closes: bool) -> None:
    tmp_path.chmod(0o700)
    journal = Journal(str(tmp_path))
    journal.create()
    journal.note("began")
    other = tmp_path / "other"
    child = os.fork()
    if child == 0:
        try:
            if closes:
                assert journal.kept is not None
                os.dup2(os.open(other, os.O_CREAT | os.O_WRONLY), journal.kept.descriptor)
            os.setuid(65534)
            journal.note("ended")
        finally:
            os._exit(0)
    os.waitpid(child, 0)
    lines = [json.loads(line) for line in (tmp_path / "journal").read_text().splitlines()]
    assert [line["event"] for line in lines] == (["began"] if closes else ["began", "ended"])
    assert not closes or other.read_text() == ""


def test_a_program_that_inherits_the_open_journal_appends_where_its_user_may_not_open_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    Journal(str(tmp_path)).create()
    file = (tmp_path / "journal").open("ab", buffering=0)
    status = os.fstat(file.fileno())
    monkeypatch.setenv(OPEN_JOURNAL, OpenJournal(file.fileno(), status.st_dev, status.st_ino).text())
    inheriting = Journal(str(tmp_path))
    monkeypatch.setenv(OPEN_JOURNAL, OpenJournal(file.fileno(), status.st_dev, status.st_ino + 1).text())
    other = Journal(str(tmp_path))

    def forbid(*_: object) -> int:
        raise PermissionError

    monkeypatch.setattr(os, "open", forbid)
    inheriting.note("began")
    other.note("began")
    monkeypatch.undo()
    assert [entry["event"] for entry in inheriting.entries()] == ["began"]
    file.close()
    assert (inheriting.is_forbidden, other.is_forbidden) == (False, True)


def is_usable_by_another_user() -> bool:
    """Whether another user can run this interpreter and import conduit with it."""
    command = [sys.executable, "-c", "import conduit.cli"]
    try:
        return subprocess.run(command, user=65534, capture_output=True).returncode == 0
    except OSError:
        return False


@pytest.mark.skipif(
    not hasattr(os, "fork") or os.geteuid() != 0, reason="only root can start another user's program"
)
@pytest.mark.parametrize("mode", [0o777, 0o755], ids=["writable", "not writable"])
def test_a_program_of_another_user_is_recorded_or_named_with_the_reason(mode: int) -> None:
    if not is_usable_by_another_user():
        pytest.skip("another user cannot run this interpreter")
    program = (
        f"import subprocess, sys; subprocess.run([sys.executable, '-c', {WORK!r}], user=65534, check=True)"
    )
    with tempfile.TemporaryDirectory() as name:  # pytest's own folders are closed to other users
        folder = Path(name)
        folder.chmod(mode)
        (folder / "start.py").write_text(program)
        words = ["run", "-children", "-cpuprofile=cpu.prof", "start.py"]
        done = subprocess.run(
            [sys.executable, "-m", "conduit", *words], cwd=folder, capture_output=True, text=True, timeout=120
        )
        assert done.returncode == 0, done.stderr
        assert "not followed" not in done.stderr
        merged = decode((folder / "cpu.prof").read_bytes())
    processes = {sample.labels["process"][0] for sample in merged.samples}
    refusals = [comment for comment in merged.comments if "could not write its part: cannot write" in comment]
    assert (len(processes), len(refusals)) == ((2, 0) if mode == 0o777 else (1, 1))


WORK = """
import time
end = time.process_time() + 0.1
while time.process_time() < end:
    pass
"""

DROPPING = """
import os, sys, time
def work():
    end = time.process_time() + 0.05
    while time.process_time() < end:
        pass
if os.fork() == 0:
    os.setuid(65534)
    work()
    sys.exit(0)
os.wait()
"""


@pytest.mark.skipif(not hasattr(os, "fork") or os.geteuid() != 0, reason="only root can change its user")
def test_a_worker_that_may_not_write_in_the_folder_any_more_is_named_with_the_reason(tmp_path: Path) -> None:
    tmp_path.chmod(0o700)
    (tmp_path / "drop.py").write_text(DROPPING)
    words = ["run", "-children", "-cpuprofile=cpu.prof", "drop.py"]
    done = subprocess.run(
        [sys.executable, "-m", "conduit", *words], cwd=tmp_path, capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    assert "could not write its part: cannot write" in done.stderr
    assert "Traceback" not in done.stderr
    assert "killed or crashed" not in done.stderr
    assert (tmp_path / "cpu.prof").exists()
