"""A time limit for a whole HTTP request: connection, headers, redirects and body together.

The limit that a socket has is for one piece of data, so a server that sends a byte now and then would be waited for
without end.
"""

from __future__ import annotations

import socket
import threading
from contextlib import suppress
from functools import partial
from http.client import HTTPConnection, HTTPSConnection
from typing import TYPE_CHECKING, Any
from urllib.request import HTTPHandler, HTTPSHandler

if TYPE_CHECKING:
    from http.client import HTTPResponse
    from ssl import SSLContext
    from urllib.request import BaseHandler, Request


class Deadline:
    """Cuts the connections that were opened through its `handlers` when the time (seconds) is over."""

    def __init__(self, seconds: float) -> None:
        self.has_passed = False
        self._lock = threading.Lock()
        self._sockets: list[socket.socket] = []
        self._timer = threading.Timer(min(seconds, threading.TIMEOUT_MAX), self._cut)
        self._timer.daemon = True

    def __enter__(self) -> Deadline:
        self._timer.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._timer.cancel()

    def check(self) -> None:
        """Raise `TimeoutError` if the time is over: a body without a length would seem to have ended."""
        if self.has_passed:
            raise TimeoutError

    def handlers(self, context: SSLContext | None) -> list[BaseHandler]:
        """Return handlers for `urllib.request.build_opener`; a context is for TLS."""
        return [_PlainHandler(self), _SecureHandler(self, context)]

    def watch(self, opened: socket.socket) -> None:
        """Cut this connection too when the time is over. Raise `TimeoutError` if it is over already."""
        with self._lock:
            self._sockets.append(opened)
        self.check()

    def _cut(self) -> None:
        self.has_passed = True
        with self._lock:
            opened = list(self._sockets)
        for each in opened:
            with suppress(OSError):  # it has been closed since
                # Of the plain socket, since TLS would wait for the other side.
                socket.socket.shutdown(each, socket.SHUT_RDWR)


class _PlainConnection(HTTPConnection):
    def __init__(self, *arguments: Any, deadline: Deadline, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._deadline = deadline

    def connect(self) -> None:
        super().connect()
        self._deadline.watch(self.sock)


class _SecureConnection(HTTPSConnection):
    def __init__(self, *arguments: Any, deadline: Deadline, **named: Any) -> None:
        super().__init__(*arguments, **named)
        self._deadline = deadline

    def connect(self) -> None:
        super().connect()
        self._deadline.watch(self.sock)


class _PlainHandler(HTTPHandler):
    def __init__(self, deadline: Deadline) -> None:
        super().__init__()
        self._deadline = deadline

    def http_open(self, request: Request) -> HTTPResponse:
        return self.do_open(partial(_PlainConnection, deadline=self._deadline), request)


class _SecureHandler(HTTPSHandler):
    def __init__(self, deadline: Deadline, context: SSLContext | None) -> None:
        super().__init__(context=context)
        self._deadline = deadline
        self._given = context

    def https_open(self, request: Request) -> HTTPResponse:
        connect = partial(_SecureConnection, deadline=self._deadline, context=self._given)
        return self.do_open(connect, request)
