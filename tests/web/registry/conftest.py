"""A shop that one can follow by hand, among 300 resources and 6,000 routes."""

from __future__ import annotations

import json
import threading
from typing import TYPE_CHECKING, Any

import pytest

from conduit.metadata.schema import (
    Field,
    FieldDetails,
    Hook,
    Metadata,
    Relationship,
    Resource,
    ResourceDetails,
    Route,
    RouteDetails,
    Step,
    Task,
    Validation,
)
from conduit.web.registry import serve_registry
from conduit.web.registry.page import registry_document
from conduit.web.registry.page_data import page_data
from conduit.web.registry.source_files import read_source

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

RESOURCES = 300
ROUTES = 6_000
SOURCE = (
    "import models\n\n\nclass Author(models.Model):\n    name = models.CharField()  # <b>not markup</b>\n"
)


def owned_by(target: str, name: str, on_delete: str) -> Relationship:
    return Relationship(
        name=name, type="belongs_to", target_resource=target, foreign_key=f"{name}_id", on_delete=on_delete
    )


def route(method: str, path: str, resource: str, *guards: str, app: str = "shop", origin: str = "") -> Route:
    chain = tuple(Step(name=name, kind="permission") for name in guards)
    module = f"{app}.views"
    details = RouteDetails(module=module, file_path="shop/views.py", chain=chain, origin=origin)
    return Route(
        method=method,
        path=path,
        handler=f"{module}:{resource}View.{method.lower()}",
        resource=resource,
        operation=method.lower(),
        middleware=guards,
        line_number=7,
        details=details,
    )


def shop() -> list[Resource]:
    """Author ← Book (cascade) ← Review (cascade) ← Vote (set null); Book ← OrderLine (restrict)."""
    named = {"id": FieldDetails(primary_key=True, unique=True)}
    fields = (
        Field(name="id", type="int", details=named["id"], line_number=5),
        Field(
            name="name", type="string", required=True, constraints=("@max(80)",), default_value="'anonymous'"
        ),
    )

    def one(name: str, *relations: Relationship, **more: Any) -> Resource:
        return Resource(
            name=name,
            id=f"shop.{name}",
            kind="django_model",
            file_path="shop/models.py",
            line_number=4,
            fields=fields,
            relationships=relations,
            details=ResourceDetails(module="shop.models", table=f"shop_{name.lower()}"),
            **more,
        )

    return [
        one(
            "Author",
            documentation="A writer of books.",
            hooks=(Hook(type="before_save", handler="shop.signals:slugify", line_number=3),),
            validations=(Validation(field="name", type="min_length", value="2"),),
        ),
        one("Book", owned_by("Author", "author", "CASCADE")),
        one("Review", owned_by("Book", "book", "CASCADE")),
        one("Vote", owned_by("Review", "review", "SET_NULL")),
        one("OrderLine", owned_by("Book", "book", "PROTECT")),
    ]


def large_document() -> Metadata:
    resources = shop()
    resources += [
        Resource(
            name=f"Thing{number:03}",
            fields=tuple(
                Field(name=f"{word}_{number}", type="string") for word in ("title", "colour", "weight")
            ),
        )
        for number in range(RESOURCES - len(resources))
    ]
    routes = [
        route("GET", "/api/authors/", "Author", "IsAuthenticated"),
        route("POST", "/api/authors/", "Author", "IsAuthenticated", "IsAdminUser"),
        route("GET", "/api/books/", "Book"),
        route("POST", "/api/books/", "Book", "IsAuthenticated"),
        route("PUT", "/api/books/{id}/", "Book", "IsAuthenticated"),
        route("PATCH", "/api/books/{id}/", "Book", "IsAuthenticated"),
        route("DELETE", "/api/books/{id}/", "Book", "IsAuthenticated"),
        route("POST", "/api/reviews/", "Review"),
        route(
            "GET",
            "/admin/shop/",
            "Author",
            "admin_view",
            app="django.contrib.admin.a_package_with_a_long_name",
            origin="framework",
        ),
    ]
    methods = ("GET", "POST", "PUT", "DELETE")
    for number in range(ROUTES - len(routes)):
        name = f"Thing{number % 295:03}"
        routes.append(
            route(
                methods[number % 4],
                f"/things/{number % 295:03}/part{number}",
                name,
                "IsAuthenticated",
                app="things",
            )
        )
    tasks = (Task(name="shop.send_newsletter", kind="celery_task", queue="slow", schedule="every 30 s"),)
    return Metadata(
        version="1.0",
        resources=tuple(resources),
        routes=tuple(routes),
        tasks=tasks,
        middleware=("SessionMiddleware", "CsrfViewMiddleware"),
    )


class Source:
    """The document with its folder."""

    def __init__(self, root: Path, document: Metadata) -> None:
        self._root = root
        self._data = page_data(document, "shop <b>", is_served=True)

    def page(self) -> bytes:
        return registry_document(self._data)

    def source(self, number: str) -> str:
        return read_source(self._data["files"], number, self._root)


@pytest.fixture(scope="session")
def large() -> Metadata:
    return large_document()


@pytest.fixture(scope="session")
def large_data(large: Metadata, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("data") / "data.json"
    path.write_text(json.dumps(page_data(large, "shop")))
    return path


@pytest.fixture(scope="module")
def address(large: Metadata, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """Where the page of the large document is served."""
    root = tmp_path_factory.mktemp("project")
    (root / "shop").mkdir()
    (root / "shop" / "models.py").write_text(SOURCE)
    server = serve_registry(Source(root, large), "localhost:0")
    thread = threading.Thread(target=server.serve)
    thread.start()
    yield server.url
    server.close()
    thread.join()
