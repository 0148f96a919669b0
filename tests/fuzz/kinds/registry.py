"""Documents about applications: our own metadata, and OpenAPI in JSON and YAML."""

from __future__ import annotations

from conduit.errors import ConduitError, MetadataError
from conduit.metadata import decode
from conduit.sources.openapi import parse_openapi
from tests.conftest import OWN_GOLDEN, PROJECT
from tests.fuzz.frame import Kind

_DOCUMENTS = tuple(path.read_bytes() for path in sorted((OWN_GOLDEN / "registry").glob("*.json"))[:12])
_OPENAPI = b"""{"openapi": "3.1.0", "info": {"title": "t", "version": "1"}, "paths": {"/a/{id}": {"get": {"parameters": [
{"name": "id", "in": "path", "required": true, "schema": {"type": "string"}}], "responses": {"200": {"description": "ok", "content":
{"application/json": {"schema": {"$ref": "#/components/schemas/A"}}}}}}}}, "components": {"schemas": {"A": {"type": "object",
"required": ["id"], "properties": {"id": {"type": "integer", "format": "int64", "default": 1}, "next": {"$ref": "#/components/schemas/A"},
"b": {"allOf": [{"$ref": "#/components/schemas/B"}]}}}, "B": {"type": ["string", "null"], "enum": ["x", null], "maxLength": 3}}}}"""
_YAML = (OWN_GOLDEN / "openapi" / "scalar-galaxy.yaml").read_bytes()[:6000]

KINDS = (
    Kind(
        "metadata",
        _DOCUMENTS,
        decode,
        (MetadataError,),
        (
            b'"resources":',
            b'"fields":[',
            b"null",
            b'"type":"uuid!"',
            b"[[[[",
            b'{"x":1e400}]',
            b'"name":"Post"',
        ),
    ),
    Kind(
        "openapi",
        (
            _OPENAPI,
            (PROJECT / "examples" / "kratos.json").read_bytes()[:200_000]
            if (PROJECT / "examples" / "kratos.json").exists()
            else _OPENAPI,
        ),
        lambda data: parse_openapi(data, "fuzz.json"),
        (ConduitError,),
        (
            b'{"$ref": "#/components/schemas/A"}',
            b'"oneOf": [',
            b'"default": ',
            b'"allOf": [',
            b"#/",
            b"~1",
            b'"type": "array", "items": ',
        ),
    ),
    Kind(
        "openapi-yaml",
        (
            _YAML,
            b"openapi: 3.0.3\ninfo: {title: t, version: '1'}\npaths: {}\ncomponents:\n  schemas:\n    A: &a\n      type: object\n    B: *a\n",
        ),
        lambda data: parse_openapi(data, "fuzz.yaml"),
        (ConduitError,),
        (
            b"&a ",
            b"*a",
            b"<<: *a",
            b"!!python/object:os.system ",
            b"? ",
            b"- " * 40,
            b"\n  ",
            b"!!binary ",
            b"%YAML 9.9\n",
        ),
    ),
)
