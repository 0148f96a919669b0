"""A timeline of what a program did: calls, tasks, garbage collections, and the user's own regions.

How it works: viztracer (the extra `conduit-runtime[trace]`) records every call and return of Python and C functions in
a ring that keeps the newest `max_events` events; this module adds garbage collections and the user's regions, and
writes the file atomically. System calls and lock waits are seen as the C functions that make them (`socket.recv`,
`lock.acquire`). As a tracer, it adds about 0.2 µs to each call of a Python function and 0.1 µs to each call of a C
function (`benchmarks/trace_overhead.py`), so most programs take two to three times as long, and those that only call
functions seven times as long. On Python 3.11, threads that ran before the start are not seen, since that version can
set a profile function only for the calling thread and for threads that start later.
"""

from __future__ import annotations

import gc
import itertools
import os
import sys
import threading
from typing import TYPE_CHECKING, Any

from conduit._native.own_work import OwnWork
from conduit.errors import ConduitError, ProfilerBusyError, ProfilerUnavailableError
from conduit.record.forks import watch_forks
from conduit.record.labels import watch_labels
from conduit.record.thread_names import ThreadNames

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from types import TracebackType

    from viztracer import VizTracer

    from conduit.record.labels import Pairs

DEFAULT_EVENTS = 1_000_000

_lock = threading.Lock()
_active: _Start | None = None  # what records now; None while its events are being written
_running: Trace | None = None  # the recording that the tracer belongs to, until its file is written
_tracers: dict[int, VizTracer] = {}
_watches_forks = False


def available() -> bool:
    """Return whether viztracer is installed."""
    from importlib.util import find_spec

    return find_spec("viztracer") is not None


class _Start:
    """One start of a trace: many traces share a tracer, and one object may be started several times."""

    def __init__(self, tracer: VizTracer) -> None:
        self.tracer: VizTracer = tracer


