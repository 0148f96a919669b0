"""CPU profiles of another process, taken from outside, without any code of Conduit in that process.

How it works: at random intervals, `rate_hz` times a second on average, the stacks of the threads that are running are
read from the process's memory (`_native/remote_reader.c`). A sample counts only if, according to the kernel, its thread
was running or preempted during the whole time in which its stack was read. The CPU time that the kernel reports for
each thread is divided among the thread's stacks of the same second (`remote_charges`). The time of a thread that was
never found running is `[ran between two samples]`.

The process keeps running while it is read, so a stack may be inconsistent: one part from before a call and another from
after it. A generator that has just yielded is separated from its callers. So a stack counts only if it reaches the
thread's outermost frame and its callers are unchanged when they are read a second time; otherwise it is read again.
With `stops`, the thread is stopped while it is read.

Limits: processes of CPython 3.13 to 3.15 can be read from any version, those of 3.11 and 3.12 only by the same minor
version (see `interpreter_layout`). This module does not read the names of threads; `remote_intervals` does.
`docs/performance.md` has the measured errors. A profile taken inside the process (`cpu`) is more accurate.
"""

from __future__ import annotations

import random
import struct
import time
from opcode import opmap
from pathlib import Path
from typing import TYPE_CHECKING, NamedTuple

from conduit._native import available, reason
from conduit.errors import ProfilerUnavailableError
from conduit.record.interpreter_layout import read_layout
from conduit.record.naming import FrameNames
from conduit.record.process_memory import ProcessMemory, UnreadableMemoryError, find_symbols
from conduit.record.remote_charges import Charge, Charges
from conduit.record.remote_names import names_of_process

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import CodeType

    from conduit._native._core import RemoteReader
    from conduit.profile.model import Profile
    from conduit.record.interpreter_layout import Layout
    from conduit.record.naming import Frame

OUTSIDE_RATE_HZ = 1000
"""Samples a second from outside: a sample that finds no thread running is wasted, and costs little."""
BLOCKING_RATE_HZ = 200
"""Samples a second where threads are stopped: a stop takes the thread a quarter of a millisecond."""
UNREAD: Frame = ("[stack could not be read]", "", 0, 0)
_STRETCH_NS = 1_000_000_000
_CHECK_NS = 50_000_000  # between two checks that the process has not ended
_MIN_IDLE_RATIO = 10  # sampling many threads takes long: it uses at most a tenth of a processor
_MAX_THREADS = 10_000
_MAX_ATTEMPTS = 5
_MAX_STACKS = 5_000  # of the named ones that are kept
_FRAMES = struct.Struct("<5Q")
_MAX_TEXT = 10_000
_MAX_TABLE = 10_000_000
_KIND_SHIFT = 2  # bits of a string's state before its width
_REFERENCE = ~7  # from 3.14 on the low bits of a reference say how it is counted
_ANY_OWNER = 256
_NOP = bytes([opmap["NOP"], 0])
_SYMBOLS = {"_PyRuntime", "Py_Version", "PyCode_Type", "_Py_TrueStruct"}


class _ChangedStackError(Exception):
    """The memory that was read cannot be a stack."""


class _RawFrame(NamedTuple):
    """A frame of the other process, whose addresses are those of that process."""

    address: int
    previous: int
    code: int
    instruction: int
    owner: int


class RemoteThread(NamedTuple):
    """A Python thread of the other process: the address of its state, its ident, and its native id."""

    address: int
    ident: int
    native_id: int


