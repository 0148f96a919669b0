"""Metadata from OpenAPI documents and from applications that can be loaded.

`openapi` reads documents of the OpenAPI specification (https://spec.openapis.org/oas). `collector` reads a live
application through the public interfaces of its frameworks; `docs/collecting.md` lists them. It runs in the
application's own interpreter, started by `application`, or in this process (`conduit.sources.collect`).
`discovery` finds an application in a folder; `document_cache` keeps collected documents until the project's files
change. Used by the command line (`conduit collect`, `conduit introspect`), by `conduit.middleware` and by
applications at start-up.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import Any

    from conduit.sources.application import collect as collect

__all__ = ["collect"]


def __getattr__(name: str) -> Any:
    if name != "collect":
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from conduit.sources.application import collect

    return collect
