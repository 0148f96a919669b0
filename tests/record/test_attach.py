from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from conduit._native import available, reason
from conduit.errors import ProfilerUnavailableError
from conduit.profile.codec import decode
from conduit.profile.model import Profile
from conduit.record.attach.client import InsideRecording

pytestmark = [
    pytest.mark.skipif(not available(), reason=reason()),
    pytest.mark.skipif(
        sys.version_info < (3, 14), reason="from 3.14 on a process can be asked to record itself"
    ),
]

PROGRAM = Path(__file__).with_name("unprepared.py")
START_SECONDS = 30.0


class Program:
    """The unprepared program, running."""

    def __init__(self, *words: str, user: int | None = None, **environment: str) -> None:
        command = [sys.executable, "-I", "-u", str(PROGRAM), *words]
        self.process = subprocess.Popen(
            command,
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env=os.environ | environment,
            user=user,
            group=user,
        )
        self.pid = self.process.pid
        assert self.line() == "ready"

    def line(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline().rstrip("\n")

    def say(self, word: str) -> None:
        assert self.process.stdin is not None
        self.process.stdin.write(f"{word}\n")
        self.process.stdin.flush()

    def answer(self, word: str) -> Any:
        self.say(word)
        return json.loads(self.line())

    def state(self, word: str = "state") -> dict[str, Any]:
        found: dict[str, Any] = self.answer(word)
        return found

    def end(self) -> str:
        """Kill it; return what it wrote to standard error."""
        self.process.kill()
        return self.process.communicate()[1]


@pytest.fixture
def start() -> Iterator[Callable[..., Program]]:
    started: list[Program] = []

    def start_one(*words: str, **options: Any) -> Program:
        started.append(Program(*words, **options))
        return started[-1]

    yield start_one
    for program in started:
        program.end()


def files(program: Program, seconds: float, recordings: dict[str, dict[str, Any]]) -> dict[str, bytes]:
    """The files of recordings inside a program, of so many seconds."""
    with InsideRecording(program.pid, recordings, 60) as inside:
        assert inside.start(START_SECONDS)
        assert inside.folder.exists()
        time.sleep(seconds)  # the program has to have run, to be recorded
        found = inside.finish().files
    assert not inside.folder.exists()
    return found


def by_function(profile: Profile, column: int = -1) -> Counter[str]:
    """Values by the innermost function."""
    found: Counter[str] = Counter()
    for sample in profile.samples:
        function = sample.locations[0].lines[0].function
        assert function is not None
        found[function.name.removeprefix("__main__.")] += sample.values[column]
    return found


def names(profile: Profile) -> set[str]:
    return {
        line.function.name.removeprefix("__main__.")
        for sample in profile.samples
        for location in sample.locations
        for line in location.lines
        if line.function
    }


def test_an_unprepared_program_is_recorded_by_our_own_samplers_with_all_of_its_threads_names(
    start: Callable[..., Program],
) -> None:
    profile = decode(files(start(), 1.5, {"cpu": {"rate_hz": 250}})["cpu"])
    spent = by_function(profile)
    assert spent["most.<locals>.<genexpr>"] + spent["most"] > spent["least"] > 0
    # The time in which threads start and end has no thread.
    threads = {sample.labels["thread"][0] for sample in profile.samples if "thread" in sample.labels}
    assert "works" in threads
    assert not [name for name in names(profile) if "attach" in name]


def test_every_kind_is_recorded_at_the_same_time(start: Callable[..., Program]) -> None:
    kinds = ("cpu", "heap", "wall", "block", "mutex", "gil", "stacks")
    found = files(start(), 1.0, {kind: {} for kind in kinds})
    profiles = {kind: decode(found[kind]) for kind in kinds}
    assert "allocates" in names(profiles["heap"])
    assert by_function(profiles["mutex"]).most_common(1)[0][0] == "holds_the_lock"
    assert by_function(profiles["block"])["waits_for_the_lock"] > 0
    assert profiles["gil"].samples
    assert names(profiles["stacks"]) >= {"works", "holds_the_lock", "main"}


def test_nothing_is_left_of_a_recording(start: Callable[..., Program]) -> None:
    program = start()
    before = program.state()
    for _ in range(3):
        files(
            program, 0.2, {"cpu": {}, "heap": {"rate": 1}, "block": {}, "mutex": {}, "gil": {}, "stacks": {}}
        )
        assert program.state() == before
    assert program.end().count("records this process") == 3


@pytest.mark.skipif(find_spec("viztracer") is None, reason="traces need viztracer")
def test_a_program_is_traced_again_after_the_first_tracers_modules_are_gone(
    start: Callable[..., Program],
) -> None:
    program = start()
    for _ in range(2):
        trace = json.loads(files(program, 0.2, {"trace": {"max_events": 10_000}})["trace"])
        assert "__main__.most" in {event["name"].partition(" ")[0] for event in trace["traceEvents"]}


@pytest.mark.parametrize(
    "recordings",
    [
        {"cpu": {}, "heap": {}, "mutex": {}},
        pytest.param(
            {"trace": {"max_events": 10_000}},
            marks=pytest.mark.skipif(find_spec("viztracer") is None, reason="traces need viztracer"),
        ),
    ],
    ids=["profiles", "traces"],
)
def test_a_process_does_not_grow_however_often_it_is_recorded(
    recordings: dict[str, dict[str, Any]], start: Callable[..., Program]
) -> None:
    """Its own collector is off, so that nothing but the recording frees the modules that it brought."""
    program = start("uncollected")
    counts = []
    for _ in range(5):
        files(program, 0.05, recordings)
        counts.append(len(program.state("functions")))
    if "trace" in recordings:
        assert max(counts) < 400  # the tracer stays; what one recording imports has twice as many
        assert counts[-1] == counts[1]
    else:
        assert counts == [0] * 5


@pytest.mark.skipif(find_spec("viztracer") is None, reason="traces need viztracer")
def test_the_memory_of_a_traces_file_goes_back_to_the_system(start: Callable[..., Program]) -> None:
    program = start("alone")  # what it allocates itself would be in the figures
    sizes, held_kb = [], []
    for _ in range(4):
        sizes.append(len(files(program, 0.5, {"trace": {"max_events": 100_000}})["trace"]))
        held_kb.append(program.answer("memory"))
    assert held_kb[-1] - held_kb[0] < min(sizes) // 1024 // 2, (sizes, held_kb)


def test_a_recording_ends_by_itself_when_the_recording_process_is_killed(
    start: Callable[..., Program],
) -> None:
    program = start()
    before = program.state()
    source = (
        "import sys, time\nfrom conduit.record.attach.client import InsideRecording\n"
        f"with InsideRecording({program.pid}, {{'cpu': {{}}, 'heap': {{}}}}, 600) as inside:\n"
        f"    assert inside.start({START_SECONDS})\n    print(inside.folder, flush=True)\n    time.sleep(600)\n"
    )
    with subprocess.Popen([sys.executable, "-c", source], stdout=subprocess.PIPE, text=True) as recorder:
        assert recorder.stdout is not None
        folder = Path(recorder.stdout.readline().strip())
        assert folder.exists()
        assert program.state()["modules"] != []
        recorder.kill()
    end = time.monotonic() + START_SECONDS
    while (after := program.state()) != before and time.monotonic() < end:
        time.sleep(0.02)  # another process notices, and takes its time on a busy machine
    assert after == before
    assert not folder.exists()


def test_a_program_that_leaves_sends_its_profiles_first(start: Callable[..., Program]) -> None:
    program = start()
    with InsideRecording(program.pid, {"cpu": {}}, 60) as inside:
        assert inside.start(START_SECONDS)
        program.say("exit")
        assert program.process.wait(START_SECONDS) == 0
        assert decode(inside.finish().files["cpu"]).sample_types


def test_a_program_that_is_killed_is_told(start: Callable[..., Program]) -> None:
    program = start()
    with InsideRecording(program.pid, {"cpu": {}}, 60) as inside:
        assert inside.start(START_SECONDS)
        program.end()
        with pytest.raises(
            ProfilerUnavailableError, match="ended before the recording was over; not received: cpu"
        ):
            inside.finish()


def test_a_child_that_is_forked_during_a_recording_has_none_of_it(start: Callable[..., Program]) -> None:
    program = start()
    with InsideRecording(program.pid, {"cpu": {}, "heap": {"rate": 1}, "mutex": {}}, 60) as inside:
        assert inside.start(START_SECONDS)
        child = program.state("fork")
        assert child["threads"] == 1
        assert child["timers"] == ""
        assert child["signals"] == program.state("fork")["signals"]
        assert set(inside.finish().files) == {"cpu", "heap", "mutex"}
    assert "conduit" not in str(program.state("fork")["modules"])


def test_the_program_is_told_in_its_own_log(start: Callable[..., Program]) -> None:
    program = start("logging")
    files(program, 0, {"cpu": {}})
    (line,) = (line for line in program.end().splitlines() if "conduit" in line)
    assert line.startswith(f"LOG conduit conduit: process {os.getpid()} of user ")
    assert line.endswith(f"records this process (pid {program.pid}) from inside for up to 60s: cpu")


def test_a_program_that_waits_in_epoll_as_servers_do_is_recorded(start: Callable[..., Program]) -> None:
    program = start("idle")
    before = program.state()
    program.say("epoll")
    assert program.line() == "waiting"
    with InsideRecording(program.pid, {"cpu": {}}, 60) as inside:
        assert inside.start(START_SECONDS)
        inside.finish()
    assert program.state() == before


def test_a_program_that_sleeps_is_not_recorded_until_it_runs(start: Callable[..., Program]) -> None:
    program = start("idle")
    program.say("sleep")
    assert program.line() == "sleeping"
    with InsideRecording(program.pid, {"cpu": {}}, 60) as inside:
        assert not inside.start(0.5)
        assert not inside.poll()
        with pytest.raises(ProfilerUnavailableError, match="has run Python since it was asked"):
            inside.finish()


def test_a_request_that_is_taken_back_is_not_followed_later(start: Callable[..., Program]) -> None:
    program = start("idle")
    before = program.state()
    program.say("sleep")
    assert program.line() == "sleeping"
    with InsideRecording(program.pid, {"cpu": {}}, 60) as inside:
        assert not inside.start(0.4)
    os.kill(program.pid, signal.SIGUSR1)
    assert json.loads(program.line()) == before
    assert "conduit" not in program.end()


@pytest.mark.parametrize(
    ("words", "environment", "message"),
    [
        ((), {"PYTHON_DISABLE_REMOTE_DEBUG": "1"}, "remote debugging turned off"),
        (("handler",), {}, "has a handler for SIGPROF"),
    ],
)
def test_a_program_that_cannot_be_recorded_is_refused_with_the_reason(
    start: Callable[..., Program], words: tuple[str, ...], environment: dict[str, str], message: str
) -> None:
    if environment:
        command = [sys.executable, "-c", "print('ready', flush=True); input()"]
        with subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=os.environ | environment
        ) as process:
            assert process.stdout is not None
            process.stdout.readline()
            with (
                pytest.raises(ProfilerUnavailableError, match=message),
                InsideRecording(process.pid, {"cpu": {}}, 1),
            ):
                pass
            process.kill()
        return
    program = start(*words)
    with pytest.raises(ProfilerUnavailableError, match=message), InsideRecording(program.pid, {"cpu": {}}, 1):
        pass
    assert set(files(program, 0.1, {"heap": {}})) == {"heap"}


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can start a process as another user")
def test_another_users_process_is_left_alone_unless_it_is_asked_for(start: Callable[..., Program]) -> None:
    program = start(user=65534)
    with (
        pytest.raises(ProfilerUnavailableError, match=r"belongs to another user \(.*only with -other-user"),
        InsideRecording(program.pid, {"cpu": {}}, 1),
    ):
        pass
    before = program.state()
    with InsideRecording(program.pid, {"cpu": {}}, 60, allows_other_user=True) as inside:
        assert inside.start(START_SECONDS)
        assert decode(inside.finish().files["cpu"]).sample_types
    assert program.state() == before


