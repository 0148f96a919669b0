from __future__ import annotations

import faulthandler
import os
import signal
import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from conduit import record
from conduit._native import available, reason
from conduit.errors import ProfilerBusyError, ProfilerUnavailableError
from conduit.profile.codec import decode
from conduit.profile.model import Profile
from conduit.record.thread_names import ThreadNames
from tests.record import shares
from tests.record.burning import burn

pytestmark = pytest.mark.skipif(not available(), reason=reason())

PROJECT = Path(__file__).resolve().parent.parent.parent


BURN = "tests.record.burning.burn"


def names_of(profile: Profile) -> set[str]:
    return {function.name for function in profile.functions}


def samples_by(profile: Profile, names: Iterator[str] | tuple[str, ...], value: int = 0) -> Counter[str]:
    """Samples by the innermost of the named functions on their stacks, or another one of their values."""
    wanted = set(names)
    found: Counter[str] = Counter()
    for sample in profile.samples:
        on_stack = [
            line.function.name for location in sample.locations for line in location.lines if line.function
        ]
        name = next((name for name in on_stack if name in wanted), "")
        found[name] += sample.values[value]
    return found


def run_script(script: str, *arguments: str, status: int | None = 0) -> subprocess.CompletedProcess[str]:
    answer = subprocess.run(
        [sys.executable, "-c", script, *arguments], capture_output=True, text=True, timeout=120, cwd=PROJECT
    )
    assert status is None or answer.returncode == status, answer.stderr
    return answer


def sample_shares(cpu_seconds: float, enough: int) -> tuple[int, dict[str, float], dict[str, float]]:
    """Return the number of samples, the shares in the profile and those that the program measured itself.

    The kernel samples_taken at timers at its ticks, which meet a thread that shares its core with others less often than its CPU time
    would have it, and each sample then counts for several. So it is recorded again until there are enough.
    """
    samples_taken, seen, truth = 0, Counter[str](), Counter[str]()
    while samples_taken < enough:
        with record.cpu(rate_hz=250) as recording:
            truth.update(shares.run(cpu_seconds))
        assert recording.profile is not None
        assert recording.facts is not None
        samples_taken += recording.facts["samples"]
        found = samples_by(recording.profile, tuple(f"{shares.__name__}.{name}" for name in shares.FUNCTIONS))
        seen += Counter({name.rpartition(".")[2]: count for name, count in found.items()})
    del seen[""]
    return (
        samples_taken,
        {name: seen[name] / seen.total() for name in shares.FUNCTIONS},
        {name: truth[name] / sum(truth.values()) for name in shares.FUNCTIONS},
    )


def test_every_share_is_as_near_the_truth_as_chance_allows_and_a_sleeper_has_none() -> None:
    samples_taken, seen, truth = sample_shares(6, enough=1000)
    for name, share in truth.items():
        # Four standard deviations of that many samples at random; samples at equal distances scatter less.
        assert abs(seen[name] - share) <= 4 * (share * (1 - share) / samples_taken) ** 0.5, (
            name,
            samples_taken,
            seen,
            truth,
        )
    assert seen["asleep"] == 0


@pytest.mark.slow
def test_every_share_is_within_two_points_of_the_truth_at_ten_thousand_samples() -> None:
    # Two points are then four standard deviations of a share of one half, the worst.
    _, seen, truth = sample_shares(50, enough=10_000)
    assert max(abs(seen[name] - truth[name]) for name in shares.FUNCTIONS) <= 0.02, (seen, truth)
    assert seen["asleep"] == 0


def test_a_rate_below_the_kernels_tick_is_a_choice_among_its_ticks() -> None:
    with record.cpu(rate_hz=20) as recording:
        burn(1)
    assert recording.facts is not None
    ticks, taken = recording.facts["handler_calls"], recording.facts["samples"]
    # Ticks come every 1 to 10 ms of CPU time, and one in each 50 ms is taken; a tick may be late on a busy machine.
    assert 10 <= taken <= 25
    assert ticks >= 2 * taken


