"""Forms that applications use and that are easy to lose, each against the framework's own answer where it has one."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from conduit.metadata.guards import route_guards
from conduit.metadata.schema import Metadata
from conduit.sources.application import Application, collect_application
from tests.sources.conftest import resource_of, routes_of
from tests.sources.test_application import collect, write_app

VIEWS = """
from django.contrib import admin
from django.contrib.auth.decorators import login_required
from django.urls import path
from django.utils.decorators import method_decorator
from django.views import View
from django.views.decorators.cache import never_cache
from django.views.decorators.csrf import csrf_protect
from rest_framework import authentication, permissions
from rest_framework.views import APIView


class Listed(APIView):
    permission_classes = (permissions.IsAdminUser,)
    authentication_classes = ()
    def post(self, request): ...


class Computed(APIView):
    @property
    def permission_classes(self):
        raise AssertionError("no property of a view is run")
    @property
    def authentication_classes(self):
        return [authentication.BasicAuthentication]
    def get(self, request): ...


class NoList(APIView):
    permission_classes = permissions.IsAdminUser
    def get(self, request): ...


class ChecksItself(APIView):
    permission_classes = []
    def check_permissions(self, request):
        if not request.user.is_staff:
            self.permission_denied(request)


class Inherits(ChecksItself):
    def post(self, request): ...


class ByMethod(View):
    def get(self, request): ...
    @method_decorator(never_cache)
    @method_decorator(login_required)
    def post(self, request): ...


class Panel:
    def show(self, request): ...


urlpatterns = [
    path("panel/", admin.site.admin_view(Panel().show)),
    path("cached/", admin.site.admin_view(Panel().show, cacheable=True)),
    path("plain/", csrf_protect(never_cache(ByMethod.as_view()))),
    path("inherits/", Inherits.as_view()),
    path("bymethod/", ByMethod.as_view()),
    path("listed/", Listed.as_view()),
    path("computed/", Computed.as_view()),
    path("nolist/", NoList.as_view()),
]
"""


@pytest.fixture(scope="module")
def rest(tmp_path_factory: pytest.TempPathFactory) -> Metadata:
    """REST framework is imported by the views alone: it is not among INSTALLED_APPS."""
    folder = tmp_path_factory.mktemp("rest")
    (folder / "urls.py").write_text(VIEWS)
    (folder / "settings.py").write_text(
        'SECRET_KEY = "x"\nROOT_URLCONF = "urls"\n'
        'INSTALLED_APPS = ["django.contrib.admin", "django.contrib.auth", "django.contrib.contenttypes"]\n'
    )
    return collect_application(Application(root=str(folder), django="settings")).metadata


def test_permissions_are_read_where_rest_framework_is_not_installed_as_an_app(rest: Metadata) -> None:
    assert rest.errors == ()
    assert routes_of(rest, "/listed/")["POST"].middleware[-1] == "IsAdminUser"
    assert "rest_framework" in [source.kind for source in rest.sources]


def test_checks_that_a_property_computes_are_unknown_and_the_route_stays(rest: Metadata) -> None:
    route = routes_of(rest, "/computed/")["GET"]
    chain = {step.name: (step.kind, step.certainty) for step in route.details.chain} if route.details else {}
    assert chain["Computed.permission_classes"] == ("permission", "unknown")
    assert chain["Computed.authentication_classes"] == ("authentication", "unknown")


def test_a_permission_that_is_no_list_is_named_and_the_route_stays(rest: Metadata) -> None:
    assert "IsAdminUser" in routes_of(rest, "/nolist/")["GET"].middleware


def test_a_view_that_checks_permissions_in_a_method_of_its_own_is_not_open(rest: Metadata) -> None:
    route = routes_of(rest, "/inherits/")["POST"]
    assert route.details is not None
    (check,) = [step for step in route.details.chain if step.kind == "permission"]
    assert (check.name, check.certainty) == ("ChecksItself.check_permissions()", "unknown")
    assert check.file_path == "urls.py"
    assert VIEWS.splitlines()[check.line_number - 1].strip().startswith("def check_permissions")
    assert not route_guards(route, rest).is_open


def test_decorators_of_the_method_that_handles_a_request_are_steps_of_that_method_alone(
    rest: Metadata,
) -> None:
    routes = routes_of(rest, "/bymethod/")
    assert routes["POST"].middleware == ("never_cache", "login_required")
    assert not routes["GET"].middleware
    assert not route_guards(routes["POST"], rest).is_open
    assert route_guards(routes["GET"], rest).is_open


def test_a_view_given_to_the_admin_site_is_guarded_by_its_check(rest: Metadata) -> None:
    for path, steps in {
        "/panel/": ("csrf_protect", "never_cache", "admin_view"),
        "/cached/": ("csrf_protect", "admin_view"),
    }.items():
        (route,) = routes_of(rest, path).values()
        assert (route.middleware, route.handler) == (steps, "urls:Panel.show")
        assert not route_guards(route, rest).is_open
    assert routes_of(rest, "/plain/")["GET"].middleware == ("csrf_protect", "never_cache")


def test_a_default_of_the_database_is_none_of_python_s(tmp_path: Path) -> None:
    (tmp_path / "shop").mkdir()
    (tmp_path / "shop/__init__.py").write_text("")
    (tmp_path / "shop/models.py").write_text(
        "from django.db import models\nfrom django.db.models.functions import Now\n"
        "class Item(models.Model):\n    made = models.DateTimeField(db_default=Now())\n"
        "    count = models.IntegerField(db_default=3)\n    both = models.IntegerField(default=4, db_default=5)\n"
    )
    (tmp_path / "settings.py").write_text('SECRET_KEY = "x"\nINSTALLED_APPS = ["shop"]\n')
    found = collect_application(Application(root=str(tmp_path), django="settings")).metadata
    fields = {field.name: field for field in resource_of(found, "Item").fields}
    assert {name: fields[name].default_value for name in ("made", "count", "both")} == {
        "made": "",
        "count": "",
        "both": "4",
    }
    server = {name: field.details.server_default for name, field in fields.items() if field.details}
    assert (server["made"], server["count"], server["both"]) == ("Now()", "3", "5")


FLASK = """
from flask import Flask


