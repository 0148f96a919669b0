"""`conduit history import`: what other tools have measured joins the store, and what cannot be read is named."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from conduit.errors import BenchmarkFileError
from conduit.history.foreign import read_runs
from conduit.history.series import read_history
from conduit.history.store import StoredRun

if TYPE_CHECKING:
    from collections.abc import Callable

    Command = Callable[..., subprocess.CompletedProcess[str]]

FIRST, SECOND = "1" * 40, "2" * 40
ASV = {
    "commit_hash": FIRST,
    "date": 1700000000000,
    "params": {"cpu": "AMD EPYC", "python": "3.11", "machine": "vm"},
    "result_columns": ["result", "params", "version"],
    "results": {
        "bench_x.Suite.time_sum": [[1e-06, None, float("nan")], [["10", "20", "30"]], "1"],
        "bench_x.peakmem_sum": [[1000000], [], "1"],
    },
}
PYTEST_BENCHMARK = {
    "machine_info": {"python_version": "3.11.7", "cpu": {"brand_raw": "AMD EPYC"}},
    "commit_info": {"id": SECOND, "time": "2026-01-02T03:04:05+01:00", "dirty": False},
    "datetime": "2026-02-01T00:00:00",
    "version": "5.1.0",
    "benchmarks": [
        {
            "fullname": "test_a.py::test_sum",
            "params": None,
            "param": None,
            "stats": {"rounds": 4, "iterations": 100, "median": 8.5e-08, "mean": 9e-08},
        }
    ],
}
GITHUB_ACTION = {
    "lastUpdate": 1700000000000,
    "repoUrl": "https://example.org/shop",
    "entries": {
        "Python benchmarks": [
            {
                "commit": {
                    "id": FIRST,
                    "message": "one",
                    "timestamp": "2026-01-01T00:00:00+02:00",
                    "url": "",
                },
                "date": 1700000000000,
                "tool": "pytest",
                "benches": [
                    {
                        "name": "test_a.py::test_sum",
                        "value": 2000.0,
                        "unit": "iter/sec",
                        "range": "stddev: 0.1",
                    },
                    {"name": "BenchmarkParse", "value": 12.5, "unit": "us/iter", "range": "± 3"},
                    {"name": "BenchmarkGo", "value": 31, "unit": "ns/op", "extra": "100 times"},
                    {"name": "Binary size", "value": 4096, "unit": "kilo bytes"},
                ],
            },
            {
                "commit": {"id": SECOND, "message": "two", "timestamp": "2026-01-02T00:00:00Z", "url": ""},
                "date": 1700000001000,
                "tool": "pytest",
                "benches": [{"name": "BenchmarkParse", "value": 25, "unit": "us/iter"}],
            },
        ]
    },
}
BENCHER = {
    "project": {"slug": "shop"},
    "results": [
        {
            "branch": {"name": "main"},
            "testbed": {"name": "ubuntu-latest"},
            "benchmark": {"name": "parse"},
            "measure": {"slug": "latency", "units": "nanoseconds (ns)"},
            "metrics": [
                {
                    "start_time": "2026-01-01T00:00:00Z",
                    "version": {"number": 1, "hash": FIRST},
                    "metric": {"value": 88.0},
                },
                {
                    "start_time": "2026-01-02T00:00:00Z",
                    "version": {"number": 2, "hash": SECOND},
                    "metric": {"value": 99.0},
                },
            ],
        }
    ],
}
BENCHER_METRICS = {"parse": {"latency": {"value": 88.0, "lower_value": 80.0}, "throughput": {"value": 1000}}}


def points(text: str, commit: str = "") -> dict[tuple[str, str, str], dict[str, float]]:
    """Values in the series' unit by benchmark, unit and machine, and by the first digit of the commit."""
    runs = [StoredRun(str(number), run.text) for number, run in enumerate(read_runs("file", text, commit))]
    history = read_history(runs)
    assert history.warnings == ()
    return {
        (series.key.benchmark, series.key.unit, series.key.machine): {
            point.commit[0]: point.value for point in series.points
        }
        for series in history.series
    }


