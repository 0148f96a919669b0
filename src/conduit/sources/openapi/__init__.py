"""OpenAPI 3.0 and 3.1 documents (https://spec.openapis.org/oas) as metadata.

Every named schema becomes a resource, its properties fields, its references relationships; every operation
of a path or a webhook becomes a route with the security in force as its middleware. Nothing is fetched:
references out of the document are warnings, kept in the document's `errors`. The same bytes give the same
metadata, to the byte. `conduit collect --openapi` is its user.
"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from conduit.sources.openapi.document import OpenAPIDocument, parse_document
from conduit.sources.openapi.errors import OpenAPIError

if TYPE_CHECKING:
    import os

    from conduit.metadata.schema import Metadata

__all__ = ["OpenAPIDocument", "OpenAPIError", "parse_openapi", "read_openapi"]

FORMAT_VERSION = "1.0"


def read_openapi(path: str | os.PathLike[str]) -> Metadata:
    """The metadata of an OpenAPI file. Raises `OpenAPIError` where it is none, `OSError` where it cannot be read."""
    file = Path(path)
    return parse_openapi(file.read_bytes(), str(path))


def parse_openapi(data: bytes, source: str) -> Metadata:
    """The metadata of the bytes of an OpenAPI document; `source` is the file name that it and its errors carry.

    `generated` stays unset, so that the same bytes give the same metadata; `source_hash` is their SHA-256.
    """
    from hashlib import sha256

    from conduit.metadata.schema import Metadata, Source, SourceError
    from conduit.sources.openapi.operations import middleware_of_resources, read_routes
    from conduit.sources.openapi.schemas import read_resources

    document = parse_document(data, source)
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
    )
