"""RUNTIME PROFILES OF A LIVE PROGRAM: `/debug/pprof`, as Go's net/http/pprof serves it.

There are three entry points: `serve()` opens a port of its own in a thread of its own, `asgi_app()` and `wsgi_app()`
are part of an application (mounted, or around it). Paths, parameters, headers, status codes and texts are those of
Go's package, so that `go tool pprof`, `conduit pprof`, Grafana Alloy, Pyroscope and Parca read them. `endpoint.py`
answers a request without knowing which entry point it came through; `access.py` decides which requests are answered.
Between requests only the heap is sampled, from the moment an entry point is made; `heap_rate_bytes=0` turns it off.
"""

from __future__ import annotations

from conduit.debug.access import Access
from conduit.debug.asgi import asgi_app
from conduit.debug.server import Server, serve
from conduit.debug.wsgi import wsgi_app

__all__ = ["Access", "Server", "asgi_app", "serve", "wsgi_app"]
