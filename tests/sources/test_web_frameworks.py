"""aiohttp, Litestar, Quart and Sanic: the routes of a small application against the framework's own enumeration."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import pytest

from conduit.metadata.schema import Metadata
from conduit.sources.application import Application, collect_application

APPLICATIONS = {
    "aiohttp": """
import os
from aiohttp import web

async def on_up(app): ...
async def context(app):
    yield
@web.middleware
async def auth(request, handler): return await handler(request)
@web.middleware
async def inner(request, handler): return await handler(request)
async def index(request): ...
async def make(request): ...
class Item(web.View):
    async def get(self): ...
    async def delete(self): ...

app = web.Application(middlewares=[auth])
app.on_startup.append(on_up)
app.cleanup_ctx.append(context)
app.router.add_get("/", index, name="index")
app.router.add_view("/items/{id:\\\\d+}", Item)
app.add_routes([web.route("*", "/any", index), web.post("/items", make)])
app.router.add_static("/files", os.path.dirname(os.path.abspath(__file__)), name="files")
sub = web.Application(middlewares=[inner])
sub.router.add_get("/x", index)
app.add_subapp("/sub", sub)
api = web.Application()
api.router.add_put("/d", index)
app.add_domain("api.example.com", api)
""",
    "litestar": """
from litestar import Controller, Litestar, Router, asgi, delete, get, post, route
from litestar.di import Provide
from pydantic import BaseModel

class Book(BaseModel):
    id: int
def guard(connection, handler): ...
def around(app):
    async def inner(scope, receive, send): await app(scope, receive, send)
    return inner
async def database() -> int: return 1
def up(app): ...
@get("/", name="home")
async def index() -> str: return ""
class Books(Controller):
    path = "/books"
    guards = [guard]
    @get("/{book_id:int}", dependencies={"db": Provide(database)})
    async def one(self, book_id: int, db: int) -> Book: ...
    @post()
    async def make(self, data: Book) -> Book: ...
    @delete("/{book_id:int}")
    async def drop(self, book_id: int) -> None: ...
@asgi("/raw", is_mount=True)
async def raw(scope: dict, receive: object, send: object) -> None: ...
@route(["/multi", "/many"], http_method=["GET", "PUT"])
async def multi() -> dict: return {}
books = Router("/v1", route_handlers=[Books], middleware=[around])
app = Litestar([index, books, multi, raw], on_startup=[up], middleware=[around])
""",
    "quart": """
from quart import Blueprint, Quart

app = Quart(__name__)
blueprint = Blueprint("b", __name__, url_prefix="/b")
@app.route("/")
async def index(): return ""
@app.websocket("/ws")
async def chat(): ...
@blueprint.route("/x/<int:i>", methods=["GET", "POST"])
async def x(i): return ""
@app.before_request
async def auth(): ...
@blueprint.before_request
async def inner(): ...
@app.before_websocket
async def check(): ...
@app.before_serving
async def up(): ...
@app.while_serving
async def life():
    yield
app.register_blueprint(blueprint)
""",
    "sanic": """
from sanic import Blueprint, Sanic
from sanic.views import HTTPMethodView

app = Sanic("shop")
blueprint = Blueprint("api", url_prefix="/api", version=1)
@app.get("/")
async def index(request): ...
@blueprint.post("/orders/<order_id:int>")
async def order(request, order_id): ...
class Item(HTTPMethodView):
    async def get(self, request, x): ...
    async def put(self, request, x): ...
app.add_route(Item.as_view(), "/v/<x>")
@app.websocket("/ws")
async def chat(request, ws): ...
@app.on_request
async def auth(request): ...
@blueprint.on_request
async def inner(request): ...
@app.before_server_start
async def up(app): ...
@app.signal("user.registered.<x>")
async def heard(**context): ...
app.static("/files", __file__, name="files")
app.blueprint(blueprint)
""",
}

# Each prints [method, path, name of the handler], as the framework itself enumerates them.
ENUMERATIONS = {
    "aiohttp": """
def name(handler): return getattr(handler, "__name__", "")
for route in shop.app.router.routes():
    if route.resource.canonical == "/files": continue  # a folder, shown with what follows its path
    methods = [route.method]
    if route.method == "*":
        methods = [m.upper() for m in vars(route.handler) if m in ("get", "delete")] or ["ANY"]
    found += [[m, route.resource.canonical, name(route.handler)] for m in methods if m != "HEAD"]
""",
    "litestar": """
for route in shop.app.routes:
    for handler in getattr(route, "route_handlers", None) or [route.route_handler]:
        if not handler.fn.__module__.startswith("litestar"):
            for method in getattr(handler, "http_methods", ["ANY"]):
                found.append([str(getattr(method, "value", method)), route.path, handler.fn.__name__])
""",
    "quart": """
for rule in shop.app.url_map.iter_rules():
    methods = ["WEBSOCKET"] if rule.websocket else rule.methods - {"HEAD", "OPTIONS"}
    found += [[m, rule.rule, shop.app.view_functions[rule.endpoint].__name__] for m in methods]
""",
    "sanic": """
