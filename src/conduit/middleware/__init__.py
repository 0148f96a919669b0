"""Middleware that labels each request with its route, as the registry names it.

`conduit pprof -tagroot=route cpu.prof` then shows which endpoint uses CPU time, allocates and waits, and
`conduit introspect routes -profile cpu.prof` adds these costs to the table of routes. `ASGIRouteLabels(app)` is for
FastAPI, Starlette and the applications mounted in them, `WSGIRouteLabels(app)` for Flask, and
`"conduit.middleware.django.RouteLabels"` is an entry of Django's MIDDLEWARE.

The label is set when the framework has routed the request; until then, and if no route matches, the route is
`(no route)`. If a document was registered (`conduit.register`), the route's resource is a label, too. Used by
applications.
"""

from __future__ import annotations

from conduit.middleware.asgi import ASGIRouteLabels
from conduit.middleware.wsgi import WSGIRouteLabels

__all__ = ["ASGIRouteLabels", "WSGIRouteLabels"]
