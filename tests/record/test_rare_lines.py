"""What a recording meets rarely: signals lost, threads refused, a folder that is gone, a trace that was ended elsewhere."""

from __future__ import annotations

import _thread
import asyncio
import json
import subprocess
import sys
import threading
from pathlib import Path
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any, cast

import pytest

import conduit
from conduit import record
from conduit._native import available
from conduit._native import heap as heap_hooks
from conduit.errors import ConduitError
from conduit.record import awaits, forks, module_names, task_names, threads
from conduit.record.clocks import Reconciled, TimedSamples
from conduit.record.cpu import _warnings, few_samples_warning
from conduit.record.labels import carry_labels
from conduit.record.trace import Trace, _after_fork_in_child

if TYPE_CHECKING:
    from collections.abc import Callable

needs_native = pytest.mark.skipif(not available(), reason="the C extension is not built here")
QUIET = {
    **dict.fromkeys(("lost", "stalls_ns", "unreadable", "collector_ns", "paused_ns"), 0),
    **dict.fromkeys(("threads_refused", "signal_taken_over"), False),
    "process_ns": 1_000_000_000,
}


@pytest.mark.parametrize(
    ("facts", "warning"),
    [
        ({"lost": 1}, "1 sample was lost: signals came faster than they could be stored"),
        ({"lost": 1234}, "1,234 samples were lost: signals came faster than they could be stored"),
        ({"unreadable": 2}, "2 samples have no stack: it could not be read ([stack could not be read])"),
        ({"threads_refused": True}, "some threads were not sampled: the kernel gave no more timers"),
        (
            {"signal_taken_over": True},
            "the program installed a handler of its own for SIGPROF, or ignored it",
        ),
        (
            {"stalls_ns": 200_000_000},
            "0.20s of CPU time was used without samples by threads that blocked SIGPROF",
        ),
        ({"stalls_ns": 90_000_000}, ""),
        ({}, ""),
    ],
)
def test_what_a_cpu_recording_could_not_sample_is_in_its_warnings(
    facts: dict[str, int], warning: str
) -> None:
    reconciled = Reconciled(TimedSamples(), [])
    found = list(_warnings(cast("Any", {**QUIET, **facts}), reconciled))
    assert len(found) == bool(warning)
    assert "".join(found).startswith(warning)


@pytest.mark.parametrize(
    ("signals", "used_ns", "begin"),
    [
        (0, 1_000_000, "no samples: less than 0.01s of CPU time was used"),
        (0, 50_000_000, "no samples: 0.05s of CPU time was used, all of it without a stack"),
        (1, 50_000_000, "only 1 sample: 0.05s of CPU time was used while the profile was taken. Shares"),
        (
            99,
            1_000_000_000,
            "only 99 samples: 1.00s of CPU time was used while the profile was taken. Shares",
        ),
        (100, 1_000_000_000, ""),
    ],
)
def test_how_few_samples_there_are_is_said_below_a_hundred(signals: int, used_ns: int, begin: str) -> None:
    found = few_samples_warning(signals, used_ns, 100)
    assert found.startswith(begin)
    assert bool(found) == bool(begin)


