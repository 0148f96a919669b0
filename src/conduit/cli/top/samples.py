"""Profiles of a process or a service for consecutive intervals, taken in a thread; the last ten are shown.

Tasks are read after each interval while they are wanted.
"""

from __future__ import annotations

import re
import threading
from collections import deque
from typing import TYPE_CHECKING, Protocol

from conduit.cli.top.tasks import TaskTimes

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Self

    from conduit.cli.top.tasks import Tasks
    from conduit.profile.model import Profile

_MAX_SHOWN = 10
_GRACE = 30.0  # seconds that a service may take to begin and to send


def fetch_profile(url: str, seconds: int) -> Profile:
    """Return the CPU profile of a service over the next `seconds`. Raises `ConduitError`."""
    from conduit.fetch.download import Target, download
    from conduit.fetch.endpoint_urls import endpoint_url
    from conduit.profile.codec import decode

    return decode(download(Target(endpoint_url(url, "profile", seconds=str(seconds)), seconds + _GRACE)))


class Intervals(Protocol):
    """A process or a service: `name` in messages, `file` for its profiles. `take` returns None once it has ended."""

    name: str
    file: str
    can_be_interrupted: bool

    def take(self, until: Callable[[], bool]) -> Profile | None:
        """Return the profile of the next interval, or of less if `until` is true."""
        ...

    def tasks(self) -> Tasks:
        """Return its tasks at this moment."""
        ...

    def close(self) -> None:
        """Let go of it."""
        ...


class ProcessIntervals:
    """A process, sampled from outside. Raises `ProfilerUnavailableError` if it cannot be."""

    can_be_interrupted = True

    def __init__(self, pid: int, seconds: float, rate_hz: int) -> None:
        from conduit.record.remote_intervals import IntervalRecorder

        self.name = f"process {pid}"
        self.file = f"{pid}.pb.gz"
        self._pid = pid
        self._seconds = seconds
        self._recorder = IntervalRecorder(pid, rate_hz)

    def take(self, until: Callable[[], bool]) -> Profile | None:
        """Return the profile of the next interval."""
        return self._recorder.record(self._seconds, until)

    def tasks(self) -> Tasks:
        """Return the tasks of the process."""
        from conduit.cli.top.tasks import tasks_of_process

        return tasks_of_process(self._pid)

    def close(self) -> None:
        """Let go of the process."""
        self._recorder.close()


class ServiceIntervals:
    """A service, whose endpoint is asked for one profile after the other."""

    can_be_interrupted = False

    def __init__(self, url: str, seconds: int) -> None:
        from conduit.fetch.download import without_password

        self.name = without_password(url)
        host = url.partition("://")[2] or url
        self.file = f"{re.sub('[^A-Za-z0-9.]+', '-', host.partition('/')[0].rpartition('@')[2])}.pb.gz"
        self._url = url
        self._seconds = seconds

    def take(self, until: Callable[[], bool]) -> Profile | None:
        """Return the profile of the next interval, which is not cut short."""
        return fetch_profile(self._url, self._seconds)

    def tasks(self) -> Tasks:
        """Return the tasks of the service."""
        from conduit.cli.top.tasks import tasks_of_service

        return tasks_of_service(self._url)

    def close(self) -> None:
        """Nothing is open between two requests."""


class Samples:
    """The profiles of the last intervals. In `with`, a thread takes them; leaving raises the error that ended it.

    Tasks are read while `wants_tasks` is set; `tasks` are the last ones, or None before they are read.
    """

    def __init__(self, intervals: Intervals) -> None:
        self.wants_tasks = False
        self.tasks: Tasks | None = None
        self._times = TaskTimes()
        self.name = intervals.name
        self.file = intervals.file
        self.has_ended = False
        self.error: BaseException | None = None
        self._intervals = intervals
        self._shown: deque[Profile] = deque(maxlen=_MAX_SHOWN)
        self._stop = threading.Event()
        self._changed: Callable[[], object] = lambda: None
        self._lock = threading.Lock()
        self._thread = threading.Thread(target=self._take_all, name="conduit top", daemon=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: object, *_: object) -> None:
        self.stop()
        if self._thread.ident is not None and self._intervals.can_be_interrupted:
            self._thread.join()
        self._intervals.close()
        if self.error is not None and kind is None:
            raise self.error

    def stop(self) -> None:
        """Take no more profiles; `changed` is not called after this."""
        with self._lock:
            self._stop.set()

    @property
    def is_over(self) -> bool:
        """Whether no more profiles come: the process has ended, or there is an error."""
        return self.has_ended or self.error is not None

    def start(self, changed: Callable[[], object]) -> None:
        """Begin; `changed` is called in the thread after each profile, and at the end."""
        self._changed = changed
        self._thread.start()

    def profile(self) -> Profile | None:
        """Return the sum of the last intervals; None before the first."""
        from conduit.profile.merge import merge

        with self._lock:
            shown = list(self._shown)
        return merge(shown) if shown else None

    def _take_all(self) -> None:
        try:
            while not self._stop.is_set():
                profile = self._intervals.take(self._stop.is_set)
                if profile is None:
                    self.has_ended = True
                    break
                tasks = self._noted_tasks()
                with self._lock:
                    self._shown.append(profile)
                    self.tasks = tasks
                self._tell()
        except BaseException as error:  # raised where the command can tell it
            if not self._stop.is_set():
                self.error = error
        self._tell()

    def _noted_tasks(self) -> Tasks | None:
        if self.wants_tasks:
            return self._times.note(self._intervals.tasks())
        self._times = TaskTimes()  # what a task does while it is not watched is not known
        return None

    def _tell(self) -> None:
        with self._lock:
            if not self._stop.is_set():
                self._changed()
