"""The flags of `conduit collect` and `conduit introspect` that name a live application, and how they are resolved."""

from __future__ import annotations

import sys

from conduit.cli.terminal_text import complain
from conduit.errors import UsageError

TYPE_CHECKING = False  # `typing` would slow the start of every command; type checkers know this name
if TYPE_CHECKING:
    from pathlib import Path

    from conduit.cli.flags import FlagSet, Parsed
    from conduit.metadata.schema import Metadata
    from conduit.sources.application import Application

NAMING = ("app", "django", "sqlalchemy")
_BESIDE = ("factory", "urlconf", "lifespan", "python", "root")


_APP = "an ASGI or WSGI application, module:attribute or module:factory()"


def declare_application(flags: FlagSet, app_help: str = _APP) -> None:
    """Declare the flags that say which application is meant; loading it executes its code."""
    flags.option("app", app_help, metavar="APP")
    flags.switch("factory", "treat --app as an application factory")
    flags.option("django", "a Django settings module, or the path of a manage.py", metavar="SETTINGS")
    flags.option("urlconf", "the module of Django's URLs, if not the one in the settings", metavar="MODULE")
    flags.option("sqlalchemy", "a declarative base, registry or MetaData, module:Base", metavar="BASE")
    flags.switch("lifespan", "also run the application's start-up, which may add routes")
    flags.option(
        "python", "the application's own interpreter (default: .venv, else the active one)", metavar="PATH"
    )
    flags.option(
        "allow",
        "values to show although they look secret, separated by commas",
        default=(),
        parse=_values,
        metavar="TEXT",
    )
    flags.option("root", "the project's folder", default=".", metavar="DIR")
    flags.option(
        "time-limit",
        "abort after this time without progress",
        default="60s",
        parse=_duration,
        metavar="TIME",
    )


def _values(text: str) -> tuple[str, ...]:
    return tuple(filter(None, text.split(",")))


def _duration(text: str) -> str:
    from conduit.units import parse_duration_ns

    if parse_duration_ns(text) <= 0:
        raise ValueError("expected a time above 0")
    return text


def time_limit_s(parsed: Parsed) -> float:
    """Return the time limit in seconds."""
    from conduit.units import parse_duration_ns

    return parse_duration_ns(parsed["time-limit"]) / 1e9


def is_named(parsed: Parsed) -> bool:
    """Return whether one of the flags names an application."""
    return any(parsed[name] for name in NAMING)


def application_of(parsed: Parsed) -> Application:
    """Return the application that the flags name; without any, the one that the folder has, which is then printed."""
    from pathlib import Path

    from conduit.sources.application import Application
    from conduit.sources.discovery import discover, find_interpreter

    root = Path(parsed["root"]).resolve()
    if not root.is_dir():
        raise UsageError(f"--root {parsed['root']}: there is no such folder")
    if is_named(parsed):
        settings, root = _settings(parsed, root)
        return Application(
            root=str(root),
            python=find_interpreter(root, _python(parsed)),
            app=parsed["app"] or "",
            factory=parsed["factory"],
            django=settings,
            urlconf=parsed["urlconf"] or "",
            sqlalchemy=parsed["sqlalchemy"] or "",
            lifespan=parsed["lifespan"],
            allow=parsed["allow"],
        )
    alone = [name for name in _BESIDE if name in parsed.given and name not in ("root", "python")]
    if alone:
        raise UsageError(f"--{alone[0]} also needs --app, --django or --sqlalchemy")
    found = discover(root)
    _print_choice(found.application, found.named_by)
    from msgspec.structs import replace

    application = replace(found.application, allow=parsed["allow"])
    return replace(application, python=_python(parsed)) if parsed["python"] else application


def _python(parsed: Parsed) -> str:
    """Return the interpreter as given, made absolute if it is a path: the process starts in another folder."""
    from pathlib import Path

    given = parsed["python"] or ""
    return str(Path(given).absolute()) if "/" in given else given


def _settings(parsed: Parsed, root: Path) -> tuple[str, Path]:
    """Return Django's settings module and the project's folder; both come from `manage.py` if one was given."""
    from pathlib import Path

    from conduit.sources.discovery import settings_of_manage

    given = parsed["django"] or ""
    if not given.endswith(".py"):
        return given, root
    path = Path(given) if Path(given).is_absolute() else root / given
    settings = settings_of_manage(path)
    if not settings:
        raise UsageError(
            f"--django {given}: it sets no DJANGO_SETTINGS_MODULE; name the settings module itself"
        )
    return settings, path.resolve().parent if "root" not in parsed.given else root


def _print_choice(application: Application, named_by: str) -> None:
    named = " ".join(
        f"--{name} {getattr(application, name)}" for name in NAMING if getattr(application, name)
    )
    print(f"conduit: collecting {named} (from {named_by}) with {application.python}", file=sys.stderr)


def collect_live(parsed: Parsed) -> Metadata:
    """Load the application that the flags name and return its metadata; print its notes on standard error."""
    from conduit.sources.application import collect_application

    collected = collect_application(application_of(parsed), time_limit_s(parsed))
    for note in collected.notes:
        complain(f"conduit: note: {note}")
    return collected.metadata
