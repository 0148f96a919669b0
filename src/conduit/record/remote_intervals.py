"""CPU profiles of another process from outside, for consecutive intervals without gaps, for views that are updated.

If a thread used CPU time in an interval without being found running, that time is charged to the stacks of a later
interval, so no time is lost in short intervals. Samples have the names of their threads.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from conduit.profile.builder import ProfileBuilder
from conduit.profile.model import ValueType
from conduit.record.process_memory import ProcessMemory, UnreadableMemoryError
from conduit.record.remote import OUTSIDE_RATE_HZ, Interpreter, has_ended, main_stack, sample_until
from conduit.record.remote_charges import Charges
from conduit.record.remote_names import names_of_process
from conduit.record.remote_thread_names import name_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Self

    from conduit.profile.model import Profile


class IntervalRecorder:
    """Samples a process from outside, `rate_hz` times a second.

    Raise `ProfilerUnavailableError` if the process cannot be read, or that is not permitted. Close it, or use it in
    `with`.
    """

    def __init__(self, pid: int, rate_hz: int = OUTSIDE_RATE_HZ) -> None:
        self._pid = pid
        self._period_ns = round(1e9 / rate_hz)
        self._memory = ProcessMemory(pid)
        try:
            self._interpreter = Interpreter(self._memory)
        except BaseException:
            self.close()
            raise
        self._charges = Charges()
        self._names: dict[int, str] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the process's memory."""
        self._memory.__exit__(None, None, None)

    def record(self, seconds: float, until: Callable[[], bool] = lambda: False) -> Profile | None:
        """Return a profile of the next `seconds`, or less if `until()` is true; None if the process has ended.

        Values are the number of samples and CPU nanoseconds; the label `thread` is a thread's name with its native id.
        """
        if has_ended(self._pid):
            return None
        cpu = ValueType("cpu", "nanoseconds")
        began_ns, end_ns = time.time_ns(), time.monotonic_ns() + round(seconds * 1e9)
        builder = ProfileBuilder(
            [ValueType("samples", "count"), cpu],
            period_type=cpu,
            period=self._period_ns,
            name_function=names_of_process(self._pid, main_stack(self._interpreter, self._pid)),
        )
        self._read_names()
        samples = sample_until(
            self._interpreter, self._pid, end_ns, self._period_ns, until, self._charges, is_last=False
        )
        for tid, cpu_ns, frames in samples:
            builder.add(frames, [1, cpu_ns], {"thread": self._name(tid)})
        return builder.build(began_ns, time.time_ns() - began_ns)

    def _name(self, tid: int) -> str:
        if tid not in self._names:
            self._read_names()  # it began after the last reading
        return self._names.get(tid, f"thread {tid}")

    def _read_names(self) -> None:
        """Read the names of all threads; those of threads that have ended are kept."""
        try:
            for address in self._interpreter.interpreters():
                for thread in self._interpreter.threads(address):
                    stack = self._interpreter.addressed_stack(thread)
                    name, _ = name_of(self._memory, self._interpreter, thread, stack)
                    number = str(thread.native_id)
                    self._names[thread.native_id] = name if number in name else f"{name} ({number})"
        except UnreadableMemoryError:
            return  # the list has just changed; threads without a name have their number
