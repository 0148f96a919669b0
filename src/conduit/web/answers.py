"""How the pages answer: the headers of a document, and compression where the browser takes it."""

from __future__ import annotations

import gzip
from typing import TYPE_CHECKING

from conduit.http.messages import Response

if TYPE_CHECKING:
    from collections.abc import Callable

    from conduit.http.messages import Request

    Headers = tuple[tuple[str, str], ...]

NOT_FRAMED = "frame-ancestors 'none'"


def page_headers(kind: str, policy: str = NOT_FRAMED) -> Headers:
    """Return the headers of a document: not cached, shown in no other page, its address told to no other site."""
    return (
        ("Content-Type", kind),
        ("Content-Security-Policy", policy),
        ("Referrer-Policy", "no-referrer"),
        ("Cache-Control", "no-store"),
        ("X-Content-Type-Options", "nosniff"),
    )


def pack(body: bytes) -> bytes:
    """Return a body compressed with gzip, quickly rather than tightly."""
    return gzip.compress(body, 1)


def compressed_response(
    request: Request,
    status: int,
    headers: Headers,
    body: bytes,
    least: int,
    pack: Callable[[bytes], bytes] = pack,
) -> Response:
    """Return a response whose body is packed if it has `least` bytes and the client accepts that."""
    if len(body) >= least and "gzip" in request.headers.get("accept-encoding", ""):
        return Response(status, (*headers, ("Content-Encoding", "gzip")), pack(body))
    return Response(status, headers, body)