def test_a_program_with_another_conduit_is_refused_by_version(tmp_path: Path) -> None:
    source = (
        "import sys, types\nother = types.ModuleType('conduit')\nother.__version__ = '0.0.9'\n"
        "sys.modules['conduit'] = other\nprint('ready', flush=True)\nwhile True: sum(range(1000))"
    )
    with subprocess.Popen([sys.executable, "-c", source], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        with (
            InsideRecording(process.pid, {"cpu": {}}, 60) as inside,
            pytest.raises(ProfilerUnavailableError, match=r"the process has conduit 0\.0\.9, and this is"),
        ):
            inside.start(START_SECONDS)
        process.kill()


def conduit_record(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "conduit", "record", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=120)


def test_the_command_writes_what_its_flags_ask_for_and_says_from_where(
    start: Callable[..., Program], tmp_path: Path
) -> None:
    program = start()
    kinds = {flag: str(tmp_path / flag) for flag in ("cpuprofile", "memprofile", "mutexprofile", "stacks")}
    done = conduit_record(
        "-pid", str(program.pid), "-seconds=1", *(f"-{flag}={path}" for flag, path in kinds.items())
    )
    assert done.returncode == 0, done.stderr
    assert done.stderr.count("s, from inside") == 4
    for path in kinds.values():
        assert decode(Path(path).read_bytes()).sample_types
    done = conduit_record(
        "-pid", str(program.pid), "-seconds=0.5", "-inside=never", "-o", str(tmp_path / "outside")
    )
    assert "from outside" in done.stderr
    assert decode((tmp_path / "outside").read_bytes()).sample_types


def test_the_command_samples_from_outside_until_the_process_answers(
    start: Callable[..., Program], tmp_path: Path
) -> None:
    program = start("idle")
    program.say("sleep")
    assert program.line() == "sleeping"
    done = conduit_record("-pid", str(program.pid), "-seconds=0.5", "-o", str(tmp_path / "p"))
    assert done.returncode == 0, done.stderr
    assert "sampling from outside until it answers" in done.stderr
    assert decode((tmp_path / "p").read_bytes()).samples == []
    done = conduit_record("-pid", str(program.pid), "-seconds=0.5", "-memprofile", str(tmp_path / "m"))
    assert done.returncode == 1
    assert "nothing was recorded inside" in done.stderr


def test_ctrl_c_ends_a_recording_inside_early_and_whole(
    start: Callable[..., Program], tmp_path: Path
) -> None:
    program = start()
    before = program.state()
    command = [sys.executable, "-m", "conduit", "record", "-pid", str(program.pid), "-seconds=600", "-o"]
    with subprocess.Popen([*command, str(tmp_path / "p")], stderr=subprocess.PIPE, text=True) as recorder:
        assert recorder.stderr is not None
        assert "from inside for 600s (cpu); Ctrl-C ends it" in recorder.stderr.readline()
        recorder.send_signal(signal.SIGINT)
        assert recorder.wait(START_SECONDS) == 0
    assert decode((tmp_path / "p").read_bytes()).samples
    assert program.state() == before
