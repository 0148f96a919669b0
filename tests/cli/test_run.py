from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from conduit._native import available, reason
from conduit.profile.codec import decode
from conduit.profile.model import Profile

pytestmark = pytest.mark.skipif(not available(), reason=reason())

PROGRAM = """
import sys, threading
def work():
    return sum(i * i for i in range(2_000_000))
def main():
    threading.Thread(target=work, name="left behind").start()
    work()
    print(__name__, __file__, sys.argv, sys.path[0])
if sys.argv[1:] == ["raise"]:
    raise ValueError("the program's own")
if __name__ == "__main__":
    main()
    if sys.argv[1:] == ["exit"]:
        sys.exit(7)
"""
HARNESS = ("cli/run.py", "conduit/__main__.py", "cli/__init__.py", "<frozen runpy>")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    (tmp_path / "program.py").write_text(PROGRAM)
    return tmp_path


def run(folder: Path, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "conduit", *arguments],
        capture_output=True,
        text=True,
        timeout=120,
        cwd=folder,
        env=os.environ | environment,
    )


def read(path: Path) -> Profile:
    return decode(path.read_bytes())


def names(profile: Profile) -> set[str]:
    return {function.name for function in profile.functions}


def test_a_script_runs_as_under_python_and_its_profiles_are_written(folder: Path) -> None:
    done = run(
        folder,
        "run",
        "-cpuprofile=cpu.prof",
        "--memprofile",
        "mem.prof",
        "-memprofilerate=1",
        "program.py",
        "-x",
        "--y=1",
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout == f"__main__ {folder}/program.py ['program.py', '-x', '--y=1'] {folder}\n"
    cpu = read(folder / "cpu.prof")
    assert {"__main__.work", "__main__.main"} <= names(cpu)
    assert not any(function.filename.endswith(HARNESS) for function in cpu.functions)
    memory = read(folder / "mem.prof")
    assert sum(sample.values[0] for sample in memory.samples) > 2_000_000
    assert memory.period == 1


def test_a_thread_that_outlives_the_main_program_is_in_the_profile(folder: Path) -> None:
    assert run(folder, "run", "-cpuprofile=cpu.prof", "program.py").returncode == 0
    # The process's own time, [thread start and end], belongs to no thread.
    samples = [sample for sample in read(folder / "cpu.prof").samples if sample.labels]
    threads = {sample.labels["thread"][0] for sample in samples}
    assert threads == {"MainThread", "left behind"}


def test_a_module_runs_with_whatever_follows_it(folder: Path) -> None:
    done = run(folder, "run", "-cpuprofile", "cpu.prof", "-m", "program", "-m", "-cpuprofile=other")
    assert done.returncode == 0, done.stderr
    assert done.stdout.endswith(f"['{folder}/program.py', '-m', '-cpuprofile=other'] {folder}\n")
    assert "__main__.work" in names(read(folder / "cpu.prof"))
    assert not (folder / "other").exists()


def test_a_script_that_begins_as_machine_code_does_is_run(folder: Path) -> None:
    (folder / "letters.py").write_text("MZ = 7\nprint(MZ)\n")
    done = run(folder, "run", "-cpuprofile=cpu.prof", "letters.py")
    assert (done.returncode, done.stdout) == (0, "7\n")


def test_the_programs_exit_status_is_the_commands(folder: Path) -> None:
    assert run(folder, "run", "-cpuprofile=cpu.prof", "program.py", "exit").returncode == 7
    assert "__main__.work" in names(read(folder / "cpu.prof"))


def test_the_programs_exception_is_shown_without_our_frames(folder: Path) -> None:
    done = run(folder, "run", "-wallprofile=wall.prof", "program.py", "raise")
    assert done.returncode == 1
    assert "ValueError: the program's own" in done.stderr
    assert "cli/run.py" not in done.stderr
    assert (folder / "wall.prof").exists()


def test_ctrl_c_writes_the_profile(folder: Path) -> None:
    (folder / "endless.py").write_text(
        "def work():\n    while True:\n        pass\nprint('ready', flush=True)\nwork()\n"
    )
    command = [sys.executable, "-m", "conduit", "run", "-cpuprofile=cpu.prof", "endless.py"]
    with subprocess.Popen(command, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        time.sleep(0.5)
        process.send_signal(signal.SIGINT)
        try:
            process.communicate(timeout=60)
        finally:
            process.kill()
    assert process.returncode == -signal.SIGINT
    assert "__main__.work" in names(read(folder / "cpu.prof"))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "needs a program"),
        (["-m"], "flag needs an argument: -m"),
        (["-cpuprofile", "program.py"], "program.py was read as the value of -cpuprofile"),
        (["missing.py"], "cannot read missing.py: No such file or directory\n"),
        (["true", "-x"], "/true: give its path, as by $(command -v true), or -m MODULE"),
        (["-memprofilerate=0", "program.py"], "must be a number from 1"),
        (["-profilerate=5000", "-cpuprofile=c", "program.py"], "from 1 to 1000"),
        (["-nonsense", "program.py"], "flag provided but not defined: -nonsense"),
    ],
)
def test_a_wrong_call_is_told_and_exits_with_2(folder: Path, arguments: list[str], message: str) -> None:
    done = run(folder, "run", *arguments)
    assert done.returncode == 2
    assert message in done.stderr


def test_without_the_extension_a_cpu_profile_is_refused_and_the_wall_clock_offered(folder: Path) -> None:
    done = run(folder, "run", "-cpuprofile=cpu.prof", "program.py", CONDUIT_NATIVE="off")
    assert done.returncode == 1
    assert "CONDUIT_NATIVE=off" in done.stderr
    assert "-wallprofile" in done.stderr
    assert done.stdout == ""


