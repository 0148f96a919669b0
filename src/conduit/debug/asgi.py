"""`/debug/pprof` inside an ASGI application (FastAPI, Starlette, Django), or on its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from conduit.debug import heap
from conduit.debug.access import log_warning, require_token
from conduit.debug.endpoint import ROOT, Endpoint
from conduit.http.asgi import mount_asgi
from conduit.record.heap import DEFAULT_RATE_BYTES

if TYPE_CHECKING:
    from conduit.debug.access import Access
    from conduit.http.asgi import ASGIApp


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

    return mount_asgi(endpoint.answer, ROOT, app)
