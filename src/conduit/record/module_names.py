"""Names of functions with their modules, as in Go's profiles: `json.decoder.JSONDecoder.raw_decode`, `__main__.work`.

How it works: a code object has a file and a qualified name, but no module. The module is the loaded module of that
file. If there is none, it is the name under which `sys.path` would import the file, or else the name given by the
folders around it that have an `__init__.py`. Only `sys.modules` and `sys.path` are read; of a module only its
dictionary, and of that only strings and the import system's specifications, so no code of the program runs.

Code that does not come from a Python file keeps the text that tracebacks show: `<string>.work`, `In [3].work` for a
cell of a notebook, `<templates/index.html>.root`. Functions of the file that was run as the program are in `__main__`,
also in children of multiprocessing.
"""

from __future__ import annotations

import os
import re
import sys
from functools import cached_property
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import TYPE_CHECKING, Any

from conduit.interruption import interruptible

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    Frame = tuple[str, str, int, int]

_MAIN_NAMES = (
    "__main__",
    "__mp_main__",
)  # the second is what children of multiprocessing call their parent's
_SOURCE = re.compile(r"(?:\.py|\.pyw|\.pyx)\Z")
_COMPILED = re.compile(r"(?:\.cpython-\d+(?:\.opt-\d)?)?\.pyc\Z")
_FROZEN = re.compile(r"<frozen ([\w.]+)>")
_CELL = re.compile(r"<ipython-input-(\d+)-\w+>")
_LIBRARIES = re.compile(r"/(?:site-packages|dist-packages|python\d+\.\d+t?|python\d+\.zip)/")
_namespace_of: Callable[[object], dict[str, Any]] = vars(ModuleType)["__dict__"].__get__


class ModuleNames:
    """Finds the module of a file; `modules` are (file, module) pairs; the first one for a file counts.

    `path` are the folders of `sys.path`, absolute; `cells` maps a notebook's files to the numbers of their cells.
    `has_file(path)` returns whether a file exists; it is called only for files of no module and of no folder in `path`.
    `chosen_name(module)` returns the name of a module that may have several. A large application has thousands of
    modules, and a profile shows a few. So `modules` and `path` are read when the first file asks for them, and
    `chosen_name` is called for the modules of the files that are asked for.
    """

    def __init__(
        self,
        modules: Iterable[tuple[str, str]],
        path: Iterable[str],
        cells: dict[str, int] | None = None,
        has_file: Callable[[str], bool] = os.path.isfile,
        chosen_name: Callable[[str], str] = str,
    ) -> None:
        self._pairs = modules
        self._path = path
        self._cells = cells or {}
        self._has_file = has_file
        self._chosen_name = chosen_name
        self._known: dict[str, str] = {}

    @classmethod
    def of_this_process(cls) -> ModuleNames:
        """Return the names for the modules that are loaded now and the present `sys.path`."""
        loaded = dict(sys.modules)
        return cls(
            _files(loaded),
            _import_path(sys.path),
            _notebook_cells(loaded),
            chosen_name=lambda module: _own_name(module, loaded),
        )

    @cached_property
    def _modules(self) -> dict[str, str]:
        return dict(reversed(list(self._pairs)))  # the first one for a file counts, so it comes last

    @cached_property
    def _compiled(self) -> dict[str, str]:
        """Modules that were loaded from their .pyc only, by the end of the path of their source."""
        compiled: dict[str, str] = {}
        for file, module in self._modules.items():
            if file.endswith(".pyc") and _COMPILED.search(file):
                name = self._chosen_name(module)
                compiled.setdefault(_source_tail(file, name), name)
        return compiled

    @cached_property
    def _folders(self) -> list[str]:
        return sorted({_as_folder(entry) for entry in self._path if entry}, key=len, reverse=True)

    def __call__(self, frame: Frame) -> tuple[str, str]:
        """Return (qualified name, bare name) of a frame's function; the second is empty for other than Python code."""
        qualname, file, line, _ = frame
        if (
            not file or line <= 0 or qualname.startswith("[")
        ):  # a C function, or a remark in the place of a frame
            return qualname, ""
        return f"{self.module(file)}.{qualname}", qualname.rpartition(".")[2]

    def module(self, file: str) -> str:
        """Return the name of the module of a file, or the text that stands for it."""
        known = self._known.get(file)
        if known is None:
            known = self._known[file] = self._find(file)
        return known

    def _find(self, file: str) -> str:
        loaded = self._modules.get(file)
        if loaded is not None:
            return self._chosen_name(loaded)
        if file in self._cells:
            return f"In [{self._cells[file]}]"
        if file.startswith("<") and file.endswith(">"):
            frozen, cell = _FROZEN.fullmatch(file), _CELL.fullmatch(file)
            return frozen[1] if frozen else f"In [{cell[1]}]" if cell else file
        place = file.replace(os.sep, "/")
        return (
            self._find_compiled(place)
            or self._find_on_path(place)
            or self._find_package(place)
            or _mark(place)
        )

    def _find_compiled(self, place: str) -> str:
        """Find a module loaded from its .pyc only, whose code has the path under which it was compiled."""
        parts = place.split("/")
        for start in range(len(parts) if self._compiled else 0):
            found = self._compiled.get("/".join(parts[start:]))
            if found is not None:
                return found
        return ""

    def _find_on_path(self, place: str) -> str:
        for folder in self._folders:
            if place.startswith(folder):
                found = _dotted(place[len(folder) :])
                if found:
                    return found
        library = None
        for library in _LIBRARIES.finditer(place):  # noqa: B007 (the last one is wanted)
            pass
        return _dotted(place[library.end() :]) if library else ""

    def _find_package(self, place: str) -> str:
        folder, _, rest = place.rpartition("/")
        while folder and self._has_file(f"{folder}/__init__.py"):
            folder, _, name = folder.rpartition("/")
            rest = f"{name}/{rest}"
        return _dotted(rest)


