"""Receivers of Django's signals: those of models, of requests, of other packages, and of the project itself.

The signals are the `Signal` objects in loaded modules; `sources.collector.django.hooks` describes how receivers are
read.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from ..callables import own_name
from ..django.hooks import receivers_of
from ..static_access import is_a, modules
from .records import task_record

if TYPE_CHECKING:
    from ..document import Document


def collect_receivers(document: Document) -> None:
    """Add one task for each receiver that is not Django's own, if Django is set up."""
    apps = sys.modules.get("django.apps")
    dispatch = sys.modules.get("django.dispatch.dispatcher")
    if apps is None or dispatch is None or not apps.apps.ready:
        return
    senders = {id(model): model._meta.label for model in apps.apps.get_models(include_auto_created=True)}
    found: dict[int, tuple[Any, list[str]]] = {}
    for name, signal in _signals(dispatch):
        for sender, receiver in receivers_of(signal):
            trigger = name if sender == id(None) else f"{name} of {senders.get(sender, 'another sender')}"
            found.setdefault(id(receiver), (receiver, []))[1].append(trigger)
    records = [
        task_record(
            document, own_name(receiver), "django_signal", receiver, trigger="; ".join(dict.fromkeys(named))
        )
        for receiver, named in found.values()
    ]
    own = [record for record in records if record.get("origin") != "framework"]
    document.tasks += sorted(own, key=lambda record: (record["handler"], record["trigger"]))


def _signals(dispatch: Any) -> list[tuple[str, Any]]:
    """Return the signals by name, each once, under the name that the module which defines it gives it."""
    found: dict[int, tuple[str, Any]] = {}
    for _, members in modules():
        for name, value in members.items():
            if is_a(value, dispatch.Signal):
                found.setdefault(id(value), (str(name), value))
    return sorted(found.values(), key=lambda pair: pair[0])
