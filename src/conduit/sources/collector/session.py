"""One collection: which parts are collected, and in which order; if a part fails, the others are kept.

Models come before routes, since routes refer to models.
"""

from __future__ import annotations

import asyncio
import hashlib
import json
import os
import types
from typing import TYPE_CHECKING, Any

from .applications import Applications
from .document import Document, drop_implied_head, unique_route_ids
from .loading import LoadingError, NoObviousApplicationError, load
from .locations import Locations
from .pydantic.models import PydanticModels, open_pydantic
from .redaction import Redactor, looks_secret
from .static_access import is_a, is_class, modules, static
from .tasks import collect_tasks
from .web.readers import reader_of

if TYPE_CHECKING:
    from collections.abc import Iterable

_UNREAD = {
    "aiohttp": "aiohttp",
    "blacksheep": "BlackSheep",
    "bottle": "Bottle",
    "falcon": "Falcon",
    "litestar": "Litestar",
    "ninja": "Django Ninja on its own",
    "pyramid": "Pyramid",
    "quart": "Quart",
    "robyn": "Robyn",
    "sanic": "Sanic",
    "strawberry": "Strawberry",
    "tornado": "Tornado",
}
"""Top-level package → the framework, where an object of it is no application that a reader in `web` knows."""

_DECISIVE = ("app", "factory", "django", "urlconf", "sqlalchemy", "lifespan")


