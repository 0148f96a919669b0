"""The profile of a single request, taken if the request asks for it: CPU and wall clock, of its own work only.

A request asks with the header `X-Conduit-Profile` (its value is the token, or any text if the token is sent in another
way) or the query parameter `conduit-profile`, and must satisfy the rules of an `Access`, like a request to
`/debug/pprof`. It is answered normally; the response's header `X-Conduit-Profile` has the addresses of both profiles,
which are available when the response has ended. One request is profiled at a time, and only the last ones are kept.

The CPU profile has the samples of the process, 1,000 for each second of CPU time, that have the request's label. The
wall profile has the threads with the label, sampled 1,000 times a second; while there are none, the request's task is
suspended, and its chain of coroutines is recorded instead.
"""

from __future__ import annotations

import secrets
import threading
import time
from collections import OrderedDict
from typing import TYPE_CHECKING, Any

from conduit.debug.access import log_warning, require_token
from conduit.errors import ProfilerBusyError, ProfilerUnavailableError
from conduit.http.messages import Request, Response, parse_query, plain_response, printable

if TYPE_CHECKING:
    import asyncio
    from types import CodeType

    from conduit.debug.access import Access
    from conduit.profile.model import Profile
    from conduit.record.naming import Frame

HEADER = "x-conduit-profile"
PARAMETER = "conduit-profile"
ROOT = "/debug/pprof/requests/"
LABEL = "request"
KEPT = 32
RATE_HZ = 1000
KINDS = ("cpu", "wall")
WAIT_S = 10.0
"""How long an address waits for its profile: until the response has ended and the profile is made."""

_NOTHING_SAMPLED = (
    "no samples: the request used less CPU time than the kernel's tick can tell (1 to 10 ms); "
    "its wall profile has more"
)


class RequestProfiles:
    """The profiles of single requests of one application, under the rules of `access`."""

    def __init__(self, access: Access) -> None:
        self._access = require_token(access, log_warning)
        self._lock = threading.Lock()
        self._running: OneRequest | None = None
        self._finished: OrderedDict[str, dict[str, bytes]] = OrderedDict()

    def begin(self, request: Request) -> tuple[OneRequest | None, str]:
        """Begin to profile a request that asks for it: the recording, and the text of the response's header.

        Without a recording, the text says why; both are empty for a request that does not ask.
        """
        given = request.headers.get(HEADER)
        if given is None and not _asks(request.query):
            return None, ""
        refusal = self._access.refusal(_with_token(request, given))
        if refusal is not None:
            return None, printable_text(refusal[1])
        recording = OneRequest(secrets.token_hex(8), self._access.max_seconds)
        with self._lock:
            if self._running is not None:
                return None, "busy: another request is being profiled"
            try:
                recording.start()
            except (ProfilerBusyError, ProfilerUnavailableError) as error:
                return None, printable_text(str(error))
            self._running = recording
        return recording, ", ".join(f"{ROOT}{recording.number}/{kind}" for kind in KINDS)

    def end(self, recording: OneRequest) -> None:
        """End the recording of a request that has been answered, and keep its profiles."""
        try:
            profiles = recording.stop()
        finally:
            with self._lock:
                self._running = None
        with self._lock:
            self._finished[recording.number] = profiles
            while len(self._finished) > KEPT:
                self._finished.popitem(last=False)

    def is_running(self, path: str) -> bool:
        """Return whether the profile at this path is still being taken: its request has not ended."""
        number = path.partition(ROOT)[2].partition("/")[0]
        with self._lock:
            return self._running is not None and self._running.number == number

    def answer(self, request: Request) -> Response:
        """Answer a request for one of the profiles."""
        refusal = self._access.refusal(_with_token(request, request.headers.get(HEADER)))
        if refusal is not None:
            challenge = (("WWW-Authenticate", "Bearer"),) if refusal[0] == 401 else ()
            return plain_response(*refusal, *challenge)
        number, _, kind = request.path.partition(ROOT)[2].partition("/")
        with self._lock:
            body = self._finished.get(number, {}).get(kind)
        if self.is_running(request.path):
            return plain_response(503, "the request has not been answered yet", ("Retry-After", "1"))
        if body is None:
            return plain_response(404, f"no such profile; the last {KEPT} requests are kept")
        disposition = ("Content-Disposition", f'attachment; filename="{kind}-{number}.prof"')
        kind_header = ("Content-Type", "application/octet-stream")
        return Response(200, (kind_header, ("X-Content-Type-Options", "nosniff"), disposition), body)


def is_profile_path(path: str) -> bool:
    """Return whether a path is that of a request's profile, whatever the application is mounted under."""
    return ROOT in path


