"""A request to `/debug/pprof/…` and its response, whichever server it came through.

`Endpoint.answer` blocks while a profile is taken and watches `cancelled`, so that a client that disconnects frees the
profiler at once. Texts, headers and status codes follow Go's net/http/pprof (go1.27).
"""

from __future__ import annotations

import threading
import time
from html import escape
from typing import TYPE_CHECKING

from conduit.debug import heap, index, text
from conduit.debug.access import Access
from conduit.debug.kinds import KINDS, CumulativeProfile, Recording, one_at_a_time
from conduit.debug.parameters import parse_integer
from conduit.errors import ProfilerBusyError, ProfilerUnavailableError
from conduit.http.access import log_in
from conduit.http.messages import (
    HTML,
    PLAIN,
    Request,
    Response,
    parse_query,
    plain_response,
    printable,
    split_mount,
)
from conduit.interruption import GivingWay, checkpoint, interrupted_by
from conduit.record.freed_memory import give_back_at_times
from conduit.record.heap import unsampled
from conduit.record.process_tree import own_command_line

if TYPE_CHECKING:
    from collections.abc import Mapping
    from mmap import mmap

    from conduit.profile.model import Profile

ROOT = "/debug/pprof"


class Endpoint:
    """Answers requests under the rules of one `Access`."""

    def __init__(self, access: Access | None = None) -> None:
        self.access: Access = access or Access()
        self._waiting = threading.BoundedSemaphore(self.access.max_waiting)

    def answer(self, request: Request, cancelled: threading.Event | None = None) -> Response:
        """Answer one request. Blocks while a profile is taken, until `cancelled` is set."""
        name = resource(request.path)
        refusal = self.access.refusal_by_origin(request) if name == "login" else self.access.refusal(request)
        if refusal is not None:
            return _error(*refusal)
        if name is None:
            return plain_response(404, "404 page not found")
        if request.method not in ("GET", "HEAD"):
            return plain_response(405, "Method Not Allowed", ("Allow", "GET, HEAD"))
        if name == "" and not request.path.endswith("/"):
            return _redirect(request.path + "/")
        with unsampled(), interrupted_by(GivingWay()):
            response = self._answer(name, request, cancelled or threading.Event())
        if name in KINDS:
            give_back_at_times()
        return response

    def _answer(self, name: str, request: Request, cancelled: threading.Event) -> Response:
        try:
            parameters = parse_query(request.query)
        except ValueError as error:
            return _error(400, f"invalid query: {error}")
        if name == "":
            return Response(200, _headers(HTML), index.page().encode())
        if name == "login":
            return self._log_in(parameters)
        if name == "cmdline":
            return Response(
                200, _headers(PLAIN), "\0".join(own_command_line()).encode("utf-8", "surrogateescape")
            )
        if name == "symbol":
            return Response(200, _headers(PLAIN), text.symbols(request.query).encode())
        kind = KINDS.get(name)
        try:
            if isinstance(kind, CumulativeProfile):
                return self._cumulative(kind, parameters, cancelled)
            if isinstance(kind, Recording):
                return self._recorded(kind, kind.seconds(parameters), cancelled)
        except ProfilerBusyError as error:
            return _error(500, str(error))
        except ProfilerUnavailableError as error:
            return _error(501, str(error))
        return _error(404, "Unknown profile")

    def _log_in(self, parameters: Mapping[str, str]) -> Response:
        """Exchange the token in the address for a cookie, and lead to the index."""
        response = log_in(self.access, parameters.get("token", ""))
        return (
            response
            if response.status == 303
            else _error(response.status, bytes(response.body).decode().strip())
        )

    def _recorded(self, kind: Recording, seconds: float, cancelled: threading.Event) -> Response:
        """Return a profile of the next seconds: CPU, wall or trace."""
        if seconds > self.access.max_seconds:
            return self._too_long(seconds)
        with self._slot() as free:
            if not free:
                return _too_many()
            body = kind.record(seconds, cancelled)
            return _file(kind.name, body) if body else _client_gone()

    def _cumulative(
        self, kind: CumulativeProfile, parameters: Mapping[str, str], cancelled: threading.Event
    ) -> Response:
        """Return a profile of everything counted so far, or with `seconds` of what those seconds add to it."""
        debug = parse_integer(parameters.get("debug", "")) or 0
        given = parameters.get("seconds", "")
        if given:
            return self._delta(kind, given, debug, cancelled)
        if kind.name == "heap" and (parse_integer(parameters.get("gc", "")) or 0) > 0:
            heap.collect_garbage()
        if debug:
            with one_at_a_time:
                text_of_kind = kind.text(debug).encode("utf-8", "replace")
            return Response(200, _headers(PLAIN), text_of_kind)
        with one_at_a_time:
            body = _encoded(kind.take())
        return _file(kind.name, body)

    def _delta(self, kind: CumulativeProfile, given: str, debug: int, cancelled: threading.Event) -> Response:
        seconds = parse_integer(given)
        if seconds is None or seconds <= 0:
            return _error(400, 'invalid value for "seconds" - must be a positive integer')
        if debug:
            return _error(400, "seconds and debug params are incompatible")
        if seconds > self.access.max_seconds:
            return self._too_long(seconds)
        with self._slot() as free:
            if not free:
                return _too_many()
            with one_at_a_time:
                before, started = kind.take(), time.monotonic_ns()
            if cancelled.wait(seconds):
                return _client_gone()
            with one_at_a_time:
                body = _encoded(_difference(kind, before, started))
            return _file(f"{kind.name}-delta", body)

    def _too_long(self, seconds: float) -> Response:
        limit = self.access.max_seconds
        return _error(400, f"seconds={seconds:g} is more than this server allows; expected at most {limit}")

    def _slot(self) -> _RequestSlot:
        return _RequestSlot(self._waiting)