def test_asvs_results_are_points_of_their_commit_without_the_values_that_failed() -> None:
    assert points(json.dumps(ASV)) == {
        ("bench_x.Suite:Time_sum/10", "sec/op", "AMD EPYC"): {"1": pytest.approx(1e-06)},
        ("bench_x:Peakmem_sum", "peak-B", "AMD EPYC"): {"1": 1000000},
    }


def test_pytest_benchmarks_storage_has_its_commit_and_the_commits_date() -> None:
    assert points(json.dumps(PYTEST_BENCHMARK)) == {
        ("test_a:Sum", "sec/op", "AMD EPYC"): {"2": pytest.approx(8.5e-08)}
    }
    (run,) = read_runs("file", json.dumps(PYTEST_BENCHMARK))
    assert read_history([StoredRun("a", run.text)]).series[0].points[0].date == "2026-01-02T02:04:05Z"


def test_a_run_of_a_modified_checkout_is_no_point() -> None:
    noted: dict[str, Any] = {**PYTEST_BENCHMARK, "commit_info": {"id": SECOND, "dirty": True}}
    (run,) = read_runs("file", json.dumps(noted))
    history = read_history([StoredRun("a", run.text)])
    assert (history.series, history.warnings) == (
        (),
        ("1 run of a modified working copy: not part of any series",),
    )


@pytest.mark.parametrize("form", ["{}", "window.BENCHMARK_DATA = {}", "window.BENCHMARK_DATA = {};\n"])
def test_github_action_benchmarks_data_is_read_as_json_and_as_the_script_of_its_page(form: str) -> None:
    found = points(form.replace("{}", json.dumps(GITHUB_ACTION)))
    suite = "Python_benchmarks"
    assert found[(f"{suite}:Parse", "sec/op", "")] == {
        "1": pytest.approx(12.5e-06),
        "2": pytest.approx(25e-06),
    }
    assert found[(f"{suite}:Test_a.py::test_sum", "sec/op", "")] == {"1": pytest.approx(1 / 2000)}
    assert found[(f"{suite}:Go", "sec/op", "")] == {"1": pytest.approx(31e-9)}
    assert found[(f"{suite}:Binary_size", "kilo_bytes", "")] == {"1": 4096}


def test_benchers_queries_have_commits_and_its_metric_format_needs_one() -> None:
    assert points(json.dumps(BENCHER)) == {
        (":Parse".removeprefix(":"), "sec/op", "ubuntu-latest"): {
            "1": pytest.approx(88e-9),
            "2": pytest.approx(99e-9),
        }
    }
    metrics = json.dumps(BENCHER_METRICS)
    with pytest.raises(BenchmarkFileError, match="-commit=ID gives it"):
        read_runs("bmf.json", metrics)
    assert points(metrics, FIRST) == {
        ("Parse", "sec/op", ""): {"1": pytest.approx(88e-9)},
        ("Parse", "ops/s", ""): {"1": 1000},
    }


def test_a_bencher_point_without_a_commit_is_left_out_and_a_query_of_such_points_alone_is_refused() -> None:
    query: dict[str, Any] = json.loads(json.dumps(BENCHER))
    metrics = query["results"][0]["metrics"]
    metrics[0]["version"]["hash"] = None
    assert points(json.dumps(query)) == {("Parse", "sec/op", "ubuntu-latest"): {"2": pytest.approx(99e-9)}}
    metrics[1]["version"]["hash"] = None
    with pytest.raises(BenchmarkFileError, match="found 2 versions without a hash; `bencher run --hash`"):
        read_runs("perf.json", json.dumps(query))
    with pytest.raises(BenchmarkFileError, match="-commit is for one version, found 2"):
        read_runs("perf.json", json.dumps(query), FIRST)
    del metrics[0]
    assert set(points(json.dumps(query), FIRST)) == {("Parse", "sec/op", "ubuntu-latest")}


