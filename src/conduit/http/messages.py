"""A request, a response, and plain-text responses."""

from __future__ import annotations

from dataclasses import dataclass, field
from http import HTTPStatus
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl

if TYPE_CHECKING:
    import threading
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from mmap import mmap

    Answer = Callable[["Request", threading.Event], "Response"]

PLAIN = "text/plain; charset=utf-8"
HTML = "text/html; charset=utf-8"
MAX_PARAMETERS = 1000
CHUNK_BYTES = 64 * 1024


@dataclass(frozen=True, slots=True)
class Request:
    """A request, as every server and adapter passes it on.

    `path` is the full path without the query; header names are in lower case, values of repeated headers are
    joined with a comma; `peer` is an IP address, or empty for a Unix socket.
    """

    method: str
    path: str
    query: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    peer: str = ""
    body: bytes = b""


@dataclass(frozen=True, slots=True)
class Response:
    """A complete response; the server adds Content-Length, and omits the body for HEAD."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes | mmap

    def chunks(self) -> Iterator[bytes]:
        """The body in pieces; of a mapped file, one piece at a time is in memory."""
        for start in range(0, len(self.body), CHUNK_BYTES):
            yield self.body[start : start + CHUNK_BYTES]


def plain_response(status: int, message: str, *headers: tuple[str, str]) -> Response:
    """Return a response whose body is one message and a newline."""
    kind = (("Content-Type", PLAIN), ("X-Content-Type-Options", "nosniff"))
    return Response(status, (*kind, *headers), f"{message}\n".encode("utf-8", "replace"))


def redirect_response(status: int, target: str) -> Response:
    """Return a response that sends the reader to `target`, an address on this server."""
    return Response(
        status,
        (("Location", printable(target)), ("Content-Type", PLAIN)),
        f"{HTTPStatus(status).phrase}\n".encode(),
    )


def split_mount(path: str, root: str) -> tuple[str, str] | None:
    """Return a path up to and with `root`, whatever is mounted above it, and the rest; None for one outside it."""
    before, found, rest = path.partition(root)
    if not found or (rest and not rest.startswith("/")):
        return None
    return before + found, rest


def parse_query(query: str) -> dict[str, str]:
    """Return the first value of each parameter. Raise `ValueError` for more than 1,000 parameters."""
    parameters: dict[str, str] = {}
    for name, value in parse_qsl(query, keep_blank_values=True, max_num_fields=MAX_PARAMETERS):
        parameters.setdefault(name, value)
    return parameters


def join_headers(pairs: Iterable[tuple[str, str]]) -> dict[str, str]:
    """Return headers by lower-case name, with repeated ones joined by a comma.

    In this way no value is overlooked.
    """
    headers: dict[str, str] = {}
    for name, value in pairs:
        key = name.lower()
        headers[key] = f"{headers[key]}, {value}" if key in headers else value
    return headers


def printable(text: str) -> str:
    """Return the text with control characters and everything outside Latin-1 percent-encoded, fit for a header."""
    from urllib.parse import quote

    return "".join(letter if " " < letter < "\x7f" else quote(letter, errors="replace") for letter in text)
