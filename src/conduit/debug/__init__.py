"""Runtime profiles of a live program: `/debug/pprof`, as Go's net/http/pprof serves it.

There are three entry points: `serve()` listens on a port of its own in a thread of its own; `asgi_app()` and
`wsgi_app()` return applications to mount or to wrap around another one. Paths, parameters, headers, status codes and
texts are those of Go's package, so `go tool pprof`, `conduit pprof`, Grafana Alloy, Pyroscope and Parca can read them.

`endpoint.py` answers a request, whichever entry point it came through; `conduit.http.access` decides which requests
are answered. Between requests only the heap is sampled, from the moment an entry point is made; `heap_rate_bytes=0`
turns that off. Used by applications and by `conduit.middleware`.
"""

from __future__ import annotations

from conduit.debug.access import Access
from conduit.debug.asgi import asgi_app
from conduit.debug.server import Server, serve
from conduit.debug.wsgi import wsgi_app

__all__ = ["Access", "Server", "asgi_app", "serve", "wsgi_app"]