def test_a_profile_that_cannot_be_written_is_an_error(folder: Path) -> None:
    (folder / "file").write_text("")
    done = run(folder, "run", "-cpuprofile=file/cpu.prof", "program.py")
    assert done.returncode == 1
    assert "cannot write" in done.stderr


BENCHMARK = """
def work(n):
    return [str(i) for i in range(n)]
def bench_work(b):
    for _ in b:
        work(2000)
"""


def test_a_benchmarks_profiles_are_led_by_its_own_functions_and_not_by_the_harness(folder: Path) -> None:
    (folder / "bench_work.py").write_text(BENCHMARK)
    flags = [
        "-cpuprofile=cpu.prof",
        "-memprofile=mem.prof",
        "-memprofilerate=4096",
        "-benchtime=0.5s",
        "-benchmem",
    ]
    done = run(folder, "bench", *flags, ".")
    assert done.returncode == 0, done.stderr
    assert "BenchmarkWork" in done.stdout
    for file in ("cpu.prof", "mem.prof"):
        profile = read(folder / file)
        roots = {sample.locations[-1].lines[0].function.name for sample in profile.samples}  # type: ignore[union-attr]
        assert "bench_work.bench_work" in roots
        assert not any("bench/measure.py" in function.filename for function in profile.functions)
    assert read(folder / "mem.prof").default_sample_type == "alloc_space"


def test_benchmarks_in_other_processes_cannot_be_profiled_from_here(folder: Path) -> None:
    (folder / "bench_work.py").write_text(BENCHMARK)
    done = run(folder, "bench", "-cpuprofile=cpu.prof", "--isolate", ".")
    assert done.returncode == 2
    assert "--isolate" in done.stderr


def test_pytest_with_warnings_as_errors_runs_under_run(folder: Path) -> None:
    (folder / "test_one.py").write_text("def test_one():\n    assert sum(range(100))\n")
    ran = run(
        folder, "run", "-cpuprofile=cpu.prof", "-m", "pytest", "-q", "-W", "error", "-p", "no:cacheprovider"
    )
    assert ran.returncode == 0, ran.stdout + ran.stderr
    assert "1 passed" in ran.stdout


def test_a_program_that_closes_its_standard_output_is_let_go_without_a_traceback(folder: Path) -> None:
    (folder / "closes.py").write_text("import sys\nprint('said')\nsys.stdout.close()\n")
    ran = run(folder, "run", "-cpuprofile=cpu.prof", "closes.py")
    assert (ran.returncode, ran.stdout) == (0, "said\n")
    assert "Traceback" not in ran.stderr


def test_a_profile_on_standard_output_comes_behind_what_the_program_printed(folder: Path) -> None:
    (folder / "says.py").write_text("print('said')\n")
    with (folder / "out").open("wb") as out:
        command = [sys.executable, "-m", "conduit", "run", "-cpuprofile=/dev/stdout", "says.py"]
        subprocess.run(command, stdout=out, cwd=folder, check=True)
    said, data = (folder / "out").read_bytes().split(b"\n", 1)
    assert said == b"said"
    assert decode(data).sample_types


def test_a_run_that_records_nothing_says_so(folder: Path) -> None:
    done = run(folder, "run", "program.py")
    assert done.returncode == 0
    assert done.stderr == (
        "conduit run: nothing is recorded: no profile was asked for, as by -cpuprofile=cpu.prof or "
        "-memprofile=mem.prof\n"
    )


def test_a_program_that_closes_its_standard_error_keeps_its_status_and_has_its_profile(folder: Path) -> None:
    (folder / "mute.py").write_text("import sys\nsys.stderr.close()\nraise SystemExit(3)")
    done = run(folder, "run", "-memprofile=mem.prof", "mute.py")
    assert (done.returncode, done.stderr) == (3, "")
    assert (folder / "mem.prof").exists()


def test_a_run_ends_with_the_files_written_and_the_command_that_reads_them_also_in_a_log(
    folder: Path,
) -> None:
    (folder / "ends.py").write_text("print('said')\nraise SystemExit(3)")
    done = run(folder, "run", "-memprofile=mem.prof", "ends.py")
    assert (done.returncode, done.stdout) == (3, "said\n")
    assert done.stderr == (
        "conduit: wrote mem.prof; to read it: conduit pprof -top mem.prof; instead of -top: -advice in words, "
        "-http=:8080 in the browser\n"
    )


def test_in_one_pipe_what_the_program_prints_comes_before_what_the_command_tells(tmp_path: Path) -> None:
    (tmp_path / "program.py").write_text("print('hello')\n")
    done = subprocess.run(
        [sys.executable, "-m", "conduit", "run", "-cpuprofile=cpu.prof", "program.py"],
        cwd=tmp_path,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=True,
    )
    assert done.stdout.splitlines()[0] == "hello"
    assert "wrote cpu.prof" in done.stdout


def test_an_output_of_the_programs_own_that_cannot_be_flushed_ends_as_under_python(folder: Path) -> None:
    (folder / "own.py").write_text(
        "import sys\nclass Output:\n    def write(self, text): return len(text)\n"
        "    def flush(self): raise RuntimeError('no')\nsys.stdout = Output()\n"
    )
    done = run(folder, "run", "-memprofile=mem.prof", "own.py")
    assert decode((folder / "mem.prof").read_bytes()).sample_types
    assert "wrote mem.prof" in done.stderr
    assert "RuntimeError: no" in done.stderr
    assert "conduit/cli" not in done.stderr
    assert done.returncode == 120
