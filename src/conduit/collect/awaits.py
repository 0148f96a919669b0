"""Waits inside asyncio: how long each task was suspended, at which awaited line, and who held its locks.

How it works: every step of a task is a callback that the event loop runs. Around each one it is noted which task
ran and whether it is suspended afterwards; when its next step comes, the time between is charged to the chain of
coroutines it was suspended in. For `asyncio.Lock` and `Semaphore` the wait is also charged to the place that released
them. All of it is Python patched into asyncio while recording, and taken out again; a loop that is not asyncio's own
(uvloop) runs its callbacks past it and is not seen.
"""

from __future__ import annotations

import asyncio
import sys
import threading
import time
from typing import TYPE_CHECKING, Any, NamedTuple
from weakref import WeakKeyDictionary

from conduit.collect.threads import coroutine_frames, frames_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from conduit.collect.threads import Frame

_Stack = tuple["Frame", ...]


class Await(NamedTuple):
    """What was awaited at one place by tasks of one name."""

    contentions: int
    delay_ns: int
    task: str
    stack: _Stack


class AwaitWatch:
    """Counts awaits and contention while `on`; what it counted stays readable afterwards."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._suspended: WeakKeyDictionary[asyncio.Task[Any], tuple[int, _Stack]] = WeakKeyDictionary()
        self._unseen: WeakKeyDictionary[asyncio.Task[Any], None] = WeakKeyDictionary()
        self._waiting: WeakKeyDictionary[Any, dict[object, int]] = WeakKeyDictionary()
        self._awaits: dict[tuple[str, _Stack], list[int]] = {}
        self._releases: dict[_Stack, list[int]] = {}
        self._undo: list[Callable[[], None]] = []

    @property
    def on(self) -> bool:
        """Whether asyncio is patched now."""
        return bool(self._undo)

    def start(self) -> None:
        """Begins to count, from nothing."""
        self._awaits.clear()
        self._releases.clear()
        self._patch(asyncio.events.Handle, "_run", self._around_step)
        self._patch(asyncio.base_events.BaseEventLoop, "create_task", self._around_create_task)
        for kind in (asyncio.Lock, asyncio.Semaphore):
            self._patch(kind, "acquire", self._around_acquire)
            self._patch(kind, "release", self._around_release)

    def stop(self) -> None:
        """Takes the patches out; waits that are not over are not counted."""
        while self._undo:
            self._undo.pop()()
        self._suspended.clear()
        self._unseen.clear()

    def awaits(self) -> list[Await]:
        """The awaits counted so far."""
        with self._lock:
            return [
                Await(count, delay, task, stack) for (task, stack), (count, delay) in self._awaits.items()
            ]

    def releases(self) -> list[Await]:
        """The releases of contended locks counted so far, each with what the waiters had waited."""
        with self._lock:
            return [Await(count, delay, "", stack) for stack, (count, delay) in self._releases.items()]

    def _patch(self, owner: type, name: str, wrap: Callable[[Any], Any]) -> None:
        original = getattr(owner, name)
        inherited = name not in vars(owner)
        setattr(owner, name, wrap(original))

        def undo() -> None:
            if inherited:
                delattr(owner, name)
            else:
                setattr(owner, name, original)

        self._undo.append(undo)

    # ── tasks ──

    def _around_step(self, run: Callable[[Any], None]) -> Callable[[Any], None]:
        def _run(handle: Any) -> None:
            task = getattr(handle._callback, "__self__", None)
            if isinstance(task, asyncio.Task):
                self._resumed(task)
                run(handle)
                self._perhaps_suspended(task)
            elif type(handle._callback).__name__ == "TaskStepMethWrapper":
                # A first step, or one after sleep(0): C tells not whose, so those not seen yet are looked at.
                run(handle)
                for candidate in list(self._unseen):
                    self._perhaps_suspended(candidate)
            else:
                run(handle)

        return _run

    def _around_create_task(self, create: Callable[..., Any]) -> Callable[..., Any]:
        def create_task(loop: Any, *arguments: Any, **options: Any) -> Any:
            task = create(loop, *arguments, **options)
            if isinstance(task, asyncio.Task):
                self._unseen[task] = None
            return task

        return create_task

    def _perhaps_suspended(self, task: asyncio.Task[Any]) -> None:
        if task.done():
            self._unseen.pop(task, None)
        elif getattr(task, "_fut_waiter", None) is not None:
            self._unseen.pop(task, None)
            frames, _ = coroutine_frames(task)
            self._suspended[task] = (time.monotonic_ns(), frames)
        else:
            self._unseen[task] = None

    def _resumed(self, task: asyncio.Task[Any]) -> None:
        entry = self._suspended.pop(task, None)
        if entry is None:
            return
        since, stack = entry
        delay = time.monotonic_ns() - since
        with self._lock:
            sums = self._awaits.setdefault((task.get_name(), stack), [0, 0])
            sums[0] += 1
            sums[1] += delay

    # ── locks ──

    def _around_acquire(self, acquire: Callable[[Any], Any]) -> Callable[[Any], Any]:
        async def watched(lock: Any) -> Any:
            if not lock.locked():
                return await acquire(lock)
            waiting, token = self._waiting.setdefault(lock, {}), object()
            waiting[token] = time.monotonic_ns()
            try:
                return await acquire(lock)
            finally:
                del waiting[token]

        watched.__name__ = "acquire"
        watched.__qualname__ = acquire.__qualname__
        return watched

    def _around_release(self, release: Callable[[Any], None]) -> Callable[[Any], None]:
        def watched(lock: Any) -> None:
            waiting = self._waiting.get(lock)
            if waiting:
                self._charge(waiting, tuple(frames_of(sys._getframe(1))))
            release(lock)

        return watched

    def _charge(self, waiting: dict[object, int], stack: _Stack) -> None:
        now = time.monotonic_ns()
        delay = sum(now - since for since in waiting.values())
        waiting.update(dict.fromkeys(waiting, now))
        with self._lock:
            sums = self._releases.setdefault(stack, [0, 0])
            sums[0] += 1
            sums[1] += delay
