"""WHAT A LIVE PROGRAM TELLS ABOUT ITSELF: `/debug/pprof`, as Go's net/http/pprof serves it.

Three doors to the same answers: `serve()` opens a port of its own in a thread of its own, `asgi_app()` and
`wsgi_app()` stand inside an application (alone, to be mounted, or around it). Paths, parameters, headers, status
codes and texts are those of Go's package, so that `go tool pprof`, `conduit pprof`, Grafana Alloy, Pyroscope and
Parca read them. `endpoint.py` answers a request without knowing which door it came through; `access.py` decides
who may ask: nobody but this machine, unless told otherwise. Nothing is sampled while nobody asks, but for the
heap's own sampling, which `serve` and the apps start on request only.
"""

from __future__ import annotations

from conduit.debug.access import Access
from conduit.debug.asgi import asgi_app
from conduit.debug.server import Server, serve
from conduit.debug.wsgi import wsgi_app

__all__ = ["Access", "Server", "asgi_app", "serve", "wsgi_app"]