def burn_in_front(cpu_seconds: float) -> None:
    burn(cpu_seconds)


def burn_without_ticks(cpu_seconds: float) -> None:
    signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGPROF])
    burn(cpu_seconds)
    signal.pthread_sigmask(signal.SIG_UNBLOCK, [signal.SIGPROF])


def burn_behind(cpu_seconds: float) -> None:
    burn(cpu_seconds)


@pytest.mark.parametrize("rate", [20, 100, 1000])
@pytest.mark.parametrize("is_main", [True, False], ids=["main thread", "other thread"])
def test_time_with_the_signal_blocked_is_that_of_the_function_that_blocks_it(
    rate: int, is_main: bool
) -> None:
    def work() -> None:
        for _ in range(4):
            burn_in_front(0.1)
            burn_without_ticks(0.3)
            burn_behind(0.1)

    with record.cpu(rate_hz=rate) as recording:
        if is_main:
            work()
        else:
            thread = threading.Thread(target=work)
            thread.start()
            thread.join()
    assert recording.profile is not None
    names = {name: f"{__name__}.{name}" for name in ("burn_in_front", "burn_without_ticks", "burn_behind")}
    used = {
        name: nanoseconds / 1e9
        for name, nanoseconds in samples_by(recording.profile, tuple(names.values()), value=1).items()
    }
    in_front, without_ticks, behind = (used[name] for name in names.values())
    # Up to a period is divided between the code before and after it, and the code before may have been without ticks
    # for a while on a busy processor: that adds to the blocked time.
    tolerated = 0.1 + 4 / rate
    assert without_ticks >= 1.2 - tolerated
    assert 0.1 <= in_front <= 0.4 + tolerated
    assert 0.1 <= behind <= 0.4 + tolerated
    assert "threads that blocked SIGPROF for a while" in " ".join(recording.profile.comments)


def test_the_sum_of_a_profile_is_the_cpu_time_of_the_process() -> None:
    with record.cpu() as recording:
        begin = time.process_time_ns()
        burn(2)
        used = time.process_time_ns() - begin
    assert recording.profile is not None
    assert sum(sample.values[1] for sample in recording.profile.samples) == pytest.approx(used, rel=0.01)


