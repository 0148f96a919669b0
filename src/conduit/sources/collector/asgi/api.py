"""The one module that imports FastAPI and Starlette: the parts that the collector needs, for all supported releases."""

from __future__ import annotations

import sys
from types import SimpleNamespace
from typing import Any


def open_starlette() -> Any:
    """Return Starlette's classes, or `None` if the application has not imported Starlette."""
    if "starlette" not in sys.modules:
        return None
    try:
        import starlette
        from starlette.applications import Starlette
        from starlette.routing import BaseRoute, Host, Mount, Route, Router, WebSocketRoute
    except ImportError:
        return None
    return SimpleNamespace(
        version=getattr(starlette, "__version__", ""),
        Starlette=Starlette,
        BaseRoute=BaseRoute,
        Host=Host,
        Mount=Mount,
        Route=Route,
        Router=Router,
        WebSocketRoute=WebSocketRoute,
        HTTPEndpoint=_optional("starlette.endpoints", "HTTPEndpoint"),
        StaticFiles=_optional("starlette.staticfiles", "StaticFiles"),
    )


def open_fastapi() -> Any:
    """Return FastAPI's classes, or `None` if the application has not imported FastAPI.

    `iter_route_contexts` is `None` before 0.137.2, in which an application's list of routes is flat.
    """
    if "fastapi" not in sys.modules:
        return None
    try:
        import fastapi
        from fastapi import FastAPI, params, routing
    except ImportError:
        return None
    return SimpleNamespace(
        version=getattr(fastapi, "__version__", ""),
        FastAPI=FastAPI,
        APIRoute=routing.APIRoute,
        APIWebSocketRoute=routing.APIWebSocketRoute,
        Depends=params.Depends,
        Security=params.Security,
        BodyParameter=params.Body,
        iter_route_contexts=getattr(routing, "iter_route_contexts", None),
    )


def _optional(module: str, name: str) -> Any:
    from importlib import import_module

    try:
        return getattr(import_module(module), name, None)
    except ImportError:
        return None
