"""`/debug/pprof` inside a WSGI application (Django, Flask), or on its own."""

from __future__ import annotations

from typing import TYPE_CHECKING

from conduit.debug import heap
from conduit.debug.access import log_warning, require_token
from conduit.debug.endpoint import ROOT, Endpoint
from conduit.http.wsgi import mount_wsgi
from conduit.record.heap import DEFAULT_RATE_BYTES

if TYPE_CHECKING:
    from conduit.debug.access import Access
    from conduit.http.wsgi import WSGIApp


def wsgi_app(
    app: WSGIApp | None = None,
    access: Access | None = None,
    *,
    heap_rate_bytes: int = DEFAULT_RATE_BYTES,
) -> WSGIApp:
    """Return a WSGI application that answers `/debug/pprof`, and passes other paths to `app` (404 without one).

    Requests need a token: `access.token`, the environment variable CONDUIT_DEBUG_TOKEN, or a new one, which is logged
    as a warning of `conduit.debug`. `Access(open=True)` asks for none. A request occupies its worker while its
    profile is taken: give the server more than one thread or worker.
    """
    endpoint = Endpoint(require_token(access, log_warning))
    heap.start_sampling(heap_rate_bytes)

    return mount_wsgi(endpoint.answer, ROOT, app)
