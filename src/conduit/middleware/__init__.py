"""WHICH REQUEST PAYS: middleware that labels each request with its route, as the registry names it.

`conduit pprof -tagroot=route cpu.prof` then says which endpoint takes the CPU, allocates and waits, and
`conduit introspect routes -profile cpu.prof` shows it beside the table. `ASGIRouteLabels(app)` is for FastAPI,
Starlette and what they mount, `WSGIRouteLabels(app)` for Flask, and `"conduit.middleware.django.RouteLabels"` an entry
of Django's MIDDLEWARE. Each label is known when the framework has routed the request; until then, and where no route
serves it, the route is `(no route)`. With a registered document (`conduit.register`) the route's resource is a label,
too.
"""

from __future__ import annotations

from conduit.middleware.asgi import ASGIRouteLabels
from conduit.middleware.wsgi import WSGIRouteLabels

__all__ = ["ASGIRouteLabels", "WSGIRouteLabels"]
