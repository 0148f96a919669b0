"""What the registry's page is drawn from, and what its scripts compute of it, beside what the package's queries answer."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import pytest

from conduit.metadata.codec import decode
from conduit.metadata.guards import possible_guards, route_guards
from conduit.metadata.registry import Registry
from conduit.metadata.schema import (
    Metadata,
    Relationship,
    RelationshipDetails,
    Resource,
    Route,
    RouteDetails,
    Step,
)
from conduit.web.registry import registry_file
from conduit.web.registry.page_data import page_data
from tests.conftest import OWN_GOLDEN
from tests.web.test_javascript import run_node

if TYPE_CHECKING:
    from pathlib import Path

REFUSED = ("12_missing_keys", "16_top_null", "bad_inputs.expected")  # no registry reads these
GOLDENS = sorted(
    path
    for path in (OWN_GOLDEN / "registry").glob("*.json")
    if not path.name.endswith(".expected.json") and path.stem not in REFUSED
)


def deletions(document: Metadata) -> dict[str, list[list[object]]]:
    registry = Registry(document)
    return {
        one.name: [
            [effect.resource, effect.relationship, effect.on_delete, [link.resource for link in effect.chain]]
            for effect in registry.impact(one.name).effects
        ]
        for one in document.resources
    }


def mapped() -> Metadata:
    """Three generations: the mapper deletes the second and sets its other children's keys to null, the database the rest."""

    def key(target: str) -> Relationship:
        return Relationship(
            "up",
            "belongs_to",
            target,
            "up_id",
            on_delete="cascade",
            details=RelationshipDetails(nullable=True),
        )

    def children(target: str, *cascade: str, passive: str = "") -> Relationship:
        details = RelationshipDetails(inverse=True, cascade=cascade, passive_deletes=passive)
        return Relationship(f"all_{target}", "has_many", target, "up_id", details=details)

    root = (children("Owned", "delete"), children("Kept", "merge"), children("Left", "merge", passive="all"))
    return Metadata(
        resources=(
            Resource("Root", relationships=root),
            Resource("Owned", relationships=(key("Root"), children("Below", "merge"))),
            Resource("Kept", relationships=(key("Root"),)),
            Resource("Left", relationships=(key("Root"), children("BelowLeft", "merge"))),
            Resource("Below", relationships=(key("Owned"),)),
            Resource("BelowLeft", relationships=(key("Left"),)),
        )
    )


def test_the_page_reaches_by_deletion_what_impact_reaches(large: Metadata, tmp_path: Path) -> None:
    assert Registry(mapped()).impact("Root").deleted == ("Owned", "Left", "BelowLeft")
    documents = [*[decode(path.read_bytes()) for path in GOLDENS], mapped(), large]
    cases = [{"data": page_data(one, "x"), "deletions": deletions(one)} for one in documents]
    assert sum(len(effects) for case in cases for effects in case["deletions"].values()) > 10
    run_node("registry_model.test.js", {"documents": cases}, tmp_path)


def test_a_few_letters_find_the_intended_name_first(large_data: Path, tmp_path: Path) -> None:
    run_node("registry_find.test.js", {"data": json.loads(large_data.read_text())}, tmp_path)


@pytest.mark.parametrize("path", GOLDENS, ids=lambda path: path.stem)
def test_every_route_and_field_of_a_document_is_in_the_page(path: Path) -> None:
    document = decode(path.read_bytes())
    data = page_data(document, "title")
    routes = data["routes"]
    for name in ("path", "handler", "resource", "operation"):
        column = routes.get(name)
        shown = [column["values"][at] for at in column["at"]] if column else [""] * routes["count"]
        assert shown == [getattr(route, name) for route in document.routes]
    assert [[field["name"] for field in one.get("fields", [])] for one in data["resources"]] == [
        [field.name for field in one.fields] for one in document.resources
    ]


def test_a_name_in_a_document_can_be_no_more_than_text() -> None:
    evil = "</script><script>alert(1)</script>"
    text = registry_file(Metadata(resources=(Resource(name=evil),)), evil).decode()
    assert "<script>alert" not in text
    assert "connect-src" not in text  # a file asks no server
    found = re.search(r'id="data">(.*?)</script>', text, re.DOTALL)
    assert found is not None
    assert json.loads(found[1])["resources"][0]["name"] == evil


def guarded(*names: str, **kinds: str) -> Route:
    chain = tuple(Step(name=name, kind=kind) for name, kind in kinds.items())
    return Route(method="POST", path="/x", middleware=(*names, *kinds), details=RouteDetails(chain=chain))


@pytest.mark.parametrize(
    ("route", "application", "is_open"),
    [
        (guarded(), (), True),
        (guarded("login_required"), (), False),
        (guarded("require_POST"), (), True),
        (guarded("AllowAny"), (), True),
        (guarded(TokenAuthentication="authentication"), (), True),
        (guarded(Odd="permission"), (), False),
        (guarded("bearerAuth or none"), (), True),
        (guarded(), ("LoginRequiredMiddleware",), False),
        (guarded("login_not_required"), ("LoginRequiredMiddleware",), True),
        (guarded(), ("ExternalAuthMiddleware",), True),
    ],
)
def test_a_route_is_open_where_nothing_that_is_known_refuses_a_user(
    route: Route, application: tuple[str, ...], is_open: bool
) -> None:
    document = Metadata(routes=(route,), middleware=application)
    assert route_guards(route, document).is_open is is_open


def test_middleware_that_may_guard_every_route_is_told_apart() -> None:
    document = Metadata(
        middleware=("SessionMiddleware", "AuthenticationMiddleware", "ExternalAuthMiddleware")
    )
    assert possible_guards(document) == ("ExternalAuthMiddleware",)
