"""Real documents, collected whole and counted against a count of their raw values."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from pathlib import Path
from subprocess import CompletedProcess

import pytest

from conduit.metadata.codec import decode, encode
from conduit.sources.openapi import OpenAPIError, read_openapi
from tests.conftest import OWN_GOLDEN, PROJECT, SHARED_GOLDEN
from tests.sources.openapi import counts


def documents() -> Iterator[Path]:
    yield PROJECT / "examples" / "kratos.json"
    for folder in (OWN_GOLDEN, SHARED_GOLDEN):
        if folder.is_dir():
            yield from sorted(
                path
                for path in (folder / "openapi").iterdir()
                if path.suffix in (".json", ".yaml") and "swagger20" not in path.name
            )


real_documents = pytest.mark.parametrize(
    "path", list(documents()), ids=lambda path: f"{path.parent.parent.parent.name}-{path.name}"
)


@real_documents
def test_every_schema_is_a_resource_and_every_property_a_field(path: Path) -> None:
    schemas = counts.schemas(counts.load(path))
    metadata = read_openapi(path)
    assert [resource.name for resource in metadata.resources] == list(schemas)
    for resource in metadata.resources:
        names = [field.name for field in resource.fields]
        assert len(names) == len(set(names))
        assert set(names) == counts.field_names(schemas[resource.name]), resource.name


@real_documents
def test_every_reference_between_schemas_is_a_relationship_and_there_is_no_other(path: Path) -> None:
    schemas = counts.schemas(counts.load(path))
    for resource in read_openapi(path).resources:
        found = {relationship.target_resource for relationship in resource.relationships}
        assert found == set(counts.targets(schemas[resource.name])) & set(schemas), resource.name


@real_documents
def test_every_operation_is_a_route_in_document_order(path: Path) -> None:
    routes = read_openapi(path).routes
    assert [(route.method, route.path) for route in routes] == counts.operations(counts.load(path))


@real_documents
def test_an_operation_is_public_exactly_where_no_security_is_in_force(path: Path) -> None:
    routes = read_openapi(path).routes
    assert sum(not route.middleware for route in routes) == counts.public_operations(counts.load(path))


@real_documents
def test_what_the_document_declares_about_a_property_is_in_its_field(path: Path) -> None:
    schemas = counts.schemas(counts.load(path))
    for resource in read_openapi(path).resources:
        schema = schemas[resource.name]
        for field in resource.fields:
            declared = (schema.get("properties") or {}).get(field.name)
            if not isinstance(declared, dict):
                continue
            types = declared.get("type")
            null = declared.get("nullable") is True or (isinstance(types, list) and "null" in types)
            assert field.nullable >= null, (resource.name, field.name)
            assert (field.default_value != "") == ("default" in declared)
            assert field.required == (field.name in counts.required_names(schema))


@real_documents
def test_two_readings_give_the_same_bytes_and_the_bytes_give_the_same_records(path: Path) -> None:
    metadata = read_openapi(path)
    data = encode(metadata)
    assert data == encode(read_openapi(path))
    assert decode(data) == metadata
    assert decode(data, strict=True) == metadata


def test_swagger_2_is_refused_by_its_name_with_what_to_do(shared_golden: Path) -> None:
    with pytest.raises(
        OpenAPIError, match=r"is Swagger 2\.0; expected OpenAPI 3\.0 to 3\.2\. Convert it first"
    ):
        read_openapi(shared_golden / "openapi" / "swagger20-petstore.json")


def test_a_document_of_inline_schemas_only_still_has_all_its_routes(shared_golden: Path) -> None:
    metadata = read_openapi(shared_golden / "openapi" / "readme-3.1.json")
    assert (len(metadata.resources), len(metadata.routes)) == (0, 54)


def test_collecting_writes_the_same_bytes_in_two_processes_with_different_hash_seeds(
    tmp_path: Path, conduit_command: Callable[..., CompletedProcess[str]]
) -> None:
    outputs = []
    for seed in ("1", "2"):
        target = tmp_path / f"{seed}.json"
        done = conduit_command(
            "collect", "--openapi", "examples/kratos.json", "-o", str(target),
            cwd=PROJECT, env={**os.environ, "PYTHONHASHSEED": seed},
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        outputs.append(target.read_bytes())
    assert outputs[0] == outputs[1]
