"""OpenAPI 3.0 to 3.2 documents (https://spec.openapis.org/oas) as metadata.

Every named schema becomes a resource, its properties fields, its references relationships; every operation of a path or
a webhook becomes a route with the effective security as its middleware. Nothing is downloaded: references to other
documents are warnings in the document's `errors`. The same bytes give the same metadata, to the byte. Used by
`conduit collect --openapi`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from conduit.sources.openapi.document import OpenAPIDocument, parse_document
from conduit.sources.openapi.errors import OpenAPIError

if TYPE_CHECKING:
    import os
    from collections.abc import Iterable

    from conduit.metadata.schema import Metadata

__all__ = ["OpenAPIDocument", "OpenAPIError", "parse_openapi", "read_openapi"]

FORMAT_VERSION = "1.0"


MAX_BYTES = 200_000_000
"""The largest document that is read; the largest known public one has 20 MB."""

READ_LIMIT_S = 60.0
"""How long a pipe may take to give its document."""


def read_openapi(path: str | os.PathLike[str], allowed: Iterable[str] = ()) -> Metadata:
    """Return the metadata of an OpenAPI file or pipe.

    Raise `OpenAPIError` if it is not an OpenAPI document or too large, and `OSError` if it cannot be read.
    """
    return parse_openapi(_read(str(path)), str(path), allowed)


def _read(path: str) -> bytes:
    import time
    from select import POLLIN, poll

    deadline = time.monotonic() + READ_LIMIT_S
    pieces: list[bytes] = []
    size = 0
    with open(path, "rb", buffering=0) as file:  # noqa: PTH123
        ready = poll()
        ready.register(file, POLLIN)
        while True:
            remaining = deadline - time.monotonic()
            if remaining <= 0 or not ready.poll(remaining * 1000):
                raise OpenAPIError(path, f"was still incomplete after {READ_LIMIT_S:g} s")
            piece = file.read(1 << 20)
            if not piece:
                return b"".join(pieces)
            pieces.append(piece)
            size += len(piece)
            if size > MAX_BYTES:
                raise OpenAPIError(path, f"has more than {MAX_BYTES:,} bytes, which is the limit")


def parse_openapi(data: bytes, source: str, allowed: Iterable[str] = ()) -> Metadata:
    """Return the metadata of the bytes of an OpenAPI document; `source` is the file name for it and its errors.

    Secrets in defaults, descriptions and enumerations are redacted; `allowed` are values that look secret but are not.

    `generated` stays unset, so the same bytes give the same metadata; `source_hash` is their SHA-256.
    """
    from hashlib import sha256

    from conduit.metadata.schema import Metadata, Source, SourceError
    from conduit.sources.collector.redaction import Redactor
    from conduit.sources.openapi.operations import middleware_of_resources, read_routes
    from conduit.sources.openapi.schemas import read_resources
    from conduit.sources.openapi.secrets import redact

    document = parse_document(data, source)
    redactor = Redactor(allowed=allowed)
    redact(document.root, redactor)
    try:
        routes = read_routes(document)
        resources = read_resources(document, middleware_of_resources(routes))
    except RecursionError:
        raise OpenAPIError(source, "is nested too deeply to be read") from None
    info = document.section("info")
    title = info.get("title")
    return Metadata(
        version=FORMAT_VERSION,
        source_hash=sha256(data).hexdigest(),
        resources=resources,
        routes=routes,
        sources=(
            Source(
                kind="openapi",
                name=source,
                version=str(document.root["openapi"]),
                title=title if isinstance(title, str) else "",
            ),
        ),
        errors=tuple(
            SourceError(source=source, message=warning.message, location=warning.pointer)
            for warning in document.warnings
        ),
        redacted=redactor.count,
    )
