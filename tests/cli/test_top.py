from __future__ import annotations

import os
import re
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from conduit._native import available, reason
from conduit.cli.top.tasks import Task, Tasks, TaskTimes
from conduit.debug import serve
from conduit.errors import ProfilerUnavailableError
from conduit.record.process_memory import ProcessMemory
from tests.fakes.terminal import TerminalProgram

pytestmark = pytest.mark.skipif(not available(), reason=reason())

# `spin` has most of flat; `outer`, which calls it, and the module have all of cum.
BUSY = """
def spin():
    for _ in range(400_000): pass
def less():
    for _ in range(40_000): pass
def outer():
    while True:
        spin(); less()
print("ready", flush=True)
outer()
"""
TASKS = """
import asyncio
async def child():
    await asyncio.sleep(1000)
async def work(name):
    await asyncio.create_task(child(), name=f"child of {name}")
async def main():
    tasks = [asyncio.create_task(work(name), name=name) for name in ("first", "second")]
    await asyncio.sleep(0.05)
    from conduit.debug import serve
    with serve("127.0.0.1:0") as server:
        print(server.address, flush=True)
        await asyncio.gather(*tasks)
asyncio.run(main())
"""
COLOR = re.compile(r"\x1b\[[0-9;]*\b(3[0-7]|38|9[0-7])\b[0-9;]*m")


@pytest.fixture
def busy(tmp_path: Path) -> Iterator[subprocess.Popen[bytes]]:
    """A process that is busy in `spin`."""
    (tmp_path / "busy.py").write_text(BUSY)
    with subprocess.Popen([sys.executable, str(tmp_path / "busy.py")], stdout=subprocess.PIPE) as process:
        try:
            assert process.stdout is not None
            assert process.stdout.readline() == b"ready\n"
            with ProcessMemory(process.pid):
                pass
            yield process
        except ProfilerUnavailableError as error:
            pytest.skip(str(error))
        finally:
            process.kill()


@pytest.fixture
def service(tmp_path: Path) -> Iterator[tuple[int, str]]:
    """A service that has tasks: its process and its URL."""
    (tmp_path / "tasks.py").write_text(TASKS)
    command = [sys.executable, str(tmp_path / "tasks.py")]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        yield process.pid, f"http://{process.stdout.readline().strip()}/"
        process.kill()


@pytest.fixture
def watch(tmp_path: Path) -> Iterator[Callable[..., TerminalProgram]]:
    """Start `conduit top` in a terminal."""
    pytest.importorskip("prompt_toolkit")
    started: list[TerminalProgram] = []

    def start(*arguments: str, **variables: str) -> TerminalProgram:
        environment = {**os.environ, "TERM": "xterm-256color", **variables}
        if "NO_COLOR" not in variables:
            environment.pop("NO_COLOR", None)
        command = [sys.executable, "-m", "conduit", "top", *arguments]
        started.append(TerminalProgram(command, tmp_path, environment))
        return started[-1]

    yield start
    for program in started:
        program.__exit__()


def top(*arguments: str, **variables: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "conduit", "top", *arguments],
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        env={**os.environ, **variables},
        timeout=120,
    )


def first_row(lines: list[str]) -> str:
    return lines[3] if len(lines) > 3 else ""


def shows_spin(lines: list[str]) -> bool:
    return first_row(lines).endswith("__main__.spin")


def test_once_prints_the_table_of_top_with_the_busy_function_first(busy: subprocess.Popen[bytes]) -> None:
    done = top("-once", "-seconds=1", "-pid", str(busy.pid))
    assert (done.returncode, done.stderr) == (0, "")
    lines = done.stdout.splitlines()
    heads = lines.index("      flat  flat%   sum%        cum   cum%")
    assert lines[heads + 1].endswith("  __main__.spin")


def test_once_by_cum_begins_with_a_caller(busy: subprocess.Popen[bytes]) -> None:
    lines = top("-once", "-seconds=1", "-cum", str(busy.pid)).stdout.splitlines()
    heads = lines.index("      flat  flat%   sum%        cum   cum%")
    assert lines[heads + 1].split()[-1] in ("__main__.outer", "__main__.<module>")


