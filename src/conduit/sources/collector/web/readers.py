"""Which framework of this folder an application belongs to.

Only frameworks that are loaded in the process are considered. Each module has `Routes(document, models)` with
`collect(app)`, for the application itself, and `collect_mounted(app, path, host, above)` for one inside another.
"""

from __future__ import annotations

import importlib
import sys
from typing import TYPE_CHECKING, Any, NamedTuple

from ..static_access import is_a

if TYPE_CHECKING:
    from ..document import Document
    from ..pydantic.models import PydanticModels


class _Framework(NamedTuple):
    kind: str
    module: str
    """Where the framework defines its application class."""
    class_name: str


_FRAMEWORKS = (
    _Framework("aiohttp", "aiohttp.web_app", "Application"),
    _Framework("litestar", "litestar.app", "Litestar"),
    _Framework("quart", "quart.app", "Quart"),
    _Framework("sanic", "sanic.app", "Sanic"),
)


def kind_of(app: Any) -> str:
    """Return the framework of an application, or an empty text."""
    for framework in _FRAMEWORKS:
        cls = getattr(sys.modules.get(framework.module), framework.class_name, None)
        if cls is not None and is_a(app, cls):
            return framework.kind
    return ""


def reader_of(kind: str, document: Document, models: PydanticModels) -> Any:
    """Return the reader of a framework that `kind_of` has named."""
    return importlib.import_module(f".{kind}", __package__).Routes(document, models)


def version_of(kind: str) -> str:
    """Return the installed version of a framework."""
    from importlib import metadata

    try:
        return metadata.version(kind)
    except metadata.PackageNotFoundError:
        return ""
