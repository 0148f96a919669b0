"""Environments for other revisions: built once for each set of dependencies, stored in the cache folder, and reused.

An environment is created atomically: it is built under a temporary name and renamed. `installed_environment` returns
one in which a revision is installed, and creates it if there is none yet. `environment_for` returns one that all
revisions with the same dependencies share; the sources of the revision then come first on the path.
"""

from __future__ import annotations

import hashlib
import importlib.metadata
import json
import shutil
import subprocess
import sys
import time
import tomllib
from pathlib import Path
from typing import TYPE_CHECKING, Any

from conduit.bench.against.held_folders import held_folder, is_abandoned
from conduit.errors import ConduitError
from conduit.user_folders import user_folder

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

REQUIREMENTS = ("requirements.lock", "requirements.txt")
# A lock → the command that prints it as requirements. The tool that wrote a lock is the one that can read it.
LOCKS = {
    "uv.lock": ["uv", "export", "--quiet", "--frozen", "--no-emit-project", "--no-hashes"],
    "poetry.lock": ["poetry", "export", "--without-hashes"],
    "pdm.lock": ["pdm", "export", "--without-hashes", "--prod"],
}
_UNFINISHED = ".unfinished-"
_BEGUN_SECONDS = 60
INSTALLABLE = ("pyproject.toml", "setup.py", "setup.cfg")
_BUILT_FROM = frozenset(
    {".c", ".cc", ".cpp", ".cxx", ".h", ".hh", ".hpp", ".pyx", ".pxd", ".pxi", ".rs", ".f", ".f90", ".go"}
)
_BUILD_FILES = frozenset(
    {"setup.py", "setup.cfg", "MANIFEST.in", "Cargo.toml", "Cargo.lock", "meson.build", "CMakeLists.txt"}
)
# What of [project] can change an environment; a version or a description cannot.
_PROJECT_KEYS = ("name", "dependencies", "requires-python", "dynamic")
# Tables of [tool] that configure other things than the build.
_IDLE_TOOLS = frozenset(
    {"ruff", "mypy", "pytest", "coverage", "black", "isort", "pyright", "importlinter", "conduit", "cibuildwheel",
     "pylint", "bandit", "tox", "towncrier", "bumpversion", "codespell", "commitizen", "semantic_release", "nox"}
)  # fmt: skip


class CheckoutError(ConduitError):
    """A revision could not be checked out or installed; exit status 1."""


def is_installable(tree: Path) -> bool:
    """Return whether pip can install the project in a folder."""
    return any((tree / file).is_file() for file in INSTALLABLE)


def needs_environment(tree: Path) -> bool:
    """Return whether a folder says what it needs; a plain folder of sources runs in this environment."""
    return is_installable(tree) or any((tree / file).is_file() for file in (*LOCKS, *REQUIREMENTS))


def installed_environment(tree: Path, key: str, notify: Callable[[str], None]) -> Path:
    """Return the environment of this name, in which the project in `tree` is installed with its dependencies.

    `notify` is told what could not be done as it should be. Raises `CheckoutError`.
    """
    folder = cache_folder() / "environments" / f"{tree.name}-{key}-{_interpreter_key()}"
    if not (folder / "bin" / "python").exists():
        _install(folder, tree, _requirements(tree, notify), is_installable(tree))
    return folder


def environment_for(tree: Path, notify: Callable[[str], None]) -> tuple[Path, str]:
    """Return an environment with what the project in `tree` needs, and the digest that names it.

    Revisions with equal dependencies and equal sources of extension modules share one. What the installation built and
    the checkout lacks (extension modules, generated files) is linked into the checkout. Raises `CheckoutError`.
    """
    digest = dependency_digest(tree)
    folder = installed_environment(tree, digest, notify)
    _link_built_files(folder, tree)
    return folder, digest


def dependency_digest(tree: Path) -> str:
    """Return twelve hexadecimal digits of all that decides what an environment for `tree` contains."""
    digest = hashlib.sha256()
    for name, content in _deciding_files(tree):
        digest.update(f"{name}\0{len(content)}\0".encode())
        digest.update(content)
    return digest.hexdigest()[:12]


def _deciding_files(tree: Path) -> Iterator[tuple[str, bytes]]:
    pyproject = tree / "pyproject.toml"
    if pyproject.is_file():
        yield "pyproject.toml", _build_part(pyproject.read_bytes())
    for path in sorted(tree.rglob("*")):
        relative = path.relative_to(tree)
        if ".git" in relative.parts or not path.is_file() or path.is_symlink():
            continue
        top = len(relative.parts) == 1
        if (
            path.suffix in _BUILT_FROM
            or path.name in _BUILD_FILES
            or (top and path.name in (*LOCKS, *REQUIREMENTS))
        ):
            yield relative.as_posix(), path.read_bytes()


