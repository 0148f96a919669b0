"""The process that loads the application: what it prints, what it leaves, and what happens when it fails."""

from __future__ import annotations

import ast
import subprocess
import sys
import time
from pathlib import Path

import pytest

import conduit.sources
from conduit.metadata.codec import encode
from conduit.metadata.schema import Metadata
from conduit.sources.application import Application, CollectingError, collect_application
from tests.sources.conftest import EXAMPLES

COLLECTOR = Path(conduit.sources.__file__).parent / "collector"
FRAMEWORKS = (
    "django",
    "rest_framework",
    "sqlalchemy",
    "sqlmodel",
    "fastapi",
    "starlette",
    "flask",
    "pydantic",
)


def write_app(folder: Path, text: str, name: str = "app.py") -> Path:
    (folder / name).write_text(text)
    return folder


def collect(folder: Path, app: str = "app:app", **wanted: object) -> Metadata:
    return collect_application(Application(root=str(folder), app=app, **wanted)).metadata  # type: ignore[arg-type]


def test_two_runs_give_the_same_bytes(shop: Metadata) -> None:
    again = collect_application(Application(root=str(EXAMPLES / "fastapi_shop"), app="main:app")).metadata
    assert encode(again) == encode(shop)


def test_what_the_application_prints_never_reaches_standard_output() -> None:
    code = (
        "from conduit.sources.application import *\n"
        f"a = collect_application(Application(root={str(EXAMPLES / 'fastapi_shop')!r}, app='main:app'))\n"
        "print(len(a.metadata.routes))"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, timeout=60, check=True
    )
    assert done.stdout.strip().isdigit()
    assert "the shop has been imported" in done.stderr


def test_nothing_is_written_into_the_project(tmp_path: Path) -> None:
    write_app(tmp_path, "import side\nfrom fastapi import FastAPI\napp = FastAPI()\n")
    write_app(tmp_path, "", "side.py")
    collect(tmp_path)
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["app.py", "side.py"]


def test_a_part_that_fails_is_an_error_with_its_place_and_the_rest_is_kept(tmp_path: Path) -> None:
    write_app(
        tmp_path,
        "import models\ndef load():\n    raise RuntimeError('postgres://me:hunter2@db/shop is away')\nload()\n",
    )
    write_app(
        tmp_path,
        "from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column\n"
        "class Base(DeclarativeBase): pass\n"
        "class Row(Base):\n"
        "    __tablename__ = 'row'\n"
        "    id: Mapped[int] = mapped_column(primary_key=True)\n",
        "models.py",
    )
    found = collect(tmp_path)
    assert [resource.name for resource in found.resources] == ["Row"]
    assert [(e.source, e.message, e.location) for e in found.errors] == [
        ("loading app:app", "RuntimeError: postgres://<redacted>@db/shop is away", "app.py:3")
    ]


@pytest.mark.parametrize(
    ("app", "expected"),
    [
        ("nowhere:app", "no module 'nowhere'"),
        ("app:missing", "has no 'missing'; it has"),
        ("app:needy()", "the factory wants size"),
        ("app:number()", "not a factory"),
        (":app", "names no module"),
        ("app", "app and application; say which is meant"),
        ("app:number", "expected an application of FastAPI, Starlette, Flask"),
    ],
)
def test_an_application_that_cannot_be_had_is_an_error_that_says_what_was_found(
    tmp_path: Path, app: str, expected: str
) -> None:
    write_app(tmp_path, "app = application = number = 3\ndef needy(size): return app\n")
    errors = collect(tmp_path, app).errors
    assert len(errors) == 1
    assert expected in errors[0].message


def test_what_wraps_an_application_is_its_outermost_middleware(tmp_path: Path) -> None:
    write_app(
        tmp_path,
        "from fastapi import FastAPI\n"
        "class Timing:\n    def __init__(self, app): self.app = app\n"
        "inner = FastAPI()\n@inner.get('/x')\ndef x(): ...\n"
        "app = Timing(inner)\n",
    )
    found = collect(tmp_path)
    assert found.middleware == ("Timing",)
    assert "/x" in {route.path for route in found.routes}


