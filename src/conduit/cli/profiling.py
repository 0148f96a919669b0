"""The profile flags that `conduit bench` and `conduit run` share, and the recordings for them."""

from __future__ import annotations

from contextlib import ExitStack
from typing import TYPE_CHECKING

from conduit._native.own_work import OwnWork
from conduit.cli.terminal_text import complain
from conduit.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import TracebackType

    from conduit.cli.flags import FlagSet, Parsed
    from conduit.record.recording import Recording
    from conduit.record.trace import Trace

DEFAULT_MEMORY_RATE = 512 * 1024
_SHOWN_FIRST = ("cpuprofile", "memprofile", "wallprofile", "blockprofile", "mutexprofile", "gilprofile")
_PROFILES = (
    "cpuprofile",
    "memprofile",
    "wallprofile",
    "blockprofile",
    "mutexprofile",
    "gilprofile",
    "trace",
)
_RATES = ("memprofilerate", "profilerate", "blockprofilerate", "mutexprofilefraction")


def add_profile_flags(found: FlagSet) -> None:
    """Declare the flags for profiles, Go's under Go's names."""
    found.option("cpuprofile", "write a CPU profile of all threads to this file", metavar="FILE")
    found.option("memprofile", "write a memory profile to this file", metavar="FILE")
    found.option(
        "memprofilerate",
        "sample memory every BYTES bytes on average (1: every allocation)",
        default=DEFAULT_MEMORY_RATE,
        parse=_positive,
        metavar="BYTES",
    )
    found.option(
        "wallprofile", "write a wall-clock profile, which includes waiting, to this file", metavar="FILE"
    )
    found.switch("walltimes", "in the wall-clock profile, keep the time of each sample")
    found.option(
        "profilerate",
        "samples per second of CPU or wall-clock time",
        default=100,
        parse=_positive,
        metavar="HZ",
    )
    found.option(
        "blockprofile", "write a profile of waits, by the code that waits, to this file", metavar="FILE"
    )
    found.option(
        "blockprofilerate",
        "count on average one wait for each NS nanoseconds waited (1: every wait)",
        default=1,
        parse=_positive,
        metavar="NS",
    )
    found.option(
        "mutexprofile",
        "write a profile of contended locks, by the code that held them, to this file",
        metavar="FILE",
    )
    found.option(
        "mutexprofilefraction",
        "count one of N contentions (1: all)",
        default=1,
        parse=_positive,
        metavar="N",
    )
    found.option(
        "gilprofile", "write a profile of waits for the interpreter lock to this file", metavar="FILE"
    )
    found.option(
        "trace",
        "write a timeline to this file, for `conduit trace`; each call then costs 0.1 to 0.2 µs more",
        metavar="FILE",
    )
    found.switch("native", "in CPU profiles, show the C library or function that was running")


def recordings(
    parsed: Parsed,
    is_harness: Callable[[str], bool],
    *,
    default_memory_type: str = "",
    passes_over_harness: bool = False,
) -> list[Recording | Trace]:
    """Return the recordings that a command line asks for, not started. Raise `UsageError`."""
    from conduit.cli.outputs import refuse_shared_outputs
    from conduit.record.cpu import HIGHEST_RATE_HZ, CpuRecording
    from conduit.record.heap import HeapRecording
    from conduit.record.wall import WallRecording

    refuse_shared_outputs({flag: parsed[flag] for flag in profile_flags_given(parsed)})
    rate_hz = parsed["profilerate"]
    if rate_hz > HIGHEST_RATE_HZ:
        raise UsageError(f"-profilerate must be from 1 to {HIGHEST_RATE_HZ}, got {rate_hz}")
    found: list[Recording | Trace] = []
    # An empty path, as in Go, asks for nothing.
    if parsed["memprofile"]:
        rate = parsed["memprofilerate"]
        found.append(
            HeapRecording(
                parsed["memprofile"],
                rate=rate,
                default_sample_type=default_memory_type,
                is_harness=is_harness,
            )
        )
    if parsed["wallprofile"]:
        found.append(
            WallRecording(
                parsed["wallprofile"], rate_hz=rate_hz, is_harness=is_harness, times=parsed["walltimes"]
            )
        )
    if parsed["cpuprofile"]:
        found.append(
            CpuRecording(
                parsed["cpuprofile"],
                rate_hz=rate_hz,
                native=parsed["native"],
                is_harness=is_harness,
                passes_over_harness=passes_over_harness,
            )
        )
    found += _waits(parsed, is_harness)
    if parsed["trace"]:
        from conduit.record.trace import Trace

        found.append(Trace(parsed["trace"]))
    return found


