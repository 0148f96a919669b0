"""Prints what Django itself says about a project; run in the project's interpreter, without Conduit.

`python django_truth.py SETTINGS MODEL START END FIELD ADDRESS` prints a JSON object: the answers of all views to a POST of
an anonymous user, the view of an address, and facts about models by Django's own `_meta` and signals. No database is needed:
a view that asks for one has not refused the user before.
"""

from __future__ import annotations

import collections
import json
import logging
import os
import re
import sys
import uuid
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

sys.path.insert(0, str(Path.cwd()))
os.environ["DJANGO_SETTINGS_MODULE"] = sys.argv[1]
logging.disable(logging.CRITICAL)

import django  # noqa: E402

django.setup()

from django.apps import apps  # noqa: E402
from django.conf import settings  # noqa: E402
from django.contrib.auth.models import AnonymousUser  # noqa: E402
from django.contrib.messages.storage.cookie import CookieStorage  # noqa: E402
from django.contrib.sessions.backends.signed_cookies import SessionStore  # noqa: E402
from django.core.exceptions import PermissionDenied  # noqa: E402
from django.db.models import UniqueConstraint, signals  # noqa: E402
from django.test import RequestFactory  # noqa: E402
from django.test.client import ClientHandler  # noqa: E402
from django.urls import ResolverMatch, URLResolver, get_resolver, resolve  # noqa: E402
from django.urls.resolvers import RoutePattern  # noqa: E402

settings.ALLOWED_HOSTS = ["*"]
HANDLER = ClientHandler(enforce_csrf_checks=False)
HANDLER.load_middleware()


def value(name: str, converter: Any) -> Any:
    kind = type(converter).__name__
    if kind == "UUIDConverter":
        return uuid.UUID(int=7)
    return 1 if kind == "IntConverter" else "json" if name == "format" else "1"


def variables(pattern: Any) -> dict[str, Any]:
    if isinstance(pattern, RoutePattern):
        return {name: value(name, converter) for name, converter in pattern.converters.items()}
    return {name: value(name, None) for name in pattern.regex.groupindex}


def walk(
    resolver: Any, prefix: str = "/", given: dict[str, Any] | None = None
) -> Iterator[tuple[str, Any, dict[str, Any]]]:
    """Every entry with its pattern and the arguments of its view."""
    for entry in resolver.url_patterns:
        found = {**(given or {}), **variables(entry.pattern)}
        if isinstance(entry, URLResolver):
            yield from walk(entry, prefix + str(entry.pattern), {**found, **entry.default_kwargs})
        else:
            yield prefix + str(entry.pattern), entry, {**found, **entry.default_args}


def address(path: str, arguments: dict[str, Any]) -> str:
    for name, given in arguments.items():
        variable = rf"<(\w+:)?{name}>|\(\?P<{name}>(\[[^\]]*\]|[^()\[\]])*\)"
        path = re.sub(variable, str(given), path)
    return re.sub(r"[\^$\\?]", "", path)


def answer(path: str, entry: Any, arguments: dict[str, Any]) -> tuple[int, str]:
    """Status and, of a redirection, where to."""
    request = RequestFactory(HTTP_HOST="localhost").post(address(path, arguments), {})
    request.user, request.session = AnonymousUser(), SessionStore()
    request._messages, request._dont_enforce_csrf_checks = CookieStorage(request), True
    request.resolver_match = ResolverMatch(entry.callback, (), arguments, entry.name)
    try:
        for check in HANDLER._view_middleware:
            if (found := check(request, entry.callback, (), arguments)) is not None:
                break
        else:
            found = entry.callback(request, **arguments)
    except PermissionDenied:
        return 403, ""
    except Exception:  # from its own code or the missing database: it was not refused
        return 200, ""
    return found.status_code, found.headers.get("Location", "").partition("?")[0]


def takes_post(callback: Any) -> bool:
    actions = getattr(callback, "actions", None)
    cls = getattr(callback, "cls", None) or getattr(callback, "view_class", None)
    return "post" in actions if actions is not None else cls is None or hasattr(cls, "post")


def is_refused(status: int, where: str) -> bool:
    """The admin site sends an anonymous user from its logout to its index, which refuses."""
    return status in (401, 403) or (status == 302 and ("login" in where or where == "/admin/"))


def shortest_paths(start: Any, end: Any) -> list[list[str]]:
    """By foreign keys and many-to-many fields in either direction."""
    beside: dict[Any, set[Any]] = collections.defaultdict(set)
    for model in apps.get_models(include_auto_created=True):
        for field in [*model._meta.fields, *model._meta.many_to_many]:
            if isinstance(field.related_model, type):
                beside[model].add(field.related_model)
                beside[field.related_model].add(model)
    level: dict[Any, list[list[str]]] = {start: [[start.__name__]]}
    seen = {start}
    while level and end not in level:
        following: dict[Any, list[list[str]]] = collections.defaultdict(list)
        for model, paths in level.items():
            for other in beside[model] - seen:
                following[other] += [[*path, other.__name__] for path in paths]
        level = dict(following)
        seen |= set(level)
    return sorted(level.get(end, []))


_, _, label, start, end, named, at = sys.argv
model = apps.get_model(label)
field = model._meta.get_field(named)
view = resolve(at).func
receivers = [
    receiver
    for signal in (signals.pre_save, signals.post_save)
    for group in signal._live_receivers(model)
    for receiver in group
]
answers = [
    (path, *answer(path, entry, arguments))
    for path, entry, arguments in walk(get_resolver())
    if takes_post(entry.callback)
]
found = {
    "open": sorted(
        path for path, status, where in answers if status != 405 and not is_refused(status, where)
    ),
    "refused": sorted(path for path, status, where in answers if is_refused(status, where)),
    "view": f"{view.__module__}:{view.__qualname__}",
    "paths": shortest_paths(apps.get_model(start), apps.get_model(end)),
    "field": [field.max_length, field.unique, field.null, field.get_internal_type()],
    "models_with_field": sorted(
        one.__name__ for one in apps.get_models() if named in {each.name for each in one._meta.fields}
    ),
    "pointing": sorted(
        [relation.related_model.__name__, relation.field.name, relation.on_delete.__name__.lower()]
        for relation in model._meta.related_objects
        if relation.on_delete is not None and not relation.related_model._meta.auto_created
    ),
    "receivers": sorted(f"{receiver.__module__}:{receiver.__qualname__}" for receiver in receivers),
    "unique": sorted(
        sorted(names)
        for names in [
            *(c.fields for c in apps.get_model(end)._meta.constraints if isinstance(c, UniqueConstraint)),
            *apps.get_model(end)._meta.unique_together,
        ]
    ),
}
print("\n@" + json.dumps(found), file=sys.__stdout__)
