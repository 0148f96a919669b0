"""Access to objects of the application without running any of their code.

`isinstance` and `getattr` run the `__class__`, `__getattr__` and descriptors of their argument. On a lazy proxy
(Django's settings, `SimpleLazyObject`, a client that connects on first use) that evaluates it. Therefore objects in
modules are examined only by their type.
"""

from __future__ import annotations

import functools
import inspect
import sys
import types
from typing import Any

_MISSING: Any = object()
_PLAIN = (
    types.FunctionType,
    types.BuiltinFunctionType,
    types.MethodType,
    types.ModuleType,
    types.CodeType,
    functools.partial,
    type(_MISSING.__init__),
)
_C_DESCRIPTORS = (types.GetSetDescriptorType, types.MemberDescriptorType)
_class_dict = type.__dict__["__dict__"].__get__


def is_a(thing: Any, classes: Any) -> bool:
    """Return whether the object's own type is one of the classes or derives from one."""
    return issubclass(type(thing), classes)


def is_class(thing: Any) -> bool:
    """Return whether the object is a class."""
    return issubclass(type(thing), type)


def class_dict(cls: type) -> Any:
    """Return the attributes of the class itself, ignoring its metaclass."""
    return _class_dict(cls)


def static(thing: Any, name: str, default: Any = None) -> Any:
    """Return the attribute as stored; no `__getattr__`, property or other Python descriptor runs."""
    if type(thing) in _PLAIN:
        return getattr(thing, name, default)
    found = inspect.getattr_static(thing, name, _MISSING)
    if type(found) in _C_DESCRIPTORS:
        try:
            return found.__get__(thing, type(thing))
        except (AttributeError, TypeError):
            return default
    return default if found is _MISSING else found


def text(thing: Any, name: str) -> str:
    """Return the attribute if it is text, otherwise an empty text."""
    found = static(thing, name)
    return found if type(found) is str else ""


def modules() -> list[tuple[str, dict[str, Any]]]:
    """Return the loaded modules' names and globals, sorted by name; entries that are not modules are omitted."""
    found = []
    for name, module in sorted(sys.modules.items(), key=lambda item: str(item[0])):
        members = members_of(module)
        if members is not None:
            found.append((name, members))
    return found


def members_of(module: Any) -> dict[str, Any] | None:
    """Return a module's globals without loading a lazy module; `None` for an object that is not a module."""
    if not is_a(module, types.ModuleType):
        return None
    found = object.__getattribute__(module, "__dict__")
    return dict(found) if type(found) is dict else None