def _dotted(relative: str) -> str:
    """Return `shop.models` for `shop/models.py`; an empty text if the file cannot be imported by that path."""
    without_ending = _SOURCE.sub("", relative)
    parts = without_ending.split("/")
    if without_ending == relative or not all(part.isidentifier() for part in parts):
        return ""
    return ".".join(parts[:-1] if parts[-1] == "__init__" and len(parts) > 1 else parts)


def _mark(place: str) -> str:
    """Return the last two parts of a path, in brackets, which show that it is not a module."""
    return f"<{'/'.join(place.split('/')[-2:]).lstrip('/')}>"


def _as_folder(entry: str) -> str:
    return entry.replace(os.sep, "/").rstrip("/") + "/"


def _source_tail(file: str, module: str) -> str:
    """Return the end of the path of a compiled module's source: `shop/models.py`, `shop/__init__.py`."""
    stem = _COMPILED.sub("", file.replace(os.sep, "/")).rpartition("/")[2]
    parts = [] if module in _MAIN_NAMES else module.split(".")
    if parts and parts[-1] == stem:
        parts.pop()
    return "/".join([*parts, f"{stem}.py"])


def _files(loaded: dict[str, ModuleType]) -> Iterator[tuple[str, str]]:
    """Yield (file, name in `loaded`) for all loaded modules, the program itself first."""
    for key in _MAIN_NAMES:
        file = _namespace(loaded.get(key)).get("__file__")
        if type(file) is str:
            yield file, "__main__"
    for key, module in interruptible(loaded.items()):
        file = _namespace(module).get("__file__")
        if type(file) is str and type(key) is str:
            yield file, key


def _namespace(module: object) -> dict[str, Any]:
    """Return a module's dictionary, without calling its class; empty for other objects in `sys.modules`."""
    return _namespace_of(module) if issubclass(type(module), ModuleType) else {}


def _own_name(key: str, loaded: dict[str, ModuleType]) -> str:
    """Return the name under which the module of a key was imported; a key may be an alias (`os.path`)."""
    if key == "__main__":
        return key
    module = loaded[key]
    namespace = _namespace(module)
    specification = namespace.get("__spec__")
    for name in (
        specification.name if type(specification) is ModuleSpec else None,
        namespace.get("__name__"),
    ):
        if type(name) is str and loaded.get(name) is module:
            return name
    return key


def _import_path(entries: Iterable[object]) -> Iterator[str]:
    """Yield the entries of `sys.path`, absolute, and the targets of those that are links."""
    found: dict[str, None] = {}
    for entry in entries:
        if type(entry) is not str:
            continue
        try:
            absolute = os.path.abspath(entry)  # noqa: PTH100 (an empty entry is the current folder)
            found[absolute] = found[os.path.realpath(absolute)] = None
        except (OSError, ValueError):  # the current folder is gone, or no path at all
            continue
    yield from found


def _notebook_cells(loaded: dict[str, ModuleType]) -> dict[str, int]:
    """Return the file names that IPython gave to cells, with the cells' numbers; read from dictionaries only."""
    shell_class = _namespace(loaded.get("IPython.core.interactiveshell")).get("InteractiveShell")
    is_class = issubclass(type(shell_class), type)
    shell = type.__dict__["__dict__"].__get__(shell_class).get("_instance") if is_class else None
    compiler = _attributes(shell).get("compile")
    cells = _attributes(compiler).get("_filename_map")
    if type(cells) is not dict:
        return {}
    return {
        file: number for file, number in cells.copy().items() if type(file) is str and type(number) is int
    }


def _attributes(found: object) -> dict[str, Any]:
    try:
        attributes = object.__getattribute__(found, "__dict__")
    except AttributeError:
        return {}
    return attributes if type(attributes) is dict else {}