@pytest.mark.parametrize(
    ("measure", "unit", "value"),
    [
        ({"slug": "throughput", "units": "operations / second (ops/s)"}, "ops/s", 50),
        ({"slug": "throughput", "units": "operations / second (op/s)"}, "ops/s", 50),
        ({"slug": "build-time", "units": "seconds (s)"}, "sec/op", 50),
        ({"slug": "compile", "units": "milliseconds (ms)"}, "sec/op", 0.05),
        ({"slug": "file-size", "units": "bytes (B)"}, "B", 50),
        ({"slug": "instructions", "units": "instructions"}, "instructions", 50),
    ],
)
def test_a_bencher_measure_keeps_its_unit(measure: dict[str, str], unit: str, value: float) -> None:
    query: dict[str, Any] = json.loads(json.dumps(BENCHER))
    query["results"][0]["measure"] = measure
    query["results"][0]["metrics"] = [
        {"start_time": "2026-01-01T00:00:00Z", "version": {"hash": FIRST}, "metric": {"value": 50}}
    ]
    assert points(json.dumps(query)) == {("Parse", unit, "ubuntu-latest"): {"1": pytest.approx(value)}}


def test_metrics_of_go_are_one_benchmark_in_the_older_and_the_newer_form_of_the_action() -> None:
    document: dict[str, Any] = json.loads(json.dumps(GITHUB_ACTION))
    older, newer = document["entries"]["Python benchmarks"]
    older["benches"] = [{"name": "BenchmarkFib", "value": 41, "unit": "ns/op\t         4.000 widgets"}]
    newer["benches"] = [
        {"name": "BenchmarkFib - ns/op", "value": 43, "unit": "ns/op"},
        {"name": "BenchmarkFib - widgets", "value": 5, "unit": "widgets"},
    ]
    assert points(json.dumps(document)) == {
        ("Python_benchmarks:Fib", "sec/op", ""): {"1": pytest.approx(41e-9), "2": pytest.approx(43e-9)},
        ("Python_benchmarks:Fib", "widgets", ""): {"1": 4, "2": 5},
    }


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", "{}", "null", '{"entries": {"a": [{}]}}', '{"entries": {"a": 3}}', '{"results": {}, "commit_hash": 1}',
     '{"machine_info": 1, "benchmarks": [1]}', '{"results": [{}], "project": 1}', '{"a": 1}', "[" * 100_000,
     '{"commit_hash": "x y", "results": {"a.time_b": [[1.0], [], "1"]}}',
     json.dumps({**ASV, "date": 1e300}), json.dumps({**ASV, "commit_hash": "1\ngap: x"})],
)  # fmt: skip
def test_anything_else_is_an_error_that_names_the_file(text: str) -> None:
    with pytest.raises(BenchmarkFileError, match=r"^some\.json: "):
        read_runs("some.json", text)


def test_a_folder_is_imported_once_and_damaged_and_foreign_files_are_named(
    tmp_path: Path, conduit_command: Command
) -> None:
    results = tmp_path / "results" / "vm"
    results.mkdir(parents=True)
    (results / "machine.json").write_text('{"arch": "x"}')
    (results / "11111111-env.json").write_text(json.dumps(ASV))
    (results / "cut.json").write_text(json.dumps(ASV)[:50])
    (results / "picture.json").write_bytes(b"\x89PNG\xff\xff")
    (results / "data.js").write_text(f"window.BENCHMARK_DATA = {json.dumps(GITHUB_ACTION)}")
    answer = conduit_command("history", "import", "results", cwd=tmp_path)
    assert answer.returncode == 0, answer.stderr
    assert answer.stdout == "3 runs kept from 4 files, 2 files passed over\n"
    assert "passed over: results/vm/cut.json: not JSON" in answer.stderr
    assert "passed over: results/vm/picture.json: not UTF-8 text" in answer.stderr
    again = conduit_command("history", "import", "results", cwd=tmp_path)
    assert again.stdout == "0 runs kept from 4 files, 3 kept already, 2 files passed over\n"
    document = json.loads(conduit_command("history", "show", "-format=json", "Parse", cwd=tmp_path).stdout)
    assert [point["commit"] for point in document["series"][0]["points"]] == [FIRST, SECOND]


@pytest.mark.parametrize(
    ("arguments", "status", "said"),
    [
        ([], 2, "expected files or folders"),
        (["nothing"], 2, "nothing: no such file"),
        (["here"], 1, "nothing was imported"),
    ],
)
def test_a_call_that_imports_nothing_fails(
    arguments: list[str], status: int, said: str, tmp_path: Path, conduit_command: Command
) -> None:
    (tmp_path / "here").mkdir()
    answer = conduit_command("history", "import", *arguments, cwd=tmp_path)
    assert (answer.returncode, said in answer.stderr) == (status, True), answer.stderr
