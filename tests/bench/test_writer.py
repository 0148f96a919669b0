from __future__ import annotations

import re

import pytest

from conduit.bench.names import NameFilter
from conduit.bench.result import AllocationCount, Measurement
from conduit.bench.text.writer import NameColumn, format_measurement, format_value, trim_log
from tests.bench.gotest import VALUE, Case, case, cases

WITH_RESULTS = [case for case in cases() if case.results() and not case.name.startswith("json")]
TOP_LEVEL = [name for name in case("list").stdout.split() if name.startswith("Benchmark")]


def without_processors(name: str, case: Case) -> str:
    counts = case.flags.get("cpu", "2").split(",")
    suffix = re.search(r"-(\d+)$", name)
    return name[: suffix.start()] if suffix and suffix[1] in counts else name


@pytest.mark.parametrize("case", WITH_RESULTS, ids=lambda case: case.name)
def test_every_number_go_printed_is_formatted_to_the_same_text(case: Case) -> None:
    for match in case.results():
        for column in match[3].split("\t"):
            value = VALUE.fullmatch(column)
            assert value is not None, column
            text, unit = value[1], value[2]
            if unit in ("B/op", "allocs/op"):
                assert f"{int(text):8d} {unit}" == column
            elif unit == "MB/s":
                assert f"{float(text):7.2f} {unit}" == column
            else:
                assert format_value(float(text), unit) == column


@pytest.mark.parametrize("case", WITH_RESULTS, ids=lambda case: case.name)
def test_a_whole_line_go_printed_is_rebuilt_from_its_numbers(case: Case) -> None:
    for line in (match[0] for match in case.results()):
        match = re.fullmatch(r"(Benchmark\S+)( *)\t *(\d+)\t(.+)", line)
        assert match is not None
        values = {found[2]: float(found[1]) for found in VALUE.finditer(match[4])}
        n = int(match[3])
        counted = None
        if "B/op" in values:
            counted = AllocationCount(1, int(values.pop("allocs/op")), int(values.pop("B/op")))
        rebuilt = Measurement(match[1], 1, n, 0, metrics=values, allocations=counted)
        assert format_measurement(rebuilt, len(match[1] + match[2])) == line


@pytest.mark.parametrize("case", WITH_RESULTS, ids=lambda case: case.name)
def test_the_names_column_is_as_wide_as_gos_and_widens_where_gos_does(case: Case) -> None:
    processors = [int(count) for count in case.flags.get("cpu", "2").split(",")]
    selected = NameFilter(case.flags["bench"], case.flags.get("skip", ""))
    column = NameColumn([name for name in TOP_LEVEL if selected.match(name).matches], processors)
    for match in case.results():
        column.make_room(without_processors(match[1], case))
        assert f"{match[1]:<{column.width}}\t" == match[0][: match[0].index("\t") + 1]


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "         0 u"),
        (999.96, "      1000 u"),
        (999.94, "       999.9 u"),
        (99.996, "       100.0 u"),
        (99.994, "        99.99 u"),
        (9.99951, "        10.00 u"),
        (9.9994, "         9.999 u"),
        (0.999951, "         1.000 u"),
        (0.0000123, "         0.0000123 u"),
        (-5.0, "        -5.000 u"),
        (float("inf"), "       inf u"),
    ],
)
def test_a_number_keeps_four_digits_on_both_sides_of_each_border(value: float, text: str) -> None:
    assert format_value(value, "u") == text


def test_a_measured_zero_is_left_out_and_a_metric_replaces_the_column_of_its_unit() -> None:
    line = format_measurement(Measurement("BenchmarkX", 2, 10, 0, metrics={"hits/op": 3.0}), 14)
    assert line == "BenchmarkX-2  \t      10\t         3.000 hits/op"
    replaced = Measurement("BenchmarkX", 1, 10, 5000, metrics={"ns/op": 7.0, "B/op": 9.0})
    assert format_measurement(replaced, 10) == "BenchmarkX\t      10\t         7.000 ns/op\t       9 B/op"


def test_a_long_log_is_cut_after_ten_lines_and_says_so() -> None:
    lines = [f"    line {number}" for number in range(11)]
    assert trim_log(lines[:10]) == lines[:10]
    assert trim_log(lines) == [*lines[:10], "\t... [output truncated]"]
