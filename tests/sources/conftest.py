"""The example applications, each collected once for a test run's worker, in a process of its own."""

from __future__ import annotations

from pathlib import Path

import pytest

from conduit.metadata.schema import Metadata, Resource, Route
from conduit.sources.application import Application, collect_application

EXAMPLES = Path(__file__).resolve().parent.parent.parent / "examples"


def resource_of(metadata: Metadata, name: str) -> Resource:
    return next(resource for resource in metadata.resources if resource.name == name)


def routes_of(metadata: Metadata, path: str) -> dict[str, Route]:
    return {route.method: route for route in metadata.routes if route.path == path}


def _collect(**wanted: str) -> Metadata:
    return collect_application(Application(**wanted)).metadata  # type: ignore[arg-type]


@pytest.fixture(scope="session")
def shop() -> Metadata:
    return _collect(root=str(EXAMPLES / "fastapi_shop"), app="main:app")


@pytest.fixture(scope="session")
def library() -> Metadata:
    return _collect(root=str(EXAMPLES / "django_library"), django="library.settings")


@pytest.fixture(scope="session")
def notes() -> Metadata:
    return _collect(root=str(EXAMPLES / "flask_notes"), app="app:create_app()")
