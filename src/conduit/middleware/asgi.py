"""Route labels for ASGI applications: FastAPI, Starlette, and the applications mounted in them.

Starlette and FastAPI write the route they have chosen into the request's scope, and hand that scope on. So the scope is
a dictionary here that notes what they write. A mount's path is added to those inside it, as templates:
`/users/{name}` and not `/users/bob`.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

from conduit.http.asgi import request_of, send_response
from conduit.middleware.one_request import HEADER, WAIT_S, RequestProfiles, is_profile_path
from conduit.middleware.request import RequestLabels, current_request

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, MutableMapping

    from conduit.debug.access import Access

    Scope = MutableMapping[str, Any]
    Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
    Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
    ASGIApp = Callable[[Scope, Receive, Send], Awaitable[None]]

UNKNOWN_MOUNT = "/(mount)"


class ASGIRouteLabels:
    """An ASGI application that labels each request of `app` with `route` and `resource`.

    `app.add_middleware(ASGIRouteLabels)` or `app = ASGIRouteLabels(app)`. Everything that the request does is under the
    labels: streamed responses, websockets, background tasks, and tasks and threads that inherit its context. With
    `profiles`, a request that passes these rules gets its own profile on demand (see `conduit.middleware.one_request`).
    """

    def __init__(self, app: ASGIApp, profiles: Access | None = None) -> None:
        self.app: ASGIApp = app
        self._profiles = RequestProfiles(profiles) if profiles is not None else None

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one connection."""
        kind = scope["type"]
        if kind not in ("http", "websocket") or isinstance(scope, _ObservedScope):
            await self.app(scope, receive, send)
            return
        if self._profiles is not None and kind == "http":
            await self._serve_with_profiles(self._profiles, scope, receive, send)
            return
        await self._serve(
            RequestLabels(scope["method"] if kind == "http" else "WEBSOCKET"), scope, receive, send
        )

    async def _serve_with_profiles(
        self, profiles: RequestProfiles, scope: Scope, receive: Receive, send: Send
    ) -> None:
        import asyncio

        asked = request_of(scope)
        if is_profile_path(asked.path):
            until = time.monotonic() + WAIT_S
            while profiles.is_running(asked.path) and time.monotonic() < until:
                await asyncio.sleep(0.02)
            await send_response(profiles.answer(asked), scope["method"], send)
            return
        recording, text = profiles.begin(asked)
        if text:
            send = _with_header(send, text)
        if recording is None:
            await self._serve(RequestLabels(scope["method"]), scope, receive, send)
            return
        recording.task = asyncio.current_task()
        try:
            await self._serve(RequestLabels(scope["method"], recording.number), scope, receive, send)
        finally:
            recording.task = None
            await asyncio.shield(asyncio.to_thread(profiles.end, recording))

    async def _serve(self, request: RequestLabels, scope: Scope, receive: Receive, send: Send) -> None:
        token = current_request.set(request)
        try:
            with request.label:
                await self.app(_ObservedScope(scope, request), receive, send)
        finally:
            current_request.reset(token)


def _with_header(send: Send, text: str) -> Send:
    """Send the response with the header that tells where its profiles are, or why there are none."""

    async def send_with_header(message: MutableMapping[str, Any]) -> None:
        if message["type"] == "http.response.start":
            header = (HEADER.encode(), text.encode("latin-1", "replace"))
            message = {**message, "headers": [*message.get("headers", ()), header]}
        await send(message)

    return send_with_header


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
