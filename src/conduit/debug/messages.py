"""A request and its answer, as all three doors hand them over."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from mmap import mmap


CHUNK_BYTES = 64 * 1024


@dataclass(frozen=True, slots=True)
class Request:
    """What the answer depends on. `path` is the full path; header names are in lower case; `peer` an IP or empty."""

    method: str
    path: str
    query: str = ""
    headers: Mapping[str, str] = field(default_factory=dict)
    peer: str = ""


@dataclass(frozen=True, slots=True)
class Response:
    """A whole answer; the server adds Content-Length, and leaves the body out for HEAD."""

    status: int
    headers: tuple[tuple[str, str], ...]
    body: bytes | mmap

    def chunks(self) -> Iterator[bytes]:
        """The body in pieces, so that a large one that lies in a file need not be in memory as a whole."""
        for start in range(0, len(self.body), CHUNK_BYTES):
            yield self.body[start : start + CHUNK_BYTES]