def test_a_service_is_asked_at_its_endpoint() -> None:
    with serve("127.0.0.1:0") as server:
        done = top("-once", "-seconds=1", server.url)
    assert (done.returncode, done.stderr) == (0, "")
    assert "Type: cpu" in done.stdout.splitlines()


def test_a_process_that_does_not_exist_is_a_message(watch: Callable[..., TerminalProgram]) -> None:
    message = "conduit: there is no process 999999999\n"
    done = top("-once", "999999999")
    assert (done.returncode, done.stdout, done.stderr) == (1, "", message)
    program = watch("999999999")
    assert program.wait() == (1, message)
    assert program.written == ""


def test_without_a_terminal_the_message_names_once(busy: subprocess.Popen[bytes]) -> None:
    done = top(str(busy.pid))
    assert (done.returncode, done.stdout) == (2, "")
    assert "needs a terminal" in done.stderr
    assert "-once prints one table" in done.stderr


@pytest.mark.parametrize(
    "arguments",
    [
        ("-once", "-interval=2", "1"),
        ("-once", "-tasks", "-cum", "1"),
        ("-seconds=2", "1"),
        ("-rate=5000", "1"),
        ("-rate=50", "localhost:1"),
        ("-interval=1.5", "localhost:1"),
        ("-once", "-seconds=0.5", "localhost:1"),
        (),
        ("1", "2"),
        ("nothing",),
    ],
)
def test_a_flag_that_is_wrong_or_has_no_effect_is_refused(arguments: tuple[str, ...]) -> None:
    done = top(*arguments)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("conduit top: ")
    assert "terminal" not in done.stderr


def test_without_the_library_the_message_says_how_to_install_it(
    watch: Callable[..., TerminalProgram], tmp_path: Path
) -> None:
    (tmp_path / "sitecustomize.py").write_text("import sys; sys.modules['prompt_toolkit'] = None\n")
    status, errors = watch("1", PYTHONPATH=str(tmp_path)).wait()
    assert status == 1
    assert "pip install 'conduit-runtime[top]'" in errors


def test_the_busy_function_is_first_and_q_leaves_the_terminal_as_it_was(
    busy: subprocess.Popen[bytes], watch: Callable[..., TerminalProgram]
) -> None:
    program = watch(str(busy.pid), "-interval=0.5")
    lines = program.wait_for(shows_spin)
    assert lines[0] == f"conduit top: process {busy.pid}"
    assert program.settings_now() != program.settings
    program.type("q")
    assert program.wait() == (0, "")
    assert program.settings_now() == program.settings
    assert program.written.rfind("\x1b[?1049l") > program.written.rfind("\x1b[?1049h") >= 0
    assert program.written.rfind("\x1b[?25h") > program.written.rfind("\x1b[?25l")


def test_the_view_is_sorted_by_cum_and_again_by_flat(
    busy: subprocess.Popen[bytes], watch: Callable[..., TerminalProgram]
) -> None:
    program = watch(str(busy.pid), "-interval=0.5")
    program.wait_for(shows_spin)
    program.type("c")
    lines = program.wait_for(lambda lines: "functions by cum" in lines[1])
    assert first_row(lines).split()[-1] in ("__main__.outer", "__main__.<module>")
    program.type("f")
    program.wait_for(lambda lines: "functions by flat" in lines[1] and shows_spin(lines))


def test_threads_are_shown_with_the_function_that_took_most(
    busy: subprocess.Popen[bytes], watch: Callable[..., TerminalProgram]
) -> None:
    program = watch(str(busy.pid), "-interval=0.5")
    program.wait_for(shows_spin)
    program.type("t")
    lines = program.wait_for(lambda lines: "; threads" in lines[1])
    assert first_row(lines).endswith(f"MainThread ({busy.pid}): __main__.spin")
    program.type("t")
    program.wait_for(shows_spin)


def test_a_view_that_is_held_stays_and_then_goes_on(
    busy: subprocess.Popen[bytes], watch: Callable[..., TerminalProgram]
) -> None:
    program = watch(str(busy.pid), "-interval=0.2")
    program.wait_for(shows_spin)
    program.type(" ")
    program.wait_for(lambda lines: lines[0].endswith(", held"))
    # Drawn again and again, with intervals recorded between, it shows the same sums.
    views = []
    for _ in range(3):
        program.type("c")
        program.wait_for(lambda lines: "functions by cum" in lines[1] and not shows_spin(lines))
        program.type("f")
        # The rest of the rows may not have been read yet.
        views.append(
            program.wait_for(lambda lines: "functions by flat" in lines[1] and shows_spin(lines))[:4]
        )
    assert views[0] == views[1] == views[2]
    program.type(" ")
    program.wait_for(lambda lines: not lines[0].endswith(", held") and lines[1] != views[0][1])


