from __future__ import annotations

import sys
from pathlib import Path

import pytest

from conduit.bench.against.batches import Prepared, prepare
from conduit.bench.names import NameFilter
from conduit.bench.run.discover import NoSuchPathError, find_files, load
from conduit.bench.run.loop import Benchmark
from conduit.bench.run.measure import Options
from conduit.errors import BenchmarkMisuseError

calls: list[tuple[str, int]] = []


def leaf(label: str):  # type: ignore[no-untyped-def]
    def bench(b: Benchmark) -> None:
        calls.append((label, b.n))
        for _ in b:
            pass

    return bench


def family(b: Benchmark) -> None:
    b.run("one", leaf("one"))
    b.run("inner", lambda b: b.run("two", leaf("two")) and None)


@pytest.fixture(autouse=True)
def _no_calls() -> None:
    calls.clear()


@pytest.fixture(autouse=True)
def _imports_are_lent(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.setattr(sys, "modules", {**sys.modules})


def prepared(bench: str = ".") -> list[Prepared]:
    ready, ended = prepare(
        {"BenchmarkFamily": family, "BenchmarkAlone": leaf("alone")}, NameFilter(bench), Options()
    )
    assert not ended
    return ready


def test_preparing_finds_the_measurable_ones_and_runs_each_once() -> None:
    names = [benchmark.name for benchmark in prepared()]
    assert names == ["BenchmarkFamily/one", "BenchmarkFamily/inner/two", "BenchmarkAlone"]
    assert calls == [("one", 1), ("two", 1), ("alone", 1)]


def test_a_batch_runs_n_iterations_of_that_benchmark_alone() -> None:
    by_name = {benchmark.name: benchmark for benchmark in prepared()}
    calls.clear()
    timing = by_name["BenchmarkFamily/inner/two"].run_batch(40)
    assert calls == [("two", 40)]
    assert timing.n == 40
    assert timing.elapsed_ns > 0
    assert by_name["BenchmarkFamily/inner/two"].count_bytecodes() > 0


def test_the_filter_chooses_which_are_prepared() -> None:
    assert [benchmark.name for benchmark in prepared("Family/inner")] == ["BenchmarkFamily/inner/two"]


def test_what_fails_or_skips_is_reported_beside_what_is_ready() -> None:
    def broken(b: Benchmark) -> None:
        raise RuntimeError("no data")

    functions = {
        "BenchmarkBroken": broken,
        "BenchmarkSkips": lambda b: b.skip("later"),
        "BenchmarkGood": leaf("good"),
    }
    ready, ended = prepare(functions, NameFilter(), Options())
    assert [benchmark.name for benchmark in ready] == ["BenchmarkGood"]
    assert [(end.name, end.outcome) for end in ended] == [
        ("BenchmarkBroken", "failed"),
        ("BenchmarkSkips", "skipped"),
    ]
    assert "RuntimeError: no data" in ended[0].log[-1]


def test_a_sub_benchmark_that_fails_in_a_batch_raises_past_a_parent_that_catches() -> None:
    def parent(b: Benchmark) -> None:
        def child(b: Benchmark) -> None:
            if b.n > 1:
                raise ZeroDivisionError
            for _ in b:
                pass

        b.run("child", child)

    ready, _ = prepare({"BenchmarkP": parent}, NameFilter(), Options())
    with pytest.raises(ZeroDivisionError):
        ready[0].run_batch(2)


def test_a_sub_benchmark_that_is_not_started_again_is_an_error() -> None:
    turns = iter([True, False])

    def parent(b: Benchmark) -> None:
        if next(turns):
            b.run("once", leaf("once"))

    ready, _ = prepare({"BenchmarkP": parent}, NameFilter(), Options())
    with pytest.raises(BenchmarkMisuseError, match="did not start it this time"):
        ready[0].run_batch(1)


def test_files_are_found_by_their_name_below_the_path_and_loaded_in_the_order_written(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").touch()
    folder = tmp_path / "benchmarks" / "deep"
    folder.mkdir(parents=True)
    (folder.parent / "bench_found_zeta.py").write_text(
        "from neighbour_of_zeta import value\ndef bench_b(b): ...\ndef bench_a(b): ...\ndef other(b): ...\n"
    )
    (folder.parent / "neighbour_of_zeta.py").write_text("value = 1\n")
    (folder / "bench_deep.py").touch()
    (folder / "test_no.py").touch()
    (tmp_path / ".hidden").mkdir()
    (tmp_path / ".hidden" / "bench_hidden.py").touch()
    files = find_files([tmp_path])
    assert [file.package for file in files] == ["benchmarks/bench_found_zeta", "benchmarks/deep/bench_deep"]
    assert list(load(files[0])) == ["BenchmarkB", "BenchmarkA"]
    assert find_files([folder.parent / "bench_found_zeta.py", tmp_path]) == files


def test_two_files_of_one_name_are_both_loaded(tmp_path: Path) -> None:
    for name in ("left", "right"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "bench_same_name.py").write_text(f"def bench_{name}(b): ...\n")
    assert [list(load(file)) for file in find_files([tmp_path])] == [["BenchmarkLeft"], ["BenchmarkRight"]]


def test_a_path_that_is_not_there_is_named() -> None:
    with pytest.raises(NoSuchPathError, match="nowhere: no such file or folder"):
        find_files(["nowhere"])


def test_a_benchmark_that_works_in_other_processes_has_a_time_of_its_own_and_no_counts() -> None:
    from conduit.bench import bench_import
    from conduit.bench.against.batches import BatchTiming, WorksElsewhereError
    from conduit.bench.against.worker import _timed

    [prepared], _ = prepare({"BenchmarkJson": bench_import("json")}, NameFilter(), Options())
    with pytest.raises(WorksElsewhereError):
        prepared.count_allocations()
    assert _timed(BatchTiming(2, 900, 10, {"ns/op": 40.0})) == {"elapsed_ns": 80.0, "cpu_ns": 10}
    assert _timed(BatchTiming(2, 900, 10, {})) == {"elapsed_ns": 900, "cpu_ns": 10}