class Interpreter:
    """The Python threads of another process and their stacks. Raise `ProfilerUnavailableError` if none can be read.

    `version` is the process's (major, minor), `layout` the offsets in its structures, `true` the address of its `True`.
    """

    def __init__(self, memory: ProcessMemory) -> None:
        if not available():
            raise ProfilerUnavailableError(f"no process can be read from outside: {reason()}")
        from conduit._native import _core

        self._memory = memory
        self.version: tuple[int, int] = (0, 0)
        try:
            self._symbols, self._at = self._find_interpreter()
        except UnreadableMemoryError:
            raise ProfilerUnavailableError(
                f"process {memory.pid} has just ended, or become another program"
            ) from None
        self.layout: Layout = self._at
        self.true: int = self._symbols["_Py_TrueStruct"]
        self._codes: dict[tuple[int, int], tuple[CodeType, int]] = {}
        self._stacks: dict[bytes, tuple[tuple[int, Frame], ...]] = {}
        self._names = FrameNames(_core.line_of)
        self._core = _core
        self._reader = self.reader()

    def _find_interpreter(self) -> tuple[dict[str, int], Layout]:
        for file in self._memory.files():
            if "python" not in file.path:
                continue
            symbols = find_symbols(file, _SYMBOLS)
            if symbols.keys() < _SYMBOLS:
                continue
            version = self._memory.pointer(symbols["Py_Version"])
            self.version = (version >> 24 & 0xFF, version >> 16 & 0xFF)
            return symbols, read_layout(self._memory, symbols["_PyRuntime"], self.version)
        raise ProfilerUnavailableError(
            f"process {self._memory.pid} is no CPython of version 3.11 or later that could be read"
        )

    def interpreters(self) -> Iterator[int]:
        """Yield the address of each interpreter's state, newest first; the main interpreter is last."""
        interpreter = self._memory.pointer(self._symbols["_PyRuntime"] + self._at["runtime.interpreters"])
        while interpreter:
            yield interpreter
            interpreter = self._memory.pointer(interpreter + self._at["interpreter.next"])

    def threads(self, interpreter: int) -> Iterator[RemoteThread]:
        """Yield the threads of an interpreter, newest first."""
        read, at = self._memory.pointer, self._at
        thread = read(interpreter + at["interpreter.threads"])
        for _ in range(_MAX_THREADS):
            if not thread:
                return
            ident, native_id = read(thread + at["thread.ident"]), read(thread + at["thread.native_id"])
            yield RemoteThread(thread, ident, native_id)
            thread = read(thread + at["thread.next"])

    def stacks(self) -> Iterator[tuple[int, list[Frame] | None]]:
        """Yield (native id, frames leaf first) of each Python thread; None for frames that kept changing."""
        for interpreter in self.interpreters():
            for thread in self.threads(interpreter):
                yield thread.native_id, self.stack(thread)

    def stack(self, thread: RemoteThread) -> list[Frame] | None:
        """Return the frames of a thread, leaf first, or None if the stack kept changing."""
        frames = self.addressed_stack(thread)
        return None if frames is None else [frame for _, frame in frames]

    def addressed_stack(self, thread: RemoteThread) -> list[tuple[int, Frame]] | None:
        """Return (address, frame) for the frames of a thread, leaf first, or None if the stack kept changing."""
        for _ in range(_MAX_ATTEMPTS):
            raw = self._reader.stack(thread.address)
            located = None if raw is None else self._located(raw)
            if located is not None:
                return list(located)
        return None

    def frames_of(self, raw: bytes) -> list[Frame] | None:
        """Return the frames of a stack that the reader returned; None if they cannot be named."""
        located = self._located(raw)
        return None if located is None else [frame for _, frame in located]

    def reader(self, *, stops: bool = False) -> RemoteReader:
        """Return a new reader of the process; with `stops` it stops each running thread while its stack is read."""
        layout = {
            **self._at,
            "runtime": self._symbols["_PyRuntime"],
            "code_type": self._symbols["PyCode_Type"],
        }
        return self._core.RemoteReader(self._memory.pid, self._memory.descriptor, layout, stops)

    def _located(self, raw: bytes) -> tuple[tuple[int, Frame], ...] | None:
        """Return (address, frame) for each frame that has a location; None if the code has changed since."""
        known = self._stacks.get(raw)
        if known is not None:
            return known
        try:
            located = tuple(self._locate(raw))
        except (UnreadableMemoryError, _ChangedStackError, ValueError):
            return None
        if len(self._stacks) >= _MAX_STACKS:
            self._stacks.clear()
        self._stacks[raw] = located
        return located

    def _locate(self, raw: bytes) -> Iterator[tuple[int, Frame]]:
        for address, _, address_of_code, instruction, identity in _FRAMES.iter_unpack(raw):
            if address_of_code:
                code, first_traceable = self._code(address_of_code, identity)
                location = self._name(code, first_traceable, address_of_code, instruction)
                if location is not None:
                    yield address, location

    def frame_at(self, address: int) -> Frame | None:
        """Return the location of one frame, such as a suspended coroutine's; None if it has none.

        Raise `ConduitError` if the memory is not a frame.
        """
        try:
            return self._location(self._frame(address))
        except (_ChangedStackError, ValueError) as error:
            raise UnreadableMemoryError(f"no frame at {address:#x}: {error}") from None

    def text_at(self, address: int) -> str:
        """Return the `str` at an address. Raise `ConduitError` if the memory is not a `str`."""
        try:
            return self._text(address)
        except (_ChangedStackError, ValueError) as error:
            raise UnreadableMemoryError(f"no text at {address:#x}: {error}") from None

    def _frame(self, address: int) -> _RawFrame:
        at = self._at
        data = self._memory.read(address, at["frame.size"])
        return _RawFrame(
            address,
            _word(data, at["frame.previous"]),
            _word(data, at["frame.code"]) & _REFERENCE,
            _word(data, at["frame.instruction"]),
            data[at["frame.owner"]],
        )

    def _location(self, frame: _RawFrame) -> Frame | None:
        """Return the location of a frame; None if it is not Python's (the entry from C) or has not started."""
        if frame.owner >= self._at.get("owner.of_entry", _ANY_OWNER):
            return None
        if self._memory.pointer(frame.code + self._at["object.type"]) != self._symbols["PyCode_Type"]:
            raise _ChangedStackError
        code, first_traceable = self._read_code(frame.code)
        return self._name(code, first_traceable, frame.code, frame.instruction)

    def _name(self, code: CodeType, first_traceable: int, address_of_code: int, at: int) -> Frame | None:
        instruction = at - address_of_code - self._at["code.instructions"]
        if not -2 <= instruction < _MAX_TABLE:
            raise _ChangedStackError
        if instruction < first_traceable:
            return None
        return self._names.frame(code, instruction)

    def _code(self, address: int, identity: int) -> tuple[CodeType, int]:
        """Return the code object at an address, identified by its contents, since the process may replace it."""
        known = self._codes.get((address, identity))
        if known is None:
            known = self._codes[address, identity] = self._read_code(address)
        return known

    def _read_code(self, address: int) -> tuple[CodeType, int]:
        """Return a code object of this process with the names and lines of the other process's."""
        at = self._at
        filename = self._text(self._memory.pointer(address + at["code.filename"]))
        qualname = self._text(self._memory.pointer(address + at["code.qualname"]))
        table = self._bytes(self._memory.pointer(address + at["code.linetable"]))
        (first_line,) = struct.unpack("<i", self._memory.read(address + at["code.first_line"], 4))
        (traceable,) = struct.unpack("<i", self._memory.read(address + at["code.first_traceable"], 4))
        code = _template.__code__.replace(
            co_filename=filename,
            co_qualname=qualname,
            co_firstlineno=max(first_line, 0),
            co_linetable=table,
            co_code=_NOP
            * self._count_instructions(address),  # the line of an instruction beyond the code is undefined
        )
        return code, traceable * 2

    def _count_instructions(self, code: int) -> int:
        count = self._memory.pointer(
            code + self._at["bytes.size"]
        )  # where every object of variable size has its size
        if not 0 < count < _MAX_TABLE:
            raise _ChangedStackError
        return count

    def _bytes(self, address: int) -> bytes:
        size = self._memory.pointer(address + self._at["bytes.size"])
        if size > _MAX_TABLE:
            raise _ChangedStackError
        return self._memory.read(address + self._at["bytes.data"], size)

    def _text(self, address: int) -> str:
        length = self._memory.pointer(address + self._at["text.length"])
        (state,) = struct.unpack("<I", self._memory.read(address + self._at["text.state"], 4))
        if length > _MAX_TEXT:
            raise _ChangedStackError
        width = state >> _KIND_SHIFT & 7
        is_ascii = state >> (_KIND_SHIFT + 4) & 1
        data = address + self._at["text.ascii_data" if is_ascii else "text.data"]
        encoding = {1: "latin-1", 2: "utf-16-le", 4: "utf-32-le"}.get(width)
        if encoding is None:
            raise _ChangedStackError
        return self._memory.read(data, length * width).decode(encoding, "surrogatepass")


