"""Three real applications, each in an environment of its own, against what the frameworks' own API enumerates.

The environments are made once, in `$CONDUIT_APPLICATIONS` (default: `build/applications`), and kept.
"""

from __future__ import annotations

import gzip
import json
import os
import subprocess
import sys
from collections import Counter
from pathlib import Path
from typing import Any

import pytest

from conduit.metadata.codec import decode, encode
from conduit.metadata.registry import Registry
from conduit.metadata.schema import Field, Metadata, Relationship, Resource
from conduit.sources.application import Application, collect_application
from tests.conftest import OWN_GOLDEN, PROJECT

pytestmark = pytest.mark.slow

PINNED = {
    "bugsink": ("bugsink==2.6.1", {"django": "bugsink.settings.development"}),
    "wagtail": ("wagtail==8.0.1", {"django": "wagtail.test.settings"}),
    "zenml": ("zenml[server]==0.98.0", {"app": "zenml.zen_server.zen_server_api:app"}),
}
DJANGO = ("bugsink", "wagtail")

DJANGO_WALK = (Path(__file__).parent / "django_deletions.py").read_text()

SQLALCHEMY_WALK = """
import importlib, json, sys
importlib.import_module(sys.argv[1])
from sqlmodel import SQLModel
touching = {}
for table in SQLModel.metadata.tables.values():
    for key in table.foreign_keys:
        if (key.ondelete or "").upper() == "CASCADE":
            touching.setdefault(key.column.table.name, set()).add(table.name)

def closure(start):
    seen, waiting = {start}, [start]
    while waiting:
        for name in touching.get(waiting.pop(), ()):
            if name not in seen:
                seen.add(name)
                waiting.append(name)
    return sorted(seen - {start})

sys.__stdout__.write("\\n@" + json.dumps({name: closure(name) for name in SQLModel.metadata.tables}))
"""


def _interpreter(name: str, requirement: str) -> Path:
    base = Path(os.environ.get("CONDUIT_APPLICATIONS") or PROJECT / "build" / "applications")
    python = base / name / "bin" / "python"
    marker = base / name / ".complete"
    if not marker.exists():
        subprocess.run([sys.executable, "-m", "venv", str(base / name)], check=True)
        install = [str(python), "-m", "pip", "install", "--quiet", "--disable-pip-version-check", requirement]
        done = subprocess.run(install, capture_output=True, text=True, timeout=1800, check=False)
        if done.returncode:
            pytest.skip(f"{requirement} cannot be installed here: {done.stderr.strip()[-300:]}")
        marker.touch()
    return python


class Collected:
    """A real application's document, what the golden says, and how to run something beside it."""

    def __init__(self, name: str, golden: dict[str, Any], home: Path) -> None:
        requirement, wanted = PINNED[name]
        self.name = name
        self.golden = golden
        self.python = _interpreter(name, requirement)
        self.home = home
        self.application = Application(root=str(home), python=str(self.python), **wanted)  # type: ignore[arg-type]
        self.bytes = encode(self.collect())
        self.metadata = decode(self.bytes, strict=True)
        self.registry = Registry(self.metadata)
        self.by_id = {resource.id: resource for resource in self.metadata.resources}
        self.id_of_name = {resource.name: resource.id for resource in self.metadata.resources}

    def collect(self) -> Metadata:
        return collect_application(self.application, time_limit_s=300).metadata

    def of_kind(self, kind: str) -> dict[str, Resource]:
        return {identity: resource for identity, resource in self.by_id.items() if resource.kind == kind}

    def walk(self, script: str, argument: str) -> dict[str, list[str]]:
        command = [str(self.python), "-c", script, argument]
        done = subprocess.run(command, cwd=self.home, capture_output=True, text=True, timeout=300, check=True)
        found: dict[str, list[str]] = json.loads(done.stdout.rpartition("\n@")[2])
        return found