def test_a_recordings_own_start_and_end_are_neither_sampled_nor_counted(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    class SlowNames(ThreadNames):
        def watch(self) -> None:
            burn(0.3)
            super().watch()

        def resolve(self) -> Callable[..., str]:
            burn(0.3)
            return super().resolve()

    monkeypatch.setattr(sys.modules["conduit.record.cpu"], "ThreadNames", SlowNames)
    with record.cpu(
        rate_hz=5
    ) as recording:  # one sample in 0.2 s: most would fall into the start and the end
        begin = time.thread_time_ns()
        burn(0.2)
        used = time.thread_time_ns() - begin
    assert recording.profile is not None and recording.facts is not None
    assert sum(sample.values[1] for sample in recording.profile.samples) == pytest.approx(used, rel=0.02)
    assert recording.facts["paused_ns"] >= 600_000_000


def test_a_recording_inside_another_costs_the_outer_ones_nothing() -> None:
    with record.cpu(rate_hz=20) as recording:
        begin = time.thread_time_ns()
        burn(0.2)
        used = time.thread_time_ns() - begin
        recording_of_heap = record.heap()
        recording_of_heap.start()
        recording_of_heap.stop()
        begin = time.thread_time_ns()
        burn(0.2)
        used += time.thread_time_ns() - begin
    assert recording.profile is not None
    assert sum(sample.values[1] for sample in recording.profile.samples) == pytest.approx(used, rel=0.02)


def test_the_profile_has_the_types_the_period_and_the_times_of_gos(tmp_path: Path) -> None:
    path = tmp_path / "cpu.prof"
    before = time.time_ns()
    with record.cpu(path, rate_hz=50):
        burn(0.1)
    profile = decode(path.read_bytes())
    assert [(kind.type, kind.unit) for kind in profile.sample_types] == [
        ("samples", "count"),
        ("cpu", "nanoseconds"),
    ]
    assert profile.period_type == profile.sample_types[1]
    assert profile.period == 20_000_000
    assert before <= profile.time_nanos <= time.time_ns()
    assert profile.duration_nanos >= 100_000_000
    # The CPU time is the clock's; the samples are how many periods that is, and at least one for a stack that was seen.
    assert all(
        sample.values[0] in (1, round(sample.values[1] / profile.period)) for sample in profile.samples
    )


def test_a_sample_names_its_thread_also_one_that_has_ended() -> None:
    with record.cpu() as recording:
        thread = threading.Thread(target=burn, args=(1.0,), name="long gone")
        thread.start()
        thread.join()
        burn(0.3)
    assert recording.profile is not None
    threads: Counter[str] = Counter()
    for sample in recording.profile.samples:
        # The time in which threads start and end is no thread's.
        threads[sample.labels.get("thread", [""])[0]] += sample.values[0]
    assert 80 <= threads["long gone"] <= 110
    assert threads["MainThread"] >= 15


def test_the_line_that_works_is_the_line_that_is_shown() -> None:
    def work() -> int:
        large, total = 3**20_000, 0
        for i in range(200_000):
            total += large % (i + 1)  # this line: a division that takes far longer than a turn of the loop
        return total

    first = work.__code__.co_firstlineno
    with record.cpu() as recording:
        work()
    assert recording.profile is not None
    lines: Counter[int] = Counter()
    for sample in recording.profile.samples:
        line = sample.locations[0].lines[0]
        if line.function is not None and line.function.name.endswith("<locals>.work"):
            assert line.function.start_line == first
            assert line.function.filename == __file__
            lines[line.line - first] += sample.values[0]
    assert lines.most_common(1)[0][0] == 3
    assert set(lines) <= {1, 2, 3}


class Shapes:
    def generator(self, n: int) -> Iterator[int]:
        for i in range(n):
            yield sum([i, i + 1, i + 2])

    def comprehension(self, n: int) -> list[int]:
        return [len(str(i)) for i in range(n)]

    def call(self, function: Callable[[int], object], n: int) -> None:
        for i in range(n):
            function(i)

    async def coroutine(self, n: int) -> int:
        return sum(len(str(i)) for i in range(n))


def test_generators_comprehensions_lambdas_and_coroutines_go_by_their_qualified_names() -> None:
    import asyncio

    shapes = Shapes()
    with record.cpu() as recording:
        for _ in shapes.generator(600_000):
            pass
        shapes.comprehension(1_500_000)
        shapes.call(lambda i: str(i) + str(i), 600_000)
        asyncio.run(shapes.coroutine(1_500_000))
    assert recording.profile is not None
    names = names_of(recording.profile)
    assert {f"{__name__}.Shapes.{name}" for name in ("generator", "comprehension", "coroutine")} <= names
    assert f"{__name__}.Shapes.coroutine.<locals>.<genexpr>" in names
    assert any(name.endswith("<locals>.<lambda>") for name in names)


def burn_first(cpu_seconds: float) -> None:
    burn(cpu_seconds)


def burn_second(cpu_seconds: float) -> None:
    burn(cpu_seconds)


def burn_unnamed(cpu_seconds: float) -> None:
    burn(cpu_seconds)


def test_a_sample_in_a_coroutine_names_its_task_also_with_several_loops() -> None:
    import asyncio

    async def leaf(burner: Callable[[float], None], cpu_seconds: float) -> None:
        for _ in range(10):
            burner(cpu_seconds / 10)
            await asyncio.sleep(0)

    async def work(burner: Callable[[float], None], cpu_seconds: float) -> None:
        await leaf(burner, cpu_seconds)

    async def main(prefix: str) -> None:
        first = asyncio.create_task(work(burn_first, 0.2), name=f"{prefix} first")
        second = asyncio.create_task(work(burn_second, 0.4), name=f"{prefix} second")
        await asyncio.gather(first, second, asyncio.create_task(work(burn_unnamed, 0.1)))

    with record.cpu() as recording:
        thread = threading.Thread(target=lambda: asyncio.run(main("other")), name="other")
        thread.start()
        asyncio.run(main("main"))
        thread.join()
        burn(0.1)
    assert recording.profile is not None
    # Whose work a sample is, its stack tells: every label is compared, and no time.
    seen: Counter[tuple[str, str]] = Counter()
    for sample in recording.profile.samples:
        names = {
            line.function.name for location in sample.locations for line in location.lines if line.function
        }
        bare = (name.removeprefix(f"{__name__}.") for name in names)
        burner = next((name for name in bare if name.startswith("burn_")), "")
        if not burner:
            continue
        loop = "other" if sample.labels["thread"] == ["other"] else "main"
        task = sample.labels.get("task", [""])[0]
        seen[f"{loop} {burner}", "an unnamed task" if task.startswith("Task-") else task] += sample.values[0]
    assert {(burner, task) for burner, task in seen} == {
        (f"{loop} burn_{name}", "an unnamed task" if name == "unnamed" else f"{loop} {name}")
        for loop in ("main", "other")
        for name in ("first", "second", "unnamed")
    }
    assert seen.total() >= 100  # of 140 periods


def test_a_sample_outside_of_a_task_names_none() -> None:
    with record.cpu() as recording:
        burn(0.3)
    assert recording.profile is not None
    assert recording.profile.samples
    assert all("task" not in sample.labels for sample in recording.profile.samples)


def test_modules_are_told_apart_by_their_files(tmp_path: Path) -> None:
    program = tmp_path / "shop" / "models.py"
    program.parent.mkdir()
    program.write_text("total = 0\nfor i in range(1_500_000):\n    total += i\n")
    with record.cpu() as recording:
        exec(compile(program.read_text(), str(program), "exec"), {})
    assert recording.profile is not None
    assert "models.<module>" in names_of(recording.profile)


def test_native_shows_the_library_that_was_running() -> None:
    import zlib

    data = os.urandom(1 << 20) * 4
    with record.cpu(native=True) as recording:
        for _ in range(4):
            zlib.compress(data, 6)
    assert recording.profile is not None
    files = {
        function.filename for function in recording.profile.functions if not function.filename.endswith(".py")
    }
    assert any("libz" in file or "zlib" in file for file in files), files


def test_a_recording_too_short_to_believe_says_so() -> None:
    with record.cpu() as recording:
        burn(0.3)
    assert recording.profile is not None
    assert any(warning.startswith("only ") for warning in recording.warnings)
    assert recording.profile.comments == recording.warnings


def process_state() -> tuple[str, str, int]:
    """Signals that have handlers, timers, and the number of threads, as the kernel tells."""
    status = Path("/proc/self/status").read_text()
    caught = next(line for line in status.splitlines() if line.startswith("SigCgt"))
    return caught, Path("/proc/self/timers").read_text(), len(list(Path("/proc/self/task").iterdir()))


def test_nothing_is_left_behind_and_the_thread_class_is_as_it_was() -> None:
    method = threading.Thread._set_native_id  # type: ignore[attr-defined]
    before = process_state()
    with record.cpu():
        burn(0.02)
        assert process_state() != before
    deadline = time.monotonic() + 10
    while process_state() != before and time.monotonic() < deadline:
        time.sleep(0.01)  # a joined thread stays in /proc until the kernel has buried it
    assert process_state() == before
    assert threading.Thread._set_native_id is method  # type: ignore[attr-defined]


def test_a_second_start_is_refused_and_the_first_goes_on() -> None:
    with record.cpu() as first:
        with pytest.raises(ProfilerBusyError, match="a CPU profile is being taken already"):
            record.cpu().start()
        burn(0.3)
        profile = first.stop()
    assert profile.samples


def test_stop_without_start_is_an_error() -> None:
    with pytest.raises(RuntimeError, match=r"start\(\) comes first"):
        record.cpu().stop()


@pytest.mark.parametrize("rate", [0, -1, 1001])
def test_a_rate_out_of_range_is_refused(rate: int) -> None:
    with pytest.raises(ValueError, match="from 1 to 1000"):
        record.cpu(rate_hz=rate)


def test_a_program_that_handles_sigprof_itself_is_told_and_left_alone() -> None:
    before = signal.signal(signal.SIGPROF, lambda *_: None)
    try:
        with pytest.raises(ProfilerUnavailableError, match="it has a handler"):
            record.cpu().start()
        assert callable(signal.getsignal(signal.SIGPROF))
    finally:
        signal.signal(signal.SIGPROF, before)


def test_a_program_with_a_profiling_timer_is_told() -> None:
    signal.setitimer(signal.ITIMER_PROF, 1000)
    try:
        with pytest.raises(ProfilerUnavailableError, match="setitimer"):
            record.cpu().start()
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)


