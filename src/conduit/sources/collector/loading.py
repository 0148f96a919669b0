"""Loading the application: `module:attr`, `module:factory()`, and the errors of doing so."""

from __future__ import annotations

import ast
import asyncio
import importlib
import inspect
import os
import sys
from typing import Any


class LoadingError(Exception):
    """The application could not be loaded; the text says what was found and what to do."""


def prepare_path(root: str) -> None:
    """Put the project (and its `src` folder, if it has one) at the front of this process's module path.

    Only this process's path is changed: with PYTHONPATH, a `sitecustomize.py` of the project would run in every Python
    process started from here.
    """
    source = os.path.join(root, "src")
    folders = [root, source] if _is_source_folder(source) else [root]
    sys.path[:] = [*folders, *(path for path in sys.path if path not in ("", *folders))]


def _is_source_folder(path: str) -> bool:
    return os.path.isdir(path) and not os.path.exists(os.path.join(path, "__init__.py"))


def load(spec: str, factory: bool = False) -> Any:
    """Return the object that `module:attr` names; `attr` may be dotted.

    If `attr` ends in `(…)`, whose arguments are literals (`create_app('prod', debug=True)`), or if `factory` is true,
    the factory is called; a coroutine function is awaited. Without an attribute, the module's only usual application is
    returned: `app`, `application`, `asgi`, `wsgi`, or the result of `create_app` or `make_app`.
    """
    module_name, _, attribute = spec.partition(":")
    module = _import(module_name, spec)
    call = factory
    arguments: tuple[list[Any], dict[str, Any]] = [], {}
    if attribute.endswith(")"):
        attribute, arguments = _call(attribute, spec)
        call = True
    if not attribute:
        attribute, found_factory = _obvious(module)
        call = call or found_factory
    thing = _follow(module, attribute, spec)
    return _made(thing, spec, *arguments) if call else thing


def _import(name: str, spec: str) -> Any:
    if not name:
        raise LoadingError(
            f"reading {spec!r}: it names no module; expected module:attribute, such as shop.main:app"
        )
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        if error.name and (name == error.name or name.startswith(error.name + ".")):
            raise LoadingError(
                f"there is no module {error.name!r} on the path of {sys.executable} from {os.getcwd()}; "
                "run in the project's folder, or name the application's interpreter with --python"
            ) from error
        raise


class NoObviousApplicationError(LoadingError):
    """The module has no application with a usual name, or several; its `module` may still have models or tasks."""

    def __init__(self, message: str, module: Any) -> None:
        super().__init__(message)
        self.module = module


def _obvious(module: Any) -> tuple[str, bool]:
    plain = [name for name in ("app", "application", "asgi", "wsgi") if hasattr(module, name)]
    made = [name for name in ("create_app", "make_app") if callable(getattr(module, name, None))]
    found = plain or made
    if len(found) != 1:
        seen = " and ".join(found) or "none of app, application, create_app, make_app"
        message = f"module {module.__name__} has {seen}; say which is meant: {module.__name__}:NAME"
        raise LoadingError(message) if found else NoObviousApplicationError(message, module)
    return found[0], not plain


def _follow(module: Any, attribute: str, spec: str) -> Any:
    thing = module
    for part in attribute.split("."):
        if not hasattr(thing, part):
            near = [name for name in dir(thing) if not name.startswith("_")][:8]
            raise LoadingError(
                f"reading {spec!r}: {getattr(thing, '__name__', type(thing).__name__)} has no {part!r}; "
                f"it has {', '.join(near) or 'nothing'}"
            )
        thing = getattr(thing, part)
    return thing


def _call(text: str, spec: str) -> tuple[str, tuple[list[Any], dict[str, Any]]]:
    """Split `name('prod', debug=True)` into the name and the arguments, which must be literals."""
    try:
        call = ast.parse(text, mode="eval").body
        if not isinstance(call, ast.Call):
            raise ValueError(text)
        named = {word.arg: ast.literal_eval(word.value) for word in call.keywords if word.arg is not None}
        given = [ast.literal_eval(argument) for argument in call.args]
    except (SyntaxError, ValueError) as error:
        raise LoadingError(
            f"reading {spec!r}: expected a call with literal arguments, such as create_app('prod')"
        ) from error
    return ast.unparse(call.func), (given, named)


def _made(factory: Any, spec: str, given: list[Any], named: dict[str, Any]) -> Any:
    if not callable(factory):
        raise LoadingError(f"calling {spec!r}: it is {type(factory).__name__}, not a factory; leave out `()`")
    problem = _misfit(factory, given, named)
    if problem:
        raise LoadingError(
            f"calling {spec!r}: {problem}; give the arguments as literals, such as create_app('prod'), "
            "or name a factory without arguments"
        )
    made = factory(*given, **named)
    return asyncio.run(_awaited(made)) if inspect.iscoroutine(made) else made


async def _awaited(made: Any) -> Any:
    return await made


def _misfit(factory: Any, given: list[Any], named: dict[str, Any]) -> str:
    try:
        signature = inspect.signature(factory)
        bound = signature.bind_partial(*given, **named).arguments
    except TypeError as error:
        return f"the factory does not take these arguments: {error}"
    except ValueError:  # a callable of C says nothing about its arguments
        return ""
    variable = (inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD)
    parameters = signature.parameters.values()
    wanted = [p.name for p in parameters if p.default is p.empty and p.kind not in variable]
    missing = [name for name in wanted if name not in bound]
    return f"the factory wants {', '.join(missing)}" if missing else ""
