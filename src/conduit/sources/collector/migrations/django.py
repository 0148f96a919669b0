"""Django: the result of its own autodetector, as in `makemigrations --check`; no database is opened."""

from __future__ import annotations

from typing import Any


def missing_operations() -> list[dict[str, str]]:
    """Return the operations that `makemigrations` would write now, by application and in its order.

    Raise `RuntimeError` if migrations conflict, since they then do not lead to one state.
    """
    from ..django.api import open_migrations

    api = open_migrations()
    with api.without_translations():  # migrations hold texts as they are written in the models
        return _missing(api)


def _missing(api: Any) -> list[dict[str, str]]:
    loader = api.MigrationLoader(None, ignore_no_migrations=True)
    conflicts = loader.detect_conflicts()
    if conflicts:
        named = "; ".join(
            f"{label}: {', '.join(sorted(names))}" for label, names in sorted(conflicts.items())
        )
        raise RuntimeError(f"migrations conflict ({named}); run `manage.py makemigrations --merge` first")
    detector = api.MigrationAutodetector(
        loader.project_state(),
        api.ProjectState.from_apps(api.apps),
        api.NonInteractiveMigrationQuestioner(dry_run=True),
    )
    changes = detector.changes(graph=loader.graph)
    return [
        {
            "tool": "django",
            "application": label,
            "operation": type(operation).__name__,
            "name": _subject(operation),
            "description": operation.describe(),
        }
        for label, migrations in sorted(changes.items())
        for migration in migrations
        for operation in migration.operations
    ]


def _subject(operation: Any) -> str:
    """Return the model, or `model.field`, that the operation is about."""
    model = getattr(operation, "model_name", None)
    name = getattr(operation, "name", None)
    if model is None:
        return str(name or "")
    named = name if isinstance(name, str) else getattr(getattr(operation, "constraint", None), "name", "")
    return f"{model}.{named}" if named else str(model)
