"""Results of other tools, in the form in which those tools (pytest-benchmark 5, pyperf 2.11, asv 0.6) write them."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from conduit.bench.text.foreign_json import format_lines, read_foreign, to_pyperf
from conduit.bench.text.reader import InputFile, Result, read_benchmarks
from conduit.bench.text.unit_metadata import UnitMetadata
from conduit.errors import BenchmarkFileError
from tests.bench.commands import Command

STATS = {"rounds": 4, "iterations": 100, "median": 8.5e-08, "mean": 9e-08}
PYTEST_BENCHMARK = {
    "machine_info": {"python_version": "3.11.7", "cpu": {"brand_raw": "AMD EPYC"}},
    "version": "5.1.0",
    "benchmarks": [
        {
            "fullname": "tests/test_a.py::TestA::test_sum[10]",
            "params": {"n": 10},
            "param": "10",
            "stats": {**STATS, "data": [1e-07, 8e-08, 9e-08, 8e-08]},
        },
        {"fullname": "tests/test_a.py::test_plain", "params": None, "param": None, "stats": STATS},
    ],
}
PYPERF = {
    "version": "1.0",
    "metadata": {"name": "sort list", "unit": "second", "loops": 1000, "cpu_model_name": "AMD EPYC"},
    "benchmarks": [
        {
            "runs": [
                {"metadata": {"calibrate_loops": 1000}, "warmups": [[1, 1.8e-06]]},
                {"values": [9e-07, 1.1e-06], "warmups": [[1000, 3.4e-06]]},
                {"values": [2e-06, 2e-06]},
            ]
        }
    ],
}
ASV = {
    "commit_hash": "2dd352c",
    "params": {"cpu": "AMD EPYC", "python": "3.11"},
    "result_columns": ["result", "params", "version"],
    "results": {
        "bench_x.Suite.time_sum": [[1e-06, None], [["10", "'many'"]], "1"],
        "bench_x.Suite.peakmem_sum": [[1000000], [], "1"],
    },
}


def read(path: Path, document: object) -> list[tuple[str, str, int, str, float]]:
    """The results after a trip through Go's text: package, name, iterations, unit, value."""
    path.write_text(format_lines(read_foreign("x.json", json.dumps(document))))
    records = read_benchmarks(InputFile(str(path), "x"), UnitMetadata())
    results = [record for record in records if isinstance(record, Result)]
    return [
        (r.configuration.get("pkg"), r.name, r.iterations, column.unit, value)
        for r in results
        for column, value in zip(r.columns, r.values, strict=True)
    ]


def test_rounds_of_pytest_benchmark_are_lines_under_their_file(tmp_path: Path) -> None:
    found = read(tmp_path / "f", PYTEST_BENCHMARK)
    assert [entry[:4] for entry in found] == [
        ("tests/test_a", "TestA/test_sum/n=10", 100, "sec/op"),
        ("tests/test_a", "TestA/test_sum/n=10", 100, "sec/op"),
        ("tests/test_a", "TestA/test_sum/n=10", 100, "sec/op"),
        ("tests/test_a", "TestA/test_sum/n=10", 100, "sec/op"),
        ("tests/test_a", "Plain", 400, "sec/op"),
    ]
    assert [entry[4] for entry in found] == pytest.approx([1e-07, 8e-08, 9e-08, 8e-08, 8.5e-08])


def test_many_rounds_of_one_process_become_few_lines_that_cover_all_of_them(tmp_path: Path) -> None:
    benchmark = {**PYTEST_BENCHMARK["benchmarks"][0]}  # type: ignore[index]
    benchmark["stats"] = {**STATS, "data": [float(i) for i in range(1, 1001)]}
    found = read(tmp_path / "f", {**PYTEST_BENCHMARK, "benchmarks": [benchmark]})
    assert len(found) == 20
    assert sum(entry[2] for entry in found) == 100 * 1000
    assert sum(entry[4] for entry in found) / 20 == pytest.approx(500.5)


def test_interrupted_rounds_do_not_move_the_median_away_from_pytest_benchmarks_own(tmp_path: Path) -> None:
    benchmark = {**PYTEST_BENCHMARK["benchmarks"][0]}  # type: ignore[index]
    rounds = [1e-3 if index % 10 == 0 else 4e-5 for index in range(1000)]
    benchmark["stats"] = {**STATS, "data": rounds}
    found = read(tmp_path / "f", {**PYTEST_BENCHMARK, "benchmarks": [benchmark]})
    assert [entry[4] for entry in found] == pytest.approx([4e-5] * 20)


def test_imported_results_are_compared_with_those_of_the_switched_project(
    tmp_path: Path, conduit_command: Command
) -> None:
    machine = {
        "system": "Linux",
        "machine": "x86_64",
        "python_version": "3.11.7",
        "cpu": {"brand_raw": "AMD EPYC", "count": 2},
    }
    (tmp_path / "old.json").write_text(json.dumps({**PYTEST_BENCHMARK, "machine_info": machine}))
    (tmp_path / "new.txt").write_text(
        "goos: linux\ngoarch: amd64\npkg: tests/test_a\ncpu: AMD EPYC\npython: 3.11.7\n"
        + "BenchmarkTestA/test_sum/n=10-2 100 80 ns/op\n" * 4
    )
    assert conduit_command("import", "old.json", "-o", "old.txt", cwd=tmp_path).returncode == 0
    table = conduit_command("benchstat", "old.txt", "new.txt", cwd=tmp_path)
    assert "vs base" in table.stdout
    assert "goos: linux\ngoarch: amd64\ncpu: AMD EPYC\n" in table.stdout
    assert len([line for line in table.stdout.splitlines() if line.startswith("TestA/test_sum/n=10-2 ")]) == 1


