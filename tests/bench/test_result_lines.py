"""Result lines that are read in C: their values are those of the reader in Python, line by line."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conduit._native import available
from conduit.bench.compare import comparison
from conduit.bench.compare.comparison import Builder, Options
from conduit.bench.text.reader import InputFile
from conduit.bench.text.unit_metadata import UnitMetadata

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.skipif(not available(), reason="the C extension is not built here")

NAMES = st.sampled_from(["BenchmarkA-8", "BenchmarkB/n=2-8", "Benchmark", "BenchmarkÉ", "Benchmar", "unit"])
COUNTS = st.sampled_from(["1", "10", "007", "999999999999999999", "1234567890123456789", "+3", "x", ""])
VALUES = st.one_of(
    st.sampled_from(["0", "46.94", "1e3", ".5", "5.", "1_0", "0x1p4", "+1", "-2", "NaN", "1.2.3", "", "é"]),
    st.floats(0, 1e18, allow_nan=False).map(repr),
    st.decimals(0, 10**9, places=4).map(str),
    st.integers(0, 10**17).map(str),
)
UNITS = st.sampled_from(["ns/op", "B/op", "allocs/op", "MB/s", "é/op", ""])
GAPS = st.sampled_from([" ", "\t", "  ", " \t", "\x1f", "\xa0", "\x0b", ""])
PAIRS = st.lists(st.tuples(GAPS, VALUES, GAPS, UNITS).map("".join), max_size=4).map("".join)
LINES = st.one_of(
    st.tuples(NAMES, GAPS, COUNTS, PAIRS, GAPS).map("".join),
    st.sampled_from(["", "pkg: a", "pkg: b", "pkg:", "Unit ns/op better=lower", "ok", "BenchmarkA-8"]),
)


def _read(path: Path, patch: pytest.MonkeyPatch | None) -> dict[str, Any]:
    builder = Builder(Options(table=".config", filter="-.unit:B/op"))
    errors: list[str] = []
    if patch is not None:
        patch.setattr(comparison, "_add_results", lambda _, at, plans: (at, None))
    builder.add_file(InputFile(str(path), "x"), UnitMetadata(), lambda error: errors.append(str(error)))
    tables = builder.tables(UnitMetadata())
    cells = [
        (table.unit, table.configuration, [repr(cell.values) for cell in table.cells.values()])
        for table in tables
    ]
    labels = [(table.row_labels, table.column_labels) for table in tables]
    return {"cells": cells, "labels": labels, "errors": errors}


@given(lines=st.lists(LINES, max_size=12), repeats=st.integers(1, 3))
def test_every_file_has_the_values_that_the_reader_in_python_finds(
    lines: list[str], repeats: int, tmp_path_factory: pytest.TempPathFactory
) -> None:
    path = tmp_path_factory.getbasetemp() / "results.txt"
    path.write_text("\n".join(lines * repeats), encoding="utf-8")
    with pytest.MonkeyPatch.context() as patch:
        assert _read(path, None) == _read(path, patch)


@given(value=st.one_of(st.decimals(0, 10**11, places=4).map(str), st.integers(0, 10**16).map(str), VALUES))
def test_a_value_that_is_read_in_c_is_the_float_that_python_reads(value: str) -> None:
    from conduit._native.results import add_results

    values: list[float] = []
    plan: tuple[tuple[list[float] | None, ...], tuple[float, ...]] = (values, None), (1e-9, 1.0)
    plans = {"BenchmarkA\tns/op": plan, "BenchmarkA\tns/op\tx": plan}
    at, key = add_results([f"BenchmarkA 1 {value} ns/op 2 x"], 0, plans)
    if at:
        assert values == [float(value) * 1e-9]
    else:
        assert key is None and values == []


@pytest.mark.parametrize(
    ("plan", "error"),
    [(((), ()), ValueError), ((None, ()), TypeError), (None, TypeError), ((([],), ("x",)), TypeError)],
)
def test_a_plan_that_does_not_fit_the_line_is_refused(plan: Any, error: type[Exception]) -> None:
    from conduit._native.results import add_results

    with pytest.raises(error):
        add_results(["BenchmarkA 1 2 ns/op"], 0, {"BenchmarkA\tns/op": plan})
