"""One request's labels: `route` and `resource`, assigned once the framework has found the route."""

from __future__ import annotations

import sys
from contextvars import ContextVar
from typing import TYPE_CHECKING

from conduit.record.labels import label, late_label

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

    from conduit.metadata.loaded_document import LoadedDocument
    from conduit.record.labels import Pairs

NO_ROUTE = "(no route)"
OTHER_METHOD = "(other)"
METHODS = frozenset(
    ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT", "WEBSOCKET", "QUERY")
)
"""Methods that labels have; a client can send any word."""

current_request: ContextVar[RequestLabels | None] = ContextVar("conduit.middleware.request", default=None)


class RequestLabels:
    """The labels of one request; `label` is entered around it.

    `prefix` is the path above the application that routes next, in the registry's form.
    """

    __slots__ = ("_pairs", "label", "method", "prefix")

    def __init__(self, method: str) -> None:
        self.method: str = method if method in METHODS else OTHER_METHOD
        self.prefix: str = ""
        self._pairs: Pairs = (("route", NO_ROUTE),)
        self.label: label = late_label(route=NO_ROUTE)

    def set_route(self, path: str) -> None:
        """Take the route on which this request is served: its path below `prefix`."""
        self._pairs = _pairs_of(self.method, self.prefix + path)
        self.label.assign(self._pairs)

    def each_labelled(self, items: Iterator[bytes]) -> Iterator[bytes]:
        """Yield the items, made under the labels: a response is often made after its request has been left."""
        return label(**dict(self._pairs))(_each)(items)

    def each_labelled_async(self, items: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        """As `each_labelled`, for asynchronous parts."""
        return label(**dict(self._pairs))(_each_async)(items)


async def _each_async(items: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
    async for item in items:
        yield item


def _each(items: Iterator[bytes]) -> Iterator[bytes]:
    yield from items


_resources: tuple[LoadedDocument, dict[tuple[str, str], str]] | None = None


def _pairs_of(method: str, path: str) -> Pairs:
    resource = _resource_of(method, path)
    route = ("route", f"{method} {path}")
    return (("resource", resource), route) if resource else (route,)


def _resource_of(method: str, path: str) -> str:
    """The resource of a route by the registered document; empty without one."""
    global _resources
    registry = sys.modules.get("conduit.metadata.registry")
    registered = getattr(registry, "_registered", None)
    if registered is None:
        return ""
    document: LoadedDocument = registered.document
    if _resources is None or _resources[0] is not document:
        found = {(route.method.upper(), route.path): route.resource for route in document.schema.routes}
        _resources = (document, found)
    return match_route(method, path, _resources[1].get) or ""


def match_route(method: str, path: str, get: Callable[[tuple[str, str]], str | None]) -> str | None:
    """Return what `get` has for a route by method and path, or for the one that answers HEAD or every method."""
    for known in (method, "GET" if method == "HEAD" else method, "ANY"):
        found = get((known, path))
        if found is not None:
            return found
    return None
