"""`/debug/pprof` inside an ASGI application: FastAPI, Starlette, Django, or none."""

from __future__ import annotations

from typing import TYPE_CHECKING

from conduit.debug import heap
from conduit.debug.access import log_warning, require_token
from conduit.debug.endpoint import Endpoint, resource
from conduit.http.asgi import answer_asgi, answer_lifespan, full_path
from conduit.record.heap import DEFAULT_RATE_BYTES

if TYPE_CHECKING:
    from conduit.debug.access import Access
    from conduit.http.asgi import ASGIApp, Receive, Scope, Send


def asgi_app(
    app: ASGIApp | None = None,
    access: Access | None = None,
    *,
    heap_rate_bytes: int = DEFAULT_RATE_BYTES,
) -> ASGIApp:
    """Return an ASGI application that answers `/debug/pprof`, and passes other requests to `app` (404 without one).

    Requests need a token: `access.token`, the environment variable CONDUIT_DEBUG_TOKEN, or a new one, which is logged
    as a warning of `conduit.debug`. `Access(open=True)` asks for none. Profiles are taken in a thread, so the event
    loop continues; a client that disconnects ends its profile.
    """
    endpoint = Endpoint(require_token(access, log_warning))
    heap.start_sampling(heap_rate_bytes)

    async def application(scope: Scope, receive: Receive, send: Send) -> None:
        ours = scope["type"] == "http" and resource(full_path(scope)) is not None
        if not ours and app is not None:
            await app(scope, receive, send)
        elif scope["type"] == "lifespan":
            await answer_lifespan(receive, send)
        elif scope["type"] == "http":
            await answer_asgi(endpoint.answer, scope, receive, send)
        else:
            await send({"type": "websocket.close", "code": 1000})

    return application
