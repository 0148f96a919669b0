"""Files that get the first free number are whole as soon as they have their name."""

from __future__ import annotations

import errno
from typing import TYPE_CHECKING

import pytest

from conduit.fetch.saving import save_profile, write_numbered
from tests.report.making import HEAP, profile_of

if TYPE_CHECKING:
    from pathlib import Path


def test_a_numbered_file_takes_the_first_free_number_and_replaces_none(tmp_path: Path) -> None:
    paths = [write_numbered(str(tmp_path), "p", ".gz", data) for data in (b"one", b"two")]
    assert paths == [str(tmp_path / "p001.gz"), str(tmp_path / "p002.gz")]
    assert [(tmp_path / name).read_bytes() for name in ("p001.gz", "p002.gz")] == [b"one", b"two"]
    assert len(list(tmp_path.iterdir())) == 2


def test_a_saved_heap_profile_has_a_name_that_can_be_typed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PPROF_TMPDIR", str(tmp_path))
    said: list[str] = []
    profile = profile_of([([("f", "f.py", 1)], [1, 1, 1, 1])], HEAP)
    assert save_profile(profile, said.append) == str(tmp_path / "pprof.main.py.heap.001.pb.gz")
    assert said == [f"Saved profile in {tmp_path / 'pprof.main.py.heap.001.pb.gz'}"]


def test_a_process_that_ends_while_it_writes_leaves_no_numbered_file(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def end(*_: object) -> None:
        assert [path.read_bytes() for path in tmp_path.iterdir()] == [b"all of it"]  # under another name
        raise KeyboardInterrupt

    monkeypatch.setattr("conduit.fetch.saving.name_new_file", end)
    with pytest.raises(KeyboardInterrupt):
        write_numbered(str(tmp_path), "p", ".gz", b"all of it")
    assert not list(tmp_path.iterdir())


def test_without_hard_links_a_numbered_file_still_replaces_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object, **__: object) -> None:
        raise PermissionError(errno.EPERM, "no hard links here")

    monkeypatch.setattr("conduit.files.os.link", refuse)
    (tmp_path / "p001.gz").write_bytes(b"another's")
    assert write_numbered(str(tmp_path), "p", ".gz", b"own") == str(tmp_path / "p002.gz")
    assert (tmp_path / "p001.gz").read_bytes() == b"another's"
    assert (tmp_path / "p002.gz").read_bytes() == b"own"
    assert len(list(tmp_path.iterdir())) == 2