def create_app(mode="dev", *, debug=False):
    app = Flask("shop")
    app.add_url_rule("/old", redirect_to="/new", endpoint="old")
    app.add_url_rule("/later", endpoint="later")
    app.add_url_rule("/only-builds", endpoint="builds", build_only=True)
    app.add_url_rule("/socket", endpoint="socket", websocket=True, view_func=lambda: None)
    app.add_url_rule(f"/{mode}/{debug}", endpoint="mode", view_func=lambda: "")
    return app


async def later():
    return create_app("async")
"""


def test_every_rule_of_flask_that_answers_is_a_route_whatever_it_is_bound_to(tmp_path: Path) -> None:
    found = collect(write_app(tmp_path, FLASK), "app:create_app('prod', debug=True)")
    kinds = {
        route.path: (route.method, route.details.kind if route.details else "") for route in found.routes
    }
    assert kinds["/old"] == ("GET", "redirect")
    assert kinds["/later"] == ("GET", "unbound")
    assert kinds["/socket"] == ("WEBSOCKET", "websocket")
    code = (
        "from app import create_app\napp = create_app('prod', debug=True)\n"
        "print('\\n'.join(r.rule for r in app.url_map.iter_rules() if not r.build_only))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert sorted(kinds) == sorted(done.stdout.split())


@pytest.mark.parametrize(
    ("app", "path"),
    [
        ("app:create_app('prod')", "/prod/False"),
        ("app:create_app(mode='a', debug=True)", "/a/True"),
        ("app:later()", "/async/False"),
    ],
)
def test_a_factory_is_called_with_literal_arguments_and_awaited(app: str, path: str, tmp_path: Path) -> None:
    found = collect(write_app(tmp_path, FLASK), app)
    assert found.errors == () and path in [route.path for route in found.routes]


def test_arguments_that_are_not_literal_are_refused(tmp_path: Path) -> None:
    errors = collect(write_app(tmp_path, FLASK), "app:create_app(open('x'))").errors
    assert "expected a call with literal arguments" in errors[0].message


DECORATED = """
import functools

def signed_in(function):
    @functools.wraps(function)
    def checked(*arguments, **named):
        return function(*arguments, **named)
    return checked


class Methods:
    def get(self, *arguments): ...
    @signed_in
    def post(self, *arguments): ...

"""
VIEW_CLASSES = {
    "flask": "from flask import Flask\nfrom flask.views import MethodView\n"
    "class Item(Methods, MethodView): ...\napp = Flask(__name__)\n"
    'app.add_url_rule("/item", view_func=Item.as_view("item"))\n',
    "starlette": "from starlette.applications import Starlette\nfrom starlette.endpoints import HTTPEndpoint\n"
    "from starlette.routing import Route\nclass Item(Methods, HTTPEndpoint): ...\n"
    'app = Starlette(routes=[Route("/item", Item)])\n',
    "aiohttp": "from aiohttp import web\nclass Item(Methods, web.View): ...\n"
    'app = web.Application()\napp.router.add_view("/item", Item)\n',
    "sanic": "from sanic import Sanic\nfrom sanic.views import HTTPMethodView\n"
    'class Item(Methods, HTTPMethodView): ...\napp = Sanic("item")\napp.add_route(Item.as_view(), "/item")\n',
}


@pytest.mark.parametrize("framework", VIEW_CLASSES)
def test_a_decorator_of_one_method_of_a_view_class_guards_that_method(framework: str, tmp_path: Path) -> None:
    pytest.importorskip(framework)
    (tmp_path / "views.py").write_text(DECORATED + VIEW_CLASSES[framework])
    found = collect_application(Application(root=str(tmp_path), app="views:app")).metadata
    routes = routes_of(found, "/item")
    assert "signed_in" in routes["POST"].middleware
    assert "signed_in" not in routes["GET"].middleware