def _template() -> None:
    """Has the code object that is the template for those of the other process."""


def _word(data: bytes, offset: int) -> int:
    value: int = struct.unpack_from("<Q", data, offset)[0]
    return value


def has_ended(pid: int) -> bool:
    """Return whether the process has ended, including a process that its parent has not waited for."""
    try:
        stat = Path(f"/proc/{pid}/stat").read_text(errors="replace")
    except OSError:
        return True
    return stat.rpartition(")")[2].split()[0] in ("Z", "X")


def record(
    pid: int,
    seconds: float,
    rate_hz: int = OUTSIDE_RATE_HZ,
    *,
    until: Callable[[], bool] = lambda: False,
    stops: bool = False,
) -> Profile:
    """Return a CPU profile of process `pid` over the next `seconds`, until it ends, Ctrl-C, or `until()` is true.

    Values are the number of samples and CPU nanoseconds. With `stops`, each running thread is stopped while its stack
    is read. Raise `ProfilerUnavailableError` if the process cannot be read or stopped, or that is not permitted.
    """
    from conduit.profile.builder import ProfileBuilder
    from conduit.profile.model import ValueType

    period_ns = round(1e9 / rate_hz)
    cpu = ValueType("cpu", "nanoseconds")
    began_ns = time.time_ns()
    with ProcessMemory(pid) as memory:
        interpreter = Interpreter(memory)
        _check_clocks()
        builder = ProfileBuilder(
            [ValueType("samples", "count"), cpu],
            period_type=cpu,
            period=period_ns,
            name_function=names_of_process(pid, main_stack(interpreter, pid)),
        )
        charges = Charges()
        end_ns = time.monotonic_ns() + round(seconds * 1e9)
        for tid, cpu_ns, frames in sample_until(
            interpreter, pid, end_ns, period_ns, until, charges, stops=stops
        ):
            builder.add(frames, [1, cpu_ns], {"thread": f"thread {tid}"})
    return builder.build(began_ns, time.time_ns() - began_ns)


