"""Where an item is defined (file and line), and who defines it (the project, a third party, the framework).

Lines of classes and of the names in their bodies come from the source, since frameworks do not record where a field was
declared; each file is read once. Paths of project files are relative to the project's root, other paths are absolute.
"""

from __future__ import annotations

import functools
import importlib.util
import os
import sys
import sysconfig
import types
from typing import TYPE_CHECKING, Any

from .source_text import SourceText
from .static_access import is_a, is_class, members_of, static

if TYPE_CHECKING:
    from .source_text import ClassBlock, ClassBody

_FRAMEWORKS = frozenset(
    [
        "django",
        "rest_framework",
        "ninja",
        "sqlalchemy",
        "sqlmodel",
        "fastapi",
        "starlette",
        "flask",
        "werkzeug",
        "pydantic",
        "flask_sqlalchemy",
        "aiohttp",
        "beanie",
        "celery",
        "dramatiq",
        "fastmcp",
        "grpc",
        "litestar",
        "mcp",
        "peewee",
        "quart",
        "rq",
        "sanic",
        "strawberry",
        "tortoise",
    ]
)


class Locations:
    """Finds where items are defined.

    `root` is the project's folder; `entry_modules` are modules of the project. A project installed as a package (its
    entry module is in site-packages) owns every top-level package of its distribution.
    """

    def __init__(self, root: str, entry_modules: Any = ()) -> None:
        self.root = os.path.realpath(root)
        self._files: dict[str, SourceText | None] = {}
        self._relative: dict[str, str] = {}
        self._modules: dict[str, str] = {}
        self._origins: dict[str, str] = {}
        self._installed = tuple(_installed_folders())
        self._own: set[str] = set()
        self.adopt(*entry_modules)

    def adopt(self, *modules: str) -> None:
        """Count the modules' top-level packages, and those of their distributions, as the project's own."""
        fresh = {name.partition(".")[0] for name in modules if name} - self._own - _FRAMEWORKS
        self._own |= fresh | self._distribution_of(fresh)
        self._origins.clear()

    def _distribution_of(self, packages: set[str]) -> set[str]:
        wanted = {
            name for name in packages if self._is_installed(_file_of_module(name) or _file_of_package(name))
        }
        return _packages_beside(wanted) if wanted else set()

    def _is_installed(self, path: str) -> bool:
        return bool(path) and os.path.realpath(path).startswith(self._installed)

    def origin(self, module: str) -> str:
        """Return who defines the module: `project`, `framework` or `third_party`."""
        found = self._origins.get(module)
        if found is None:
            found = self._origins[module] = self._find_origin(module)
        return found

    def _find_origin(self, module: str) -> str:
        top = (module or "").partition(".")[0]
        if top in self._own:
            return "project"
        if top in _FRAMEWORKS:
            return "framework"
        path = self._file_of(module) or self._file_of(top)
        if not path:
            return "project" if top == "__main__" else "third_party"
        if self._is_installed(path):
            return "third_party"
        return "project" if os.path.realpath(path).startswith(self.root + os.sep) else "third_party"

    def shown(self, path: str) -> str:
        """Return the path as in the document: relative to the project's root if inside it, otherwise absolute."""
        found = self._relative.get(path)
        if found is None:
            real = os.path.realpath(path)
            inside = real.startswith(self.root + os.sep) and not real.startswith(self._installed)
            found = os.path.relpath(real, self.root).replace(os.sep, "/") if inside else real
            self._relative[path] = found
        return found

    def of_function(self, function: Any) -> tuple[str, int]:
        """Return file and first line (with decorators) of a function, method or class; `("", 0)` if there is none."""
        if is_class(function):
            return self.of_class(function)
        code = static(function.__func__ if is_a(function, types.MethodType) else function, "__code__")
        if is_a(code, types.CodeType):
            return self.shown(code.co_filename), code.co_firstlineno
        if is_a(function, functools.partial):
            return self.of_function(function.func)
        return self.of_class(type(function))

    def of_class(self, cls: type) -> tuple[str, int]:
        """Return file and line of a class statement; the line is 0 if the source cannot be read."""
        path = self._file_of(cls.__module__)
        if not path:
            return "", 0
        body = self._body(cls)
        return self.shown(path), body.line if body else int(cls.__dict__.get("__firstlineno__", 0))

    def of_nearest_class(self, cls: type) -> tuple[str, int]:
        """Return file and line of the class or, if it was made by `type(…)`, of its nearest written base."""
        for base in cls.__mro__:
            found = self.of_class(base)
            if found[1]:
                return found
        return self.of_class(cls)

    def of_attribute(self, cls: type, name: str) -> tuple[str, int]:
        """Return where the class or its nearest base binds `name`; `("", 0)` if none does."""
        for base in cls.__mro__:
            body = self._body(base) if base.__module__ != "builtins" else None
            if body is not None and name in body.attributes:
                return self.shown(self._file_of(base.__module__)), body.attributes[name]
        return "", 0

    def line_of_class(self, path: str | None, name: str) -> int:
        """Return the line of a class statement in a file that need not be imported; 0 if there is none."""
        source = self._source(path) if path else None
        bodies = source.classes(name) if source else None
        return bodies[-1].line if bodies else 0

    def function_at(self, path: str, line: int) -> str:
        """Return the qualified name of the function that starts there (for interpreters without `co_qualname`)."""
        source = self._source(path)
        return source.tree().function_at(line) if source else ""

    def _body(self, cls: type) -> ClassBody | ClassBlock | None:
        source = self._source(self._file_of(cls.__module__))
        statements = source.classes(cls.__qualname__) if source else None
        if not statements:
            return None
        first = cls.__dict__.get(
            "__firstlineno__"
        )  # from 3.13 on: which of several statements of one name this is
        if first:
            return min(statements, key=lambda body: (body.line < first, abs(body.line - first)))
        return statements[-1]

    def _file_of(self, module: str) -> str:
        """Return the file of a loaded module, or an empty text."""
        found = self._modules.get(module)
        if not found:
            found = self._modules[module] = _file_of_module(module)
        return found

    def _source(self, path: str) -> SourceText | None:
        if path not in self._files:
            self._files[path] = _read(path)
        return self._files[path]


