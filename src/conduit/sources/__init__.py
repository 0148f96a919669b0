"""WHERE METADATA COMES FROM: OpenAPI documents, and applications that can be loaded.

`openapi` reads documents of the OpenAPI specification. A live application is read by `collector`, which knows Django,
Django REST framework, SQLAlchemy, SQLModel, FastAPI, Starlette, Flask and Pydantic by their public interfaces and
imports nothing else: in the application's own interpreter, started by `application`, or in this process, through
`collect`. `discovery` finds what there is to collect in a folder, `document_cache` keeps what was collected until the
project's files change. Used by the command line (`conduit collect`, `conduit introspect`) and by applications at
start-up.
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
