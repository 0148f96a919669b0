"""A profile that comes from anywhere opens source files of known folders, and nothing else."""

from __future__ import annotations

import json
import os
import sys
import zipfile
from typing import TYPE_CHECKING

import pytest

from conduit.profile.builder import ProfileBuilder
from conduit.profile.model import ValueType
from conduit.report.options import Options
from conduit.report.pipeline import prepare_report, print_report
from conduit.report.source_files import SourceFiles, SourceUnavailableError

if TYPE_CHECKING:
    from pathlib import Path


def lines(folder: Path, name: str) -> list[str]:
    """What a report reads of a file below `-source_path`; its path is not made relative."""
    return SourceFiles(str(folder), "/nothing").lines(str(folder / name))


@pytest.mark.parametrize(
    "path", ["/etc/passwd", "/proc/self/environ", "/dev/zero", "/proc/self/root/etc/passwd"]
)
def test_a_file_that_is_no_source_is_not_read_whatever_names_it(path: str) -> None:
    for search in ("", "/"):
        with pytest.raises(SourceUnavailableError):
            SourceFiles(search).lines(path)
        with pytest.raises(SourceUnavailableError):
            SourceFiles(search).lines(path.lstrip("/"))  # looked for in every parent folder, so in / too


def test_a_source_elsewhere_is_read_with_a_flag_that_the_message_names(tmp_path: Path) -> None:
    file = tmp_path / "secret.py"
    file.write_text("KEY = 1\n")
    with pytest.raises(SourceUnavailableError) as refused:
        SourceFiles().lines(str(file))
    assert str(refused.value) == (
        f"open {file}: outside the folders that sources are read from; "
        f"for a profile that you trust, -source_path={tmp_path} or -source_anywhere reads it"
    )
    assert lines(tmp_path, "secret.py") == ["KEY = 1"]
    assert SourceFiles(anywhere=True).lines(str(file)) == ["KEY = 1"]


def test_sources_are_read_below_the_working_directory_and_the_folders_of_sys_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in ("work", "imported", "other"):
        (tmp_path / name / "pkg").mkdir(parents=True)
        (tmp_path / name / "pkg" / "mod.py").write_text(f"{name}\n")
    monkeypatch.chdir(tmp_path / "work")
    monkeypatch.setattr(sys, "path", [*sys.path, str(tmp_path / "imported")])
    files = SourceFiles()
    assert files.lines(str(tmp_path / "work/pkg/mod.py")) == ["work"]
    assert files.lines(str(tmp_path / "imported/pkg/mod.py")) == ["imported"]
    with pytest.raises(SourceUnavailableError):
        files.lines(str(tmp_path / "other/pkg/mod.py"))
    assert files.lines(json.__file__)


def test_sources_of_another_installed_python_are_read_with_what_its_pth_files_add(tmp_path: Path) -> None:
    for name in ("venv/lib/python3.13/site-packages/flask", "python/lib/python3.13", "checkout/src", "lib"):
        (tmp_path / name).mkdir(parents=True)
        (tmp_path / name / "mod.py").write_text(f"{name}\n")
    (tmp_path / "python/lib/python3.13/os.py").touch()
    pth = tmp_path / "venv/lib/python3.13/site-packages/editable.pth"
    pth.write_text(f"import nothing\n{tmp_path}/checkout/src\n")
    files = SourceFiles(pythons=[str(tmp_path / "venv/bin/python")])
    for name in ("venv/lib/python3.13/site-packages/flask", "python/lib/python3.13", "checkout/src"):
        assert files.lines(str(tmp_path / name / "mod.py")) == [name]
    with pytest.raises(SourceUnavailableError):
        files.lines(str(tmp_path / "lib/mod.py"))


def test_the_root_as_working_directory_opens_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "mod.py").write_text("x\n")
    monkeypatch.chdir("/")
    with pytest.raises(SourceUnavailableError):
        SourceFiles().lines(str(tmp_path / "mod.py"))
    assert SourceFiles("/").lines(str(tmp_path / "mod.py")) == ["x"]


def test_a_link_that_is_named_as_source_does_not_lead_to_another_file(tmp_path: Path) -> None:
    folder = tmp_path / "folder"
    folder.mkdir()
    (folder / "secret").write_text("secret")
    (tmp_path / "outside.py").write_text("secret")
    (folder / "innocent.py").symlink_to(folder / "secret")
    (folder / "environment.py").symlink_to("/proc/self/environ")
    (folder / "away.py").symlink_to(tmp_path / "outside.py")
    for name in ("innocent.py", "environment.py", "away.py"):
        with pytest.raises(SourceUnavailableError):
            lines(folder, name)
    with pytest.raises(SourceUnavailableError, match="no source is read below /proc"):
        SourceFiles(anywhere=True).lines(str(folder / "environment.py"))


def test_a_file_beside_the_sources_is_read_with_the_flag_only_unless_it_is_a_script(tmp_path: Path) -> None:
    (tmp_path / ".env").write_text("KEY=1\n")
    (tmp_path / "serve").write_text("#!/usr/bin/env python3\nrun()\n")
    with pytest.raises(
        SourceUnavailableError, match=r"not named as source code is; .* -source_anywhere reads it"
    ):
        lines(tmp_path, ".env")
    assert SourceFiles(anywhere=True).lines(str(tmp_path / ".env")) == ["KEY=1"]
    assert lines(tmp_path, "serve") == ["#!/usr/bin/env python3", "run()"]


@pytest.mark.parametrize("anywhere", [False, True])
def test_what_is_no_regular_file_of_text_is_never_read(anywhere: bool, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.py")
    (tmp_path / "binary.py").write_bytes(b"\x7fELF\0\0")
    with zipfile.ZipFile(tmp_path / "broken.zip", "w") as opened:
        opened.writestr("mod.py", "x" * 1000, zipfile.ZIP_DEFLATED)
    data = bytearray((tmp_path / "broken.zip").read_bytes())
    data[36:40] = b"\xff\xff\xff\xff"
    (tmp_path / "broken.zip").write_bytes(data)
    files = SourceFiles(str(tmp_path), "/nothing", anywhere=anywhere)
    for name in ("pipe.py", "binary.py", "broken.zip/mod.py"):
        with pytest.raises(SourceUnavailableError, match=r"not a |Error -3"):
            files.lines(str(tmp_path / name))


def test_the_flag_reaches_listings_and_is_no_parameter_of_a_page(tmp_path: Path) -> None:
    (tmp_path / "mod.py").write_text("line 1\n")
    builder = ProfileBuilder([ValueType("cpu", "nanoseconds")])
    builder.add([("work", str(tmp_path / "mod.py"), 1, 1)], [10**7])
    profile = builder.build()

    def listed(name: str, **options: object) -> str:
        return print_report(prepare_report(profile, name, Options(**options), pytest.fail, "work")).decode()

    assert "outside the folders" in listed("list")
    assert "line 1" in listed("list", source_anywhere=True)
    from conduit.web.session import _BY_PARAMETER

    assert "source_anywhere" not in {option.name for option in _BY_PARAMETER.values()}


@pytest.mark.parametrize("encoding", ["hex", "base64", "zip", "bz2", "rot13", "no-such-codec"])
def test_a_declared_encoding_that_makes_no_text_is_read_as_utf_8(encoding: str, tmp_path: Path) -> None:
    (tmp_path / "odd.py").write_text(f"# coding: {encoding}\nline = 2\n")
    assert lines(tmp_path, "odd.py")[1] == "line = 2"
