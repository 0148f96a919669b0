"""Work outside of requests: Celery's tasks with their schedules, Django's management commands, and that of `work`.

Celery's tasks and Django's commands are read from the frameworks' own enumeration: each Celery application's registry
(`app.tasks`, `app.conf`), and `django.core.management.get_commands()`. No task is run and no command is imported.
"""

from __future__ import annotations

import importlib
import importlib.util
import os
import sys
from typing import TYPE_CHECKING, Any

from .callables import innermost, qualified_name
from .document import put
from .static_access import is_a, modules, static
from .work.dramatiq import collect_actors
from .work.rq import collect_jobs
from .work.signals import collect_receivers

if TYPE_CHECKING:
    from .document import Document


def collect_tasks(document: Document) -> None:
    """Add the tasks of every Celery application of the process, and the commands of a Django that was set up."""
    with document.attempt("celery tasks"):
        _add_celery(document)
    with document.attempt("django commands"):
        _add_commands(document)
    with document.attempt("django receivers"):
        collect_receivers(document)
    with document.attempt("dramatiq actors"):
        collect_actors(document)
    with document.attempt("rq jobs"):
        collect_jobs(document)


def _add_celery(document: Document) -> None:
    celery = sys.modules.get("celery.app.base")
    if celery is None:
        return
    apps = {
        id(value): value
        for _, members in modules()
        for value in members.values()
        if is_a(value, celery.Celery)
    }
    known: set[str] = set()
    for app in apps.values():
        app.loader.import_default_modules() if app.configured else None
        app.finalize(auto=True)
        schedules = _schedules(app)
        for name, task in sorted(app.tasks.items()):
            if name not in known and not name.startswith("celery."):
                known.add(name)
                document.tasks.append(_celery_task(document, app, name, task, schedules))
    if known:
        version = getattr(sys.modules.get("celery"), "__version__", "")
        document.sources.append(put({"kind": "celery"}, version=str(version)))


def _schedules(app: Any) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for entry in (app.conf.beat_schedule or {}).values():
        found.setdefault(str(entry.get("task")), []).append(_schedule_text(entry.get("schedule")))
    return found


def _schedule_text(schedule: Any) -> str:
    fields = [static(schedule, f"_orig_{name}") for name in _CRONTAB]
    if all(field is not None for field in fields):
        return "cron " + " ".join(map(str, fields))
    period = static(schedule, "run_every", schedule)
    seconds = period.total_seconds() if hasattr(period, "total_seconds") else period
    return f"every {seconds:g} s" if is_a(seconds, (int, float)) else type(schedule).__name__


_CRONTAB = ("minute", "hour", "day_of_month", "month_of_year", "day_of_week")


def _celery_task(
    document: Document, app: Any, name: str, task: Any, schedules: dict[str, list[str]]
) -> dict[str, Any]:
    function = innermost(type(task).run)
    path, line = document.locations.of_function(function)
    route = app.amqp.router.route({}, name)
    queue = route.get("queue")
    retries = task.max_retries
    record = {"name": name, "kind": "celery_task"}
    return put(
        record,
        handler=qualified_name(function),
        queue=str(getattr(queue, "name", queue) or app.conf.task_default_queue),
        schedule="; ".join(schedules.get(name, ())),
        retries=retries if type(retries) is int else 0,
        file_path=path,
        line_number=line,
        origin=document.locations.origin(getattr(function, "__module__", "") or ""),
        documentation=_first_line(function),
    )


def _add_commands(document: Document) -> None:
    settings = sys.modules.get("django.conf")
    if settings is None or not settings.settings.configured:
        return
    management = sys.modules.get("django.core.management")
    if management is None:
        management = importlib.import_module("django.core.management")
    folders = _command_folders(management)
    for name, package in sorted(management.get_commands().items()):
        home = package if is_a(package, str) else type(package).__module__
        module = f"{home}.management.commands.{name}"
        path = _command_file(folders.get(home, ""), module)
        record = {"name": name, "kind": "django_command", "handler": f"{module}:Command"}
        document.tasks.append(
            put(
                record,
                file_path=document.locations.shown(path) if path else "",
                line_number=document.locations.line_of_class(path, "Command") if path else 0,
                origin=document.locations.origin(module),
            )
        )


def _command_folders(management: Any) -> dict[str, str]:
    """Return Django application → the folder in which Django found its commands."""
    homes = {one.name: one.path for one in sys.modules["django.apps"].apps.get_app_configs()}
    homes["django.core"] = os.path.dirname(os.path.dirname(management.__file__))
    return {name: os.path.join(path, "management", "commands") for name, path in homes.items()}


def _command_file(folder: str, module: str) -> str:
    """Return the command's file, where possible without importing the packages that it is in."""
    path = os.path.join(folder, module.rpartition(".")[2] + ".py")
    if folder and os.path.isfile(path):
        return path
    found = importlib.util.find_spec(module)
    return found.origin or "" if found else ""


def _first_line(function: Any) -> str:
    text = static(function, "__doc__")
    return text.strip().partition("\n")[0].strip() if type(text) is str else ""
