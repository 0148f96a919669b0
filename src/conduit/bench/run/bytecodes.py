"""bytecodes/op: the number of interpreter instructions per operation, independent of machine noise.

Python 3.12 and later report every instruction through `sys.monitoring`, 3.11 through the trace function. The count
covers instructions of Python code in all threads, including the loop's own three per iteration and excluding the
harness; work inside C code is not counted. Two runs differ by one iteration, and what they have in common cancels.
"""

from __future__ import annotations

import itertools
import sys
import threading
from typing import TYPE_CHECKING

from conduit.bench.run.loop import Benchmark, caller_outside_harness, is_harness_file

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import CodeType, FrameType
    from typing import Any

SHORT_RUN = 2
LONG_RUN = 3


class InstructionCounter:
    """Counts instructions between `start` and `stop`; `read` says how many so far. Lends the interpreter's hooks."""

    def __init__(self) -> None:
        self._tick = itertools.count().__next__
        self._reads = 0

    def start(self) -> None:
        """Put the hooks in."""
        raise NotImplementedError

    def stop(self) -> None:
        """Put back what was there before."""
        raise NotImplementedError

    def enter_thread(self) -> None:
        """Join a thread that ran already when the counting started."""

    def read(self) -> int:
        """Return the instructions so far, without those that reading the counter takes."""
        self._reads += 1
        return self._tick() - (self._reads - 1)


class TraceCounter(InstructionCounter):
    """By `sys.settrace` with opcode events (3.11)."""

    def start(self) -> None:
        """Trace new frames, and the ones that are on the stack outside the harness."""
        self._previous = sys.gettrace()
        self._previous_in_threads = threading.gettrace()
        self._frames: list[FrameType] = []
        frame = caller_outside_harness()
        if frame is not None:
            frame.f_trace_opcodes = True
            frame.f_trace = self._on_event
            self._frames.append(frame)
        threading.settrace(self._on_call)
        sys.settrace(self._on_call)

    def stop(self) -> None:
        """Put back what was there before."""
        sys.settrace(self._previous)
        threading.settrace(self._previous_in_threads)
        for frame in self._frames:
            frame.f_trace = None
            frame.f_trace_opcodes = False

    def enter_thread(self) -> None:
        """Trace functions belong to a thread: this one is set until the thread ends."""
        sys.settrace(self._on_call)

    def _on_call(self, frame: FrameType, event: str, argument: Any) -> Any:
        if is_harness_file(frame.f_code.co_filename):
            return None
        frame.f_trace_opcodes = True
        frame.f_trace_lines = False
        return self._on_event

    def _on_event(self, frame: FrameType, event: str, argument: Any) -> Any:
        if event == "opcode":
            self._tick()
        return self._on_event


class MonitoringCounter(InstructionCounter):
    """By `sys.monitoring` (3.12 and later)."""

    def start(self) -> None:
        """Take a free tool id and asks for every instruction."""
        monitoring = sys.monitoring  # type: ignore[attr-defined,unused-ignore]
        self._tool = next((tool for tool in (4, 3) if monitoring.get_tool(tool) is None), None)
        if self._tool is None:
            raise RuntimeError("no tool id of sys.monitoring is free; run without other tracing tools")
        tick = self._tick
        disable = monitoring.DISABLE

        def on_instruction(code: CodeType, offset: int) -> Any:
            if is_harness_file(code.co_filename):
                return disable
            return tick() and None

        monitoring.use_tool_id(self._tool, "conduit bench")
        monitoring.register_callback(self._tool, monitoring.events.INSTRUCTION, on_instruction)
        monitoring.set_events(self._tool, monitoring.events.INSTRUCTION)

    def stop(self) -> None:
        """Give the tool id back."""
        monitoring = sys.monitoring  # type: ignore[attr-defined,unused-ignore]
        monitoring.set_events(self._tool, 0)
        monitoring.register_callback(self._tool, monitoring.events.INSTRUCTION, None)
        monitoring.free_tool_id(self._tool)


def new_counter() -> InstructionCounter:
    """Return the instruction counter for this interpreter."""
    return MonitoringCounter() if sys.version_info >= (3, 12) else TraceCounter()


class BytecodeBenchmark(Benchmark):
    """A `b` that counts instructions while its timer runs."""

    __slots__ = ("_counter", "total")

    def __init__(self, name: str, n: int, **settings: object) -> None:
        super().__init__(name, n, **settings)  # type: ignore[arg-type]
        self.total: int = 0
        self._counter: InstructionCounter | None = None

    def start_timer(self) -> None:
        """Start counting."""
        if not self._running:
            super().start_timer()
            self._counter = new_counter()
            self._counter.start()

    def stop_timer(self) -> None:
        """Stop counting."""
        if self._running and self._counter is not None:
            self._counter.stop()
            super().stop_timer()
            self.total += self._counter.read()

    def _enter_thread(self) -> None:
        if self._counter is not None:
            self._counter.enter_thread()

    def _forget_readings(self) -> None:
        super()._forget_readings()
        self.total = 0


def count_bytecodes(run: Callable[[int], int]) -> int:
    """Return the instructions of one operation; `run(n)` does n iterations and returns their instructions."""
    return max(run(LONG_RUN) - run(SHORT_RUN), 0)
