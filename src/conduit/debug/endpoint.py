"""A request to `/debug/pprof/…` and its answer, whichever server it came through.

`Endpoint.answer` blocks for as long as the profile lasts and watches `gone`, so that a client that hangs up
frees the profiler at once. Texts, headers and status codes follow Go's net/http/pprof (go1.27).
"""

from __future__ import annotations

import sys
import threading
import time
from html import escape
from typing import TYPE_CHECKING
from urllib.parse import parse_qs

from conduit.debug import heap, index, text
from conduit.debug.access import Access
from conduit.debug.kinds import KINDS, Recording, Snapshot
from conduit.debug.messages import Request, Response
from conduit.debug.parameters import parse_integer
from conduit.errors import ProfilerBusyError, ProfilerUnavailableError
from conduit.record.heap import unsampled

if TYPE_CHECKING:
    from collections.abc import Mapping
    from mmap import mmap

    from conduit.profile.model import Profile

ROOT = "/debug/pprof"
_PLAIN = "text/plain; charset=utf-8"
_HTML = "text/html; charset=utf-8"


class Endpoint:
    """Answers requests under the rules of one `Access`."""

    def __init__(self, access: Access | None = None) -> None:
        self.access: Access = access or Access()
        self._waiting = threading.BoundedSemaphore(self.access.max_waiting)

    def answer(self, request: Request, gone: threading.Event | None = None) -> Response:
        """Answers one request. Blocks while a profile is taken, until `gone` is set."""
        refusal = self.access.refusal(request)
        if refusal is not None:
            return _error(*refusal)
        name = resource(request.path)
        if name is None:
            return _plain(404, "404 page not found")
        if request.method not in ("GET", "HEAD"):
            return _plain(405, "Method Not Allowed", ("Allow", "GET, HEAD"))
        if name == "" and not request.path.endswith("/"):
            return _redirect(request.path + "/")
        with unsampled():
            return self._answer(name, request, gone or threading.Event())

    def _answer(self, name: str, request: Request, gone: threading.Event) -> Response:
        parameters = _first_values(request.query)
        if name == "":
            return Response(200, _headers(_HTML), index.page().encode())
        if name == "cmdline":
            return Response(
                200, _headers(_PLAIN), "\0".join(sys.orig_argv).encode("utf-8", "surrogateescape")
            )
        if name == "symbol":
            return Response(200, _headers(_PLAIN), text.symbols(request.query).encode())
        kind = KINDS.get(name)
        try:
            if isinstance(kind, Snapshot):
                return self._snapshot(kind, parameters, gone)
            if isinstance(kind, Recording):
                return self._recorded(kind, kind.seconds(parameters), gone)
        except ProfilerBusyError as error:
            return _error(500, str(error))
        except ProfilerUnavailableError as error:
            return _error(501, str(error))
        return _error(404, "Unknown profile")

    def _recorded(self, kind: Recording, seconds: float, gone: threading.Event) -> Response:
        """A profile of the next seconds: CPU, wall or trace."""
        if seconds > self.access.max_seconds:
            return self._too_long(seconds)
        with self._place() as free:
            if not free:
                return _too_many()
            body = kind.record(seconds, gone)
            return _file(kind.name, body) if body else _gone()

    def _snapshot(self, kind: Snapshot, parameters: Mapping[str, str], gone: threading.Event) -> Response:
        """A profile of what has been counted so far, or with `seconds` of what is added to it meanwhile."""
        debug = parse_integer(parameters.get("debug", "")) or 0
        given = parameters.get("seconds", "")
        if given:
            return self._delta(kind, given, debug, gone)
        if kind.name == "heap" and (parse_integer(parameters.get("gc", "")) or 0) > 0:
            heap.collect_garbage()
        if debug:
            return Response(200, _headers(_PLAIN), kind.text(debug).encode())
        return _file(kind.name, _encoded(kind.take()))

    def _delta(self, kind: Snapshot, given: str, debug: int, gone: threading.Event) -> Response:
        seconds = parse_integer(given)
        if seconds is None or seconds <= 0:
            return _error(400, 'invalid value for "seconds" - must be a positive integer')
        if debug:
            return _error(400, "seconds and debug params are incompatible")
        if seconds > self.access.max_seconds:
            return self._too_long(seconds)
        with self._place() as free:
            if not free:
                return _too_many()
            before, started = kind.take(), time.monotonic_ns()
            if gone.wait(seconds):
                return _gone()
            return _file(f"{kind.name}-delta", _encoded(_difference(kind, before, started)))

    def _too_long(self, seconds: float) -> Response:
        limit = self.access.max_seconds
        return _error(400, f"seconds={seconds:g} is more than this server allows; expected at most {limit}")

    def _place(self) -> _Place:
        return _Place(self._waiting)


class _Place:
    """One of the limited places for requests that wait; `with` tells whether there was one."""

    def __init__(self, semaphore: threading.Semaphore) -> None:
        self._semaphore = semaphore
        self._taken = False

    def __enter__(self) -> bool:
        self._taken = self._semaphore.acquire(blocking=False)
        return self._taken

    def __exit__(self, *_: object) -> None:
        if self._taken:
            self._semaphore.release()


def resource(path: str) -> str | None:
    """What a path asks for below `/debug/pprof` (empty for the index); None where it is somebody else's path."""
    head, found, rest = path.partition(ROOT)
    if not found or (rest and not rest.startswith("/")):
        return None
    del head  # whatever the application is mounted under
    return rest[1:]


def _difference(kind: Snapshot, before: Profile, started: int) -> Profile:
    from conduit.profile.merge import merge, scale_values

    after = kind.take()
    delta = merge([after, scale_values(before, -1)])
    delta.time_nanos, delta.duration_nanos = after.time_nanos, time.monotonic_ns() - started
    return delta


def _encoded(profile: Profile) -> bytes:
    from conduit.profile.codec import encode

    return encode(profile)


def _first_values(query: str) -> dict[str, str]:
    return {key: values[0] for key, values in parse_qs(query, keep_blank_values=True).items()}


# ── answers ──


def _headers(content_type: str, *more: tuple[str, str]) -> tuple[tuple[str, str], ...]:
    return (("Content-Type", content_type), ("X-Content-Type-Options", "nosniff"), *more)


def _file(name: str, body: bytes | mmap) -> Response:
    disposition = ("Content-Disposition", f'attachment; filename="{name}"')
    return Response(200, _headers("application/octet-stream", disposition), body)


def _plain(status: int, message: str, *more: tuple[str, str]) -> Response:
    return Response(status, _headers(_PLAIN, *more), f"{message}\n".encode())


def _error(status: int, message: str) -> Response:
    challenge = (("WWW-Authenticate", "Bearer"),) if status == 401 else ()
    return _plain(status, message, ("X-Go-Pprof", "1"), *challenge)


def _too_many() -> Response:
    return _error(503, "too many profiles are being taken; try again when they are done")


def _gone() -> Response:
    return _error(500, "the client went away")


def _redirect(target: str) -> Response:
    local = "/" + target.lstrip("/")  # `//host/…` would lead to another host
    body = f'<a href="{escape(local)}">Temporary Redirect</a>.\n\n'
    return Response(307, (("Content-Type", _HTML), ("Location", local)), body.encode())
