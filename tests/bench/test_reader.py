from __future__ import annotations

import math
from typing import TYPE_CHECKING

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conduit.bench.text.numbers import format_shortest, parse_float, parse_int
from conduit.bench.text.reader import InputFile, Result, name_inputs, read_benchmarks
from conduit.bench.text.unit_metadata import UnitMetadata
from conduit.bench.text.units import common_scaler, is_binary, tidy_unit
from conduit.errors import BenchmarkFileError, BenchmarkSyntaxError

if TYPE_CHECKING:
    from pathlib import Path


def read(path: Path, text: str | bytes) -> tuple[list[Result], list[str], UnitMetadata]:
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    units = UnitMetadata()
    records = list(read_benchmarks(InputFile(str(path), "x"), units))
    results = [record for record in records if isinstance(record, Result)]
    errors = [
        f"{record.line}: {record.message}" for record in records if isinstance(record, BenchmarkSyntaxError)
    ]
    return results, errors, units


def test_a_wrong_line_costs_one_line_and_says_what_was_wrong(tmp_path: Path) -> None:
    results, errors, _ = read(tmp_path / "f", "BenchmarkA 1 x ns/op\nBenchmarkB 1 2 ns/op\nBenchmarkC 1 2\n")
    assert [result.name for result in results] == ["B"]
    assert errors == ["1: parsing measurement: invalid syntax", "3: missing units"]


def test_values_are_tidied_and_zero_is_no_exception(tmp_path: Path) -> None:
    results, _, _ = read(tmp_path / "f", "BenchmarkA 1 0 ns/op 5 MB/s\n")
    assert [column.unit for column in results[0].columns] == ["sec/op", "B/s"]
    assert results[0].values == [0.0, 5e6]


def test_configuration_holds_until_it_is_set_again_or_emptied(tmp_path: Path) -> None:
    text = (
        "pkg: a\nBenchmarkA 1 1 x\npkg: b\nBenchmarkA 1 1 x\npkg:\nBenchmarkA 1 1 x\nnot a key: x\nURL: x\n"
    )
    results, _, _ = read(tmp_path / "f", text)
    assert [result.configuration.get("pkg") for result in results] == ["a", "b", ""]
    assert {result.configuration.get(".file") for result in results} == {"x"}


def test_unit_lines_are_gathered_and_contradictions_told(tmp_path: Path) -> None:
    _, errors, units = read(
        tmp_path / "f", "Unit w better=higher assume=exact\nUnit w better=lower\nUnit\nUnit w x\n"
    )
    assert (units.better("w"), units.is_exact("w")) == (1, True)
    assert errors == [
        "2: metadata better of unit w already set to higher",
        "3: missing unit",
        "4: expected key=value",
    ]


@pytest.mark.parametrize(
    "text",
    [b"", b"\n\n", b"\xff\xfd", b"BenchmarkA", b"BenchmarkA\n", "Benchmark\u00a01".encode(), b"\r\n\r"],
)
def test_text_without_results_gives_none(tmp_path: Path, text: bytes) -> None:
    assert read(tmp_path / "f", text)[0] == []


def test_a_half_written_last_line_is_an_error_and_the_rest_counts(tmp_path: Path) -> None:
    results, errors, _ = read(tmp_path / "f", "BenchmarkA 1 1 ns/op\nBenchmarkA 1 1 ns/op 3")
    assert len(results) == 1
    assert errors == ["2: missing units"]


def test_a_gigantic_line_is_refused_before_it_fills_the_memory(tmp_path: Path) -> None:
    with pytest.raises(BenchmarkFileError, match="longer than 65536 characters"):
        read(tmp_path / "f", b"x" * 5_000_000)


def test_a_binary_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(BenchmarkFileError, match="binary data"):
        read(tmp_path / "f", b"\x7fELF\x02\x00\x00\nNo result of a BenchmarkA 1 1 ns/op\n")


def test_a_zero_byte_costs_no_other_line(tmp_path: Path) -> None:
    results, errors, _ = read(tmp_path / "f", b"noise \x00 here\nBenchmarkA 1 1 ns/op\n")
    assert ([result.name for result in results], errors) == (["A"], [])


@pytest.mark.parametrize("encoding", ["utf-16", "utf-16-le", "utf-16-be"])
def test_utf_16_is_named_with_what_to_do(tmp_path: Path, encoding: str) -> None:
    text = "goos: windows\r\nBenchmarkA 1 1 ns/op\r\nBenchmarkB 1 1 ns/op\r\n".encode(encoding)
    with pytest.raises(BenchmarkFileError, match=r"UTF-16 text.*PowerShell.*iconv"):
        read(tmp_path / "f", text)


def test_a_byte_order_mark_hides_no_measurement(tmp_path: Path) -> None:
    results, _, _ = read(tmp_path / "f", b"\xef\xbb\xbfBenchmarkA 1 1 ns/op\nBenchmarkB 1 1 ns/op\n")
    assert [result.name for result in results] == ["A", "B"]


def test_a_missing_file_and_a_folder_are_told_apart(tmp_path: Path) -> None:
    with pytest.raises(BenchmarkFileError, match="no such file or directory"):
        list(read_benchmarks(InputFile(str(tmp_path / "no"), "x"), UnitMetadata()))
    with pytest.raises(BenchmarkFileError, match="is a directory"):
        list(read_benchmarks(InputFile(str(tmp_path), "x"), UnitMetadata()))


def test_paths_are_labelled_and_the_same_path_twice_is_numbered() -> None:
    assert name_inputs(["a", "b=c", "a", "d"]) == [("a", "a#0"), ("c", "b"), ("a", "a#1"), ("d", "d")]


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_a_printed_number_reads_back_as_itself(value: float) -> None:
    assert parse_float(format_shortest(value)) == value


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("0x1p4", 16.0),
        (".5", 0.5),
        ("+5", 5.0),
        ("1_000", 1000.0),
        ("1e3", 1000.0),
        ("0x_1p0", 1.0),
        ("-iNf", -math.inf),
    ],
)
def test_numbers_are_read_by_gos_rules(text: str, value: float) -> None:
    assert parse_float(text) == value


@pytest.mark.parametrize(
    "text", ["0x10", "1__0", "_1", "1_", "", "+nan", "1e", "--1", "٣", "0x1", "1_.5", " 1"]
)
def test_what_go_does_not_read_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="invalid syntax"):
        parse_float(text)


def test_what_does_not_fit_is_out_of_range() -> None:
    for read_number, text in ((parse_float, "1e999"), (parse_float, "-0x1p9999"), (parse_int, "9" * 6000)):
        with pytest.raises(ValueError, match="value out of range"):
            read_number(text)


@pytest.mark.parametrize(
    ("value", "binary", "text"),
    [
        (99.9949e-9, False, "99.99n"),
        (99.995e-9, False, "100.0n"),
        (999.95e-9, False, "1.000µ"),
        (1023.0, True, "1023.0"),
        (1024.0, True, "1.000Ki"),
        (1e-12, False, "0.001000n"),
        (0.0, False, "0.000"),
    ],
)
def test_each_border_of_a_prefix_is_where_printing_rounds(value: float, binary: bool, text: str) -> None:
    assert common_scaler([value], binary).format(value) == text


def test_only_what_stands_above_the_line_is_tidied_and_makes_a_unit_binary() -> None:
    assert tidy_unit("p99-ns/op") == ("p99-sec/op", 1e-9)
    assert tidy_unit("op/ns") == ("op/ns", 1.0)
    assert tidy_unit("x/MB*ns")[0] == "x/MB*sec"
    assert is_binary("text-bytes")
    assert not is_binary("op/B")