def test_a_handler_that_the_program_installs_meanwhile_stays_and_is_reported() -> None:
    def theirs(*_: object) -> None:
        pass

    try:
        with record.cpu() as recording:
            signal.signal(signal.SIGPROF, theirs)
        assert signal.getsignal(signal.SIGPROF) is theirs
        assert any("handler of its own for SIGPROF" in warning for warning in recording.warnings)
    finally:
        signal.signal(signal.SIGPROF, signal.SIG_DFL)


def test_a_stranger_who_owns_sigsegv_makes_the_sampler_ask_the_kernel_and_still_see() -> None:
    was_enabled = faulthandler.is_enabled()
    faulthandler.disable()
    with record.cpu() as recording:
        faulthandler.enable()
        burn(0.4)
    if not was_enabled:
        faulthandler.disable()
    assert recording.profile is not None
    assert samples_by(recording.profile, (BURN,))[BURN] >= 20


CRASH = """
import ctypes, faulthandler, sys
from conduit import record
def enable_at(moment):
    if sys.argv[1] == moment:
        faulthandler.enable()
enable_at("before")
with record.cpu():
    enable_at("after")
    ctypes.string_at(8)
"""


@pytest.mark.parametrize("moment", ["before", "after", "never"])
def test_a_real_crash_is_still_the_programs_own(moment: str) -> None:
    answer = run_script(CRASH, moment, status=-signal.SIGSEGV)
    assert ("Fatal Python error: Segmentation fault" in answer.stderr) == (moment != "never")