@pytest.fixture(scope="module")
def collected(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Collected:
    home = tmp_path_factory.mktemp(request.param)
    golden = json.loads(gzip.decompress((OWN_GOLDEN / "sources" / f"{request.param}.json.gz").read_bytes()))
    patch = pytest.MonkeyPatch()
    patch.setenv("HOME", str(home))  # zenml writes its configuration there
    request.addfinalizer(patch.undo)
    return Collected(request.param, golden, home)


def applications(*names: str) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("collected", names, indirect=True, scope="module")


# --- all three


@applications(*PINNED)
def test_nothing_failed(collected: Collected) -> None:
    assert collected.metadata.errors == ()


@applications(*PINNED)
def test_two_runs_give_the_same_bytes(collected: Collected) -> None:
    assert encode(collected.collect()) == collected.bytes


@applications(*PINNED)
def test_nearly_every_handler_and_field_has_a_file_and_a_line(collected: Collected) -> None:
    routes = collected.metadata.routes
    placed = [
        route
        for route in routes
        if route.line_number and route.details and Path(route.details.file_path).exists()
    ]
    assert len(placed) >= 0.99 * len(routes)
    stored = [r for r in collected.metadata.resources if r.kind in ("django_model", "sqlalchemy_mapper")]
    fields = [(resource, field) for resource in stored for field in resource.fields]
    assert len([field for _, field in fields if field.line_number]) >= 0.95 * len(fields)


@applications(*PINNED)
def test_a_line_is_the_line_that_the_name_stands_in(collected: Collected) -> None:
    wrong = []
    for resource in collected.metadata.resources:
        for field in resource.fields:
            if field.line_number and not (field.details and "line_number" in field.details.inferred):
                path = (field.details and field.details.file_path) or resource.file_path
                line = Path(path).read_text().splitlines()[field.line_number - 1]
                if field.name not in line:
                    wrong.append((resource.id, field.name, path, field.line_number))
    assert wrong == []


# --- Django


def _forward(resource: Resource) -> dict[str, Relationship]:
    """The relationships that the model declares or inherits, without the views from the other side."""
    return {
        r.name: r
        for r in resource.relationships
        if not (r.details and r.details.inverse and not r.details.generic) and r.type != "proxies"
    }


def _as_golden(collected: Collected, field: Field, relationship: Relationship | None) -> dict[str, Any]:
    details = field.details
    target = through = on_delete = None
    if relationship is not None:
        target = collected.id_of_name.get(relationship.target_resource, relationship.target_resource)
        through = relationship.details.through if relationship.details else ""
        on_delete = {"set": "set_on_delete"}.get(relationship.on_delete, relationship.on_delete.upper())
        assert details is not None and details.on_delete == relationship.on_delete
    return {
        "null": field.nullable,
        "on_delete": on_delete or None,
        "pk": bool(details and details.primary_key),
        "target": None if target == "*" else target,
        "through": collected.id_of_name.get(through or "", through) or None,
        "type": field.type,
    }


@applications(*DJANGO)
def test_models_fields_and_relations_are_those_of_django_both_ways(collected: Collected) -> None:
    found = {}
    for identity, resource in collected.of_kind("django_model").items():
        forward, details = _forward(resource), resource.details
        assert details is not None
        found[identity] = {
            "constraints": sorted(c.name for c in resource.constraints if c.name),
            "fields": {f.name: _as_golden(collected, f, forward.get(f.name)) for f in resource.fields},
            "managed": details.managed,
            "module": details.module,
            "proxy": details.proxy,
            "table": details.table,
        }
    expected = collected.golden["models"]
    for model in expected.values():
        model["constraints"] = sorted(model["constraints"])
    assert found == expected


@applications(*DJANGO)
def test_url_patterns_are_those_of_django_both_ways(collected: Collected) -> None:
    patterns = {}
    for route in collected.metadata.routes:
        assert route.details is not None
        name = route.details.name.rpartition(":")[2] or None
        patterns[route.details.position] = (route.details.pattern or route.path[1:], name)
    assert Counter(patterns.values()) == Counter(
        (pattern, name) for pattern, name in collected.golden["routes"]
    )


@applications(*DJANGO)
def test_cascades_are_those_of_a_walk_with_djangos_own_api(collected: Collected) -> None:
    walked = collected.walk(DJANGO_WALK, collected.application.django)
    found = {
        identity: sorted(
            collected.id_of_name.get(name, name) for name in collected.registry.impact(resource.name).deleted
        )
        for identity, resource in collected.of_kind("django_model").items()
    }
    assert found == walked


# --- SQLAlchemy, FastAPI


@applications("zenml")
def test_mappers_columns_and_relationships_are_those_of_sqlalchemy_both_ways(collected: Collected) -> None:
    directions = {
        "belongs_to": "MANYTOONE",
        "has_many_through": "MANYTOMANY",
        "has_many": "ONETOMANY",
        "has_one": "ONETOMANY",
    }
    found = {}
    for identity, resource in collected.of_kind("sqlalchemy_mapper").items():
        fields = {f.name: f for f in resource.fields}
        found[identity] = {
            "columns": {
                name: {
                    "nullable": f.nullable,
                    "pk": bool(f.details and f.details.primary_key),
                    "type": f.type,
                }
                for name, f in fields.items()
            },
            "fks": sorted(
                [name, f.details.references, f.details.on_delete.upper().replace("_", " ") or None]
                for name, f in fields.items()
                if f.details and f.details.references
            ),
            "relationships": {
                r.name: {
                    "direction": directions[r.type],
                    "secondary": r.through_table or None,
                    "target": collected.id_of_name[r.target_resource],
                    "uselist": r.type in ("has_many", "has_many_through")
                    and not (r.details and r.details.unique),
                }
                for r in resource.relationships
                if r.type in directions
            },
            "table": resource.details.table if resource.details else "",
        }
    expected = collected.golden["models"]
    for model in expected.values():
        model["fks"] = sorted(model["fks"])
    assert found == expected


@applications("zenml")
def test_operations_are_those_of_fastapi_both_ways(collected: Collected) -> None:
    found = sorted([route.method, route.path, route.handler] for route in collected.metadata.routes)
    assert found == sorted(collected.golden["routes"])


@applications("zenml")
def test_cascades_are_those_of_a_walk_over_sqlalchemys_tables(collected: Collected) -> None:
    walked = collected.walk(SQLALCHEMY_WALK, "zenml.zen_stores.schemas")
    tables = {r.name: r.details.table for r in collected.of_kind("sqlalchemy_mapper").values() if r.details}
    found = {
        table: sorted({tables[one] for one in collected.registry.impact(name).deleted} - {table})
        for name, table in tables.items()
    }
    assert {table: found[table] for table in walked} == walked


@applications("zenml")
def test_conventions_count_each_route_once_and_name_the_outliers(collected: Collected) -> None:
    conventions = {pattern.template: pattern for pattern in collected.registry.conventions()}
    guarded = conventions["<write route>: oauth2_authentication"]
    own = {(r.method, r.path): r for r in collected.metadata.routes if r.origin != "framework"}
    writes = [route for route in own.values() if route.method in ("POST", "PUT", "PATCH", "DELETE")]
    carrying = [route for route in writes if "oauth2_authentication" in route.middleware]
    assert (guarded.frequency, guarded.population) == (len(carrying), len(writes))
