"""Dramatiq: the actors of every broker that an actor of a loaded module is bound to.

With django_dramatiq, the modules are imported that its worker imports: `tasks` of every Django application, or those of
`DRAMATIQ_AUTODISCOVER_MODULES`.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from ..document import put
from ..static_access import is_a, modules, static
from .records import task_record

if TYPE_CHECKING:
    from ..document import Document


def collect_actors(document: Document) -> None:
    """Add every actor, if Dramatiq is loaded."""
    dramatiq = sys.modules.get("dramatiq.actor")
    if dramatiq is None:
        return
    if "django_dramatiq" in sys.modules:
        from ..django.api import import_tasks

        import_tasks("DRAMATIQ_AUTODISCOVER_MODULES", ("tasks",))
    brokers: dict[int, Any] = {}
    for _, members in modules():
        for value in members.values():
            if is_a(value, dramatiq.Actor):
                brokers.setdefault(id(value.broker), value.broker)
    count = 0
    for broker in brokers.values():
        default = next(
            (static(m, "max_retries") for m in broker.middleware if type(m).__name__ == "Retries"), 0
        )
        for name, actor in sorted(broker.actors.items()):
            count += 1
            retries = actor.options.get("max_retries", default)
            schedule = actor.options.get("periodic")
            document.tasks.append(
                task_record(
                    document,
                    name,
                    "dramatiq_actor",
                    actor.fn,
                    queue=actor.queue_name,
                    retries=retries if isinstance(retries, int) else 0,
                    schedule=str(schedule) if schedule is not None else "",
                )
            )
    if count:
        version = getattr(sys.modules.get("dramatiq"), "__version__", "")
        document.sources.append(put({"kind": "dramatiq"}, version=str(version)))