LEAVE = """
import os, signal, sys, time
from conduit import record
from tests.record.burning import burn
how, path = sys.argv[1:]
recording = record.cpu(path)
if how.startswith("with "):
    with recording:
        burn(0.3)
        exec(how[5:])
else:
    recording.start()
    burn(0.3)
    exec(how)
"""


@pytest.mark.parametrize(
    "how",
    [
        "with raise ValueError",
        "raise ValueError",
        "sys.exit(3)",
        "signal.raise_signal(signal.SIGINT)",
        "pass",
    ],
)
def test_a_program_that_leaves_by_any_door_leaves_a_whole_file(how: str, tmp_path: Path) -> None:
    path = tmp_path / "cpu.prof"
    run_script(LEAVE, how, str(path), status=None)
    assert BURN in names_of(decode(path.read_bytes()))
    assert [file.name for file in tmp_path.iterdir()] == ["cpu.prof"]


def test_a_killed_program_leaves_the_old_file_and_no_part_of_a_new_one(tmp_path: Path) -> None:
    path = tmp_path / "cpu.prof"
    path.write_bytes(b"as it was")
    run_script(LEAVE, "os.kill(os.getpid(), signal.SIGKILL)", str(path), status=-signal.SIGKILL)
    assert path.read_bytes() == b"as it was"
    assert [file.name for file in tmp_path.iterdir()] == ["cpu.prof"]


