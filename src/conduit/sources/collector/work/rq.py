"""RQ: functions that its decorator has made jobs, and the jobs of its cron.

RQ has no list of functions: any function can be enqueued by name. The list has the functions with `@job` in the loaded
modules (RQ's, Django-RQ's and Flask-RQ's), and those registered with `rq.cron`.
"""

from __future__ import annotations

import sys
import types
from typing import TYPE_CHECKING, Any

from ..callables import closure, qualified_name
from ..document import put
from ..static_access import is_a, modules, static
from .records import task_record

if TYPE_CHECKING:
    from ..document import Document


def collect_jobs(document: Document) -> None:
    """Add every job, if RQ is loaded."""
    decorators = sys.modules.get("rq.decorators")
    cron = sys.modules.get("rq.cron")
    wrapper = getattr(sys.modules.get("flask_rq._job_wrapper"), "JobWrapper", None)
    if decorators is None and cron is None and wrapper is None:
        return
    schedules = _schedules(cron)
    found: dict[int, tuple[Any, Any]] = {}
    for _, members in modules():
        for value in members.values():
            job = _job_of(value, decorators) if is_a(value, types.FunctionType) else None
            if job is not None:
                found.setdefault(id(value), (value, job))
            elif wrapper is not None and is_a(
                value, wrapper
            ):  # Flask-RQ's job: it has the function and the queue
                function = static(value, "func")
                if is_a(function, types.FunctionType):
                    found.setdefault(id(function), (function, value))
    functions = {id(function): function for _, (function, _, _) in schedules.items()}
    for function, job in sorted(found.values(), key=lambda pair: qualified_name(pair[0])):
        _, queue, schedule = schedules.get(qualified_name(function), (None, "", ""))
        functions.pop(id(function), None)
        retry = static(job, "retry")
        document.tasks.append(
            task_record(
                document,
                qualified_name(function).replace(":", "."),
                "rq_job",
                function,
                queue=_queue_name(static(job, "queue")) or queue,
                schedule=schedule,
                retries=static(retry, "max", 0) or 0,
            )
        )
    for function in functions.values():
        _, queue, schedule = schedules[qualified_name(function)]
        name = qualified_name(function).replace(":", ".")
        document.tasks.append(task_record(document, name, "rq_job", function, queue=queue, schedule=schedule))
    if found or schedules:
        document.sources.append(put({"kind": "rq"}, version=_version()))


def _job_of(function: Any, decorators: Any) -> Any:
    """Return the `@job` that gave the function its `enqueue`, which RQ before 3 calls `delay`."""
    if decorators is None:
        return None
    delay = static(function, "enqueue") or static(function, "delay")
    if not is_a(delay, types.FunctionType):
        return None
    return next((value for _, value in closure(delay) if is_a(value, decorators.job)), None)


def _queue_name(queue: Any) -> str:
    name = queue if is_a(queue, str) else static(queue, "name")
    return str(name or "")


def _schedules(cron: Any) -> dict[str, tuple[Any, str, str]]:
    """Return what was registered with RQ's cron: qualified name → function, queue, schedule."""
    found = {}
    for entry in getattr(cron, "_job_data_registry", None) or ():
        function = entry.get("func")
        text = f"cron {entry['cron']}" if entry.get("cron") else ""
        if not text and entry.get("interval"):
            text = f"every {entry['interval']:g} s"
        if callable(function):
            found[qualified_name(function)] = (function, str(entry.get("queue_name") or ""), text)
    return found


def _version() -> str:
    from importlib import metadata

    try:
        return metadata.version("rq")
    except metadata.PackageNotFoundError:
        return ""