def _waits(parsed: Parsed, is_harness: Callable[[str], bool]) -> Iterator[Recording]:
    from conduit.record.waits import BlockRecording, GilRecording, MutexRecording

    if parsed["blockprofile"]:
        yield BlockRecording(
            parsed["blockprofile"], rate_ns=parsed["blockprofilerate"], is_harness=is_harness
        )
    if parsed["mutexprofile"]:
        yield MutexRecording(
            parsed["mutexprofile"], fraction=parsed["mutexprofilefraction"], is_harness=is_harness
        )
    if parsed["gilprofile"]:
        yield GilRecording(parsed["gilprofile"], is_harness=is_harness)


class Together:
    """Recordings as one context: all stop looking before the first profile is made, so that none records that.

    Once they are over, their warnings go to standard error, unless they are not to be `told` here. The files are
    written at the context's exit, or, with `ends_at_exit` false, by `end`.
    """

    def __init__(
        self, recordings: list[Recording | Trace], *, told: bool = True, ends_at_exit: bool = True
    ) -> None:
        self.recordings = recordings
        self._ends_at_exit = ends_at_exit
        self._told = told
        self._stack = ExitStack()
        self.is_over = False
        """Whether the recordings have been ended, or are another process's."""

    def __enter__(self) -> Together:
        from conduit.record.recording import Recording

        with OwnWork(), ExitStack() as stack:
            for recording in self.recordings:
                stack.enter_context(recording)
            self._stack = stack.pop_all()
        for recording in self.recordings:
            if isinstance(recording, Recording):  # a trace stops nowhere else
                recording.leave_to_context()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._ends_at_exit:
            self.end()
        else:
            self._halt()

    def _halt(self) -> None:
        with OwnWork():
            for recording in self.recordings:
                recording.halt()

    def end(self) -> bool:
        """End the recordings and write their profiles, once; return False where that is under way or done."""
        if self.is_over:
            return False
        self.is_over = True
        with OwnWork():
            self._halt()
            self._stack.close()
            for recording in self.recordings if self._told else ():
                for warning in recording.warnings:
                    complain(f"conduit: {recording.name}: {warning}")
        return True


def outputs(parsed: Parsed) -> dict[str, str]:
    """Return the outputs that a command line asks for: flag → absolute path."""
    import os

    return {flag: os.path.abspath(parsed[flag]) for flag in profile_flags_given(parsed)}  # noqa: PTH100


def rates(parsed: Parsed) -> list[str]:
    """Return the flags that were given besides the outputs and say how to record."""
    found = [f"-{name}={parsed[name]}" for name in _RATES if name in parsed.given]
    return [*found, *(f"-{name}" for name in ("native", "walltimes") if parsed[name])]


def profile_flags_given(parsed: Parsed) -> Iterator[str]:
    """The flags among those given that ask for a profile."""
    return (name for name in _PROFILES if parsed.values.get(name))


def declare_page(found: FlagSet) -> None:
    """Declare the flags that show a profile as soon as it is written."""
    found.option(
        "http", "after the run, show the profile in a browser, served at this address", metavar="[HOST]:PORT"
    )
    found.switch("no_browser", "with -http, print the address and open nothing")


def profile_to_show(parsed: Parsed) -> str | None:
    """Return the file that `-http` shows: the first profile that was asked for.

    Raises `UsageError` if there is none.
    """
    from conduit.files import is_replaceable

    if not parsed["http"]:
        if parsed["no_browser"]:
            raise UsageError("-no_browser only makes sense with -http")
        return None
    for flag in _SHOWN_FIRST:
        if parsed[flag]:
            if not is_replaceable(parsed[flag]):
                raise UsageError(
                    f"-http reads the file of -{flag} again, which {parsed[flag]} does not allow: name a regular file"
                )
            return str(parsed[flag])
    raise UsageError("-http shows a profile: add -cpuprofile=FILE, or another profile flag")


def show_page(path: str, parsed: Parsed) -> None:
    """Serve the page of a profile that has just been written, until interrupted."""
    from conduit.profile.codec import decode
    from conduit.report.options import Options
    from conduit.web import serve_profile

    with open(path, "rb") as file:  # noqa: PTH123 (pathlib would slow the start)
        profile = decode(file.read())

    opens_browser = not parsed["no_browser"]
    serve_profile(profile, Options(), parsed["http"], complain, opens_browser=opens_browser, sources=[path])


def _positive(text: str) -> int:
    value = int(text) if text.isascii() and text.isdigit() else 0
    if value < 1:
        raise ValueError("must be a number from 1")
    return value
