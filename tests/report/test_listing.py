"""`-list` shows the source of what is asked for, counts recursion once, and opens nothing else."""

from __future__ import annotations

import linecache
import zipfile
from pathlib import Path

import pytest

from conduit.profile.builder import ProfileBuilder
from conduit.profile.model import Profile, ValueType
from conduit.report.errors import NoMatchError
from conduit.report.formats.listing import Listing, compute_listings
from conduit.report.options import Options
from conduit.report.pipeline import prepare_report, print_report
from conduit.report.source_files import SourceFiles, SourceUnavailableError
from tests.report.making import MILLISECOND, profile_of

SOURCE = "".join(f"line {number}\n" for number in range(1, 21))


def _listings(profile: Profile, pattern: str, **options: object) -> list[Listing]:
    return compute_listings(prepare_report(profile, "list", Options(**options), pytest.fail, pattern))


def test_a_recursive_function_takes_what_its_samples_take_not_what_its_lines_take(tmp_path: Path) -> None:
    file = str(tmp_path / "fib.py")
    Path(file).write_text(SOURCE, encoding="utf-8")
    stack = [("main", file, 19), ("fib", file, 3), ("fib", file, 4), ("fib", file, 2)]
    profile = profile_of([(stack, [1, 10 * MILLISECOND]), (stack[:2], [1, 5 * MILLISECOND])])
    (listing,) = _listings(profile, "^fib$", source_path=str(tmp_path))
    assert (listing.flat, listing.cum) == (15 * MILLISECOND, 15 * MILLISECOND)
    # Each line still shows all the samples that went through it.
    cums = {line.number: line.cum // MILLISECOND for line in listing.lines if line.cum}
    assert cums == {2: 10, 3: 15, 4: 10}
    assert [line.number for line in listing.lines] == list(range(1, 10))


def test_the_lines_of_two_functions_with_one_name_are_listed_file_by_file(tmp_path: Path) -> None:
    files = [str(tmp_path / name) for name in ("b.py", "a.py")]
    for file in files:
        Path(file).write_text(SOURCE, encoding="utf-8")
    profile = profile_of([([("run", file, 3)], [1, 1]) for file in files])
    assert [(listing.function, listing.file) for listing in _listings(profile, "run")] == [
        ("run", files[1]),
        ("run", files[0]),
    ]


NEW = """import hashlib

def other():
    return 1


@cached
def checksum(rows):
    text = "".join(rows)
    return hashlib.sha256(text.encode()).hexdigest()
"""


def _versions(file: str, starts: tuple[int, int]) -> Profile:
    """The function in two versions of a file: 4 lines before and after its start, its last line took 10 and 30 ms."""
    builder = ProfileBuilder([ValueType("cpu", "nanoseconds")])
    for start, milliseconds in zip(starts, (-10, 30), strict=True):
        builder.add([("app.checksum", file, start + 3, start)], [milliseconds * MILLISECOND])
    return builder.build()


def test_samples_of_an_older_version_of_the_file_are_at_the_lines_of_the_present_text(tmp_path: Path) -> None:
    file = str(tmp_path / "app.py")
    Path(file).write_text(NEW, encoding="utf-8")
    (listing,) = _listings(_versions(file, (5, 7)), "checksum", source_path=str(tmp_path))
    assert {line.number: line.cum // MILLISECOND for line in listing.lines if line.cum} == {10: 20}
    assert [line.number for line in listing.lines] == [7, 8, 9, 10]
    assert listing.moved == (
        "samples of the version in which the function started at line 5 are moved by +2 lines"
    )
    report = prepare_report(
        _versions(file, (5, 7)), "list", Options(source_path=str(tmp_path)), pytest.fail, "checksum"
    )
    text = b"\n".join(print_report(report).splitlines())
    assert (
        b"Note: samples of the version in which the function started at line 5 are moved by +2 lines" in text
    )


@pytest.mark.parametrize("starts", [(3, 5), (7, 7)])
def test_nothing_is_moved_where_no_version_or_only_the_present_one_is_known(
    tmp_path: Path, starts: tuple[int, int]
) -> None:
    file = str(tmp_path / "app.py")
    Path(file).write_text(NEW, encoding="utf-8")
    (listing,) = _listings(_versions(file, starts), "checksum", source_path=str(tmp_path))
    assert listing.moved == ""
    assert {line.number for line in listing.lines if line.cum} <= {start + 3 for start in starts}


def test_nothing_is_moved_between_two_functions_of_one_name(tmp_path: Path) -> None:
    file = str(tmp_path / "app.py")
    text = "class A:\n    @property\n    def size(self):\n        return 1\n\n    @size.setter\n    def size(self, n):\n        pass\n"
    Path(file).write_text(text, encoding="utf-8")
    builder = ProfileBuilder([ValueType("cpu", "nanoseconds")])
    builder.add([("app.A.size", file, 4, 2)], [10 * MILLISECOND])
    builder.add([("app.A.size", file, 8, 6)], [20 * MILLISECOND])
    (listing,) = _listings(builder.build(), "size", source_path=str(tmp_path))
    assert {line.number: line.cum // MILLISECOND for line in listing.lines if line.cum} == {4: 10, 8: 20}
    assert listing.moved == ""


def test_the_listing_of_a_notebook_cell_has_the_numbers_of_its_lines() -> None:
    stack = [("In [3].load", "/tmp/ipykernel_7/3009465650.py", 6)]
    profile = profile_of([(stack, [1, 10 * MILLISECOND])])
    *_, error, line = print_report(
        prepare_report(profile, "list", Options(), pytest.fail, "load")
    ).splitlines()
    assert b"a cell's source is in its notebook" in error
    assert line == b"      10ms       10ms      6:"


def test_a_pattern_that_no_function_matches_is_an_error() -> None:
    with pytest.raises(NoMatchError, match="no matches found for regexp: nothing"):
        _listings(profile_of([([("run", "a.py", 1)], [1, 1])]), "nothing")


def test_a_relative_file_is_found_in_the_directories_given_and_above_them(tmp_path: Path) -> None:
    deep = tmp_path / "one" / "two"
    deep.mkdir(parents=True)
    (tmp_path / "pkg").mkdir()
    (tmp_path / "pkg" / "mod.py").write_text("found above\n", encoding="utf-8")
    (tmp_path / "one" / "pkg").mkdir()
    (tmp_path / "one" / "pkg" / "near.py").write_text("found near\n", encoding="utf-8")
    search = f"/nowhere:{deep}:{tmp_path / 'one'}"
    assert SourceFiles(search).lines("pkg/near.py") == ["found near"]
    assert SourceFiles(search, anywhere=True).lines("pkg/mod.py") == ["found above"]
    with pytest.raises(SourceUnavailableError, match=rf"-source_path={tmp_path / 'pkg'} or -source_anywhere"):
        SourceFiles(search).lines("pkg/mod.py")


def test_trim_path_makes_an_absolute_path_relative_to_the_search(tmp_path: Path) -> None:
    (tmp_path / "mod.py").write_text("here\n", encoding="utf-8")
    assert SourceFiles(str(tmp_path), "/build/app").lines("/build/app/mod.py") == ["here"]


def test_the_name_of_a_source_directory_is_looked_for_inside_the_path(tmp_path: Path) -> None:
    project = tmp_path / "shop"
    (project / "models").mkdir(parents=True)
    (project / "models" / "cart.py").write_text("cart\n", encoding="utf-8")
    assert SourceFiles(str(project)).lines("/srv/release/7/shop/models/cart.py") == ["cart"]


def test_a_profile_cannot_lead_out_of_the_directories_it_was_given(tmp_path: Path) -> None:
    (tmp_path / "secret.txt").write_text("secret\n", encoding="utf-8")
    inside = tmp_path / "inside"
    inside.mkdir()
    with pytest.raises(SourceUnavailableError, match=r"could not find file \.\./secret\.txt on path"):
        SourceFiles(str(inside)).lines("../secret.txt")


def test_a_module_in_a_zip_archive_is_read_from_it(tmp_path: Path) -> None:
    archive = tmp_path / "app.pyz"
    with zipfile.ZipFile(archive, "w") as opened:
        opened.writestr("pkg/mod.py", "# inside\nx = 1\n")
    files = SourceFiles(str(tmp_path), "/nothing")
    assert files.lines(f"{archive}/pkg/mod.py") == ["# inside", "x = 1"]
    with pytest.raises(SourceUnavailableError, match="no item named"):
        files.lines(f"{archive}/pkg/other.py")
    with pytest.raises(SourceUnavailableError, match="outside the folders"):
        SourceFiles().lines(f"{archive}/pkg/mod.py")


def test_code_that_was_generated_is_read_from_linecache(monkeypatch: pytest.MonkeyPatch) -> None:
    name = "<generated by a test>"
    monkeypatch.setitem(linecache.cache, name, (9, None, ["def f():\n", "    ...\n"], name))
    assert SourceFiles().lines(name) == ["def f():", "    ..."]


def test_a_file_is_read_in_the_encoding_that_it_declares(tmp_path: Path) -> None:
    file = tmp_path / "latin.py"
    file.write_bytes("# -*- coding: latin-1 -*-\nname = 'é'\n".encode("latin-1"))
    assert SourceFiles(str(tmp_path)).lines(str(file))[1] == "name = 'é'"


def test_what_cannot_be_read_is_said_in_the_listing_and_the_others_are_still_listed(tmp_path: Path) -> None:
    file = str(tmp_path / "here.py")
    Path(file).write_text(SOURCE, encoding="utf-8")
    missing = str(tmp_path / "gone.py")
    profile = profile_of(
        [([("f_here", file, 2)], [1, 1]), ([("f_gone", missing, 2)], [1, 1]), ([("f_none", "", 0)], [1, 1])]
    )
    text = print_report(
        prepare_report(
            profile, "list", Options(source_path=str(tmp_path), trim_path="/nothing"), pytest.fail, "f_"
        )
    ).decode()
    assert f" Error: open {missing}: no such file or directory\n" in text
    assert "     2:line 2\n" in text
    assert "No source information for f_none\n" in text


def test_the_page_of_listings_quotes_what_the_source_says(tmp_path: Path) -> None:
    from conduit.report.formats.weblist import print_weblist

    file = str(tmp_path / "x.py")
    Path(file).write_text("<script>alert('x')</script> & more\n", encoding="utf-8")
    profile = profile_of([([("f<b>", file, 1)], [1, 5 * MILLISECOND])])
    page = print_weblist(
        prepare_report(profile, "weblist", Options(source_path=str(tmp_path)), pytest.fail, "f")
    ).decode()
    assert "&lt;script&gt;alert" in page
    assert "<script>" not in page
    assert "f&lt;b&gt;" in page
