"""Verdicts on guards against the frameworks' own answers: which users of a fixed set each guard lets write."""

from __future__ import annotations

import itertools
import json
import subprocess
import sys

import pytest

from conduit.metadata.guards import compare_guards, guard_steps
from conduit.metadata.schema import Metadata, Route, RouteDetails, Step

ASK_DJANGO = """
import json
from django.conf import settings
settings.configure(SECRET_KEY="x", ALLOWED_HOSTS=["*"], INSTALLED_APPS=["django.contrib.auth", "django.contrib.contenttypes"],
                   REST_FRAMEWORK={"UNAUTHENTICATED_USER": None}, ROOT_URLCONF=__name__, LOGIN_URL="/in")
import django; django.setup()
from django.contrib.admin.views.decorators import staff_member_required
from django.contrib.auth.decorators import login_required, permission_required
from django.contrib.auth.models import Permission
from django.core.exceptions import PermissionDenied
from django.http import HttpResponse
from django.test import RequestFactory
from django.urls import path
from rest_framework import permissions
urlpatterns = [path("admin/login/", lambda r: None, name="login")]


class User:
    is_active = True
    def __init__(self, authenticated=True, staff=False, permissions=()):
        self.is_authenticated, self.is_staff, self.permissions = authenticated, staff, permissions
    def has_perm(self, name, obj=None): return self.permissions == "all" or name in self.permissions
    def has_perms(self, names, obj=None): return all(map(self.has_perm, names))


users = {"anonymous": User(False), "user": User(), "staff": User(staff=True), "with a": User(permissions=["a.a"]),
         "with model": User(permissions=["auth.add_permission"]), "with b": User(permissions=["b.b"]),
         "root": User(staff=True, permissions="all")}
plain = lambda request: HttpResponse("in")
decorators = {"": plain, "login_required": login_required(plain), "staff_member_required": staff_member_required(
    plain, login_url="/in"), "permission_required(a.a)": permission_required("a.a")(plain),
    "permission_required(b.b)": permission_required("b.b")(plain)}
allowed = {}
for name, view in decorators.items():
    request = RequestFactory().post("/x")
    allowed[name] = []
    for who, request.user in users.items():
        try:
            if view(request).content == b"in":
                allowed[name].append(who)
        except PermissionDenied:
            pass
class View:
    queryset = Permission.objects.all()
    _ignore_model_permissions = False
classes = [permissions.AllowAny, permissions.IsAuthenticated, permissions.IsAuthenticatedOrReadOnly, permissions.IsAdminUser,
           permissions.DjangoModelPermissions, permissions.DjangoModelPermissionsOrAnonReadOnly]
combined = {cls.__name__: cls for cls in classes}
combined["(IsAuthenticated & IsAdminUser)"] = permissions.IsAuthenticated & permissions.IsAdminUser
combined["(IsAdminUser | DjangoModelPermissions)"] = permissions.IsAdminUser | permissions.DjangoModelPermissions
for name, cls in combined.items():
    request = RequestFactory().post("/x")
    allowed[name] = []
    for who, request.user in users.items():
        if cls().has_permission(request, View()):
            allowed[name].append(who)
print(json.dumps(allowed))
"""
DECORATORS = [
    "",
    "login_required",
    "staff_member_required",
    "permission_required(a.a)",
    "permission_required(b.b)",
]
PERMISSIONS = [
    "AllowAny",
    "IsAuthenticated",
    "IsAuthenticatedOrReadOnly",
    "IsAdminUser",
    "DjangoModelPermissions",
    "DjangoModelPermissionsOrAnonReadOnly",
    "(IsAuthenticated & IsAdminUser)",
    "(IsAdminUser | DjangoModelPermissions)",
]
NONE = Metadata(version="1.0")


@pytest.fixture(scope="module")
def allowed() -> dict[str, list[str]]:
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", ASK_DJANGO],
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    found: dict[str, list[str]] = json.loads(done.stdout)
    return found


def verdict(before: str | list[str], after: str | list[str], kind: str = "", old: Metadata = NONE) -> str:
    routes = []
    for given in (before, after):
        names = [name for name in ([given] if isinstance(given, str) else given) if name]
        details = RouteDetails(chain=tuple(Step(name, kind) for name in names))
        routes.append(Route("POST", "/x", middleware=tuple(names), details=details))
    found = compare_guards("POST /x", *map(guard_steps, routes), old.middleware, old.middleware)
    return found.verdict if found else ""