def _check_clocks() -> None:
    """Raise `ProfilerUnavailableError` if the kernel counts neither the time of threads nor how often they run."""
    try:
        if any(int(n) for n in Path("/proc/self/schedstat").read_bytes().split()):
            return
    except OSError:
        pass
    raise ProfilerUnavailableError(
        "this kernel does not say when a thread runs (/proc/PID/schedstat), so no process can be sampled from outside; "
        "conduit run and the debug endpoint record inside the process"
    )


def main_stack(interpreter: Interpreter, pid: int) -> list[Frame]:
    """Return the frames of the main thread, leaf first; empty if they cannot be read now."""
    try:
        return next((frames or [] for tid, frames in interpreter.stacks() if tid == pid), [])
    except UnreadableMemoryError:
        return []


def sample_until(
    interpreter: Interpreter,
    pid: int,
    end_ns: int,
    period_ns: int,
    until: Callable[[], bool],
    charges: Charges,
    *,
    is_last: bool = True,
    stops: bool = False,
) -> Iterator[Charge]:
    """Yield the CPU time of the threads, one second at a time, until `end_ns` on the monotonic clock.

    If `is_last` is false, time without a stack stays in `charges` for the next call. With `stops`, each running thread
    is stopped while its stack is read.
    """
    from conduit._native import _core

    reader = interpreter.reader(stops=stops)
    rng = random.Random()
    next_ns = now_ns = time.monotonic_ns()
    settles_ns, checks_ns = now_ns + _STRETCH_NS, now_ns
    # Without it, sampling often starts when the thread that it preempts has come to its end.
    _core.raise_priority()
    try:
        while next_ns < end_ns and not until():
            if now_ns >= checks_ns:
                if has_ended(pid):
                    break
                checks_ns = now_ns + _CHECK_NS
            began_ns = time.monotonic_ns()
            for tid, cpu_ns, was_running, raw in _sample(reader, pid):
                frames = interpreter.frames_of(raw) if raw is not None else None
                charges.add(tid, cpu_ns, (frames or [UNREAD]) if was_running else None)
            now_ns = time.monotonic_ns()
            if now_ns >= settles_ns:
                yield from charges.settle()
                settles_ns = now_ns + _STRETCH_NS
            # Not in step with the program, which may sleep for a fixed time itself.
            distance_ns = max(period_ns, (now_ns - began_ns) * _MIN_IDLE_RATIO)
            next_ns = max(next_ns + round(distance_ns * rng.uniform(0.5, 1.5)), now_ns)
            time.sleep(max(min(next_ns, end_ns) - time.monotonic_ns(), 0) / 1e9)
    except KeyboardInterrupt:
        pass  # what has been sampled by now is wanted
    finally:
        _core.restore_priority()
    yield from charges.settle(is_last=is_last)


def _sample(reader: RemoteReader, pid: int) -> list[tuple[int, int, bool, bytes | None]]:
    try:
        return reader.look()
    except PermissionError:
        raise ProfilerUnavailableError(
            f"process {pid} cannot be stopped while it is read: another debugger is attached to it, or ptrace is "
            "forbidden here; without -blocking it is not stopped"
        ) from None