def test_a_filter_shows_the_names_that_match_and_a_wrong_one_is_told(
    busy: subprocess.Popen[bytes], watch: Callable[..., TerminalProgram]
) -> None:
    program = watch(str(busy.pid), "-interval=0.5")
    program.wait_for(shows_spin)
    program.type("/out.r$\r")
    lines = program.wait_for(lambda lines: "filter out.r$" in lines[0])
    assert [line.split()[-1] for line in lines[3:-1] if line] == ["__main__.outer"]
    program.type("/")
    program.wait_for(lambda lines: lines[-1].startswith(" filter:"))
    program.type("(\r")
    lines = program.wait_for(lambda lines: "missing closing )" in lines[-1])
    assert "filter out.r$" in lines[0]


def test_the_profile_that_is_shown_is_written_and_read_by_pprof(
    busy: subprocess.Popen[bytes], watch: Callable[..., TerminalProgram], tmp_path: Path
) -> None:
    program = watch(str(busy.pid), "-interval=0.5")
    program.wait_for(shows_spin)
    program.type("s")
    name = f"cpu-{busy.pid}.pb.gz"
    program.wait_for(lambda lines: lines[-1] == f" written: {name}")
    done = subprocess.run(
        [sys.executable, "-m", "conduit", "pprof", "-top", str(tmp_path / name)],
        capture_output=True,
        text=True,
    )
    assert "__main__.spin" in done.stdout


def test_a_profile_that_cannot_be_written_is_told_and_the_view_goes_on(
    busy: subprocess.Popen[bytes], watch: Callable[..., TerminalProgram], tmp_path: Path
) -> None:
    name = f"cpu-{busy.pid}.pb.gz"
    (tmp_path / name).mkdir()
    program = watch(str(busy.pid), "-interval=0.5")
    program.wait_for(shows_spin)
    program.type("s")
    program.wait_for(lambda lines: lines[-1] == f" cannot write {name}: Is a directory")
    program.type("c")
    program.wait_for(lambda lines: "functions by cum" in lines[1])


def test_the_view_fits_a_terminal_that_is_resized(
    busy: subprocess.Popen[bytes], watch: Callable[..., TerminalProgram]
) -> None:
    program = watch(str(busy.pid), "-interval=0.5")
    program.wait_for(lambda lines: "q quit" in lines[23] and shows_spin(lines))
    program.resize(10, 100)
    lines = program.wait_for(lambda lines: "q quit" in lines[9] and shows_spin(lines))
    assert len(lines) == 10


@pytest.mark.parametrize("is_colored", [True, False])
def test_no_color_is_respected(
    busy: subprocess.Popen[bytes], watch: Callable[..., TerminalProgram], is_colored: bool
) -> None:
    program = watch(str(busy.pid), "-interval=0.5", **({} if is_colored else {"NO_COLOR": "1"}))
    program.wait_for(shows_spin)
    assert bool(COLOR.search(program.written)) is is_colored


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP, None])
def test_a_signal_and_ctrl_c_leave_the_terminal_as_it_was(
    busy: subprocess.Popen[bytes], watch: Callable[..., TerminalProgram], number: signal.Signals | None
) -> None:
    program = watch(str(busy.pid), "-interval=0.5")
    program.wait_for(shows_spin)
    if number is None:
        program.type("\x03")
    else:
        program.process.send_signal(number)
    assert program.wait() == (128 + number if number in (signal.SIGTERM, signal.SIGHUP) else 0, "")
    assert program.settings_now() == program.settings


def test_the_end_of_the_process_is_told(
    busy: subprocess.Popen[bytes], watch: Callable[..., TerminalProgram]
) -> None:
    program = watch(str(busy.pid), "-interval=0.5")
    program.wait_for(shows_spin)
    busy.kill()
    assert program.wait() == (0, f"conduit: process {busy.pid} has ended\n")
    assert program.settings_now() == program.settings