def test_an_expression_that_only_some_databases_can_write_is_named(tmp_path: Path) -> None:
    write_app(
        tmp_path,
        "from sqlalchemy import CheckConstraint, Column, Index, Integer, MetaData, Table\n"
        "from sqlalchemy.sql.functions import FunctionElement\n"
        "class OnlyThere(FunctionElement): inherit_cache = True\n"
        "metadata = MetaData()\n"
        "Table('row', metadata, Column('id', Integer, server_default=OnlyThere()))\n",
    )
    found = collect(tmp_path, "", sqlalchemy="app:metadata")
    assert found.errors == ()
    details = found.resources[0].fields[0].details
    assert details and details.server_default == "<OnlyThere>"


def test_an_address_in_an_error_does_not_make_the_bytes_differ(tmp_path: Path) -> None:
    write_app(tmp_path, "raise ValueError(f'{object()!r} is unexpected')\n")
    assert encode(collect(tmp_path)) == encode(collect(tmp_path))


def test_wrappers_that_hold_each_other_are_an_error_and_no_endless_walk(tmp_path: Path) -> None:
    write_app(tmp_path, "class W: pass\napp, other = W(), W()\napp.app, other.app = other, app\n")
    found = collect(tmp_path)
    assert found.middleware == ()
    assert "expected an application of FastAPI, Starlette, Flask" in found.errors[0].message


def test_an_application_that_ends_the_process_is_no_document(tmp_path: Path) -> None:
    write_app(tmp_path, "import os\nos._exit(3)\n")
    with pytest.raises(CollectingError, match=r"ended its process \(status 3\)"):
        collect(tmp_path)


def test_sys_exit_at_import_is_an_error_in_the_document(tmp_path: Path) -> None:
    write_app(tmp_path, "raise SystemExit('no configuration')\n")
    assert [error.message for error in collect(tmp_path).errors] == ["SystemExit: no configuration"]


def test_an_application_that_never_ends_loading_is_given_up_with_its_children(tmp_path: Path) -> None:
    write_app(
        tmp_path,
        "import subprocess, sys, time\n"
        "child = subprocess.Popen([sys.executable, '-c', 'import time; time.sleep(60)'])\n"
        "open('child', 'w').write(str(child.pid))\n"
        "time.sleep(60)\n",
    )
    with pytest.raises(CollectingError, match="was not loaded within 2 s"):
        collect_application(Application(root=str(tmp_path), app="app:app"), time_limit_s=2)
    child = int((tmp_path / "child").read_text())
    deadline = time.monotonic() + 20
    while is_alive(child) and time.monotonic() < deadline:
        time.sleep(0.05)  # a killed process dies when it is next scheduled
    assert not is_alive(child)


def is_alive(pid: int) -> bool:
    try:
        state = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return False
    return state.rpartition(")")[2].split()[0] != "Z"


def test_a_thread_that_never_ends_does_not_hold_the_collecting_back(tmp_path: Path) -> None:
    write_app(
        tmp_path,
        "import atexit, threading, time\nfrom fastapi import FastAPI\napp = FastAPI()\n"
        "threading.Thread(target=time.sleep, args=(60,)).start()\natexit.register(time.sleep, 60)\n",
    )
    assert collect_application(
        Application(root=str(tmp_path), app="app:app"), time_limit_s=20
    ).metadata.routes


def test_an_interpreter_that_does_not_exist_is_named(tmp_path: Path) -> None:
    with pytest.raises(CollectingError, match="cannot start the interpreter /no/such/python"):
        collect(tmp_path, python="/no/such/python")


def test_a_project_called_conduit_keeps_its_name(tmp_path: Path) -> None:
    (tmp_path / "conduit").mkdir()
    write_app(tmp_path / "conduit", "", "__init__.py")
    write_app(
        tmp_path / "conduit",
        "from fastapi import FastAPI\napp = FastAPI()\n@app.get('/own')\ndef own(): ...\n",
    )
    found = collect(tmp_path, "conduit.app:app")
    assert [(r.path, r.handler) for r in found.routes if r.origin == "project"] == [
        ("/own", "conduit.app:own")
    ]


def test_routes_added_at_start_up_are_there_with_the_lifespan_and_not_without(tmp_path: Path) -> None:
    write_app(
        tmp_path,
        "from contextlib import asynccontextmanager\nfrom fastapi import FastAPI\n"
        "@asynccontextmanager\nasync def start(app):\n    app.get('/late')(lambda: None)\n    yield\n"
        "app = FastAPI(lifespan=start)\n",
    )
    assert "/late" not in {route.path for route in collect(tmp_path).routes}
    assert "/late" in {route.path for route in collect(tmp_path, lifespan=True).routes}


