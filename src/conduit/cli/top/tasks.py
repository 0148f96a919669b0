"""The asyncio tasks of a process or a service, as rows: where each is, for how long, and what it waits for."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, NamedTuple

from conduit.errors import ConduitError
from conduit.units import counted

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from conduit.profile.model import Profile

_TIMEOUT = 30.0
_LIBRARY = "asyncio."
_STATES = ("running", "ready", "waiting")
NO_TASKS = "no asyncio task is unfinished"

Frames = tuple[tuple[str, str, int], ...]
"""Function, file and line of each call, innermost first."""


class Task(NamedTuple):
    """A task: `awaited_by` are the names of tasks; `seen_s` is how long every look has found it at the same line."""

    name: str
    state: str
    frames: Frames
    awaited_by: tuple[str, ...]
    seen_s: float = 0.0


class Tasks(NamedTuple):
    """All unfinished tasks; or none, and the reason; `profile` is the goroutine profile that they are from."""

    tasks: tuple[Task, ...]
    reason: str = ""
    profile: Profile | None = None


def tasks_of_process(pid: int) -> Tasks:
    """Return the tasks of a process, read from outside; `reason` is set if they cannot be read, or there are none."""
    from conduit.record import threads
    from conduit.record.remote_dump import dump_process

    try:
        taken = dump_process(pid)
    except ConduitError as error:
        return Tasks((), str(error))
    if not taken.dump.tasks:
        return Tasks((), taken.tasks_warning or NO_TASKS)
    found = (
        Task(
            task.name,
            task.state,
            tuple((taken.names(frame)[0], frame.filename, frame.line) for frame in task.frames),
            task.awaited_by,
        )
        for task in taken.dump.tasks
    )
    return Tasks(tuple(found), profile=threads.profile(taken.dump, taken.names))


def tasks_of_service(url: str) -> Tasks:
    """Return the tasks of a service, from its goroutine profile."""
    from conduit.fetch.download import Target, download
    from conduit.fetch.endpoint_urls import endpoint_url
    from conduit.profile.codec import decode

    try:
        profile = decode(download(Target(endpoint_url(url, "goroutine", debug="0"), _TIMEOUT)))
    except ConduitError as error:
        return Tasks((), str(error))
    found = tuple(_tasks_of_profile(profile))
    return Tasks(found, "" if found else NO_TASKS, profile)


def _tasks_of_profile(profile: Profile) -> Iterable[Task]:
    for sample in profile.samples:
        labels = {key: values[0] for key, values in sample.labels.items() if values}
        if "task" not in labels:
            continue
        frames = tuple(
            (line.function.name, line.function.filename, line.line)
            for location in sample.locations
            for line in location.lines
            if line.function
        )
        awaited_by = tuple(name for name in labels.get("awaited_by", "").split(", ") if name)
        for _ in range(sample.values[0]):
            yield Task(labels["task"], labels.get("state", "unknown"), frames, awaited_by)


class TaskTimes:
    """Remembers since when each task has been found at the same line.

    A task that goes on and returns to its line between two looks cannot be told from one that stays there.
    """

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._since: dict[tuple[str, str, Frames, int], float] = {}

    def note(self, tasks: Tasks) -> Tasks:
        """Return the tasks of this moment with their times."""
        now = self._clock()
        before, self._since = self._since, {}
        noted = []
        for task in tasks.tasks:
            number = 0  # of equal tasks, each has a time of its own
            while (key := (task.name, task.state, task.frames, number)) in self._since:
                number += 1
            self._since[key] = before.get(key, now)
            noted.append(task._replace(seen_s=now - self._since[key]))
        return tasks._replace(tasks=tuple(noted))


def count_states(tasks: Tasks) -> str:
    """Return how many tasks there are, in each state."""
    counts = [(sum(task.state == state for task in tasks.tasks), state) for state in _STATES]
    return f"{counted(len(tasks.tasks), 'task')}: " + ", ".join(f"{n:,} {state}" for n, state in counts)


def task_rows(tasks: Tasks, matches: Callable[[str], bool], *, has_times: bool) -> list[str]:
    """Return a row for each task: those that run first, then those that wait, the longest first."""
    awaited: dict[str, list[str]] = {}
    for task in tasks.tasks:
        for name in task.awaited_by:
            awaited.setdefault(name, []).append(task.name)
    order = {state: position for position, state in enumerate(_STATES)}
    ordered = sorted(
        tasks.tasks, key=lambda task: (order.get(task.state, len(order)), -round(task.seen_s), task.name)
    )
    rows = ((task, _text(task, awaited.get(task.name, []))) for task in ordered)
    return [
        f"{task.state:>8} {_duration(task.seen_s):>11}  {text}" if has_times else f"{task.state:>8}  {text}"
        for task, text in rows
        if matches(text)
    ]


def _duration(seconds: float) -> str:
    whole = round(seconds)
    if whole < 60:
        return f"{whole}s"
    minutes, whole = divmod(whole, 60)
    return f"{minutes}m{whole:02}s" if minutes < 60 else f"{minutes // 60}h{minutes % 60:02}m"


def _text(task: Task, awaited: list[str]) -> str:
    if not task.frames:
        return f"{task.name}: (no frames)"
    outermost = task.frames[-1][0]
    function, file, line = _own_frame(task.frames)
    location = f"{file.rpartition('/')[2]}:{line}"
    at = f"{outermost} ({location})" if function == outermost else f"{outermost}, in {function} ({location})"
    return f"{task.name}: {at}{_waits_for(task, awaited)}"


def _own_frame(frames: Frames) -> tuple[str, str, int]:
    """Return the innermost frame outside of asyncio."""
    return next((frame for frame in frames if not frame[0].startswith(_LIBRARY)), frames[0])


def _waits_for(task: Task, awaited: list[str]) -> str:
    if awaited:
        return f", waits for task{'' if len(awaited) == 1 else 's'} {', '.join(sorted(awaited))}"
    if task.state == "waiting" and task.frames[0][0].startswith(_LIBRARY):
        return f", waits in {task.frames[0][0]}"
    return ""