for route in shop.app.router.routes:
    if route.extra.static: continue
    handler = route.handler.args[0] if route.extra.websocket else getattr(route.handler, "view_class", route.handler)
    for method in ["WEBSOCKET"] if route.extra.websocket else route.methods:
        found.append([method, route.uri, handler.__name__])
""",
}
HOOKS = {
    "aiohttp": {("on_startup", "on_up"), ("cleanup_ctx", "context")},
    "litestar": {("on_startup", "up")},
    "quart": {
        ("before_request", "auth"),
        ("before_request", "inner"),
        ("before_websocket", "check"),
        ("before_serving", "up"),
        ("while_serving", "life"),
    },
    "sanic": {("before_server_start", "up"), ("signal:user.registered.<x>", "heard")},
}
# One route below the inner middleware: (method, path), and its chain.
CHAINS: dict[str, tuple[tuple[str, str], tuple[str, ...]]] = {
    "aiohttp": (("GET", "/sub/x"), ("inner",)),
    "litestar": (("GET", "/v1/books/{book_id:int}"), ("around", "guard", "database")),
    "quart": (("POST", "/b/x/<int:i>"), ("inner",)),
    "sanic": (("POST", "/v1/api/orders/<order_id:int>"), ("inner",)),
}


def collected(framework: str, folder: Path) -> Metadata:
    if find_spec(framework) is None:
        pytest.skip(f"{framework} is not installed")
    (folder / "shop.py").write_text(APPLICATIONS[framework])
    metadata = collect_application(Application(root=str(folder), app="shop:app")).metadata
    assert metadata.errors == ()
    return metadata


def enumerated(framework: str, folder: Path) -> list[list[str]]:
    code = f"import json, shop\nfound = []\n{ENUMERATIONS[framework]}\nprint(json.dumps(sorted(found)))"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=folder, capture_output=True, text=True, check=True
    )
    found: list[list[str]] = json.loads(done.stdout)
    return found


def last_name(handler: str) -> str:
    return handler.rpartition(":")[2].rpartition(".")[2]


@pytest.mark.parametrize("framework", APPLICATIONS)
def test_the_routes_are_those_that_the_framework_enumerates(framework: str, tmp_path: Path) -> None:
    metadata = collected(framework, tmp_path)
    own = [route for route in metadata.routes if route.origin == "project"]
    found = sorted([route.method, route.path, last_name(route.handler)] for route in own)
    assert found == [row for row in enumerated(framework, tmp_path) if row[2] != "send_static_file"]
    assert all(route.line_number and route.details and route.details.file_path == "shop.py" for route in own)
    assert [source.kind for source in metadata.sources][-1] == framework


@pytest.mark.parametrize("framework", APPLICATIONS)
def test_what_runs_around_requests_and_around_the_application_is_there(
    framework: str, tmp_path: Path
) -> None:
    metadata = collected(framework, tmp_path)
    assert metadata.middleware == (("auth",) if framework != "litestar" else ("around",))
    (method, path), chain = CHAINS[framework]
    (route,) = [route for route in metadata.routes if (route.method, route.path) == (method, path)]
    assert route.middleware == chain
    hooks = {(hook.type, last_name(hook.handler)) for hook in metadata.hooks}
    assert hooks == HOOKS[framework]
    assert all(hook.line_number for hook in metadata.hooks)


def test_a_document_of_litestar_is_the_same_in_every_run(tmp_path: Path) -> None:
    first, second = collected("litestar", tmp_path), collected("litestar", tmp_path)
    assert first.routes == second.routes
    make = next(route for route in first.routes if route.method == "POST")
    assert (make.resource, make.request_body, make.response_body) == ("Book", "Book", "Book")


def test_an_aiohttp_sub_application_of_a_domain_has_its_host(tmp_path: Path) -> None:
    routes: dict[str, Any] = {route.path: route for route in collected("aiohttp", tmp_path).routes}
    assert routes["/d"].details.host == "api.example.com"
    assert routes["/files/{filename}"].details.kind == "static"


def test_an_application_inside_a_wrapper_or_a_mount_is_read_in_its_place(tmp_path: Path) -> None:
    pytest.importorskip("quart")
    (tmp_path / "shop.py").write_text(APPLICATIONS["quart"])
    (tmp_path / "main.py").write_text(
        "from starlette.applications import Starlette\nfrom starlette.routing import Mount\nimport shop\n"
        "app = Starlette(routes=[Mount('/in', app=shop.app)])\n"
    )
    metadata = collect_application(Application(root=str(tmp_path), app="main:app")).metadata
    assert metadata.errors == ()
    route = next(route for route in metadata.routes if route.path == "/in/b/x/<int:i>")
    assert route.middleware == ("auth", "inner")


def test_a_framework_that_is_not_read_is_named(tmp_path: Path) -> None:
    package = tmp_path / "falcon"
    package.mkdir()
    (package / "__init__.py").write_text("class App: ...\n")
    (tmp_path / "shop.py").write_text("import falcon\napp = falcon.App()\n")
    metadata = collect_application(Application(root=str(tmp_path), app="shop:app")).metadata
    assert [error.message for error in metadata.errors] == [
        "Falcon is not read; collect from its OpenAPI document with --openapi"
    ]
