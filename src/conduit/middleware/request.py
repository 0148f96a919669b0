"""One request's labels: `route` and `resource`, assigned once the framework has found the route."""

from __future__ import annotations

import sys
from contextvars import ContextVar
from typing import TYPE_CHECKING

from conduit.record.labels import label, late_label

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from conduit.metadata.loaded_document import LoadedDocument
    from conduit.record.labels import Pairs

NO_ROUTE = "(no route)"
OTHER_METHOD = "(other)"
METHODS = frozenset(
    ("GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE", "CONNECT", "WEBSOCKET", "QUERY")
)
"""Methods that labels have; a client can send any word."""

_UNKNOWN: Pairs = (("route", NO_ROUTE),)

current_request: ContextVar[RequestLabels | None] = ContextVar("conduit.middleware.request", default=None)


class RequestLabels:
    """The labels of one request; `label` is entered around it.

    `prefix` is the path above the application that routes next, in the registry's form. With a `number` the request is
    told from all others, by the label `request`.
    """

    __slots__ = ("_number", "_pairs", "label", "method", "prefix")

    def __init__(self, method: str, number: str = "") -> None:
        self.method: str = method if method in METHODS else OTHER_METHOD
        self.prefix: str = ""
        self._number = number
        self._pairs: Pairs = (("request", number), *_UNKNOWN) if number else _UNKNOWN
        self.label: label = late_label(self._pairs)

    def set_route(self, path: str) -> None:
        """Take the route on which this request is served: its path below `prefix`."""
        pairs = _pairs_of(self.method, self.prefix + path)
        self._pairs = tuple(sorted((("request", self._number), *pairs))) if self._number else pairs
        self.label.assign(self._pairs)

    def each_labelled(self, items: Iterator[bytes]) -> Iterator[bytes]:
        """Yield the items, made under the labels: a response is often made after its request has been left."""
        with label(**dict(self._pairs)):  # it holds while this generator runs
            yield from items

    async def each_labelled_async(self, items: AsyncIterator[bytes]) -> AsyncIterator[bytes]:
        """As `each_labelled`, for asynchronous parts."""
        with label(**dict(self._pairs)):
            async for item in items:
                yield item


class _Known:
    """The labels of the routes that requests have had, by the document that was registered then."""

    def __init__(self, document: LoadedDocument | None) -> None:
        self.document: LoadedDocument | None = document
        self.pairs: dict[tuple[str, str], Pairs] = {}
        routes = document.schema.routes if document is not None else ()
        self._resources = {(route.method.upper(), route.path): route.resource for route in routes}

    def find(self, method: str, path: str) -> Pairs:
        known = self.pairs.get((method, path))
        if known is None:
            resource = self._resource_of(method, path)
            route = ("route", f"{method} {path}")
            known = self.pairs[method, path] = (("resource", resource), route) if resource else (route,)
        return known

    def _resource_of(self, method: str, path: str) -> str:
        """Return the resource of the route, or of the one that answers HEAD or every method; empty if none is known."""
        for known in (method, "GET" if method == "HEAD" else method, "ANY"):
            resource = self._resources.get((known, path))
            if resource is not None:
                return resource
        return ""


_known = _Known(None)


def _pairs_of(method: str, path: str) -> Pairs:
    global _known
    registry = sys.modules.get(
        "conduit.metadata.registry"
    )  # no registry, no resources: it is not loaded for this
    registered = getattr(registry, "_registered", None)
    document = registered.document if registered is not None else None
    if _known.document is not document:
        _known = _Known(document)
    return _known.find(method, path)