def _build_part(text: bytes) -> bytes:
    """Return the part of a pyproject.toml that decides about an installation; all of it if it cannot be read."""
    try:
        document: dict[str, Any] = tomllib.loads(text.decode())
    except (UnicodeDecodeError, tomllib.TOMLDecodeError):
        return text
    project = document.get("project", {})
    tools = {name: table for name, table in document.get("tool", {}).items() if name not in _IDLE_TOOLS}
    if isinstance(poetry := tools.get("poetry"), dict):
        tools["poetry"] = {key: poetry[key] for key in poetry if key not in ("version", "description")}
    part = {
        "build-system": document.get("build-system"),
        "project": {key: project[key] for key in _PROJECT_KEYS if key in project},
        "tool": tools,
    }
    return json.dumps(part, sort_keys=True, default=str).encode()


def _link_built_files(environment: Path, tree: Path) -> None:
    source = tree / "src" if (tree / "src").is_dir() else tree
    for record in environment.glob("lib/python*/site-packages/*.dist-info/RECORD"):
        if not (record.parent / "direct_url.json").is_file():  # pip writes it for what came from a folder
            continue
        site = record.parent.parent
        for line in record.read_text(encoding="utf-8").splitlines():
            name = line.split(",")[0]
            target = source / name
            if (
                name.startswith(("..", "/"))
                or name.endswith(".pyc")
                or ".dist-info/" in name
                or target.exists()
            ):
                continue
            if target.parent.is_dir() and target.parent != source:
                target.symlink_to(site / name)


def _requirements(tree: Path, notify: Callable[[str], None]) -> Path | None:
    """Return the revision's pinned versions as a file that pip reads; None if it has none that can be read here."""
    for lock, command in LOCKS.items():
        if not (tree / lock).is_file():
            continue
        if shutil.which(command[0]) is None:
            notify(
                f"{lock} is not used, because {command[0]} is not installed: versions may differ from the lock's"
            )
            continue
        exported = tree.parent / "requirements-of-the-lock.txt"
        exported.write_text(_run(command, f"reading {lock}", folder=tree))
        return exported
    return next((tree / file for file in REQUIREMENTS if (tree / file).is_file()), None)


def cache_folder() -> Path:
    """Return where environments are kept: `$XDG_CACHE_HOME/conduit`, by default `~/.cache/conduit`."""
    return user_folder("XDG_CACHE_HOME") / "conduit"


def _interpreter_key() -> str:
    identity = f"{sys.implementation.cache_tag} {Path(sys.executable).resolve()}"
    return hashlib.sha256(identity.encode()).hexdigest()[:12]


def _install(folder: Path, tree: Path, requirements: Path | None, installable: bool) -> None:
    """Build an environment under a temporary name and rename it when it is complete."""
    folder.parent.mkdir(parents=True, exist_ok=True)
    _remove_unfinished(folder.parent)
    with held_folder(folder.name + _UNFINISHED, folder.parent) as building:
        python = str(building / "bin" / "python")
        pip = _pip_of_another_environment(python)
        _run(
            [sys.executable, "-m", "venv", *(["--without-pip"] if pip else []), str(building)],
            "making an environment",
        )
        pip = [*(pip or [python, "-m", "pip"]), "install", "--quiet", "--disable-pip-version-check"]
        if requirements:
            _run([*pip, "--requirement", str(requirements)], f"installing {requirements.name}")
        if installable:
            _run([*pip, *(["--no-deps"] if requirements else []), str(tree)], "installing the revision")
        # Its python is found by the folder's new name; the scripts beside it would not be, and are not used.
        try:
            building.rename(folder)
        except OSError:
            if not (folder / "bin" / "python").exists():  # else another process was faster
                raise


def _remove_unfinished(parent: Path) -> None:
    """Remove environments that killed processes were building; one that has just begun is not yet held."""
    for path in parent.glob(f"*{_UNFINISHED}*"):
        try:
            is_new = time.time() - path.stat().st_mtime < _BEGUN_SECONDS
        except OSError:  # removed by another process
            continue
        if not is_new and is_abandoned(path):
            shutil.rmtree(path, ignore_errors=True)


def _pip_of_another_environment(python: str) -> list[str]:
    """Return the command of this interpreter's pip for the environment of `python`; [] if its pip cannot do that.

    Installing pip itself takes two seconds of CPU time, most of what an environment costs.
    """
    try:
        major, minor = importlib.metadata.version("pip").split(".")[:2]
        knows_the_option = (int(major), int(minor)) >= (22, 3)
    except (importlib.metadata.PackageNotFoundError, ValueError):
        return []
    return [sys.executable, "-m", "pip", "--python", python] if knows_the_option else []


def _run(command: list[str], doing: str, folder: Path | None = None) -> str:
    run = subprocess.run(
        command, capture_output=True, text=True, check=False, stdin=subprocess.DEVNULL, cwd=folder
    )
    if run.returncode:
        said = "\n".join((run.stderr or run.stdout).strip().splitlines()[-5:])
        raise CheckoutError(f"{doing} failed (exit status {run.returncode}):\n{said}")
    return run.stdout
