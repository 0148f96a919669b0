from __future__ import annotations

import pytest

from conduit.units import counted, format_duration, format_size, parse_duration_ns, parse_size_bytes


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("1s", 10**9),
        ("300ms", 3 * 10**8),
        ("1.5us", 1500),
        ("2h45m", 9900 * 10**9),
        ("-1ms", -(10**6)),
        ("0", 0),
    ],
)
def test_durations_are_read_as_go_writes_them(text: str, expected: int) -> None:
    assert parse_duration_ns(text) == expected


@pytest.mark.parametrize("text", ["", "10", "s", "1 s", "1x", "-", "1s2"])
def test_a_duration_without_number_or_unit_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="invalid duration"):
        parse_duration_ns(text)


@pytest.mark.parametrize(("text", "expected"), [("512", 512), ("2kB", 2048), ("1.5 MiB", 1572864), ("3B", 3)])
def test_sizes_are_binary(text: str, expected: int) -> None:
    assert parse_size_bytes(text) == expected


@pytest.mark.parametrize("text", ["", "kB", "1 light-year", "-1"])
def test_a_size_without_number_or_known_unit_is_refused(text: str) -> None:
    with pytest.raises(ValueError, match="invalid size"):
        parse_size_bytes(text)


def test_amounts_are_printed_with_three_significant_digits() -> None:
    assert [format_duration(x) for x in (0, 45.1, 342_666, 1.5e9)] == ["0s", "45.1ns", "343µs", "1.5s"]
    assert [format_size(x) for x in (0, 207, 2560, 10 * 2**20)] == ["0B", "207B", "2.5kB", "10MB"]


def test_a_number_of_things_has_the_noun_in_the_right_form() -> None:
    assert [counted(n, "sample") for n in (0, 1, 2, 1234)] == [
        "0 samples",
        "1 sample",
        "2 samples",
        "1,234 samples",
    ]
    assert [counted(n, "box", "boxes") for n in (1, 2)] == ["1 box", "2 boxes"]
