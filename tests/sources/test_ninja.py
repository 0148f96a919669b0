"""Django Ninja's operations, against its own enumeration."""

from __future__ import annotations

import json
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from conduit.sources.application import Application, collect_application

URLS = """
from django.urls import path
from ninja import NinjaAPI, Router
from ninja.security import HttpBearer, django_auth


class Bearer(HttpBearer):
    def authenticate(self, request, token): ...


api, sub = NinjaAPI(), Router(tags=["s"])


@api.get("/things/{int:tid}", auth=Bearer())
def get_thing(request, tid: int): ...


@api.post("/things/{int:tid}", auth=[django_auth, Bearer()], summary="Makes one")
def post_thing(request, tid: int): ...


@sub.api_operation(["PUT", "PATCH"], "/multi")
async def multi(request): ...


api.add_router("/sub", sub)
urlpatterns = [path("api/", api.urls)]
"""
WALK = """
import os, json, sys
os.environ["DJANGO_SETTINGS_MODULE"] = "settings"
import django; django.setup()
import urls
found = []
for prefix, router in urls.api._routers:
    for path, view in router.path_operations.items():
        for operation in view.operations:
            found += [[method, operation.view_func.__name__] for method in operation.methods]
print(json.dumps(sorted(found)))
"""


@pytest.mark.skipif(find_spec("ninja") is None, reason="Django Ninja is not installed")
def test_each_method_of_each_operation_is_a_route_with_its_authentication(tmp_path: Path) -> None:
    (tmp_path / "urls.py").write_text(URLS)
    (tmp_path / "settings.py").write_text(
        'SECRET_KEY = "x"\nROOT_URLCONF = "urls"\nINSTALLED_APPS = ["ninja"]\n'
    )
    found = collect_application(Application(root=str(tmp_path), django="settings")).metadata
    assert found.errors == ()
    own = [route for route in found.routes if route.origin == "project"]
    assert {(r.method, r.path, r.handler): r.middleware for r in own} == {
        ("GET", "/api/things/<int:tid>", "urls:get_thing"): ("Bearer",),
        ("POST", "/api/things/<int:tid>", "urls:post_thing"): ("SessionAuth or Bearer",),
        ("PATCH", "/api/sub/multi", "urls:multi"): (),
        ("PUT", "/api/sub/multi", "urls:multi"): (),
    }
    done = subprocess.run(
        [sys.executable, "-c", WALK], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert sorted([r.method, r.handler.partition(":")[2]] for r in own) == json.loads(
        done.stdout.splitlines()[-1]
    )
