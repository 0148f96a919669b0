"""A profile that comes from anywhere opens source files, and nothing else."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from conduit.report.source_files import SourceFiles, SourceUnavailableError

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    "path", ["/etc/passwd", "/proc/self/environ", "/dev/zero", "/proc/self/root/etc/passwd"]
)
def test_a_file_that_is_no_source_is_not_read_whatever_names_it(path: str) -> None:
    with pytest.raises(SourceUnavailableError):
        SourceFiles().lines(path)
    with pytest.raises(SourceUnavailableError):
        SourceFiles().lines(path.lstrip("/"))  # looked for in every parent folder, so in / too


def test_a_link_that_is_named_as_source_does_not_lead_to_another_file(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text("secret")
    (tmp_path / "innocent.py").symlink_to(tmp_path / "secret")
    (tmp_path / "environment.py").symlink_to("/proc/self/environ")
    for name in ("innocent.py", "environment.py"):
        with pytest.raises(SourceUnavailableError):
            SourceFiles().lines(str(tmp_path / name))


def test_a_pipe_that_is_named_as_source_is_not_waited_for(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.py")
    with pytest.raises(SourceUnavailableError):
        SourceFiles().lines(str(tmp_path / "pipe.py"))


@pytest.mark.parametrize("encoding", ["hex", "base64", "zip", "bz2", "rot13", "no-such-codec"])
def test_a_declared_encoding_that_makes_no_text_is_read_as_utf_8(encoding: str, tmp_path: Path) -> None:
    (tmp_path / "odd.py").write_text(f"# coding: {encoding}\nline = 2\n")
    assert SourceFiles().lines(str(tmp_path / "odd.py"))[1] == "line = 2"
