from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from conduit.errors import ConduitError
from conduit.files import write_file_whole


def test_a_file_is_written_in_folders_that_are_made_for_it(tmp_path: Path) -> None:
    write_file_whole(str(tmp_path / "a" / "b.json"), b"{}")
    assert (tmp_path / "a" / "b.json").read_bytes() == b"{}"
    assert [path.name for path in (tmp_path / "a").iterdir()] == ["b.json"]


def test_when_writing_fails_the_old_file_stays_and_nothing_else_is_left(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    target = tmp_path / "a.json"
    target.write_bytes(b"old")

    def fail(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", fail)
    with pytest.raises(ConduitError, match=r"cannot write .*a\.json: No space left on device"):
        write_file_whole(str(target), b"new")
    assert target.read_bytes() == b"old"
    assert [path.name for path in tmp_path.iterdir()] == ["a.json"]


def test_what_a_killed_process_of_the_same_number_left_does_not_stop_the_next(tmp_path: Path) -> None:
    """In a container every start of a program has process id 1."""
    for left in (f"a.json.{os.getpid()}.tmp", f".a.json.{os.getpid()}"):
        (tmp_path / left).write_bytes(b"half")
    write_file_whole(str(tmp_path / "a.json"), b"new")
    assert (tmp_path / "a.json").read_bytes() == b"new"


def test_a_temporary_name_that_is_taken_is_passed_over_and_what_it_leads_to_is_not_touched(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = iter([b"taken!!!", b"link!!!!", b"free!!!!"])
    monkeypatch.setattr(os, "urandom", lambda _: next(names))
    (tmp_path / f".conduit-{b'taken!!!'.hex()}.tmp").write_bytes(b"theirs")
    victim = tmp_path / "victim"
    (tmp_path / f".conduit-{b'link!!!!'.hex()}.tmp").symlink_to(victim)
    write_file_whole(str(tmp_path / "a.json"), b"new")
    assert (tmp_path / "a.json").read_bytes() == b"new"
    assert not victim.exists()


def test_a_name_of_255_bytes_can_be_written(tmp_path: Path) -> None:
    write_file_whole(str(tmp_path / ("n" * 255)), b"data")
    assert (tmp_path / ("n" * 255)).read_bytes() == b"data"


def test_a_link_still_points_where_it_pointed_and_permissions_stay(tmp_path: Path) -> None:
    target = tmp_path / "target.json"
    target.write_bytes(b"old")
    target.chmod(0o640)
    link = tmp_path / "link.json"
    link.symlink_to(target)
    write_file_whole(str(link), b"new")
    assert link.is_symlink()
    assert target.read_bytes() == b"new"
    assert target.stat().st_mode & 0o777 == 0o640


def test_a_device_is_written_to_and_not_replaced(tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    try:
        write_file_whole(str(pipe), b"data")
        assert os.read(reader, 100) == b"data"
    finally:
        os.close(reader)
    assert pipe.is_fifo()


def test_a_folder_in_the_place_of_the_file_is_an_error_that_names_it(tmp_path: Path) -> None:
    with pytest.raises(ConduitError, match="cannot write"):
        write_file_whole(str(tmp_path), b"data")


WRITE = "import sys; from conduit.files import write_file_whole; print('printed'); write_file_whole(sys.argv[1], b'data\\n')"


def shell(command: str, folder: Path) -> str:
    """The standard output of a Bash command line in which $WRITE writes `data` to the file that follows it."""
    environment = {**os.environ, "WRITE": WRITE, "PYTHON": sys.executable}
    ran = subprocess.run(["bash", "-c", command], cwd=folder, env=environment, capture_output=True, text=True)
    assert ran.returncode == 0, ran.stderr
    return ran.stdout


@pytest.mark.parametrize("path", ["/dev/stdout", "/dev/fd/1", "/proc/self/fd/1", "/dev/stderr", "link"])
@pytest.mark.parametrize("where", ["> out 2>&1", ">> out 2>&1", "2>&1 | cat > out"])
def test_a_descriptor_gets_the_data_where_the_shell_expects_it(tmp_path: Path, path: str, where: str) -> None:
    (tmp_path / "link").symlink_to("/dev/stdout")
    (tmp_path / "out").write_text("")
    shell(f'(echo before; "$PYTHON" -c "$WRITE" {path}; echo after) {where}', tmp_path)
    assert (tmp_path / "out").read_text() == "before\nprinted\ndata\nafter\n"


def test_process_substitution_gets_the_data(tmp_path: Path) -> None:
    shell('"$PYTHON" -c "$WRITE" >(cat > out); wait $!', tmp_path)
    assert (tmp_path / "out").read_text() == "data\n"


def test_a_descriptor_of_another_number_gets_the_data(tmp_path: Path) -> None:
    shell('"$PYTHON" -c "$WRITE" /dev/fd/7 7>out', tmp_path)
    assert (tmp_path / "out").read_text() == "data\n"


def test_a_descriptor_that_is_closed_is_an_error_that_names_it() -> None:
    with pytest.raises(ConduitError, match="cannot write /dev/fd/987: Bad file descriptor"):
        write_file_whole("/dev/fd/987", b"data")


def test_links_that_lead_in_a_circle_are_an_error_and_not_a_hang(tmp_path: Path) -> None:
    (tmp_path / "one").symlink_to(tmp_path / "two")
    (tmp_path / "two").symlink_to(tmp_path / "one")
    with pytest.raises(ConduitError, match="cannot write"):
        write_file_whole(str(tmp_path / "one"), b"data")