FORK = """
import multiprocessing, os, sys, time
from conduit import record
from tests.record.burning import burn
def in_parent():
    burn(0.4)
def in_child():
    burn(0.4)
if __name__ == "__main__":
    with record.cpu(sys.argv[2]) as recording:
        in_parent()
        if sys.argv[1] == "fork":
            child = os.fork()
            if child == 0:
                in_child()
                sys.exit(0)
            os.waitpid(child, 0)
        else:
            child = multiprocessing.get_context("fork").Process(target=in_child)
            child.start()
            child.join()
        in_parent()
"""


@pytest.mark.parametrize("way", ["fork", "multiprocessing"])
def test_a_child_goes_on_from_nothing_into_a_file_of_its_own(way: str, tmp_path: Path) -> None:
    path = tmp_path / "cpu.prof"
    run_script(FORK, way, str(path))
    files = sorted(tmp_path.iterdir())
    assert len(files) == 2
    assert files[0] == path
    parent, child = (decode(file.read_bytes()) for file in files)
    assert files[1].name.removeprefix("cpu.prof.").isdigit()
    in_parent, in_child = "<string>.in_parent", "<string>.in_child"
    assert samples_by(parent, (in_parent,))[in_parent] >= 50
    assert in_child not in names_of(parent)
    assert samples_by(child, (in_child,))[in_child] >= 20


SUBINTERPRETER = """
import sys, warnings
warnings.simplefilter("ignore")
try:
    import _interpreters as interpreters
except ImportError:
    import _xxsubinterpreters as interpreters
from conduit import record
from conduit.errors import ProfilerUnavailableError
made = interpreters.create()
try:
    record.cpu().start()
except ProfilerUnavailableError as error:
    assert "subinterpreters" in str(error)
else:
    raise AssertionError("it started")
interpreters.destroy(made)
with record.cpu():
    pass
"""


def test_a_process_with_subinterpreters_is_refused_in_words() -> None:
    run_script(SUBINTERPRETER)


def test_without_the_extension_it_refuses_says_why_and_offers_the_wall_clock() -> None:
    script = """
from conduit import record
from conduit.errors import ProfilerUnavailableError
try:
    record.cpu().start()
except ProfilerUnavailableError as error:
    assert "CONDUIT_NATIVE=off" in str(error) and "conduit.record.wall" in str(error), error
else:
    raise AssertionError("it started")
with record.wall() as recording:
    import time
    time.sleep(0.1)
assert recording.profile.samples
"""
    answer = subprocess.run(
        [sys.executable, "-c", script],
        capture_output=True,
        text=True,
        timeout=60,
        env=os.environ | {"CONDUIT_NATIVE": "off"},
    )
    assert answer.returncode == 0, answer.stderr


LATE_ASYNCIO = """
from conduit import record

with record.cpu(rate_hz=250) as recording:
    import asyncio
    import time

    async def job():
        end = time.thread_time() + 0.3
        while time.thread_time() < end:
            pass

    async def main():
        await asyncio.create_task(job(), name="late")

    asyncio.run(main())
import sys

names = {sample.labels["task"][0] for sample in recording.profile.samples if "task" in sample.labels}
print(*sorted(names - {"Task-1"}))  # `main` itself is sampled only where its start happens to take long enough
print([type(one).__name__ for one in sys.meta_path if type(one).__module__.startswith("conduit")])
"""


def test_tasks_have_their_names_where_asyncio_is_imported_after_the_start() -> None:
    assert run_script(LATE_ASYNCIO).stdout.splitlines() == ["late", "[]"]