def _read(path: str) -> SourceText | None:
    try:
        with open(path, "rb") as file:
            data = file.read()
    except OSError:
        return None  # compiled, generated or removed source: the line is then unknown, and said to be
    return None if b"\0" in data else SourceText(data)


def _file_of_module(name: str) -> str:
    members = members_of(sys.modules.get(name)) or {}
    path = members.get("__file__")
    return path if type(path) is str else ""


def _file_of_package(name: str) -> str:
    """Return the file from which a top-level package that is not loaded would be imported."""
    try:
        spec = importlib.util.find_spec(name)
    except (ImportError, ValueError):
        return ""
    if spec is None:
        return ""
    return spec.origin or next(iter(spec.submodule_search_locations or ()), "")


def _installed_folders() -> set[str]:
    names = ("purelib", "platlib", "stdlib", "platstdlib")
    folders = {sysconfig.get_path(name) for name in names}
    folders |= {path for path in sys.path if "site-packages" in path or "dist-packages" in path}
    return {os.path.realpath(folder) + os.sep for folder in folders if folder}


def _packages_beside(wanted: set[str]) -> set[str]:
    """Return every top-level package of the distributions that installed the given ones."""
    from importlib import metadata

    found: set[str] = set()
    for distribution in metadata.distributions():
        tops = _tops(distribution)
        if tops & wanted:
            found |= tops
    return found


def _tops(distribution: Any) -> set[str]:
    listed = distribution.read_text("top_level.txt")
    if listed:
        return set(listed.split())
    files = distribution.files or ()
    tops = {file.parts[0] for file in files if len(file.parts) > 1 or file.suffix == ".py"}
    return {top[:-3] if top.endswith(".py") else top for top in tops if top.replace(".py", "").isidentifier()}
