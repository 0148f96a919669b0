"""Who imports what from outside of the package. Which of its own rooms know each other is held by `make architecture`."""

from __future__ import annotations

import ast
import sys

import pytest

from tests.house.tree import imports, modules

FRAMEWORKS = {
    "django": "sources/collector/django/api.py",
    "rest_framework": "sources/collector/django/api.py",
    "fastapi": "sources/collector/asgi/api.py",
    "starlette": "sources/collector/asgi/api.py",
    "flask": "sources/collector/flask/routes.py",
    "pydantic": "sources/collector/pydantic/models.py",
    "sqlalchemy": "sources/collector/sqlalchemy/api.py",
    "re2": "regexps/engine.py",
    "viztracer": "record/trace.py",
    "yaml": "sources/openapi/yaml.py",
    "alembic": "sources/collector/migrations/alembic.py",
    "mcp": "cli/mcp/server.py",
    "prompt_toolkit": "cli/top/screen.py",
    "pytest": "pytest_plugin.py",
    "asgiref": "middleware/django.py",
}
# Where requests are labelled, a file for each framework too.
MIDDLEWARE = {"django": {"middleware/django.py"}, "flask": {"middleware/flask.py"}}
# These files exist for their framework alone, and are themselves imported inside functions.
IMPORT_AT_THE_TOP = {"mcp", "prompt_toolkit", "pytest"}
REQUIRED = {"msgspec"}  # installed everywhere; every other package is optional

NETWORK = {"socket", "socketserver", "ssl", "http.client", "http.server", "urllib.request", "urllib.error"}
ROOMS_WITH_SOCKETS = ("fetch/", "web/", "debug/", "http/")
# The wait profile needs socket's library in memory, where it then hooks the calls that block.
HOOKS_SOCKETS = "_native/waits.py"
# A recorded process answers at a socket of this machine's file system.
LISTENS_TO_A_PROCESS = "record/attach/client.py"


def third_party(name: str) -> str:
    top = name.partition(".")[0]
    return "" if top in sys.stdlib_module_names or top == "conduit" else top


@pytest.mark.parametrize("framework", FRAMEWORKS)
def test_a_framework_is_imported_in_one_file(framework: str) -> None:
    importers = {path for path, module in modules().items() if framework in map(third_party, imports(module))}
    assert importers == {FRAMEWORKS[framework]} | MIDDLEWARE.get(framework, set())


def test_no_package_is_imported_that_has_no_file_of_its_own() -> None:
    used = {third_party(name) for module in modules().values() for name in imports(module)}
    assert used - {""} - REQUIRED <= set(FRAMEWORKS)


@pytest.mark.parametrize("framework", sorted(set(FRAMEWORKS) - IMPORT_AT_THE_TOP))
def test_a_framework_is_imported_inside_functions_only(framework: str) -> None:
    for path in {FRAMEWORKS[framework]} | MIDDLEWARE.get(framework, set()):
        module = modules()[path]
        at_the_top = ast.Module(
            [node for node in module.body if isinstance(node, ast.Import | ast.ImportFrom)], []
        )
        assert framework not in map(third_party, imports(at_the_top))


def test_sockets_are_opened_only_where_profiles_are_fetched_or_served() -> None:
    users = {path for path, module in modules().items() if imports(module) & NETWORK}
    strangers = {path for path in users if not path.startswith(ROOMS_WITH_SOCKETS)}
    assert strangers <= {HOOKS_SOCKETS, LISTENS_TO_A_PROCESS}


def test_only_the_wrappers_beside_it_import_the_extension() -> None:
    users = {path for path, module in modules().items() if "conduit._native._core" in imports(module)}
    assert users
    assert all(path.startswith("_native/") for path in users), users
