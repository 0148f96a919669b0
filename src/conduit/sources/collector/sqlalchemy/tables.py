"""The `MetaData` objects of the loaded models."""

from __future__ import annotations

from typing import Any

from ..static_access import is_a, modules
from .api import open_sqlalchemy


def loaded_metadata() -> list[Any]:
    """Return each `MetaData` with tables in a loaded module, or in a declarative base in one.

    Raise `LookupError` if there is none: then no models are loaded that migrations could be compared with.
    """
    api = open_sqlalchemy()
    found: dict[int, Any] = {}
    for _, members in modules() if api is not None else ():
        for value in members.values():
            metadata = value if is_a(value, api.MetaData) else _metadata_of(value, api)
            if metadata is not None and metadata.tables:
                found[id(metadata)] = metadata
    if not found:
        raise LookupError("no SQLAlchemy models are loaded; name them with --app or --sqlalchemy")
    return list(found.values())


def _metadata_of(value: Any, api: Any) -> Any:
    metadata = type.__getattribute__(value, "__dict__").get("metadata") if is_a(value, type) else None
    return metadata if is_a(metadata, api.MetaData) else None
