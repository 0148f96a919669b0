"""Route labels for Django: the first entry of MIDDLEWARE, so that all others are inside it."""

from __future__ import annotations

from contextlib import nullcontext
from typing import TYPE_CHECKING, Any

from conduit.middleware.request import RequestLabels, current_request
from conduit.sources.collector.url_patterns import readable

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager

_paths: dict[Any, dict[str, str]] = {}


class RouteLabels:
    """Labels each request with `route` and `resource`: `MIDDLEWARE = ["conduit.middleware.django.RouteLabels", …]`.

    It serves synchronous and asynchronous handlers, as WSGI and ASGI have them. The parts of a streamed response are
    made under the labels, too.
    """

    sync_capable = True
    async_capable = True

    def __init__(self, get_response: Any) -> None:
        import inspect

        self.get_response: Any = get_response
        self.is_async: bool = inspect.iscoroutinefunction(get_response)
        self.process_view: Any = self._note_route_async if self.is_async else self._note_route
        if self.is_async:
            from asgiref.sync import markcoroutinefunction

            markcoroutinefunction(self)

    def __call__(self, request: Any) -> Any:
        """Answer one request; a coroutine where the handler is asynchronous."""
        if self.is_async:
            return self._answer_async(request)
        labels, block = _labels_of(request)
        with block:
            return _with_labelled_parts(self.get_response(request), labels)

    async def _answer_async(self, request: Any) -> Any:
        labels, block = _labels_of(request)
        with block:
            return _with_labelled_parts(await self.get_response(request), labels)

    def _note_route(self, request: Any, *_: Any) -> None:
        labels = getattr(request, "_conduit_labels", None)
        match = getattr(request, "resolver_match", None)
        if labels is not None and match is not None:
            labels.set_route("/" + path_of(match.route, getattr(request, "urlconf", None)))

    async def _note_route_async(self, request: Any, *_: Any) -> None:
        self._note_route(request)


def _labels_of(request: Any) -> tuple[RequestLabels, AbstractContextManager[Any]]:
    """Return the labels of a request and their block: those of a middleware around Django, if there is one."""
    outer = current_request.get()
    labels = request._conduit_labels = outer or RequestLabels(request.method)
    return labels, nullcontext() if outer is not None else labels.label


def _with_labelled_parts(response: Any, labels: RequestLabels) -> Any:
    if not getattr(response, "streaming", False) or getattr(response, "file_to_stream", None) is not None:
        return response
    parts = response.streaming_content
    if getattr(response, "is_async", False):
        response.streaming_content = labels.each_labelled_async(parts)
    else:
        response.streaming_content = labels.each_labelled(parts)
    return response


def path_of(route: str, urlconf: Any = None) -> str:
    """Return the path of a resolved route in the registry's form: regular expressions are made readable."""
    known = _paths.get(urlconf)
    if known is None:
        from django.urls import get_resolver

        known = _paths[urlconf] = dict(_walk(get_resolver(urlconf), "", ""))
    shown = known.get(route)
    if shown is None:  # a prefix that depends on the language
        shown = readable(route) if "(?" in route or "^" in route else route
    return shown


def _walk(resolver: Any, pattern: str, path: str) -> Iterator[tuple[str, str]]:
    for entry in resolver.url_patterns:
        written = str(entry.pattern)
        shown = readable(written) if hasattr(entry.pattern, "_regex") else written
        if hasattr(entry, "url_patterns"):
            yield from _walk(entry, pattern + written, path + shown)
        else:
            yield pattern + written, path + shown