def printable_text(text: str) -> str:
    """Return a message that may stand in a header."""
    return printable(text).replace("%20", " ")


def _asks(query: str) -> bool:
    if PARAMETER not in query:
        return False
    try:
        return PARAMETER in parse_query(query)
    except ValueError:
        return False


def _with_token(request: Request, given: str | None) -> Request:
    """The header may hold the token, for applications that have an Authorization of their own."""
    if not given or given.strip().lower() in ("1", "true", "yes"):
        return request
    headers = {**request.headers, "authorization": f"Bearer {given.strip()}"}
    return Request(request.method, request.path, request.query, headers, request.peer, request.body)


class OneRequest:
    """The recording of one request. Its `number` is the text of the label `request`."""

    def __init__(self, number: str, max_seconds: float) -> None:
        from conduit.record import cpu

        self.number: str = number
        self.task: asyncio.Task[Any] | None = None
        self._max_seconds = max_seconds
        self._cpu = cpu(rate_hz=RATE_HZ)
        self._done = threading.Event()
        self._sampler = threading.Thread(target=self._sample, name="conduit request profile", daemon=True)
        self._seen: dict[tuple[tuple[CodeType, int], ...], list[int]] = {}
        self._began_ns = 0

    def start(self) -> None:
        """Begin. Raises `ProfilerBusyError` during another CPU profile, `ProfilerUnavailableError` where it cannot."""
        self._cpu.start()
        self._began_ns = time.time_ns()
        self._sampler.start()

    def stop(self) -> dict[str, bytes]:
        """End, and return the profiles by kind, as pprof files."""
        from conduit.profile.codec import encode

        duration_ns = time.time_ns() - self._began_ns
        self._done.set()
        self._sampler.join()
        of_process = self._cpu.stop()
        of_request = [one for one in of_process.samples if one.labels.get(LABEL) == [self.number]]
        of_process.samples = of_request
        of_process.comments = [] if of_request else [_NOTHING_SAMPLED]
        return {"cpu": encode(of_process), "wall": encode(self._wall_profile(duration_ns))}

    def _sample(self) -> None:
        last = first = time.perf_counter_ns()
        while not self._done.wait(1 / RATE_HZ) and last - first < self._max_seconds * 1e9:
            now = time.perf_counter_ns()
            self._note(now - last)
            last = now

    def _note(self, elapsed_ns: int) -> None:
        import sys

        from conduit.record.labels import labels_beside

        frames, labels = labels_beside(sys._current_frames)
        own = (LABEL, self.number)
        stacks = [
            _thread_stack(frames[ident])
            for ident, pairs in labels.items()
            if own in pairs and ident in frames
        ]
        frames.clear()  # this function's own frame holds the table: it would keep what every frame holds
        if not stacks and self.task is not None and not self.task.done():
            stacks = [_task_stack(self.task)]
        for stack in stacks:
            seen = self._seen.setdefault(stack, [0, 0])
            seen[0] += 1
            seen[1] += elapsed_ns

    def _wall_profile(self, duration_ns: int) -> Profile:
        from conduit.profile.builder import ProfileBuilder
        from conduit.profile.model import ValueType
        from conduit.record.naming import FrameNames, drop_harness_frames

        wall = ValueType("wall", "nanoseconds")
        types = [ValueType("samples", "count"), wall]
        builder = ProfileBuilder(types, period_type=wall, period=round(1e9 / RATE_HZ))
        names = FrameNames(lambda _, line: line)
        for places, values in self._seen.items():
            frames: list[Frame] = [names.frame(code, line) for code, line in places]
            kept = drop_harness_frames(frames, None)
            if kept:
                builder.add(kept, values, {LABEL: self.number})
        return builder.build(self._began_ns, duration_ns)


def _thread_stack(frame: Any) -> tuple[tuple[CodeType, int], ...]:
    places = []
    while frame is not None:
        places.append((frame.f_code, frame.f_lineno or 0))
        frame = frame.f_back
    return tuple(places)


def _task_stack(task: asyncio.Task[Any]) -> tuple[tuple[CodeType, int], ...]:
    """Return the coroutines that a suspended task is in, innermost first; those of a task that it awaits are inside."""
    from conduit.record.threads import awaited_coroutines

    places: list[tuple[CodeType, int]] = []
    for _ in range(16):
        places += [(frame.f_code, frame.f_lineno or 0) for _, frame in awaited_coroutines(task)]
        awaited: Any = getattr(task, "_fut_waiter", None)
        if not hasattr(awaited, "get_coro"):
            break
        task = awaited
    return tuple(reversed(places))
