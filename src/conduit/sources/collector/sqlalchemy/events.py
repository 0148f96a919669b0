"""Validators and event listeners of mapped classes.

SQLAlchemy has no public list of listeners. Its dispatcher can be iterated (in the same way from 1.4 to 2.1), and the
listeners found are marked `observed`; if a release changes it, the events are reported as unknown, not as absent.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..callables import closure, qualified_name
from ..document import mark, put

if TYPE_CHECKING:
    from ..document import Document

_EVENTS = (
    "before_insert",
    "after_insert",
    "before_update",
    "after_update",
    "before_delete",
    "after_delete",
)


def add_validators(record: dict[str, Any], mapper: Any, document: Document) -> None:
    """Add the functions declared with `@validates`."""
    for name, (function, options) in sorted(mapper.validators.items()):
        path, line = document.locations.of_function(function)
        check = {"field": name, "type": "validates", "line_number": line}
        put(check, handler=qualified_name(function), file_path=path if path != record["file_path"] else "")
        if options.get("include_removes"):
            check["value"] = "include_removes"
        record["validations"].append(check)


def _given(listener: Any) -> Any:
    """Return the given function: SQLAlchemy wraps one that takes instances instead of states."""
    inner = dict(closure(listener)).get("fn")
    return inner if callable(inner) and qualified_name(listener).startswith("sqlalchemy.") else listener


def add_events(record: dict[str, Any], mapper: Any, document: Document) -> None:
    """Add the listeners to the mapper's row events, in the order in which they are called."""
    for event in _EVENTS:
        try:
            listeners = list(getattr(mapper.dispatch, event))
        except (AttributeError, TypeError):
            mark(record, "unknown", "hooks")
            return
        for listener in map(_given, listeners):
            path, line = document.locations.of_function(listener)
            module = getattr(listener, "__module__", "") or ""
            hook = {"type": event, "transaction": True, "async": False, "line_number": line}
            put(
                hook,
                handler=qualified_name(listener),
                origin=document.locations.origin(module),
                certainty="observed",
            )
            record["hooks"].append(put(hook, file_path=path if path != record["file_path"] else ""))
