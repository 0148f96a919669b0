"""Finding benchmark files and loading them: `bench_*.py`, functions `bench_*(b)` in the order they are written."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from conduit.bench.names import UniqueNames, go_name
from conduit.errors import ConduitError

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from types import ModuleType

    from conduit.bench.run.loop import BenchmarkFunction

PATTERN = "bench_*.py"
FUNCTION_PREFIX = "bench_"
_SKIPPED_FOLDERS = {"__pycache__", "node_modules", "build", "dist"}


class NoSuchPathError(ConduitError):
    """A path that was named holds no file or folder."""


@dataclass(frozen=True, slots=True)
class BenchmarkFile:
    """A file with benchmarks. `package` is its path from the project's root without `.py`: the `pkg:` of results."""

    path: Path
    root: Path
    package: str


def find_files(paths: Iterable[str | Path]) -> list[BenchmarkFile]:
    """Return the benchmark files under each path, sorted within a folder.

    A path that is a file is taken, whatever its name. Hidden folders and folders that no benchmark lives in
    (`__pycache__`, `build`, …) are not entered. Raises `NoSuchPathError`.
    """
    found: dict[Path, BenchmarkFile] = {}
    for given in paths:
        path = Path(given)
        if not path.exists():
            raise NoSuchPathError(
                f"{given}: no such file or folder; give a {PATTERN} file or a folder with some"
            )
        for file in [path] if path.is_file() else _walk(path):
            resolved = file.resolve()
            found.setdefault(resolved, _describe(resolved))
    return list(found.values())


def _walk(folder: Path) -> Iterator[Path]:
    yield from sorted(path for path in folder.glob(PATTERN) if path.is_file())
    for child in sorted(folder.iterdir()):
        hidden = child.name.startswith(".") or child.name in _SKIPPED_FOLDERS
        if child.is_dir() and not hidden and not (child / "pyvenv.cfg").exists():
            yield from _walk(child)


def _describe(path: Path) -> BenchmarkFile:
    root = project_root(path.parent)
    return BenchmarkFile(path, root, path.relative_to(root).with_suffix("").as_posix())


def project_root(folder: Path) -> Path:
    """Return the nearest folder upwards with a `pyproject.toml` or a `.git`; the current folder if there is none."""
    for candidate in (folder, *folder.parents):
        if (candidate / "pyproject.toml").is_file() or (candidate / ".git").exists():
            return candidate
    here = Path.cwd()
    return here if folder.is_relative_to(here) else folder


def load(file: BenchmarkFile) -> dict[str, BenchmarkFunction]:
    """Import the file and returns its benchmark functions by Go's name, in the order of the file.

    The file's folder and the project's root are put before `sys.path`, and stay there: benchmarks import when
    they run, too. Raises what the import raises.
    """
    return benchmark_functions(import_file(file))


def benchmark_functions(module: ModuleType) -> dict[str, BenchmarkFunction]:
    """Return a module's benchmark functions by Go's name, in the order they are written."""
    names = UniqueNames()
    functions: dict[str, BenchmarkFunction] = {}
    for attribute, value in vars(module).items():
        if not attribute.startswith(FUNCTION_PREFIX) or not callable(value) or isinstance(value, type):
            continue
        if not hasattr(value, "__conduit_is_no_benchmark__"):
            functions[names.claim("", go_name(attribute)).removeprefix("/")] = value
    return functions


def import_file(file: BenchmarkFile) -> ModuleType:
    """Import a benchmark file, inside its package if it is in one, so that relative imports work.

    Raises what the import raises.
    """
    package = _package_of(file.path)
    if package:
        return _import_in_package(file, package)
    for folder in (file.root, file.path.parent):
        if str(folder) not in sys.path:
            sys.path.insert(0, str(folder))
    name = file.path.stem
    known = sys.modules.get(name)
    if known is not None and getattr(known, "__file__", None) != str(file.path):
        # Two files of one name: the second is known by its whole path.
        name = file.package.replace("/", ".")
    return _execute(name, file.path)


def _package_of(path: Path) -> str:
    """Return the dotted name of the package around a file; empty if there is no `__init__.py` beside it."""
    names: list[str] = []
    folder = path.parent
    while (folder / "__init__.py").is_file() and folder.name.isidentifier():
        names.insert(0, folder.name)
        folder = folder.parent
    return ".".join(names)


def _import_in_package(file: BenchmarkFile, package: str) -> ModuleType:
    above = file.path.parents[package.count(".") + 1]
    # The file's own folder stays importable, too: helper modules beside it are often imported by their bare names.
    for folder in (file.path.parent, file.root, above):
        if str(folder) not in sys.path:
            sys.path.insert(0, str(folder))
    name = f"{package}.{file.path.stem}"
    known = sys.modules.get(name)
    if known is not None and getattr(known, "__file__", None) == str(file.path):
        return known
    importlib.import_module(package)
    return _execute(name, file.path)


def _execute(name: str, path: Path) -> ModuleType:
    specification = importlib.util.spec_from_file_location(name, path)
    if specification is None or specification.loader is None:
        raise ImportError(f"{path}: expected a Python source file (.py)")
    module = importlib.util.module_from_spec(specification)
    sys.modules[name] = module
    try:
        specification.loader.exec_module(module)
    except BaseException:
        sys.modules.pop(name, None)
        raise
    return module


def packages_from_elsewhere(root: Path) -> list[tuple[str, Path]]:
    """Return the packages of a project that were imported from outside it, with the folder they came from.

    A project with its code in `src` that is not installed, or an older version of it in the environment, would be
    measured in place of the working copy.
    """
    found = []
    for folder in (root / "src", root):
        for initial in sorted(folder.glob("*/__init__.py")):
            module = sys.modules.get(initial.parent.name)
            loaded = getattr(module, "__file__", None)
            if loaded and not Path(loaded).resolve().is_relative_to(root.resolve()):
                found.append((initial.parent.name, Path(loaded).parent))
    return found
