"""Records one running process: inside it if possible, otherwise from outside, and both if it answers late."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any, NamedTuple

from conduit.errors import ProfilerUnavailableError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from conduit.profile.model import Profile
    from conduit.record.attach.client import InsideRecording

    Say = Callable[[str], None]

_START_SECONDS = 2.0
_POLL_SECONDS = 0.05


class Asked(NamedTuple):
    """What to record: kinds with the parameters that they have inside. `mode` is auto, always or never.

    `rate_hz` is the rate from outside; `stops`: each running thread is stopped there while its stack is read.
    """

    pid: int
    recordings: Mapping[str, Mapping[str, Any]]
    seconds: float
    rate_hz: int
    mode: str = "auto"
    allows_other_user: bool = False
    stops: bool = False


class Recorded(NamedTuple):
    """The file of each kind, the CPU time that was recorded, the duration, and from where: inside, outside or both."""

    files: dict[str, bytes]
    warnings: list[str]
    cpu_seconds: float
    seconds: float
    where: str


def record_process(asked: Asked, say: Say) -> Recorded:
    """Record a process until the time is over, Ctrl-C, or its end.

    Raises `ProfilerUnavailableError` where that is not possible, with what to do about it.
    """
    if asked.mode != "never":
        from conduit.record.attach.client import InsideRecording
        from conduit.record.remote import has_ended

        try:
            with InsideRecording(
                asked.pid, asked.recordings, asked.seconds, allows_other_user=asked.allows_other_user
            ) as inside:
                return _record_inside(inside, asked, say)
        except ProfilerUnavailableError as error:
            reason = str(error)
            # Of a process that has ended, its own words are the reason; nothing is left to be read from outside.
            if asked.mode == "always" or has_ended(asked.pid) or not _is_readable(asked.pid):
                raise
    else:
        reason = "-blocking was given" if asked.stops else "-inside=never was given"
    beyond = sorted(asked.recordings.keys() - {"cpu"})
    if beyond:
        raise ProfilerUnavailableError(
            f"{', '.join(beyond)}: this is recorded inside the process only: {reason}; have the program serve its "
            "profiles (conduit.debug.serve), or start it with conduit run"
        )
    profile = _record_outside(asked, say, None if asked.mode == "never" else reason)
    return _recorded(profile, "outside", [])


def _is_readable(pid: int) -> bool:
    """Return True if the process can be sampled from outside, and raise otherwise.

    The error says why not, and is more useful than the one about recording inside the process.
    """
    from conduit.record.process_memory import ProcessMemory
    from conduit.record.remote import Interpreter

    with ProcessMemory(pid) as memory:
        Interpreter(memory)
    return True


def _record_inside(inside: InsideRecording, asked: Asked, say: Say) -> Recorded:
    outside: Profile | None = None
    is_prompt = inside.start(min(_START_SECONDS, asked.seconds))
    end = time.monotonic() + asked.seconds
    if not is_prompt:
        outside = _wait_for_answer(inside, asked, end, say)
    if not inside.is_started:
        if outside is None:
            inside.finish()  # raises the reason
        assert outside is not None
        return _recorded(outside, "outside", [])
    began = time.monotonic()
    kinds = ", ".join(asked.recordings)
    notice = f"recording process {asked.pid} from inside for {end - began:.3g}s ({kinds}); Ctrl-C ends it"
    _sleep_until(end, inside.has_ended, lambda: say(notice))
    seconds = time.monotonic() - began
    result = inside.finish()
    files = dict(result.files)
    if "cpu" not in files:
        return Recorded(files, result.warnings, 0.0, seconds, "inside")
    from conduit.profile.codec import decode
    from conduit.profile.merge import merge

    profile = decode(files["cpu"])
    if outside is not None:
        profile = merge([outside, profile])
    recorded = _recorded(profile, "inside" if outside is None else "outside and inside", result.warnings)
    return (
        recorded._replace(files={**files, **recorded.files})
        if outside is not None
        else recorded._replace(files=files)
    )


def _wait_for_answer(inside: InsideRecording, asked: Asked, end: float, say: Say) -> Profile | None:
    """Sample from outside until the process answers, or the time is over; None where no CPU profile is wanted."""
    is_sampled = "cpu" in asked.recordings
    say(
        f"no thread of process {asked.pid} has run Python since it was asked: it waits, or is in a C function; "
        + ("sampling from outside until it answers" if is_sampled else "waiting for its answer")
    )
    if is_sampled:
        from conduit.record.remote import record

        return record(asked.pid, end - time.monotonic(), asked.rate_hz, until=inside.poll)
    _sleep_until(end, inside.poll)
    return None


def _record_outside(asked: Asked, say: Say, reason: str | None) -> Profile:
    from conduit.record.remote import record

    if reason is not None:
        say(f"sampling from outside: {reason}")
    return record(asked.pid, asked.seconds, asked.rate_hz, stops=asked.stops)


def _sleep_until(end: float, is_over: Callable[[], bool], begin: Callable[[], None] = lambda: None) -> None:
    """Call `begin`, and wait until `end`, until Ctrl-C, or until it is over."""
    try:
        begin()
        while (left := end - time.monotonic()) > 0 and not is_over():
            time.sleep(min(left, _POLL_SECONDS))
    except KeyboardInterrupt:
        return  # what has been recorded by now is wanted


def _recorded(profile: Profile, where: str, warnings: list[str]) -> Recorded:
    from conduit.profile.codec import encode

    cpu_seconds = sum(sample.values[1] for sample in profile.samples) / 1e9
    return Recorded(
        {"cpu": encode(profile, level=1)}, warnings, cpu_seconds, profile.duration_nanos / 1e9, where
    )
