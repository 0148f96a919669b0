"""Redacts the texts of an OpenAPI document that become metadata: descriptions, defaults, enumerations."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from conduit.sources.collector.redaction import Redactor

_PROSE = frozenset(("description", "summary", "title"))
_VALUES = frozenset(("default", "const"))
_NAMED_CHILDREN = frozenset(("properties", "patternProperties"))


def redact(root: dict[str, Any], redactor: Redactor) -> None:
    """Redact in place, each object once, even if YAML aliases share it."""
    seen: set[int] = set()
    waiting: list[tuple[Any, str]] = [(root, "")]
    while waiting:
        node, name = waiting.pop()
        if id(node) in seen:
            continue
        seen.add(id(node))
        if isinstance(node, list):
            waiting += [(child, name) for child in node if isinstance(child, (dict, list))]
        else:
            own = node.get("name")
            _redact_object(node, own if isinstance(own, str) and "in" in node else name, redactor, waiting)


def _redact_object(
    node: dict[str, Any], name: str, redactor: Redactor, waiting: list[tuple[Any, str]]
) -> None:
    for key, value in node.items():
        if isinstance(value, str):
            if key in _PROSE:
                node[key] = redactor.text(value)
            elif key in _VALUES:
                node[key] = redactor.named(value, name)
        elif key == "enum" and isinstance(value, list):
            node[key] = [redactor.text(one) if isinstance(one, str) else one for one in value]
        elif key in _NAMED_CHILDREN and isinstance(value, dict):
            waiting += [
                (child, str(inner)) for inner, child in value.items() if isinstance(child, (dict, list))
            ]
        elif isinstance(value, (dict, list)):
            waiting.append((value, name))