class Session:
    """The document of one application, and the state of collecting it."""

    def __init__(self, root: str, entry_modules: list[str], allowed: Iterable[str] = ()) -> None:
        own = {
            name: value for name, value in os.environ.items() if name not in ("PWD", "OLDPWD")
        }  # no passwords
        self.redactor = Redactor((value for name, value in own.items() if looks_secret(name)), allowed)
        self.locations = Locations(root, entry_modules)
        self.document = Document(self.locations, self.redactor)
        self.notes: list[str] = []
        self._no_application: NoObviousApplicationError | None = None

    def collect(self, request: dict[str, Any]) -> None:
        """Collect everything that the request names; a part that fails is an error in the document."""
        app, base = self._load_all(request)
        if app is not None and request.get("lifespan"):
            with self._part("running the lifespan of " + request["app"]):
                asyncio.run(_start(app))
        self.collect_objects(app, base, name=request.get("app") or "", urlconf=request.get("urlconf"))

    def _load(self, spec: str, factory: bool) -> Any:
        """Return the application; if a module has none, the module, for its models and tasks."""
        try:
            return load(spec, factory)
        except NoObviousApplicationError as error:
            self._no_application = error
            return error.module

    def _load_all(self, request: dict[str, Any]) -> tuple[Any, Any]:
        """Load what the request names; return the application and the declarative base, or None for either."""
        app = base = None
        if request.get("django"):
            self._django(request)
        if request.get("app"):
            with self._part("loading " + request["app"]):
                app = self._load(request["app"], bool(request.get("factory")))
        if request.get("sqlalchemy"):
            with self._part("loading " + request["sqlalchemy"]):
                base = load(request["sqlalchemy"])
        return app, base

    def compare_migrations(self, request: dict[str, Any]) -> list[dict[str, str]]:
        """Return the operations that the migrations lack, of Django or Alembic, depending on the project.

        Nothing is compared where loading failed: half of the models would seem to be removed.
        """
        from .django.api import open_django
        from .migrations.alembic import script_folder

        _, base = self._load_all(request)
        found: list[dict[str, str]] = []
        if self.document.errors:
            return found
        compared = False
        if open_django() is not None:
            from .migrations import django

            compared = True
            with self._part("django's migrations"):
                found += django.missing_operations()
        folder = ""
        with self._part("alembic.ini"):
            folder = script_folder(request["root"])
        if folder:
            from .migrations import alembic
            from .sqlalchemy.tables import compared_metadata

            compared = True
            with self._part(f"alembic's migrations in {folder}"):
                found += alembic.missing_operations(
                    folder, compared_metadata(base, request.get("sqlalchemy") or "")
                )
        if not compared:
            self.document.add_error(
                "migrations",
                "found neither a Django that is set up nor an alembic.ini; name one with --django or --root",
            )
        return found

    def _part(self, name: str) -> Any:
        return self.document.attempt(name)

    def _django(self, request: dict[str, Any]) -> None:
        from .django.api import set_up

        with self._part("django.setup() with " + request["django"]):
            set_up(request["django"])

    def collect_objects(self, app: Any, base: Any, name: str = "", urlconf: str | None = None) -> None:
        """Collect the models that are loaded, then the application's routes."""
        self.locations.adopt(_module_of(app), _module_of(base))
        models = PydanticModels(open_pydantic(), self.document)
        with self._part("django"):
            self._collect_django(urlconf)
        with self._part("sqlalchemy"):
            self._collect_sqlalchemy(models, base)
        with self._part("object mappers"):
            self._collect_mappers(models)
        with self._part("interfaces"):
            self._collect_interfaces(app)
        if models.is_model(app):
            models.add_from(app)
            self._source("pydantic", name, models.api.version)
        elif app is not None and not is_a(app, types.ModuleType) and not self.document.id_of(app):
            with self._part(f"application {name or type(app).__name__}"):
                self._collect_app(app, models, name)
        collect_tasks(self.document)
        if self._no_application is not None and not self._found_anything():
            self.document.add_error(f"loading {name}", self._no_application)
        drop_implied_head(self.document.routes)
        unique_route_ids(self.document.routes)

    def _found_anything(self) -> bool:
        return bool(self.document.resources or self.document.routes or self.document.tasks)

    def _collect_django(self, urlconf: str | None) -> None:
        from .django.api import open_django

        api = open_django()
        if api is None:
            return
        from .django import collect_django

        self._source("django", api.settings_module, api.version)
        self.redactor.add(api.secret_values())
        collect_django(api, self.document, urlconf)

    def _collect_sqlalchemy(self, models: PydanticModels, base: Any) -> None:
        from .sqlalchemy.api import open_sqlalchemy

        api = open_sqlalchemy()
        if api is None:
            return
        from .sqlalchemy.mappers import collect_sqlalchemy

        before = len(self.document.resources)
        with self._part("sqlalchemy"):
            collect_sqlalchemy(api, self.document, models, base)
        if len(self.document.resources) > before or base is not None:
            self._source("sqlalchemy", "", api.version)
            if api.sqlmodel_version:
                self._source("sqlmodel", "", api.sqlmodel_version)

    def _collect_mappers(self, models: PydanticModels) -> None:
        """Collect the models of the smaller object mappers, each where the process has loaded it."""
        from .data.beanie import collect_beanie
        from .data.peewee import collect_peewee
        from .data.tortoise import collect_tortoise

        with self._part("peewee"):
            collect_peewee(self.document)
        with self._part("tortoise"):
            collect_tortoise(self.document)
        with self._part("beanie"):
            collect_beanie(self.document, models)

    def _collect_interfaces(self, app: Any) -> None:
        """Collect GraphQL schemas, gRPC services and MCP servers, each where the process has loaded its package."""
        from .interfaces.grpc import collect_services
        from .interfaces.mcp import collect_servers
        from .interfaces.strawberry import collect_schemas

        with self._part("strawberry"):
            collect_schemas(self.document, app)
        with self._part("grpc"):
            collect_services(self.document)
        with self._part("mcp"):
            collect_servers(self.document)

    def _collect_app(self, app: Any, models: PydanticModels, name: str) -> None:
        applications = Applications(self.document, models)
        found, wrappers = applications.unwrap(app)
        kind = applications.kind(found)
        if not kind:
            self._unknown_app(app, name)
            return
        self.document.middleware += applications.wrapper_names(wrappers)
        with self._part("routes of " + (name or type(found).__name__)):
            if kind == "dispatcher":
                applications.enter_dispatcher(found, "", "", [], 0)
                return
            self._source(kind, name, applications.version(kind))
            if kind == "flask":
                from .flask.routes import FlaskRoutes

                FlaskRoutes(applications.flask, self.document).collect(found)
            elif kind not in ("fastapi", "starlette"):
                reader_of(kind, self.document, models).collect(found)
            else:
                from .asgi.routes import AsgiRoutes

                starlette, fastapi = applications.starlette, applications.fastapi
                AsgiRoutes(starlette, fastapi, self.document, models, applications.mount).collect(found)
        if kind in ("fastapi", "starlette") and len(self.document.routes) < 5 and not self.document.resources:
            self.notes.append(
                "the application has hardly any routes; if it adds them at start-up, use --lifespan"
            )

    def _unknown_app(self, app: Any, name: str) -> None:
        if type(app).__module__.partition(".")[0] == "django":
            return  # its handler says nothing that the settings do not
        kind = f"{type(app).__module__}.{type(app).__qualname__}"
        if kind.startswith(("celery.", "dramatiq.", "rq.", "peewee.")) or self._is_collected_interface(app):
            return  # it has no routes that a framework serves; what it has is in the document already
        framework = _UNREAD.get(kind.partition(".")[0])
        if framework:
            self.document.add_error(
                f"routes of {name}",
                f"{framework} is not read; collect from its OpenAPI document with --openapi",
            )
            return
        self.document.add_error(
            f"routes of {name}",
            f"{name} is a {kind}; expected an application of FastAPI, Starlette, Flask, Quart, aiohttp, Litestar or "
            "Sanic, or something that holds one "
            "as .app, .wsgi_app or .application; name the inner application (module:attr.inner)",
        )

    def _is_collected_interface(self, app: Any) -> bool:
        from .interfaces.mcp import is_server
        from .interfaces.strawberry import is_schema

        return is_server(app) or is_schema(app) or type(app).__module__.partition(".")[0] == "grpc"

    def _source(self, kind: str, name: str, version: str) -> None:
        record = {"kind": kind, "name": name, "version": version}
        self.document.sources.append({key: value for key, value in record.items() if value})

    def project_files(self) -> dict[str, list[int]]:
        """Return the project's own loaded files: path -> [modification time in ns, size in bytes]."""
        found = {}
        for name, members in modules():
            path = members.get("__file__")
            if type(path) is str and self.locations.origin(name) == "project" and os.path.isfile(path):
                status = os.stat(path)
                found[os.path.realpath(path)] = [status.st_mtime_ns, status.st_size]
        return found

    def source_hash(self, files: dict[str, list[int]], request: dict[str, Any]) -> str:
        """Return the SHA-256 of the request and of the contents of the project's own files, by their shown paths."""
        asked = {key: request[key] for key in _DECISIVE if request.get(key)}
        digest = hashlib.sha256(json.dumps(asked, sort_keys=True).encode())
        for path in sorted(files, key=self.locations.shown):
            with open(path, "rb") as file:
                digest.update(
                    self.locations.shown(path).encode() + b"\0" + hashlib.sha256(file.read()).digest()
                )
        return digest.hexdigest()


def _module_of(thing: Any) -> str:
    if thing is None:
        return ""
    module = thing.__module__ if is_class(thing) else static(thing, "import_name")
    return module if isinstance(module, str) else ""


async def _start(app: Any) -> None:
    """Run the start-up of an ASGI application and leave it running, since only its registrations are needed."""
    router = getattr(app, "router", None)
    context = getattr(router, "lifespan_context", None)
    if context is None:
        raise LoadingError(f"{type(app).__qualname__} has no lifespan to run; leave out --lifespan")
    await context(app).__aenter__()
