"""The `MetaData` objects of the loaded models."""

from __future__ import annotations

from typing import Any

from ..static_access import is_a, modules
from .api import open_sqlalchemy


def compared_metadata(base: Any, name: str) -> list[Any]:
    """Return the `MetaData` of the declarative base, registry or `MetaData` named `name`; without one, all loaded.

    Raise `LookupError` if there are no tables, or if a table is in several `MetaData`: the migrations can lead to one
    alone.
    """
    api = open_sqlalchemy()
    named: Any = base if api is not None and is_a(base, api.MetaData) else getattr(base, "metadata", None)
    if api is not None and named is not None and is_a(named, api.MetaData):
        if not named.tables:
            raise LookupError(f"{name} has no tables; name it in a module that defines or imports the models")
        return [named]
    found = _loaded_metadata(api)
    if not found:
        raise LookupError("no SQLAlchemy models are loaded; name them with --app or --sqlalchemy")
    names: dict[str, str] = {}
    for metadata, where in found:
        for table in metadata.tables:
            if table in names:
                raise LookupError(
                    f"the table {table} is in {names[table]} and in {where}; name the one that the migrations lead to "
                    "with --sqlalchemy"
                )
            names[table] = where
    return [metadata for metadata, _ in found]


def _loaded_metadata(api: Any) -> list[tuple[Any, str]]:
    """Return each `MetaData` with tables in a loaded module, or in a declarative base in one, and its first name."""
    found: dict[int, tuple[Any, str]] = {}
    for module, members in modules() if api is not None else ():
        for name, value in members.items():
            metadata = value if is_a(value, api.MetaData) else _metadata_of(value, api)
            if metadata is not None and metadata.tables:
                found.setdefault(id(metadata), (metadata, f"{module}:{name}"))
    return list(found.values())


def _metadata_of(value: Any, api: Any) -> Any:
    metadata = type.__getattribute__(value, "__dict__").get("metadata") if is_a(value, type) else None
    return metadata if is_a(metadata, api.MetaData) else None
