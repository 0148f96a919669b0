"""Whose code a function is: the project's, a library's, the standard library's or the runtime's, by its file."""

from __future__ import annotations

import os
import re
from functools import lru_cache

PROJECT, LIBRARY, STANDARD, RUNTIME = "project", "library", "standard", "runtime"

_INSTALLED = re.compile(r"/(?:site|dist)-packages/([^/]+)")
_STANDARD = re.compile(r"/(?:lib|lib64|Lib)/(?:pypy|python)\d[\d.]*t?/|^<frozen |/lib/python\d[\d.]*\.zip/")
_PATH_IN_LIBRARY = re.compile(
    r"/(?:site-packages|dist-packages|lib(?:64)?/(?:pypy|python)\d[\d.]*t?)/((?!(?:site|dist)-packages/).+\.py)$"
)
# Conduit's own frames (middleware, endpoint, recordings) are no part of a project that has it in an editable install.
_OWN_FOLDER = os.path.dirname(os.path.dirname(os.path.abspath(__file__))).replace("\\", "/") + "/"  # noqa: PTH100, PTH120
_OWN_PATH = re.compile(r"/conduit/((?!.*/conduit/)\w+(?:/\w+)*)\.py$")
# The launcher that an installer writes for a command of a library: `bin/uvicorn`, `Scripts/uvicorn.exe/__main__.py`.
_COMMAND = re.compile(r"(.*)/(?:bin|Scripts)/((?:[^/.]|\.\d)+)(?:|\.exe/__main__\.py|-script\.pyw?)$")
# Folders that are told for an environment by their name, or by that of the folder that they are in.
_ENVIRONMENT = re.compile(
    r"^(?:/usr|/usr/local|/opt/homebrew)$"
    r"|(?:^|/)(?:\.local|(?:[^/]*[._-])?v?env(?:[._\d-][^/]*)?|(?:ana|mini|micro)?conda\d*|python\d[\d.]*)$"
    r"|/(?:\.?pyenv/versions|installs/python|envs|\.?virtualenvs|venvs|\.[tn]ox|uv/tools)/[^/]+$",
    re.IGNORECASE,
)
_GO_STANDARD = re.compile(r"/go/src/|/usr/lib/go|\$GOROOT")
_GO_MODULE = re.compile(r"/pkg/mod/([^@]+)@")


def owner_of(name: str, file: str) -> tuple[str, str]:
    """Return the owner and, within it, what gives the colour: a library's name, otherwise the module's or package's."""
    path = file.replace("\\", "/")
    installed = _INSTALLED.search(path) or _GO_MODULE.search(path)
    if installed:
        return LIBRARY, installed[1].removesuffix(".py")
    if _STANDARD.search(path) or _GO_STANDARD.search(path):
        return STANDARD, _module(name, path)
    if path.startswith(_OWN_FOLDER) or _is_conduits(name, path):
        return LIBRARY, "conduit"
    command = _COMMAND.match(path)
    if command and _is_environment(command[1]):
        return LIBRARY, command[2]
    if not path or (path.startswith("<") and not path.startswith(("<ipython", "<string", "<stdin"))):
        return RUNTIME, ""
    return PROJECT, _module(name, path)


@lru_cache(maxsize=256)
def _is_environment(folder: str) -> bool:
    """Return whether commands are installed below a folder, told by its name, else by what it holds on this machine."""
    return bool(_ENVIRONMENT.search(folder)) or os.path.isfile(f"{folder}/pyvenv.cfg")  # noqa: PTH113


def _is_conduits(name: str, path: str) -> bool:
    """Return whether a function's module is in a part that Conduit has, and its file the one that such a module has."""
    if not name.startswith("conduit."):
        return False
    found = _OWN_PATH.search(path)
    if not found or not name.startswith(f"conduit.{found[1].removesuffix('/__init__').replace('/', '.')}."):
        return False
    part = _OWN_FOLDER + found[1].partition("/")[0]
    return os.path.isdir(part) or os.path.isfile(f"{part}.py")  # noqa: PTH112, PTH113


def module_of(name: str, file: str) -> str:
    """Return the module's dotted name for code in a package or the standard library, otherwise its folder and file."""
    path = file.replace("\\", "/")
    found = _PATH_IN_LIBRARY.search(path)
    if found:
        return found[1].removesuffix(".py").removesuffix("/__init__").replace("/", ".")
    return _module(name, path) if path else ""


def _module(name: str, path: str) -> str:
    """Return the folder and file of Python code, the package of other names."""
    if path.endswith(".py") or path.startswith("<"):
        return "/".join(path.rsplit("/", 2)[-2:])
    head, slash, tail = name.rpartition("/")
    return head + slash + tail.partition(".")[0]