class Trace:
    """A recording of a trace, as a context manager or between `start()` and `stop()`, which writes the file atomically.

    `path` gets Chrome's trace event JSON, which `conduit trace`, Perfetto and `vizviewer` open. Calls shorter than
    `min_duration_us` microseconds are omitted. The newest `max_events` events are kept, at about 100 bytes each; the
    memory stays for the next recording of that size, unless `releases_memory`. One recording at a time: a second one
    raises `ProfilerBusyError` until the first has been written.
    """

    def __init__(
        self,
        path: str | os.PathLike[str],
        *,
        max_events: int = DEFAULT_EVENTS,
        min_duration_us: float = 0,
        releases_memory: bool = False,
    ) -> None:
        if max_events < 1:
            raise ValueError(f"max_events must be at least 1, not {max_events}")
        from pathlib import Path

        self.name: str = os.fspath(path)
        self.path: Path = Path(path).absolute()  # the program may change its folder
        self.warnings: list[str] = []
        self._max_events = max_events
        self._min_duration_us = min_duration_us
        self._collections = _Collections()
        self._label_spans = _LabelSpans()
        self._names = ThreadNames(threading.get_native_id)
        self._tracer: VizTracer | None = None
        self._is_halted = False
        self._releases_memory = releases_memory
        self.gives_way: bool = False
        """Whether another trace may end this one by starting."""
        self._path_of_child: Callable[[str], str] | None = _path_with_pid

    def start(self) -> None:
        """Start. Raise `ProfilerUnavailableError` if viztracer is missing or a profile function is already set."""
        global _active, _running
        if _running is not None and _running.gives_way:
            _running.stop()
        with _lock, OwnWork():
            if _running is not None:
                raise ProfilerBusyError("Could not enable tracing: execution tracer already enabled")
            foreign = sys.getprofile()
            if foreign is not None and not any(foreign is tracer for tracer in _tracers.values()):
                raise ProfilerUnavailableError(
                    f"cannot trace: this thread already has a profile function ({foreign!r}). Stop it first."
                )
            _watch_forks()
            tracer = _tracer(self._max_events, self._min_duration_us)
            self._tracer = tracer
            _active, _running = _Start(tracer), self
            self._is_halted = False
            self._collections.watch(tracer)
            self._names.watch()
            self._label_spans.watch(tracer)
            if sys.version_info < (3, 12):
                threading.setprofile(
                    tracer.threadtracefunc
                )  # for threads to come; later versions have one for all
            tracer.start()

    def halt(self) -> None:
        """Stop recording events; `stop()` writes the file later."""
        global _active
        with _lock, OwnWork():
            tracer = self._tracer
            if tracer is None or self._is_halted:
                return
            self._is_halted = True
            tracer.stop()
            self._collections.unwatch()
            self._names.unwatch()
            self._label_spans.unwatch()
            _active = None
            if sys.version_info < (3, 12):
                # Threads that run on keep the tracer's function, which finds it stopped; new ones must not get it.
                threading.setprofile(None)

    def stop(self) -> None:
        """End the recording and write the file. Do nothing if it was not started or has been stopped.

        Raise `ConduitError` if the file cannot be written.
        """
        self._end(self._write)

    def follow_forks(self, path_of_child: Callable[[str], str] | None) -> None:
        """Set the file of a forked child (path of this process -> path there); with None a child does not record."""
        self._path_of_child = path_of_child

    def _after_fork_in_child(self) -> None:
        """Start again without events in a file of the child's own, or not at all; the parent writes its own events."""
        tracer = self._tracer
        assert tracer is not None
        if self._path_of_child is None:
            self.discard()
            return
        tracer.clear()
        self.warnings.clear()
        from pathlib import Path

        self.name = self._path_of_child(str(self.path))
        self.path = Path(self.name)

    def discard(self) -> None:
        """End the recording without writing a file."""
        self._end(lambda _: None)

    def _end(self, write: Callable[[VizTracer], None]) -> None:
        """End the trace; no other may start before its events are written and cleared, since the tracer holds them."""
        global _running
        self.halt()
        with _lock:
            tracer, self._tracer = self._tracer, None
        if tracer is None:
            return
        try:
            with OwnWork():
                write(tracer)
        finally:
            tracer.clear()
            if self._releases_memory:
                from conduit.record import trace_ring

                trace_ring.release(tracer, self._max_events)
            with _lock:
                if _running is self:
                    _running = None

    def _write(self, tracer: VizTracer) -> None:
        import tempfile
        from pathlib import Path

        from conduit.files import is_replaceable, write_file_whole

        try:
            if is_replaceable(str(self.path)):
                path = self.path.resolve()  # a link goes on to point at the same path
                self._write_file(tracer, path.with_name(f".conduit-{os.urandom(8).hex()}"), path)
                return
            with tempfile.TemporaryDirectory(prefix="conduit-") as folder:
                path = Path(folder) / "trace"
                self._write_file(tracer, path, path)
                write_file_whole(str(self.path), path.read_bytes())
        except OSError as error:
            raise ConduitError(f"cannot write {self.name}: {error.strerror or error}") from None

    def _write_file(self, tracer: VizTracer, beside: Path, path: Path) -> None:
        from conduit.record.module_names import ModuleNames
        from conduit.record.trace_file import finish

        name_of = self._names.resolve()
        dumped, unfinished = (beside.with_name(f"{beside.name}.{n}.tmp") for n in ("dump", "json"))
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            tracer.dump(str(dumped))
            # The tracer asks when a thread is too young (3.12 and later) or gone to have a name.
            finish(dumped, unfinished, lambda thread: name_of(thread, thread), ModuleNames.of_this_process())
            unfinished.replace(path)
        finally:
            dumped.unlink(missing_ok=True)
            unfinished.unlink(missing_ok=True)

    def __enter__(self) -> Trace:
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()


def _path_with_pid(path: str) -> str:
    return f"{path}.{os.getpid()}"


def _watch_forks() -> None:
    global _watches_forks
    if not _watches_forks:
        watch_forks(_after_fork_in_child, _lock)
        _watches_forks = True


def _after_fork_in_child() -> None:
    global _running
    if _running is not None and _running._tracer is None:
        _running = None  # the parent was writing it
    elif _running is not None:
        _running._after_fork_in_child()


def trace(
    path: str | os.PathLike[str], *, max_events: int = DEFAULT_EVENTS, min_duration_us: float = 0
) -> Trace:
    """Return a recording of a trace into `path`: `with conduit.record.trace("trace.out"): …`. See `Trace`."""
    return Trace(path, max_events=max_events, min_duration_us=min_duration_us)


class region:  # noqa: N801 (reads as a verb's object: `with region("index"):`)
    """A context manager that names a part of the program's work in the trace; almost free without a running trace.

    It is shown among the calls of its thread. In an asyncio task, which others interrupt, it has a track of its own
    name.
    """

    __slots__ = ("_begin", "_start", "_task", "name")

    def __init__(self, name: str) -> None:
        self.name: str = name
        self._start: _Start | None = None
        self._task: str | None = None
        self._begin = 0.0

    def __enter__(self) -> region:
        start = _active
        if start is not None:
            self._start = start
            self._task = _current_task_name()
            self._begin = start.tracer.getts()
        return self

    def __exit__(self, *_: object) -> None:
        start, self._start = self._start, None
        if start is None or start is not _active:
            return
        if self._task is None:
            _add_span(start.tracer, self.name, "region", self._begin)
        else:
            _add_span_of_task(start.tracer, self.name, self._task, self._begin)