@needs_native
def test_samples_of_the_heap_that_were_dropped_are_counted_in_a_warning(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    read = heap_hooks.read
    monkeypatch.setattr(heap_hooks, "read", lambda: (read()[0], 3, False))
    with record.heap() as recording:
        pass
    assert recording.warnings[0].startswith("3 samples were dropped: no memory to note them")
    assert recording.warnings[1].startswith("the contents of numpy's arrays are missing")


@needs_native
def test_a_recording_that_gives_way_is_ended_by_the_next_one() -> None:
    first, second = record.cpu(), record.cpu()
    first.gives_way = True
    first.start()
    with second:
        assert not first.is_running
        assert second.is_running
    assert first.profile is not None


@needs_native
def test_a_discarded_recording_writes_nothing(tmp_path: Path) -> None:
    recording = record.cpu(tmp_path / "cpu.prof")
    recording.discard()  # it has not begun
    recording.start()
    recording.discard()
    assert not recording.is_running
    assert list(tmp_path.iterdir()) == []


def test_a_folder_of_the_import_path_that_is_gone_or_no_text_is_passed_over(tmp_path: Path) -> None:
    script = (
        "import os, sys\nfrom conduit.record.module_names import _import_path\n"
        "os.chdir(sys.argv[1]); os.rmdir(sys.argv[1])\n"
        "print(list(_import_path(['', '\\0', None, '/'])))\n"
    )
    (tmp_path / "gone").mkdir()
    done = subprocess.run(
        [sys.executable, "-c", script, tmp_path / "gone"],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    assert done.stdout == "['/']\n"


def test_the_name_of_a_module_is_its_key_where_it_has_no_other(monkeypatch: pytest.MonkeyPatch) -> None:
    module = type(sys)("other")
    assert module_names._own_name("alias", {"alias": module}) == "alias"
    assert module_names._own_name("alias", {"alias": module, "other": module}) == "other"


@needs_native
@pytest.mark.skipif(not hasattr(asyncio.tasks, "_CTask"), reason="this interpreter has no tasks in C")
def test_tasks_without_the_expected_layout_cost_their_names_and_a_warning_says_so(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(task_names, "_offsets", None)
    monkeypatch.setattr(task_names, "_warning", None)
    monkeypatch.setattr(task_names, "_make_task", _made_elsewhere(task_names._make_task))
    assert task_names.watch_tasks().startswith("samples have no labels with the names of asyncio's tasks: ")


def _made_elsewhere(make: Callable[..., Any]) -> Callable[..., Any]:
    """A task whose coroutine is not the one that is looked for in its memory."""

    def made(kind: Any, names: list[str]) -> Any:
        task, coroutine, loop = make(kind, names)
        coroutine.close()
        return task, task_names._probe(names), loop

    return made


@needs_native
def test_without_a_thread_to_try_it_in_the_names_of_tasks_are_tried_again_next_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def refused(*_: object) -> None:
        raise RuntimeError("can't start new thread")

    kind = getattr(asyncio.tasks, "_CTask", None)
    if kind is None:
        pytest.skip("this interpreter has no tasks in C")
    monkeypatch.setattr(_thread, "start_new_thread", refused)
    assert task_names._check(kind) is None


def test_the_task_of_its_first_step_is_found_too() -> None:
    async def nothing() -> None:
        pass

    async def main() -> tuple[Any, Any, Any]:
        loop = asyncio.get_running_loop()
        steps: list[Any] = []
        call_soon = loop.call_soon
        loop.call_soon = lambda step, *rest, **kind: steps.append(step) or call_soon(step, *rest, **kind)  # type: ignore[method-assign,func-returns-value]
        task = loop.create_task(nothing())
        found = awaits._task_of(steps[0]), task, awaits._task_of(print)
        await task
        return found

    found, task, other = asyncio.run(main())
    assert found is task
    assert other is None


def test_a_function_of_asyncio_with_other_variables_names_no_awaited_tasks(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    frame = sys._getframe()
    monkeypatch.setattr(threads, "_WATCHED", {("tasks.py", "wait"): lambda variables: variables["futures"]})

    code = SimpleNamespace(co_filename="/lib/asyncio/tasks.py", co_name="wait")
    other = SimpleNamespace(f_code=code, f_locals={})
    assert threads._watched_futures(cast("Any", [(None, other)])) == []
    assert threads._watched_futures(cast("Any", [(None, frame)])) == []
    assert threads._watched_futures([]) == []


def test_labels_are_handed_over_only_where_there_are_any() -> None:
    def work() -> None:
        pass

    assert carry_labels(work) is work


def test_a_fork_that_was_noticed_before_the_interpreter_told_of_it_counts_once() -> None:
    calls: list[int] = []
    hook = forks._Hook(lambda: calls.append(1), threading.RLock())
    hook.run_if_missed()  # this process is the one in which it was made
    assert calls == []
    hook.pid = 1
    hook.run_if_missed()
    hook.in_child()
    assert calls == [1]
    hook.before()
    hook.pid = 1
    hook.in_child()
    assert calls == [1, 1]


def test_a_callback_that_comes_after_the_end_of_a_trace_adds_nothing() -> None:
    module = vars(sys.modules["conduit.record.trace"])
    for kind in ("_Collections", "_LabelSpans"):
        watcher = module[kind]()
        watcher._note("start", {}) if kind == "_Collections" else watcher._note(object(), (), False)
        assert watcher._tracer is None


class TestTrace:
    """They need viztracer."""

    @pytest.fixture(autouse=True)
    def _viztracer(self) -> None:
        pytest.importorskip("viztracer")

    def test_a_trace_whose_folder_is_a_file_by_now_is_refused_with_the_reason_and_the_next_one_starts(
        self, tmp_path: Path
    ) -> None:
        folder = tmp_path / "folder"
        folder.mkdir()
        tracing = Trace(folder / "trace.json")
        tracing.start()
        folder.rmdir()
        folder.write_text("a file")
        with pytest.raises(ConduitError, match=r"cannot write .*trace\.json: "):
            tracing.stop()
        with Trace(tmp_path / "trace.json"):
            pass
        assert sorted(path.name for path in tmp_path.iterdir()) == ["folder", "trace.json"]

    def test_a_trace_that_gives_way_is_ended_by_the_next_one(self, tmp_path: Path) -> None:
        first = Trace(tmp_path / "first.json")
        first.gives_way = True
        first.start()
        with Trace(tmp_path / "second.json"):
            assert (tmp_path / "first.json").exists()
        assert (tmp_path / "second.json").exists()

    def test_what_began_before_a_trace_or_ends_after_it_is_in_no_other_trace(self, tmp_path: Path) -> None:
        with conduit.label(route="/before"):
            tracing = Trace(tmp_path / "first.json")
            tracing.start()
        region = record.region("cut off").__enter__()
        tracing.stop()
        tracing.path = tmp_path / "second.json"
        tracing.start()  # the same object once more
        region.__exit__(None, None, None)
        tracing.stop()
        traces = [json.loads((tmp_path / f"{name}.json").read_bytes()) for name in ("first", "second")]
        names = {event["name"] for each in traces for event in each["traceEvents"]}
        assert not names & {"cut off", "route=/before"}

    def test_a_forked_child_that_is_not_to_record_has_no_trace_and_its_parent_has(
        self, tmp_path: Path
    ) -> None:
        script = (
            "import os, sys\nfrom conduit.record.trace import Trace\n"
            "module = sys.modules['conduit.record.trace']\n"
            "tracing = Trace('trace.json')\ntracing.follow_forks(None)\ntracing.start()\n"
            "child = os.fork()\n"
            "if child == 0:\n    os._exit(7 if module._running is None else 8)\n"
            "status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])\ntracing.stop()\nprint(status)\n"
        )
        done = subprocess.run(
            [sys.executable, "-W", "ignore", "-c", script],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            timeout=60,
        )
        assert (done.stdout, done.stderr) == ("7\n", "")
        assert [path.name for path in tmp_path.iterdir()] == ["trace.json"]

    def test_a_child_that_was_forked_while_the_trace_was_written_may_start_its_own(
        self, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> None:
        module = sys.modules["conduit.record.trace"]
        monkeypatch.setattr(module, "_running", Trace(tmp_path / "trace.json"))
        _after_fork_in_child()
        assert vars(module)["_running"] is None

    def test_memory_that_is_not_the_ring_is_not_given_back(self, tmp_path: Path) -> None:
        from conduit.record import trace_ring

        with Trace(tmp_path / "trace.json", max_events=5000) as tracing:
            tracer = tracing._tracer
            assert tracer is not None
            assert trace_ring.release(tracer, 77) is False