@pytest.mark.parametrize(("names", "kind"), [(DECORATORS, "decorator"), (PERMISSIONS, "permission")])
def test_each_pair_of_guards_is_judged_as_the_users_that_django_lets_in_change(
    names: list[str], kind: str, allowed: dict[str, list[str]]
) -> None:
    for before, after in itertools.product(names, names):
        old, new = set(allowed[before]), set(allowed[after])
        expected = "" if old == new else "loosened" if old < new else "tightened" if old > new else "changed"
        assert verdict(before, after, kind) == expected, (before, after)


FASTAPI = [
    "OAuth2PasswordBearer",
    "HTTPBearer",
    "HTTPBasic",
    "HTTPDigest",
    "APIKeyHeader",
    "APIKeyQuery",
    "APIKeyCookie",
    "OpenIdConnect",
]


@pytest.mark.parametrize(
    "name", [*FASTAPI, "jwt_required", "fresh_login_required", "SessionAuth", "HttpBearer"]
)
def test_a_known_guard_that_goes_loosens_and_one_that_comes_tightens(name: str) -> None:
    assert (verdict(name, ""), verdict("", name), verdict(name, name)) == ("loosened", "tightened", "")


def test_more_scopes_tighten_and_fewer_loosen() -> None:
    both, one = "OAuth2PasswordBearer(read, write)", "OAuth2PasswordBearer(read)"
    assert (verdict(one, both), verdict(both, one)) == ("tightened", "loosened")
    assert verdict(one, "OAuth2PasswordBearer(write)") == "changed"


def test_a_login_that_must_be_fresh_is_more_than_a_login() -> None:
    assert verdict("login_required", "fresh_login_required") == "tightened"
    assert verdict("fresh_login_required", "login_required") == "loosened"


@pytest.mark.parametrize(
    ("before", "after", "expected"),
    [
        ([], ["csrf_exempt"], "loosened"),
        (["csrf_exempt"], [], "tightened"),
        (["csrf_protect"], [], "loosened"),
        ([], ["csrf_protect"], "tightened"),
        (["csrf_protect"], ["csrf_exempt"], "loosened"),
        (["csrf_exempt", "csrf_protect"], ["csrf_protect"], ""),  # the inner one decides
        (["csrf_protect"], ["csrf_protect", "csrf_exempt"], "loosened"),
        (["login_required"], ["login_required", "csrf_exempt"], "loosened"),
        (["csrf_exempt"], ["login_required"], "tightened"),
        (["login_required"], ["csrf_protect"], "loosened"),  # no check of the form makes up for it
    ],
)
def test_csrf_protection_is_judged_apart_from_access(
    before: list[str], after: list[str], expected: str
) -> None:
    assert verdict(before, after) == expected


def test_with_the_middleware_for_all_a_second_csrf_check_changes_nothing_and_an_exemption_loosens() -> None:
    old = Metadata(version="1.0", middleware=("CsrfViewMiddleware",))
    assert verdict(["csrf_protect"], [], old=old) == ""
    assert verdict([], ["csrf_exempt"], old=old) == "loosened"


def test_an_exemption_from_the_login_of_all_loosens_the_route() -> None:
    old = Metadata(version="1.0", middleware=("LoginRequiredMiddleware",))
    assert verdict([], ["login_not_required"], old=old) == "loosened"
    assert verdict(["login_not_required"], [], old=old) == "tightened"
    assert verdict(["login_not_required"], ["login_required"], old=old) == "tightened"


def test_an_unknown_guard_for_another_is_a_change_without_a_verdict_and_alone_it_counts() -> None:
    assert verdict("optional_auth", "require_admin") == "changed"
    assert verdict("optional_auth", "login_required") == "changed"
    assert verdict("require_admin", "") == "loosened"
    assert verdict("", "require_admin") == "tightened"


def test_an_alternative_without_security_opens_an_operation() -> None:
    assert verdict("key", "key or none", "security") == "loosened"
    assert verdict("key or none", "key", "security") == "tightened"
    assert verdict("a and b", "a or b", "security") == "loosened"
    assert verdict("a or b", "b or a", "security") == ""


def test_an_authentication_class_identifies_and_refuses_no_request() -> None:
    assert verdict("SessionAuthentication", "", "authentication") == ""