def test_a_service_is_watched_and_its_failure_is_told(watch: Callable[..., TerminalProgram]) -> None:
    with serve("127.0.0.1:0") as server:
        program = watch(server.url)
        lines = program.wait_for(lambda lines: "of CPU time in the last" in lines[1])
        assert lines[0] == f"conduit top: {server.url}"
    status, errors = program.wait()
    assert status == 1
    assert errors.startswith("conduit: ")
    assert "Traceback" not in errors
    assert program.settings_now() == program.settings


CHILD = "__main__.child (tasks.py:4), waits in asyncio.tasks.sleep"
ROWS = [
    *[
        f" waiting  {name}: __main__.work (tasks.py:6), waits for task child of {name}"
        for name in ("first", "second")
    ],
    *[f" waiting  child of {name}: {CHILD}" for name in ("first", "second")],
]


def test_tasks_are_printed_with_their_coroutine_their_line_and_what_they_wait_for(
    service: tuple[int, str],
) -> None:
    pid, url = service
    done = top("-once", "-tasks", url)
    head, *rows = done.stdout.splitlines()
    assert (done.returncode, done.stderr, head) == (0, "", "5 tasks: 0 running, 0 ready, 5 waiting")
    assert sorted(rows[1:]) == sorted(ROWS)
    assert rows[0] == " waiting  Task-1: __main__.main (tasks.py:13), waits for tasks first, second"
    outside = top("-once", "-tasks", str(pid))
    if sys.version_info >= (3, 14):
        assert (outside.returncode, outside.stderr, outside.stdout) == (0, "", done.stdout)
    else:
        assert (outside.returncode, outside.stdout) == (1, "")
        assert "tasks of asyncio cannot be read from outside on Python 3." in outside.stderr


def test_tasks_are_watched_filtered_and_written_and_the_functions_come_back(
    service: tuple[int, str], watch: Callable[..., TerminalProgram], tmp_path: Path
) -> None:
    program = watch(service[1], "-tasks")
    lines = program.wait_for(lambda lines: "5 tasks: 0 running, 0 ready, 5 waiting; tasks" in lines[1])
    assert lines[2].startswith("   state  seen there  task: ")
    # Found again at its line after an interval of a second.
    program.wait_for(
        lambda lines: first_row(lines).startswith(" waiting          1s  Task-1: __main__.main (ta")
    )
    program.type("/child of f\r")
    lines = program.wait_for(lambda lines: "filter child of f" in lines[0] and not lines[5])
    assert "  first: __main__.work (tasks.py:6), " in lines[4]
    program.type("s")
    program.wait_for(lambda lines: lines[-1].startswith(" written: goroutine-127.0.0.1-"))
    (written,) = tmp_path.glob("goroutine-*.pb.gz")
    command = [sys.executable, "-m", "conduit", "pprof", "-tags", str(written)]
    assert "second" in subprocess.run(command, capture_output=True, text=True).stdout
    program.type("a")
    program.wait_for(lambda lines: lines[1].endswith("; functions by flat"))


def test_why_there_are_no_tasks_is_told(
    busy: subprocess.Popen[bytes], watch: Callable[..., TerminalProgram]
) -> None:
    program = watch(str(busy.pid), "-interval=0.2")
    program.wait_for(shows_spin)
    program.type("a")
    lines = program.wait_for(lambda lines: lines[1].endswith("; tasks"))
    assert first_row(lines) == "no asyncio task is unfinished"
    program.type("s")
    program.wait_for(lambda lines: lines[-1] == " there are no tasks to write")


def test_the_time_at_a_line_begins_anew_when_the_task_goes_on() -> None:
    now = 0.0
    times = TaskTimes(lambda: now)

    def seen(*lines: int) -> list[float]:
        tasks = [Task("same", "waiting", (("f", "f.py", line),), ()) for line in lines]
        return [task.seen_s for task in times.note(Tasks(tuple(tasks))).tasks]

    assert seen(1, 1, 2) == [0, 0, 0]
    now = 5.0
    assert seen(1, 2, 3) == [5, 5, 0]
    now = 8.0
    assert seen(1, 1, 3) == [8, 0, 3]