class _RequestSlot:
    """One of the limited slots for requests that wait; `with` tells whether one was free."""

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
    """Return the part of a path below `/debug/pprof` (empty for the index), whatever the application is mounted under.

    None for a path outside it.
    """
    parts = split_mount(path, ROOT)
    return None if parts is None else parts[1][1:]


def _difference(kind: CumulativeProfile, before: Profile, started: int) -> Profile:
    from conduit.profile.merge import merge, scale_values

    after = kind.take()
    checkpoint()
    delta = merge([after, scale_values(before, -1)])
    delta.time_nanos, delta.duration_nanos = after.time_nanos, time.monotonic_ns() - started
    return delta


def _encoded(profile: Profile) -> bytes:
    from conduit.profile.codec import encode

    checkpoint()
    return encode(profile)


# ── responses ──


def _headers(content_type: str, *more: tuple[str, str]) -> tuple[tuple[str, str], ...]:
    return (("Content-Type", content_type), ("X-Content-Type-Options", "nosniff"), *more)


def _file(name: str, body: bytes | mmap) -> Response:
    disposition = ("Content-Disposition", f'attachment; filename="{name}"')
    return Response(200, _headers("application/octet-stream", disposition), body)


def _error(status: int, message: str) -> Response:
    challenge = (("WWW-Authenticate", "Bearer"),) if status == 401 else ()
    return plain_response(status, message, ("X-Go-Pprof", "1"), *challenge)


def _too_many() -> Response:
    return _error(503, "too many profiles are being taken; try again when they are done")


def _client_gone() -> Response:
    return _error(500, "the client disconnected")


def _redirect(target: str) -> Response:
    local = "/" + target.lstrip("/\\")  # `//host/…` would lead to another host
    body = f'<a href="{escape(local)}">Temporary Redirect</a>.\n\n'
    return Response(
        307, (("Content-Type", HTML), ("Location", printable(local))), body.encode("utf-8", "replace")
    )
