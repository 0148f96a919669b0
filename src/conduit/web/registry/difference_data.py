"""The difference of two documents for the page: the risks first, then every change, and the same as Markdown."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from conduit.metadata.difference import Difference


def difference_data(found: Difference, base: str, markdown: str) -> dict[str, Any]:
    """Return what the page shows of a difference; `base` names the older document."""
    return {
        "base": base,
        "markdown": markdown,
        "lost": [
            {"route": one.route, "guard": one.guard, "gained": one.is_exemption} for one in found.lost_guards
        ],
        "unclear": [
            {"route": one.route, "lost": list(one.lost), "gained": list(one.gained)}
            for one in found.unclear_guards
        ],
        "deletions": [{"resource": one.resource, "text": str(one)} for one in found.deletions],
        "changes": [
            [one.action, one.kind, one.name, one.attribute, one.before, one.after] for one in found.changes
        ],
    }