def test_processes_of_pyperf_are_lines_and_calibration_is_none(tmp_path: Path) -> None:
    found = read(tmp_path / "f", PYPERF)
    assert [entry[1:4] for entry in found] == [("Sort_list", 2000, "sec/op")] * 2
    assert [entry[4] for entry in found] == pytest.approx([1e-06, 2e-06])


def test_values_of_asv_are_named_by_their_parameters(tmp_path: Path) -> None:
    assert read(tmp_path / "f", ASV) == [
        ("bench_x.Suite", "Time_sum/10", 1, "sec/op", pytest.approx(1e-06)),
        ("bench_x.Suite", "Peakmem_sum", 1, "peak-B", 1000000.0),
    ]


def test_skipped_and_failed_parameters_of_asv_have_no_line(tmp_path: Path) -> None:
    results = {"bench_x.time_a": [[float("nan"), 2e-6, None], [["1", "2", "3"]], "1"], "bench_x.time_b": None}
    results["bench_x.time_b"] = [None, [], "1"]
    found = read(tmp_path / "f", {**ASV, "results": results})
    assert [(entry[1], entry[4]) for entry in found] == [("Time_a/2", pytest.approx(2e-6))]


def test_asvs_own_declarations_name_parameters_and_units_and_its_samples_are_lines(tmp_path: Path) -> None:
    declared = {
        "bench_x.time_a": {"param_names": ["n", "kind"], "unit": "seconds"},
        "bench_x.track_b": {"param_names": [], "unit": "cache misses"},
        "version": 2,
    }
    (tmp_path / "machine").mkdir()
    (tmp_path / "benchmarks.json").write_text(json.dumps(declared))
    results = {
        "bench_x.time_a": [[1e-6, 2e-6], [["10", "100"], ["'x'"]], [[1e-6, 3e-6, 1e-6], None], [50, None]],
        "bench_x.track_b": [[7], [], None, None],
    }
    document = {
        **ASV,
        "params": {
            "cpu": "AMD EPYC",
            "python": "/usr/bin/python",
            "arch": "x86_64",
            "num_cpu": "4",
            "os": "Linux 6.1",
        },
        "result_columns": ["result", "params", "samples", "stats_number"],
        "results": results,
    }
    path = tmp_path / "machine" / "commit.json"
    lines = read_foreign(str(path), json.dumps(document))
    assert [(line.name, line.iterations, dict(line.values)) for line in lines] == [
        ("time_a/n=10/kind=x-4", 50, {"ns/op": pytest.approx(1000)}),
        ("time_a/n=10/kind=x-4", 50, {"ns/op": pytest.approx(3000)}),
        ("time_a/n=10/kind=x-4", 50, {"ns/op": pytest.approx(1000)}),
        ("time_a/n=100/kind=x-4", 1, {"ns/op": pytest.approx(2000)}),
        ("track_b-4", 1, {"cache_misses": 7.0}),
    ]
    assert lines[0].labels == {
        "pkg": "bench_x",
        "goos": "linux",
        "goarch": "amd64",
        "cpu": "AMD EPYC",
        "python": "",
    }


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("{", "not JSON"),
        ("[]", "expected JSON of pytest-benchmark"),
        ('{"benchmarks": [], "version": "1.0"}', "has no results"),
        ('{"benchmarks": [{"runs": 3}], "version": "1.0"}', "has not the form of its tool"),
    ],
)
def test_other_json_is_refused_with_what_was_expected(text: str, words: str) -> None:
    with pytest.raises(BenchmarkFileError, match=words):
        read_foreign("x.json", text)


def test_times_are_exported_as_pyperf_reads_them_and_come_back_the_same(tmp_path: Path) -> None:
    path = tmp_path / "f"
    path.write_text(
        "cpu: one\nBenchmarkA 100 50 ns/op 3 B/op\nBenchmarkA 200 60 ns/op\nBenchmarkB 5 1 MB/s\n"
    )
    records = list(read_benchmarks(InputFile(str(path), "x"), UnitMetadata()))
    document = to_pyperf([record for record in records if isinstance(record, Result)])
    assert [entry["metadata"]["name"] for entry in document["benchmarks"]] == ["A"]
    assert [entry[1:] for entry in read(tmp_path / "g", document)] == [
        ("A", 100, "sec/op", pytest.approx(5e-08)),
        ("A", 200, "sec/op", pytest.approx(6e-08)),
    ]


def test_the_commands_read_and_write_files(tmp_path: Path, conduit_command: Command) -> None:
    (tmp_path / "in.json").write_text(json.dumps(PYPERF))
    assert conduit_command("import", "in.json", "-o", "out.txt", cwd=tmp_path).returncode == 0
    exported = conduit_command("export", "out.txt", cwd=tmp_path)
    assert json.loads(exported.stdout)["benchmarks"][0]["metadata"]["name"] == "Sort_list"
    wrong = conduit_command("import", "no.json", cwd=tmp_path)
    assert (wrong.returncode, wrong.stderr) == (
        1,
        "conduit: cannot read no.json: No such file or directory\n",
    )
    assert conduit_command("export", cwd=tmp_path).returncode == 2
