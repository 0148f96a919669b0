"""The command in a process of its own: what goes to which stream, and with which status."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from conduit._native import available
from tests.bench.commands import GOOD, Command
from tests.bench.gotest import RESULT, VALUE, case


def without_numbers(text: str) -> str:
    """A transcript with what differs on every run taken out."""
    text = re.sub(r"(?m)^--- WARN: .*\n(    .*\n)*", "", text)
    text = re.sub(r"(?m)^(cpu|python|goos|goarch): .*\n", "", text)
    text = re.sub(r"\t.*(ns|allocs)/op.*", "\tRESULT", text)
    return re.sub(r"\d+\.\d{3}s", "TIMEs", text)


def test_results_are_gos_text_with_its_header_and_end(run_bench: Command) -> None:
    answer = run_bench("-benchtime=5x", bench_good=GOOD)
    assert answer.returncode == 0, answer.stderr
    lines = answer.stdout.splitlines()
    keys = [line.partition(":")[0] for line in lines[: lines.index("PASS")] if re.match("[a-z]+: ", line)]
    assert keys == ["goos", "goarch", "pkg", "cpu", "python"] or keys == ["goos", "goarch", "pkg", "python"]
    assert "pkg: benchmarks/bench_good" in lines
    result = next(RESULT.fullmatch(line) for line in lines if line.startswith("Benchmark"))
    assert result is not None
    assert re.fullmatch(r"BenchmarkCall(-\d+)?", result[1])
    assert result[2] == "5"
    assert all(VALUE.fullmatch(column) for column in result[3].split("\t"))
    assert re.fullmatch(r"ok  \tbenchmarks/bench_good\t\d+\.\d{3}s", lines[-1])
    assert answer.stderr == ""


def test_a_failing_benchmark_prints_what_gos_prints_and_the_others_still_run(run_bench: Command) -> None:
    text = "def bench_fib(b):\n    b.run('n=5', lambda b: [None for _ in b] and None)\n"
    text += "def bench_fail(b):\n    b.fail('boom')\n"
    answer = run_bench("-benchtime=5x", "-cpu=2", bench_test=text)
    expected = case("fail").stdout.replace("example.com/goprog/bench", "benchmarks/bench_test")
    expected = without_numbers(expected).replace("bench_test.go:148", "bench_test.py:4")
    assert without_numbers(answer.stdout) == expected
    assert answer.returncode == 1


def test_verbose_prints_each_name_first_and_logs_before_the_result(run_bench: Command) -> None:
    text = "def bench_fib(b):\n    b.run('n=5', lambda b: [None for _ in b] and None)\n"
    text += "def bench_fail(b):\n    b.fail('boom')\n"
    answer = run_bench("-v", "-benchtime=5x", "-cpu=2", bench_test=text)
    expected = case("fail_v").stdout.replace("example.com/goprog/bench", "benchmarks/bench_test")
    expected = without_numbers(expected).replace("bench_test.go:148", "bench_test.py:4")
    assert without_numbers(answer.stdout) == expected


@pytest.mark.parametrize(
    "statement",
    ["raise SystemExit(3)", "raise GeneratorExit", "import asyncio; raise asyncio.CancelledError", "1 / 0"],
)
def test_whatever_a_benchmark_raises_is_its_own_failure(run_bench: Command, statement: str) -> None:
    answer = run_bench("-benchtime=1x", bench_a=f"def bench_odd(b):\n    {statement}\n" + GOOD)
    assert answer.returncode == 1
    assert "--- FAIL: BenchmarkOdd\n    Traceback" in answer.stdout
    assert RESULT.search(answer.stdout)


def test_nothing_is_started_after_the_first_failure_when_that_is_asked(run_bench: Command) -> None:
    text = "def bench_fail(b):\n    b.fail()\n" + GOOD
    answer = run_bench("-failfast", "-benchtime=1x", bench_a=text, bench_b=GOOD)
    assert answer.returncode == 1
    assert "BenchmarkCall" not in answer.stdout


def test_skipped_benchmarks_are_silent_unless_verbose(run_bench: Command) -> None:
    text = "def bench_skip(b):\n    b.skip('not today')\n"
    assert "Skip" not in run_bench("-benchtime=1x", bench_a=text).stdout
    assert "    bench_a.py:2: not today\n--- SKIP: BenchmarkSkip\n" in run_bench("-v", "-benchtime=1x").stdout


def test_no_match_prints_only_that_all_is_well(run_bench: Command) -> None:
    answer = run_bench("-bench=NoSuch", bench_a=GOOD)
    assert answer.returncode == 0
    assert re.fullmatch(r"PASS\nok  \tbenchmarks/bench_a\t[\d.]+s\n", answer.stdout)


def test_a_count_of_zero_measures_nothing_and_passes_as_in_go(run_bench: Command) -> None:
    answer = run_bench("-count=0", bench_a=GOOD)
    lines = answer.stdout.splitlines()
    assert answer.returncode == 0
    assert lines[0].startswith("goos")
    assert lines[-2] == "PASS"
    assert not RESULT.search(answer.stdout)
    assert "-count=0: nothing was measured" in answer.stderr


def test_listing_prints_names_and_runs_nothing(run_bench: Command) -> None:
    text = GOOD + "def bench_other(b):\n    raise SystemExit('ran')\n"
    answer = run_bench("-list=Call|Other", bench_a=text)
    assert answer.stdout.splitlines()[:2] == ["BenchmarkCall", "BenchmarkOther"]
    assert answer.returncode == 0


def test_repetitions_stand_in_a_row_and_processors_outside_them(run_bench: Command) -> None:
    text = "def bench_a(b):\n    b.run('x', lambda b: [0 for _ in b] and None)\n    b.run('y', lambda b: [0 for _ in b] and None)\n"
    answer = run_bench("-count=2", "-cpu=1,2", "-benchtime=2x", bench_a=text)
    names = [match[1] for line in answer.stdout.splitlines() if (match := RESULT.fullmatch(line))]
    assert names == [
        *["BenchmarkA/x"] * 2,
        *["BenchmarkA/x-2"] * 2,
        *["BenchmarkA/y"] * 2,
        *["BenchmarkA/y-2"] * 2,
    ]


def test_what_benchmarks_print_goes_to_standard_error_whoever_writes_it(run_bench: Command) -> None:
    text = (
        "import os, subprocess, sys\nprint('while importing')\n"
        "def bench_loud(b):\n    print('from print')\n    os.write(1, b'from the descriptor\\n')\n"
        "    subprocess.run([sys.executable, '-c', \"print('from a child')\"])\n    for _ in b:\n        pass\n"
    )
    answer = run_bench("-benchtime=1x", bench_a=text)
    for words in ("while importing", "from print", "from the descriptor", "from a child"):
        assert words in answer.stderr
        assert words not in answer.stdout
    assert len(RESULT.findall(answer.stdout)) == 1


def test_a_file_that_does_not_import_is_named_with_its_traceback_and_the_others_run(
    run_bench: Command,
) -> None:
    answer = run_bench(
        "-benchtime=1x", bench_bad="import no_such_module_at_all\n", bench_good=GOOD, bench_syntax="def (\n"
    )
    assert answer.returncode == 1
    assert "FAIL\tbenchmarks/bench_bad [import failed]\n" in answer.stdout
    assert "FAIL\tbenchmarks/bench_syntax [import failed]\n" in answer.stdout
    assert "ok  \tbenchmarks/bench_good" in answer.stdout
    assert answer.stdout.endswith("FAIL\n")
    assert "# benchmarks/bench_bad\nTraceback" in answer.stderr
    assert "No module named 'no_such_module_at_all'" in answer.stderr
    assert "SyntaxError" in answer.stderr
    assert "conduit/bench" not in answer.stderr


def test_events_are_those_of_go_test_with_results_and_warnings_as_data(run_bench: Command) -> None:
    text = "def bench_empty(b):\n    pass\ndef bench_skip(b):\n    b.skip('not today')\n"
    answer = run_bench("-json", "-benchtime=1000000x", "-count=5", bench_a=text)
    events = [json.loads(line) for line in answer.stdout.splitlines()]
    assert [event["Action"] for event in events if event["Action"] != "output"] == [
        "start",
        "run",
        "run",
        "skip",
        "pass",
    ]
    assert all(event["Package"] == "benchmarks/bench_a" for event in events)
    outputs = [event for event in events if event["Action"] == "output"]
    assert "".join(event["Output"] for event in outputs if event.get("Test") == "BenchmarkSkip") == (
        "=== RUN   BenchmarkSkip\nBenchmarkSkip\n    bench_a.py:4: not today\n--- SKIP: BenchmarkSkip\n"
    )
    results = [event["Result"] for event in outputs if "Result" in event]
    assert [(result["Name"], result["N"]) for result in results] == [("BenchmarkEmpty", 1_000_000)] * 5
    # Of the five, another process may have run in the middle of one or two.
    assert "too-quick" in [warning["code"] for result in results for warning in result["Warnings"]]
    warned = next(event for event in outputs if "Warnings" in event)
    assert warned["Output"].startswith("--- WARN: BenchmarkEmpty")
    assert {"code", "cause", "remedy"} == set(warned["Warnings"][0])


def test_a_result_too_quick_to_be_true_is_warned_about_below_its_line(run_bench: Command) -> None:
    answer = run_bench("-benchtime=1000000x", "-count=5", bench_a="def bench_empty(b):\n    pass\n")
    assert re.search(
        r"ns/op\n(--- WARN: .*\n)*--- WARN: BenchmarkEmpty\S*( \(and \d more\))?: .*less than an empty loop.*; write `for _ in b:`",
        answer.stdout,
    )


def test_a_warning_of_several_results_is_printed_once_after_all_of_them(run_bench: Command) -> None:
    text = "def bench_a(b):\n    pass\ndef bench_b(b):\n    pass\ndef bench_c(b):\n    pass\n"
    lines = run_bench("-benchtime=1000000x", "-count=5", bench_a=text).stdout.splitlines()
    results = [number for number, line in enumerate(lines) if line.startswith("Benchmark")]
    (warned,) = [number for number, line in enumerate(lines) if "less than an empty loop" in line]
    assert len(results) == 15
    assert results[-1] < warned < lines.index("PASS")
    assert "write `for _ in b:`" in lines[warned]
    assert re.match(r"--- WARN: BenchmarkA\S* \(and 2 more\): ", lines[warned])


def test_a_warning_of_several_files_is_printed_once_after_the_results_of_all(run_bench: Command) -> None:
    text = "def bench_quick(b):\n    pass\n"
    lines = run_bench("-benchtime=1000000x", "-count=5", bench_a=text, bench_b=text).stdout.splitlines()
    results = [number for number, line in enumerate(lines) if line.startswith("Benchmark")]
    (warned,) = [number for number, line in enumerate(lines) if "less than an empty loop" in line]
    assert len(results) == 10
    assert results[-1] < warned
    assert re.match(r"--- WARN: benchmarks/bench_a BenchmarkQuick\S* \(and 1 more\): ", lines[warned])
    kinds = [line.partition(": ")[2].partition(": ")[2] for line in lines if line.startswith("--- WARN: ")]
    assert len(kinds) == len(set(kinds))


@pytest.mark.skipif(not available(), reason="the native extension is not built")
def test_counts_are_the_same_in_every_process_and_under_every_hash_seed(
    run_bench: Command, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = "import json\nd = {'a': [1, 2, 3], 'b': {'c': 'd' * 20}}\ndef bench_json(b):\n    for _ in b:\n        json.loads(json.dumps(d))\n"
    text += "def bench_set(b):\n    for _ in b:\n        {str(i) for i in range(50)}\n"
    seen = set()
    for seed in ("0", "1", "random"):
        monkeypatch.setenv("PYTHONHASHSEED", seed)
        answer = run_bench("-benchmem", "-bytecodes", "-benchtime=1ms", bench_a=text)
        found = re.findall(r"(\S+ bytecodes/op)\t +(\d+ B/op)\t +(\d+ allocs/op)", answer.stdout)
        assert len(found) == 2, answer.stdout
        seen.add(tuple(found))
    assert len(seen) == 1


def test_where_allocations_cannot_be_counted_the_reason_stands_instead_of_a_number(
    run_bench: Command,
) -> None:
    text = (
        "import conduit._native.allocations as a\na.available = lambda: False\na.reason = lambda: 'no compiler was found'\n"
        + GOOD
    )
    answer = run_bench("-benchmem", "-benchtime=1x", bench_a=text)
    assert answer.returncode == 0
    assert ": B/op and allocs/op: n/a, no compiler was found; `conduit doctor` says why" in answer.stdout
    assert not re.search(r"\d (B|allocs)/op", answer.stdout)


def test_isolated_repetitions_each_have_a_process_of_their_own(run_bench: Command) -> None:
    text = "import os\ndef bench_pid(b):\n    b.report_metric(os.getpid(), 'pid')\n    for _ in b:\n        pass\n"
    answer = run_bench("--isolate", "-count=3", "-benchtime=1x", bench_a=text)
    assert answer.returncode == 0, answer.stderr
    pids = re.findall(r"([\d.]+) pid", answer.stdout)  # of six digits with a decimal, as Go writes them
    assert len(pids) == len(set(pids)) == 3


def test_a_benchmark_that_kills_its_process_fails_alone_when_isolated(run_bench: Command) -> None:
    text = "import os, signal\ndef bench_crash(b):\n    os.kill(os.getpid(), signal.SIGSEGV)\n" + GOOD
    answer = run_bench("--isolate", "-benchtime=1x", bench_a=text)
    assert answer.returncode == 1
    assert "--- FAIL: BenchmarkCrash\n    its process ended with signal SIGSEGV\n" in answer.stdout
    assert RESULT.search(answer.stdout)


def test_a_run_that_takes_too_long_is_ended_and_says_where_it_was(run_bench: Command) -> None:
    text = GOOD + "import time\ndef bench_stuck(b):\n    time.sleep(60)\n"
    answer = run_bench("-timeout=1s", "-benchtime=1x", bench_a=text)
    assert answer.returncode == 1
    assert "BenchmarkCall" in answer.stdout
    assert "--- FAIL: BenchmarkStuck\n    timed out after 1s (-timeout); it was here:" in answer.stdout
    assert "time.sleep(60)" in answer.stdout


@pytest.mark.parametrize(
    ("number", "extra", "status"),
    [
        (signal.SIGINT, [], 130),
        (signal.SIGINT, ["--isolate"], 130),
        (signal.SIGTERM, [], -signal.SIGTERM),
        (signal.SIGTERM, ["-json"], -signal.SIGTERM),
    ],
)
def test_a_signal_leaves_what_was_measured_in_print_and_in_the_file_marked_as_cut(
    project: Path, number: signal.Signals, extra: list[str], status: int
) -> None:
    text = (
        GOOD
        + "import pathlib, time\ndef bench_stuck(b):\n    pathlib.Path('started').touch()\n    time.sleep(60)\n"
    )
    (project / "benchmarks" / "bench_a.py").write_text(text)
    command = [sys.executable, "-m", "conduit", "bench", "-benchtime=1x", "-o", "out.txt", *extra]
    child = subprocess.Popen(
        command,
        cwd=project,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    deadline = time.monotonic() + 60
    while not (project / "started").exists() and time.monotonic() < deadline:
        time.sleep(0.02)
    if number == signal.SIGINT:  # as a terminal sends it
        os.killpg(child.pid, number)
    else:
        child.send_signal(number)
    printed, _ = child.communicate(timeout=60)
    assert child.returncode == status
    written = (project / "out.txt").read_text()
    assert written == printed
    mark = f"cut: by {number.name}; benchmarks that were still to run are missing"
    if "-json" in extra:
        assert json.loads(written.splitlines()[-1])["Output"] == f"{mark}\n"
        return
    assert RESULT.search(printed)
    assert "signal: interrupt\nFAIL\tbenchmarks/bench_a\t" in printed
    assert written.splitlines()[-1] == mark


def test_the_output_is_also_written_to_a_file(run_bench: Command, project: Path) -> None:
    answer = run_bench("-benchtime=1x", "-o", "deep/out.txt", bench_a=GOOD)
    assert (project / "deep" / "out.txt").read_text() == answer.stdout != ""


def test_shuffling_prints_its_seed_and_the_seed_gives_the_order_again(run_bench: Command) -> None:
    text = "".join(f"def bench_f{i}(b):\n    for _ in b:\n        pass\n" for i in range(8))

    def order(answer: subprocess.CompletedProcess[str]) -> list[str]:
        return re.findall(r"(?m)^Benchmark\w+", answer.stdout)

    first = run_bench("-shuffle=on", "-benchtime=1x", bench_a=text)
    seed = re.match(r"-test\.shuffle (\d+)\n", first.stdout)
    assert seed is not None
    again = run_bench(f"-shuffle={seed[1]}", "-benchtime=1x")
    assert order(again) == order(first)
    assert sorted(order(first)) == [f"BenchmarkF{i}" for i in range(8)]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["-benchtime=0x"], 'invalid value "0x" for flag -benchtime: invalid count'),
        (["-benchtime=abc"], 'invalid value "abc" for flag -benchtime: invalid duration'),
        (["-benchtime=-1s"], "invalid duration"),
        (["-benchtime=20"], "invalid duration; 20x is so many iterations, 20s so many seconds"),
        (["-benhtime=20x"], "flag provided but not defined: -benhtime; did you mean -benchtime?"),
        (["-count=many"], 'invalid value "many" for flag -count: parse error'),
        (["-cpu=0"], "expected at least 1"),
        (["-gc=maybe"], "expected off, on or collect"),
        (["-shuffle=maybe"], 'should be "off", "on", or a valid integer'),
        (["-bench=("], 'invalid regexp for element 0 of -bench ("(")'),
        (["-list=["], "invalid regexp in -list"),
        (["nowhere"], "nowhere: no such file or folder"),
        (["-no-such-flag"], "flag provided but not defined: -no-such-flag"),
    ],
)
def test_a_wrong_call_is_explained_and_exits_with_2(
    run_bench: Command, words: list[str], message: str
) -> None:
    answer = run_bench(*words, bench_a=GOOD)
    assert answer.returncode == 2
    assert message in answer.stderr
    assert answer.stdout == ""


@pytest.mark.parametrize("words", [["-bench=Nope"], ["-bench=Ok/Nope"], ["-skip=."]])
def test_a_filter_that_leaves_nothing_is_told_and_changes_no_result(
    run_bench: Command, words: list[str]
) -> None:
    answer = run_bench(*words, bench_a="def bench_ok(b):\n    b.run('x', lambda b: None)\n")
    assert answer.returncode == 0
    assert answer.stdout.startswith("PASS\nok  \t")
    assert f"conduit bench: no benchmark matches {words[0]}; -list=. prints" in answer.stderr


def test_an_import_that_fails_is_shown_from_the_benchmarks_own_line_on(run_bench: Command) -> None:
    answer = run_bench(bench_a="import nowhere_to_be_found\n")
    assert answer.returncode == 1
    assert "bench_a.py" in answer.stderr and "nowhere_to_be_found" in answer.stderr
    assert "importlib" not in answer.stderr


def test_without_a_path_and_without_the_usual_folder_the_command_says_which_one_it_means(
    conduit_command: Command, tmp_path: Path
) -> None:
    answer = conduit_command("bench", cwd=tmp_path)
    assert answer.returncode == 2
    assert "looked for a ./benchmarks folder, then for bench_*.py files in" in answer.stderr


def test_a_folder_without_benchmark_files_is_said_to_have_none(run_bench: Command) -> None:
    answer = run_bench()
    assert answer.returncode == 0
    assert answer.stdout == "?   \tbenchmarks\t[no bench_*.py files]\n"


def test_threads_and_short_and_async_reach_the_benchmarks(run_bench: Command) -> None:
    text = (
        "import asyncio, threading\n"
        "def bench_par(b):\n    seen = set()\n"
        "    def work(worker):\n        seen.add(threading.get_ident())\n        for _ in worker: pass\n"
        "    b.run_parallel(work)\n    b.report_metric(len(seen), 'threads')\n    b.report_metric(b.short, 'short')\n"
        "async def bench_async(b):\n    for _ in b:\n        await asyncio.sleep(0)\n"
        "async def bench_parent(b):\n    async def child(b): ...\n    b.run('c', child)\n"
    )
    answer = run_bench("--threads=3", "-short", "-benchtime=20x", bench_a=text)
    assert re.search(r"1\.000 short\t +3\.000 threads", answer.stdout)
    assert re.search(r"BenchmarkAsync\S* +\t +20\t", answer.stdout)
    assert "declare the parent with `def`" in answer.stdout
