"""One task as a record."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..callables import innermost, qualified_name
from ..document import put
from ..static_access import static

if TYPE_CHECKING:
    from ..document import Document


def task_record(document: Document, name: str, kind: str, function: Any, **more: Any) -> dict[str, Any]:
    """Return a task with its function's location and first line of documentation; empty values are left out."""
    subject = innermost(function)
    path, line = document.locations.of_function(subject)
    module = static(subject, "__module__")
    text = static(subject, "__doc__")
    return put(
        {"name": name, "kind": kind, "handler": qualified_name(subject)},
        **more,
        file_path=path,
        line_number=line,
        origin=document.locations.origin(module if isinstance(module, str) else ""),
        documentation=text.strip().partition("\n")[0].strip() if isinstance(text, str) else "",
    )
