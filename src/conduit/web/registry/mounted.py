"""The registry's page inside an application, at `/debug/registry/`, behind the endpoint's rules."""

from __future__ import annotations

import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

from conduit.http.access import log_in, log_warning, require_token
from conduit.http.messages import parse_query, plain_response, split_mount
from conduit.web.access import AccessRules
from conduit.web.registry.application import RegistryApplication
from conduit.web.registry.page import registry_document
from conduit.web.registry.page_data import page_data
from conduit.web.registry.source_files import read_source

if TYPE_CHECKING:
    import os

    from conduit.http.access import Access
    from conduit.http.asgi import ASGIApp
    from conduit.http.messages import Request, Response
    from conduit.http.wsgi import WSGIApp
    from conduit.metadata.registry import Registry

ROOT = "/debug/registry"
_MAX_BODY_BYTES = 1 << 20
_MAX_MOUNTS = 4


def asgi_app(
    registry: Registry,
    app: ASGIApp | None = None,
    access: Access | None = None,
    *,
    title: str = "registry",
    root: str | os.PathLike[str] = ".",
) -> ASGIApp:
    """Return an ASGI application that answers `/debug/registry`, and passes other requests to `app` (404 without one).

    The page shows the registry's present document; relative source files are below `root`. Requests need a token, as at
    `/debug/pprof`: `access.token`, the environment variable CONDUIT_DEBUG_TOKEN, or a new one, which is logged as a
    warning; a browser logs in at `/debug/registry/login?token=TOKEN`.
    """
    from conduit.http.asgi import mount_asgi

    pages = _MountedRegistry(registry, require_token(access, log_warning, ROOT), title, root)

    return mount_asgi(pages.answer, ROOT, app, _MAX_BODY_BYTES)


def wsgi_app(
    registry: Registry,
    app: WSGIApp | None = None,
    access: Access | None = None,
    *,
    title: str = "registry",
    root: str | os.PathLike[str] = ".",
) -> WSGIApp:
    """Return a WSGI application that answers `/debug/registry`, and passes other paths to `app` (404 without one).

    Arguments and rules are those of `asgi_app`.
    """
    from conduit.http.wsgi import mount_wsgi

    pages = _MountedRegistry(registry, require_token(access, log_warning, ROOT), title, root)

    return mount_wsgi(pages.answer, ROOT, app, _MAX_BODY_BYTES)


class _MountedRegistry:
    """Answers requests below one mount; the page is made once for each document of the registry."""

    def __init__(self, registry: Registry, access: Access, title: str, root: str | os.PathLike[str]) -> None:
        self._registry = registry
        self._access = access
        self._title = title
        self._root = Path(root).resolve()
        self._lock = threading.Lock()
        self._applications: dict[str, RegistryApplication] = {}
        self._shown: object = None
        self._data: dict[str, Any] = {}
        self._page = b""

    def answer(self, request: Request, cancelled: threading.Event) -> Response:
        """Answer one request."""
        parts = split_mount(request.path, ROOT)
        if parts is None:
            return plain_response(404, "404 page not found")
        if parts[1] == "/login":
            refused = self._access.refusal_by_origin(request)
            token = parse_query(request.query).get("token", "")
            return plain_response(*refused) if refused else log_in(self._access, token)
        with self._lock:
            application = self._applications.get(parts[0])
            if application is None:
                if len(self._applications) >= _MAX_MOUNTS:  # the prefix comes from the request's path
                    self._applications.clear()
                application = RegistryApplication(self, AccessRules(prefix=parts[0]), self._access)
                self._applications[parts[0]] = application
        return application.answer(request, cancelled)

    def page(self) -> bytes:
        """Return the page of the present document."""
        return self._present()[1]

    def source(self, number: str) -> str:
        """Return the text of a file that the present document names."""
        return read_source(self._present()[0]["files"], number, self._root)

    def _present(self) -> tuple[dict[str, Any], bytes]:
        document = self._registry.schema()
        with self._lock:
            if self._shown is not document:
                self._data = page_data(document, self._title, is_served=True)
                self._page = registry_document(self._data)
                self._shown = document
            return self._data, self._page
