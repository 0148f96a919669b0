"""Finds the application of a folder without running anything: settings are parsed, sources are read as syntax trees.

The following places are searched in this order, and the first that names an application decides: `[tool.conduit]` in
pyproject.toml, the entry point of FastAPI's own command there, Django's settings module there (for pytest or for
django-stubs), the environment (DJANGO_SETTINGS_MODULE, FLASK_APP), `manage.py`, and the files where an application
usually is. If one place names two applications, both are reported to the caller; nothing is guessed.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from conduit.errors import ConduitError
from conduit.sources.application import Application

if TYPE_CHECKING:
    import ast
    from collections.abc import Callable, Mapping

USUAL_FILES = (
    "main.py",
    "app.py",
    "api.py",
    "asgi.py",
    "wsgi.py",
    "app/main.py",
    "app/app.py",
    "app/api.py",
    "app/__init__.py",
    "src/main.py",
)
_CLASSES = frozenset(("FastAPI", "Starlette", "Flask"))
_NAMES = ("app", "application")
_FACTORIES = frozenset(("create_app", "make_app"))
_OPTIONS: dict[str, type] = {
    "app": str,
    "factory": bool,
    "django": str,
    "urlconf": str,
    "sqlalchemy": str,
    "lifespan": bool,
    "python": str,
}


class DiscoveryError(ConduitError):
    """No application was found, or more than one, or a file could not be read."""


class Found(msgspec.Struct, frozen=True):
    """An application, and the place that named it."""

    application: Application
    named_by: str


def discover(root: Path, environment: Mapping[str, str] | None = None) -> Found:
    """Return the application of the folder. Raise `DiscoveryError` if there is none, or several of equal rank."""
    environment = os.environ if environment is None else environment
    project = _read_pyproject(root)
    steps: list[Callable[[], dict[str, dict[str, Any]]]] = [
        lambda: _from_conduit(project),
        lambda: _from_fastapi(project),
        lambda: _from_django_tools(project),
        lambda: _from_environment(environment),
        lambda: _from_manage(root),
        lambda: _from_usual_files(root),
    ]
    for named_by in steps:
        candidates = named_by()
        if candidates:
            return _only(candidates, root)
    raise DiscoveryError(
        f"found no application in {root}: no [tool.conduit] in pyproject.toml, no settings in the environment, no "
        f"manage.py, and no application in {', '.join(USUAL_FILES[:4])} or the like; name it with --app "
        "module:attribute, "
        "--django settings.module or --sqlalchemy module:Base"
    )


def _only(candidates: dict[str, dict[str, Any]], root: Path) -> Found:
    if len({tuple(sorted(wanted.items())) for wanted in candidates.values()}) > 1:
        listed = "\n".join(f"  {_flags(wanted)}   ({named_by})" for named_by, wanted in candidates.items())
        raise DiscoveryError(f"found more than one application in {root}; say which is meant:\n{listed}")
    named_by, wanted = next(iter(candidates.items()))
    python = wanted.pop("python", "")
    application = Application(root=str(root), python=find_interpreter(root, python), **wanted)
    return Found(application, named_by)


def _flags(wanted: dict[str, Any]) -> str:
    return " ".join(f"--{key}" if value is True else f"--{key} {value}" for key, value in wanted.items())


def find_interpreter(root: Path, given: str = "") -> str:
    """Return the interpreter that has the application's packages.

    That is the given one, the folder's `.venv`, the active environment, or Conduit's own.
    """
    if given:
        return given if os.sep not in given else str((root / given).absolute())
    active = os.environ.get("VIRTUAL_ENV", "")
    folders = [root / ".venv", root / "venv", *([Path(active)] if active else [])]
    for folder in folders:
        if (folder / "bin" / "python").exists():
            return str((folder / "bin" / "python").absolute())
    return os.path.normpath(sys.executable)


def _read_pyproject(root: Path) -> dict[str, Any]:
    import tomllib

    path = root / "pyproject.toml"
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise DiscoveryError(f"reading {path}: {error}") from None


def _section(project: dict[str, Any], *names: str) -> dict[str, Any]:
    found: Any = project
    for name in ("tool", *names):
        found = found.get(name) if isinstance(found, dict) else None
    return found if isinstance(found, dict) else {}


def _from_conduit(project: dict[str, Any]) -> dict[str, dict[str, Any]]:
    section = _section(project, "conduit")
    for key, value in section.items():
        expected = _OPTIONS.get(key)
        if expected is None:
            raise DiscoveryError(
                f"pyproject.toml: [tool.conduit] knows no {key!r}; it takes {', '.join(_OPTIONS)}"
            )
        if type(value) is not expected:
            kind = "true or false" if expected is bool else "a text"
            raise DiscoveryError(f"pyproject.toml: tool.conduit.{key}: expected {kind}, got {value!r}")
    named = any(section.get(key) for key in ("app", "django", "sqlalchemy"))
    return {"[tool.conduit] in pyproject.toml": section} if named else {}


def _from_fastapi(project: dict[str, Any]) -> dict[str, dict[str, Any]]:
    entry = _section(project, "fastapi").get("entrypoint")
    return {"[tool.fastapi] in pyproject.toml": {"app": entry}} if isinstance(entry, str) else {}


def _from_django_tools(project: dict[str, Any]) -> dict[str, dict[str, Any]]:
    pytest = _section(project, "pytest", "ini_options").get("DJANGO_SETTINGS_MODULE")
    stubs = _section(project, "django-stubs").get("django_settings_module")
    named = {"pytest's settings in pyproject.toml": pytest, "[tool.django-stubs] in pyproject.toml": stubs}
    return {
        named_by: {"django": value} for named_by, value in named.items() if isinstance(value, str) and value
    }


def _from_environment(environment: Mapping[str, str]) -> dict[str, dict[str, Any]]:
    settings, flask = environment.get("DJANGO_SETTINGS_MODULE"), environment.get("FLASK_APP")
    found: dict[str, dict[str, Any]] = {}
    if settings:
        found["DJANGO_SETTINGS_MODULE in the environment"] = {"django": settings}
    if flask:
        found["FLASK_APP in the environment"] = {"app": flask.removesuffix(".py").replace("/", ".")}
    return found


def _from_manage(root: Path) -> dict[str, dict[str, Any]]:
    path = root / "manage.py"
    if not path.is_file():
        return {}
    settings = settings_of_manage(path)
    return {"manage.py": {"django": settings}} if settings else {}


def settings_of_manage(path: Path) -> str:
    """Return the settings module that a `manage.py` sets as default, or an empty text.

    That is the one in `os.environ.setdefault("DJANGO_SETTINGS_MODULE", …)`. Raise `DiscoveryError` if the file cannot
    be read or is not Python.
    """
    import ast

    for node in ast.walk(_parse(path)):
        if (
            isinstance(node, ast.Call)
            and isinstance(node.func, ast.Attribute)
            and node.func.attr == "setdefault"
        ):
            values = [a.value for a in node.args if isinstance(a, ast.Constant) and isinstance(a.value, str)]
            if len(values) == 2 and values[0] == "DJANGO_SETTINGS_MODULE":
                return values[1]
    return ""


def _parse(path: Path) -> ast.Module:
    import ast

    try:
        return ast.parse(path.read_bytes())
    except (OSError, SyntaxError, ValueError) as error:
        raise DiscoveryError(f"reading {path}: {error}") from None


def _from_usual_files(root: Path) -> dict[str, dict[str, Any]]:
    found: dict[str, dict[str, Any]] = {}
    for name in USUAL_FILES:
        path = root / name
        if path.is_file():
            module = name.removesuffix(".py").removesuffix("/__init__").removeprefix("src/").replace("/", ".")
            for attribute in _applications(_parse(path)):
                found[f"{name}: {attribute}"] = {"app": f"{module}:{attribute}"}
    return found


def _applications(module: ast.Module) -> list[str]:
    """Return the names that a module binds to an application, or else those of its application factories."""
    import ast

    made = [name for node in module.body for name in _bound_to_application(node)]
    if made:
        return [name for name in made if name in _NAMES] or made
    return [
        f"{node.name}()"
        for node in module.body
        if isinstance(node, ast.FunctionDef) and node.name in _FACTORIES
    ]


def _bound_to_application(node: ast.stmt) -> list[str]:
    import ast

    if isinstance(node, ast.Assign):
        targets, value = node.targets, node.value
    elif isinstance(node, ast.AnnAssign) and node.value is not None:
        targets, value = [node.target], node.value
    else:
        return []
    if not isinstance(value, ast.Call):
        return []
    called = value.func.attr if isinstance(value.func, ast.Attribute) else getattr(value.func, "id", "")
    if called not in _CLASSES | _FACTORIES:
        return []
    return [target.id for target in targets if isinstance(target, ast.Name)]
