"""Alembic: runs the migrations on an empty SQLite database in memory, and compares the result with the models.

Alembic itself makes the comparison. `env.py` is not run, since it connects to the application's database; the
migrations are run as by `alembic upgrade`. A migration that cannot run on it, because of SQLite or of
tables that no migration creates, is an error that names the migration.
"""

from __future__ import annotations

import configparser
import os
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

_FOLDERS = ("alembic", "migrations", "src/alembic")


def script_folder(root: str) -> str:
    """Return the folder of migrations: `script_location` of alembic.ini, a usual folder, or an empty text."""
    path = os.path.join(root, "alembic.ini")
    if os.path.exists(path):
        here = os.path.abspath(root)
        parser = configparser.ConfigParser({"here": here.replace("%", "%%")})
        parser.read(path, encoding="utf-8")
        location = parser.get("alembic", "script_location", fallback="")
        if location:
            return _located(location, here)
    folders = (os.path.join(root, folder) for folder in _FOLDERS)
    return next((folder for folder in folders if os.path.isdir(os.path.join(folder, "versions"))), "")


def _located(location: str, here: str) -> str:
    """Return the folder that a `script_location` names in an alembic.ini in the folder `here`.

    `package:folder` is a folder of an installed package. Alembic reads a relative location from the current folder,
    which is the project's for most applications, but the folder above the package for one that ships its
    alembic.ini in the package. Hence the current folder, then the ini's folder, then each folder above that; the
    first one from which the location exists counts.
    """
    if ":" in location and not os.path.isabs(location):
        return _in_package(location)
    folders = [os.getcwd(), here]
    while os.path.dirname(here) != here:
        here = os.path.dirname(here)
        folders.append(here)
    candidates = [os.path.join(folder, location) for folder in folders]
    return next((folder for folder in candidates if os.path.isdir(folder)), candidates[1])


def _in_package(location: str) -> str:
    import importlib.util

    package, _, folder = location.partition(":")
    spec = importlib.util.find_spec(package)
    for parent in (spec.submodule_search_locations or ()) if spec is not None else ():
        found = os.path.join(parent, *folder.split(":"))
        if os.path.isdir(found):
            return found
    raise LookupError(f"script_location {location} of alembic.ini names no folder of an installed package")


def missing_operations(folder: str, metadata: list[Any]) -> list[dict[str, str]]:
    """Return what Alembic's comparison finds between the migrations in `folder` and the tables of the models."""
    from alembic.autogenerate import compare_metadata
    from alembic.migration import MigrationContext

    from ..sqlalchemy.api import connect_to_memory

    with connect_to_memory() as connection:
        _upgrade(folder, connection)
        context = MigrationContext.configure(connection, opts={"compare_type": True})
        found = compare_metadata(context, metadata if len(metadata) > 1 else metadata[0])
        return [
            {"tool": "alembic", "application": "", "operation": operation, "name": name, "description": text}
            for difference in found
            for operation, name, text in _described(difference)
        ]


def _upgrade(folder: str, connection: Any) -> None:
    from alembic.migration import MigrationContext
    from alembic.operations import Operations
    from alembic.script import ScriptDirectory

    script = ScriptDirectory(folder)
    context = MigrationContext.configure(connection)
    revisions = list(script.walk_revisions())
    with Operations.context(context):
        for revision in reversed(revisions):
            try:
                revision.module.upgrade()
            except Exception as error:
                raise RuntimeError(
                    f"revision {revision.revision} ({os.path.basename(revision.path)}) cannot run on an empty SQLite "
                    f"database: {_reason(error)}; use `alembic check` with the application's own database"
                ) from error


def _reason(error: Exception) -> str:
    """Return what the database or the revision said; a table that no revision creates is one of an older scheme."""
    text = str(getattr(error, "orig", None) or error)
    hint = " (no earlier revision creates it)" if text.startswith("no such table: ") else ""
    return f"{type(error).__name__}: {text}{hint}"


def _described(difference: Any) -> Iterator[tuple[str, str, str]]:
    """Yield (operation, subject, text) of one difference; changes of one column come as a list."""
    if isinstance(difference, list):
        for one in difference:
            yield from _described(one)
        return
    kind = str(difference[0])
    if kind.startswith("modify_"):
        _, _schema, table, column, *_, before, after = difference
        subject = f"{table}.{column}"
        yield kind, subject, f"{kind.replace('_', ' ')} of {subject}: {before!r} → {after!r}"
        return
    if kind in ("add_column", "remove_column"):
        subject = f"{difference[2]}.{difference[3].name}"
    else:
        thing = difference[1]
        table = getattr(thing, "table", None)
        name = str(getattr(thing, "name", "") or "")
        subject = (
            f"{table.name}.{name}"
            if table is not None and kind not in ("add_table", "remove_table")
            else name
        )
    yield kind, subject, f"{kind.replace('_', ' ')} {subject}"
