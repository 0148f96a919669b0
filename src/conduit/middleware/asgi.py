"""Route labels for ASGI applications: FastAPI, Starlette, and the applications mounted in them.

Starlette and FastAPI write the route they have chosen into the request's scope, and hand that scope on. So the scope is
a dictionary here that notes what they write. A mount's path is added to those inside it, as templates:
`/users/{name}` and not `/users/bob`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from conduit.middleware.request import RequestLabels, current_request

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, MutableMapping

    Scope = MutableMapping[str, Any]
    Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
    Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
    ASGIApp = Callable[[Scope, Receive, Send], Awaitable[None]]

UNKNOWN_MOUNT = "/(mount)"


class ASGIRouteLabels:
    """An ASGI application that labels each request of `app` with `route` and `resource`.

    `app.add_middleware(ASGIRouteLabels)` or `app = ASGIRouteLabels(app)`. Everything that the request does is under the
    labels: streamed responses, websockets, background tasks, and tasks and threads that inherit its context.
    """

    def __init__(self, app: ASGIApp) -> None:
        self.app: ASGIApp = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        kind = scope["type"]
        if kind not in ("http", "websocket") or isinstance(scope, _ObservedScope):
            await self.app(scope, receive, send)
            return
        request = RequestLabels(scope["method"] if kind == "http" else "WEBSOCKET")
        token = current_request.set(request)
        try:
            with request.label:
                await self.app(_ObservedScope(scope, request), receive, send)
        finally:
            current_request.reset(token)


class _ObservedScope(dict[str, Any]):
    """A scope that tells a request's labels which route is written into it."""

    __slots__ = ("_mounts", "_request")

    def __init__(self, scope: Scope, request: RequestLabels) -> None:
        super().__init__(scope)
        self._request = request
        self._mounts: Iterable[Any] = ()

    def __setitem__(self, key: str, value: Any) -> None:
        super().__setitem__(key, value)
        if key == "route":
            self._note(value)

    def update(self, *others: Any, **items: Any) -> None:
        before = self.get("root_path", "")
        super().update(*others, **items)
        changed = {**dict(*others), **items}
        if "route" in changed:
            self._note(changed["route"])
        elif "endpoint" in changed and changed.get("root_path", before) != before:
            self._enter_mount(changed["endpoint"])

    def _note(self, route: Any) -> None:
        if not hasattr(route, "endpoint"):
            return  # a mount, which is entered when its root path is written
        included = (self.get("fastapi") or {}).get("effective_route_context")
        if included is not None and getattr(included, "original_route", None) is route:
            route = included
        path = getattr(route, "path", None)
        if isinstance(path, str):
            self._request.set_route(path)

    def _enter_mount(self, inner: Any) -> None:
        routes = [*self._mounts, *getattr(self.get("app"), "routes", ())]
        mount = next(
            (one for one in routes if getattr(one, "app", None) is inner and not hasattr(one, "endpoint")),
            None,
        )
        path = getattr(mount, "path", None)
        self._request.prefix += path if isinstance(path, str) else UNKNOWN_MOUNT
        self._mounts = getattr(mount, "routes", None) or ()
        if not self._mounts:  # files, or an application that is no Starlette
            self._request.set_route("")