def test_each_framework_is_imported_in_one_file_only() -> None:
    importers: dict[str, set[str]] = {name: set() for name in FRAMEWORKS}
    for file in COLLECTOR.parent.rglob("*.py"):
        for node in ast.walk(ast.parse(file.read_text())):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom) and node.module and not node.level:
                names.append(node.module)
            for name in names:
                if name.partition(".")[0] in importers:
                    importers[name.partition(".")[0]].add(file.name)
    assert all(len(files) <= 1 for files in importers.values()), importers


def test_the_collector_parses_on_python_3_9_and_imports_nothing_of_conduit() -> None:
    for file in COLLECTOR.glob("*.py"):
        tree = ast.parse(file.read_text(), feature_version=(3, 9))
        absolute = [n.module or "" for n in ast.walk(tree) if isinstance(n, ast.ImportFrom) and not n.level]
        absolute += [alias.name for n in ast.walk(tree) if isinstance(n, ast.Import) for alias in n.names]
        outside = (
            {name.partition(".")[0] for name in absolute} - set(sys.stdlib_module_names) - set(FRAMEWORKS)
        )
        assert not outside, (file.name, outside)


WRAPPED = """
import functools
from flask import Flask
from fastapi import FastAPI
from starlette.middleware.cors import CORSMiddleware
from werkzeug.middleware.dispatcher import DispatcherMiddleware
from werkzeug.middleware.proxy_fix import ProxyFix

flask_app, second, inner, app = Flask("one"), Flask("two"), FastAPI(), FastAPI()


@flask_app.before_request
def check(): ...


@flask_app.get("/a")
def a(): ...


@second.post("/b")
def b(): ...


@inner.get("/c")
def c(): ...


class Wsgi:
    def __init__(self, application):
        self.application = application

    async def __call__(self, scope, receive, send): ...


class Foreign:
    async def __call__(self, scope, receive, send): ...


def logged(application):
    async def inside(scope, receive, send):
        await application(scope, receive, send)

    return inside


both = DispatcherMiddleware(ProxyFix(flask_app.wsgi_app), {"/second": second, "/odd": Foreign()})
app.mount("/wsgi", Wsgi(ProxyFix(flask_app.wsgi_app)))
app.mount("/both", Wsgi(both))
app.mount("/cors", CORSMiddleware(inner, allow_origins=["*"]))
app.mount("/logged", logged(inner))
app.mount("/foreign", Foreign())
wrapped = CORSMiddleware(logged(app), allow_origins=["*"])
"""


def own_routes(metadata: Metadata) -> dict[str, tuple[str, ...]]:
    return {
        f"{route.method} {route.path}": route.middleware
        for route in metadata.routes
        if route.handler.startswith("app:")
    }


def test_mounted_applications_are_found_behind_wrappers_with_what_runs_before_them(tmp_path: Path) -> None:
    found = collect(write_app(tmp_path, WRAPPED))
    assert own_routes(found) == {
        "GET /wsgi/a": ("Wsgi", "ProxyFix", "check"),
        "GET /both/a": ("Wsgi", "ProxyFix", "check"),
        "POST /both/second/b": ("Wsgi",),
        "GET /cors/c": ("CORSMiddleware",),
        "GET /logged/c": ("logged.<locals>.inside",),
    }
    assert {mount.path: (mount.kind, mount.application) for mount in found.mounts} == {
        "/wsgi": ("application", "flask.app:Flask"),
        "/both": ("application", "werkzeug.middleware.dispatcher:DispatcherMiddleware"),
        "/both/second": ("application", "flask.app:Flask"),
        "/both/odd": ("foreign", "app:Foreign"),
        "/cors": ("application", "fastapi.applications:FastAPI"),
        "/logged": ("application", "fastapi.applications:FastAPI"),
        "/foreign": ("foreign", "app:Foreign"),
    }


@pytest.mark.parametrize(("app", "number"), [("wrapped", 5), ("both", 2)])
def test_an_application_behind_wrappers_or_a_dispatcher_is_read_to_the_end(
    app: str, number: int, tmp_path: Path
) -> None:
    found = collect(write_app(tmp_path, WRAPPED), f"app:{app}")
    assert (len(own_routes(found)), found.errors) == (number, ())