class _Collections:
    """Turns the start and stop of garbage collections into spans, with the generation and what was collected."""

    def __init__(self) -> None:
        self._tracer: VizTracer | None = None
        self._start = 0.0

    def watch(self, tracer: VizTracer) -> None:
        self._tracer = tracer
        gc.callbacks.append(self._note)

    def unwatch(self) -> None:
        gc.callbacks.remove(self._note)
        self._tracer = None

    def _note(self, phase: str, info: dict[str, Any]) -> None:
        tracer = self._tracer
        if tracer is None:
            return
        if phase == "start":
            self._start = tracer.getts()
        elif self._start:
            _add_span(tracer, f"garbage collection, generation {info['generation']}", "gc", self._start, info)
            self._start = 0.0


class _LabelSpans:
    """Turns blocks of `conduit.label` into spans with the labels as arguments; those of a task are on its own track."""

    def __init__(self) -> None:
        self._tracer: VizTracer | None = None
        self._open: dict[tuple[object, int, str | None], list[tuple[float, Pairs]]] = {}

    def watch(self, tracer: VizTracer) -> None:
        self._tracer = tracer
        watch_labels(self._note)

    def unwatch(self) -> None:
        watch_labels(None)
        self._tracer = None
        self._open.clear()

    def _note(self, owner: object, labels: Pairs, begins: bool) -> None:
        tracer = self._tracer
        if tracer is None:
            return
        task = _current_task_name()
        key = (owner, threading.get_ident(), task)
        if begins:
            self._open.setdefault(key, []).append((tracer.getts(), labels))
            return
        entries = self._open.get(key)
        if not entries:  # it was entered before the trace, or elsewhere
            return
        start, _ = entries.pop()
        if not entries:
            del self._open[key]
        name = ", ".join(f"{name}={text}" for name, text in labels)
        if task is None:
            _add_span(tracer, name, "label", start, dict(labels))
        else:
            _add_span_of_task(tracer, name, task, start, dict(labels), "label")


def _add_span(
    tracer: VizTracer, name: str, category: str, start: float, arguments: dict[str, Any] | None = None
) -> None:
    span = {"ph": "X", "name": name, "cat": category, "ts": start, "dur": tracer.getts() - start}
    tracer.add_raw({**span, "args": dict(arguments)} if arguments else span)


_task_spans = itertools.count(1)


def _add_span_of_task(
    tracer: VizTracer,
    name: str,
    task: str,
    start: float,
    arguments: dict[str, Any] | None = None,
    category: str = "region",
) -> None:
    """Add an asynchronous span: begin and end have a common number, so it need not nest in the calls of a thread."""
    span = {"name": name, "cat": category, "id2": {"local": str(next(_task_spans))}}
    tracer.add_raw({**span, "ph": "b", "ts": start, "args": {"task": task, **(arguments or {})}})
    tracer.add_raw({**span, "ph": "e", "ts": tracer.getts()})


def _current_task_name() -> str | None:
    """Return the name of the task that runs in this thread, without importing asyncio."""
    asyncio = sys.modules.get("asyncio")
    if asyncio is None or asyncio._get_running_loop() is None:
        return None
    task = asyncio.current_task()
    return None if task is None else str(task.get_name())


def _tracer(max_events: int, min_duration_us: float) -> VizTracer:
    """Return the process's tracer with a ring of this size.

    It is made once and never freed: threads that it has seen write into it when they end (viztracer 1.1), which may be
    long after the recording, and each tracer takes one of the process's 1,024 places for thread-local values.
    """
    tracer = _tracers.get(max_events)
    if tracer is None:
        tracer = _tracers[max_events] = _new_tracer(max_events)
    tracer.min_duration = min_duration_us
    return tracer


def _new_tracer(max_events: int) -> VizTracer:
    try:
        from viztracer import VizTracer
    except ModuleNotFoundError:
        from conduit.extras import how_to_install

        raise ProfilerUnavailableError(f"a trace needs viztracer: {how_to_install('viztracer')}") from None
    return VizTracer(tracer_entries=max_events, verbose=0, log_async=True, register_global=False)
