"""Describes the public API from its docstrings; `conf.py` puts it into the page when the site is built.

`<!-- api: conduit.bench -->` in a page stands for the description of that module's public names.
"""

from __future__ import annotations

import importlib
import inspect
import re
from typing import Any

MODULES = (
    "conduit",
    "conduit.metadata",
    "conduit.bench",
    "conduit.record",
    "conduit.debug",
    "conduit.middleware",
)
_PLACE = re.compile(r"^<!-- api: ([\w.]+) -->$", re.MULTILINE)

_TIDYING = (
    (re.compile(r"(: |-> )'([^']*)'"), r"\1\2"),  # annotations are kept as text
    (re.compile(r"typing\.Annotated\[(\w+), [^\]]*\]"), r"\1"),
    (re.compile(r"<factory>"), "..."),
    (re.compile(r"\((?:self|cls)(?:, )?"), "("),
    (re.compile(r"<([\w.]+) object at 0x[0-9a-f]+>"), r"\1()"),  # addresses differ from build to build
)


def fill(text: str) -> str:
    """The page with every `<!-- api: MODULE -->` replaced by the module's description."""
    return _PLACE.sub(lambda found: describe(found[1]), text)


def describe(module_name: str) -> str:
    """Markdown about every name in the module's `__all__`, in alphabetical order."""
    module = importlib.import_module(module_name)
    names = sorted((name for name in module.__all__ if not name.startswith("__")), key=str.lower)
    return "\n".join(_describe_object(f"{module_name}.{name}", getattr(module, name)) for name in names)


def _describe_object(name: str, value: Any) -> str:
    parts = [f"### `{name}{_signature(value)}`\n", f"{_docstring(value)}\n"]
    if inspect.isclass(value):
        parts += [_describe_member(*member) for member in _public_members(value)]
    return "\n".join(parts)


def _describe_member(name: str, value: Any) -> str:
    if isinstance(value, property):
        return f"- **`{name}`**: {_first_paragraph(value.fget)}\n"
    return f"- **`{name}{_signature(value)}`**: {_first_paragraph(value)}\n"


def _public_members(owner: type) -> list[tuple[str, Any]]:
    return [
        (name, inspect.unwrap(getattr(owner, name)) if callable(getattr(owner, name, None)) else value)
        for name, value in vars(owner).items()
        if not name.startswith("_")
        and (inspect.isfunction(value) or isinstance(value, (property, classmethod, staticmethod)))
        and (inspect.getdoc(value) or isinstance(value, property))
    ]


def _signature(value: Any) -> str:
    if not callable(value) or (inspect.isclass(value) and issubclass(value, BaseException)):
        return ""
    try:
        text = str(inspect.signature(value))
    except (TypeError, ValueError):
        return ""  # made in C without a text signature
    for pattern, replacement in _TIDYING:
        text = pattern.sub(replacement, text)
    return text


def _docstring(value: Any) -> str:
    if not callable(value):
        return f"A constant: `{value!r}`."
    return inspect.getdoc(value) or "(no description)"


def _first_paragraph(value: Any) -> str:
    text = inspect.getdoc(value) or ""
    return " ".join(text.split("\n\n")[0].split())
