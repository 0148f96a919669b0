"""Metadata documents of any size, for benchmarks and tests; the same bytes for the same arguments.

`plain_document` is, byte for byte, what the Go framework's own benchmarks generate: small resources, each but the first
belonging to the first. `rich_document` is nearer to an application: twenty fields, four relationships to hubs and to
others, hooks with source, validations, middleware for each operation, six routes. `small_document` is the blog of three
resources that the original's query benchmarks use. `chain_document` is a line of resources, each needing the one before.
"""

from __future__ import annotations

import json
import random
from typing import Any

PLAIN_FIELDS = (("id", "uuid!"), ("name", "string!"), ("email", "string!"), ("created_at", "timestamp!"))
PLAIN_ROUTES = (
    ("GET", "", "Index"),
    ("GET", "/:id", "Show"),
    ("POST", "", "Create"),
    ("PUT", "/:id", "Update"),
    ("DELETE", "/:id", "Delete"),
)


def _compact(document: dict[str, Any]) -> bytes:
    text = json.dumps(document, separators=(",", ":"), ensure_ascii=False)
    return text.replace("<", "\\u003c").replace(">", "\\u003e").replace("&", "\\u0026").encode()


def plain_document(count: int) -> bytes:
    """`count` resources as the original's `generateLargeMetadata(count)` marshals them, about 1 kB each."""
    resources = [_plain_resource(f"Resource{i}", ["Resource0"] if i else []) for i in range(count)]
    templates = (
        ("auth_handler", "@before create: [auth]", count // 2),
        ("cached_handler", "@on list: [cache(300)]", count // 3),
        ("transactional", "@after create @transaction", count // 4),
    )
    return _plain(
        [each["name"] for each in resources], resources, [_plain_pattern(*each) for each in templates]
    )


def chain_document(count: int) -> bytes:
    """`count` plain resources of which each belongs to the one before it."""
    resources = [_plain_resource(f"Resource{i}", [f"Resource{i - 1}"] if i else []) for i in range(count)]
    return _plain([each["name"] for each in resources], resources, [])


def small_document() -> bytes:
    """A blog: posts, users and comments, ten routes, four patterns, as the original's query benchmarks have it."""
    relationships = {"Post": {"author": "User"}, "User": {}, "Comment": {"post": "Post", "author": "User"}}
    fields = {
        "Post": "id:uuid title:string content:text author_id:uuid",
        "User": "id:uuid email:string name:string",
        "Comment": "id:uuid content:text post_id:uuid author_id:uuid",
    }
    operations = {
        "list": ("GET", ""),
        "show": ("GET", "/:id"),
        "create": ("POST", ""),
        "update": ("PUT", "/:id"),
        "delete": ("DELETE", "/:id"),
    }
    offered = {"Post": "list show create update delete", "User": "list show create", "Comment": "list create"}
    patterns = (
        ("slug-generation", "hook", "Generate slug from title", 5),
        ("timestamp-tracking", "hook", "Track created_at and updated_at", 10),
        ("email-validation", "validation", "Validate email format", 3),
        ("uuid-generation", "hook", "Auto-generate UUID for primary key", 15),
    )
    paths = {name: f"/bench/{name.lower()}.cdt" for name in fields}
    return _compact(
        {
            "version": "1.0",
            "generated": "2025-10-25T12:00:00Z",
            "source_hash": "bench-hash",
            "resources": [
                {
                    **_plain_resource(name, []),
                    "file_path": paths[name],
                    "fields": [
                        {"name": field, "type": kind, "nullable": False, "required": True}
                        for field, kind in (each.split(":") for each in fields[name].split())
                    ],
                    "relationships": [
                        {
                            "name": field,
                            "type": "belongs_to",
                            "target_resource": target,
                            "foreign_key": f"{field}_id",
                        }
                        for field, target in relationships[name].items()
                    ],
                }
                for name in fields
            ],
            "routes": [
                {
                    "method": operations[operation][0],
                    "path": f"/{name.lower()}s{operations[operation][1]}",
                    "handler": "",
                    "resource": name,
                    "operation": operation,
                }
                for name in fields
                for operation in offered[name].split()
            ],
            "patterns": [
                {
                    **_plain_pattern(name, "", frequency),
                    "id": f"pattern-{number}",
                    "category": category,
                    "description": description,
                }
                for number, (name, category, description, frequency) in enumerate(patterns, 1)
            ],
            "dependencies": {
                "nodes": {
                    name: {"id": name, "type": "resource", "name": name, "file_path": paths[name]}
                    for name in sorted(fields)
                },
                "edges": [
                    {"from": name, "to": target, "relationship": "belongs_to", "weight": 1}
                    for name in fields
                    for target in relationships[name].values()
                ],
            },
        }
    )


def changed_version(data: bytes) -> bytes:
    """Another version of a document: a field's type, the guards of three routes and three deletions differ."""
    document = json.loads(data)
    resources = document["resources"]
    resources[0]["fields"][0]["type"] = "other"
    for route in [one for one in document["routes"] if one["method"] == "POST"][:3]:
        route["middleware"] = []
    keys = [one for each in resources for one in each["relationships"] or () if one.get("on_delete")]
    for key in keys[:3]:
        key["on_delete"] = "set_null" if key["on_delete"] == "cascade" else "cascade"
    return _compact(document)


def _plain(names: list[str], resources: list[dict[str, Any]], patterns: list[dict[str, Any]]) -> bytes:
    return _compact(
        {
            "version": "1.0.0",
            "generated": "0001-01-01T00:00:00Z",
            "source_hash": "",
            "resources": resources,
            "routes": [
                {
                    "method": method,
                    "path": f"/{name}{rest}",
                    "handler": handler,
                    "resource": name,
                    "operation": "",
                }
                for name in names
                for method, rest, handler in PLAIN_ROUTES
            ],
            "patterns": patterns,
            "dependencies": {"nodes": None, "edges": None},
        }
    )


def _plain_resource(name: str, targets: list[str]) -> dict[str, Any]:
    return {
        "name": name,
        "file_path": "",
        "fields": [
            {"name": field, "type": kind, "nullable": False, "required": False}
            for field, kind in PLAIN_FIELDS
        ],
        "relationships": [
            {"name": "related", "type": "belongs_to", "target_resource": target} for target in targets
        ],
        "hooks": None,
        "validations": None,
        "constraints": None,
    }


def _plain_pattern(name: str, template: str, frequency: int) -> dict[str, Any]:
    return {
        "id": "",
        "name": name,
        "category": "",
        "description": "",
        "template": template,
        "examples": None,
        "frequency": frequency,
        "confidence": 0,
    }


NOUNS = ("Order", "Invoice", "Customer", "Product", "Ticket", "Shipment", "Comment", "Article")
FIELD_NAMES = (  # noqa: SIM905
    "title slug body summary status price quantity currency email phone address city country zip_code published_at "
    "updated_at created_at deleted_at score position notes settings color weight height width sku barcode locale time_zone"
).split()
FIELD_TYPES = (  # noqa: SIM905
    "string! string? text! text? int! int? float! bool! uuid! timestamp! timestamp? json? decimal! email! url? enum!"
).split()
MOMENTS = ("before_create", "after_create", "before_update", "after_update", "before_delete", "after_delete")
FUNCTIONS = (  # noqa: SIM905
    "String.slugify Time.now UUID.generate HTTP.request Crypto.hash Logger.info Email.send Cache.invalidate "
    "Text.truncate Audit.record"
).split()
MIDDLEWARE = ("auth", "rate_limit(10)", "cache(300)", "cors", "csrf", "admin_only", "log", "metrics")
RICH_ROUTES = (
    ("GET", "", "Index", "list"),
    ("GET", "/:id", "Show", "show"),
    ("POST", "", "Create", "create"),
    ("PUT", "/:id", "Update", "update"),
    ("PATCH", "/:id", "Patch", "update"),
    ("DELETE", "/:id", "Delete", "delete"),
)


def rich_document(count: int, seed: int = 7) -> bytes:
    """`count` resources as large applications have them, about 6.5 kB each; a third of the edges goes to hubs."""
    chance = random.Random(seed)
    names = [f"{NOUNS[i % len(NOUNS)]}{i}" for i in range(count)]
    resources = [_rich_resource(chance, names, i) for i in range(count)]
    return _compact(
        {
            "version": "1.0.0",
            "generated": "2025-11-01T12:00:00Z",
            "source_hash": f"{count:064x}",
            "resources": resources,
            "routes": [route for resource in resources for route in _rich_routes(resource)],
            "patterns": [_rich_pattern(chance, names, i) for i in range(12)],
            "dependencies": _rich_graph(resources),
        }
    )


def _rich_resource(chance: random.Random, names: list[str], index: int) -> dict[str, Any]:
    name = names[index]
    fields = [_rich_field(chance, name, i) for i in range(20)]
    return {
        "name": name,
        "documentation": f"{name} is what the business calls by that name.\nThe {name} page shows and changes it.",
        "file_path": f"app/resources/{name.lower()}.cdt",
        "fields": fields,
        "relationships": [_rich_relationship(chance, names, name, i) for i in range(4)],
        "hooks": [_rich_hook(chance, name, moment, i) for i, moment in enumerate(chance.sample(MOMENTS, 3))],
        "validations": [
            {
                "field": fields[i]["name"],
                "type": "min",
                "value": "5",
                "message": f"{fields[i]['name']} is too short",
                "line_number": 10 + i,
            }
            for i in (1, 4, 7)
        ],
        "constraints": [
            {
                "name": "published_has_body",
                "operations": ["create", "update"],
                "condition": "self.body != nil",
                "when": 'self.status == "published"',
                "error": "what is published needs a body",
                "line_number": 60,
            }
        ],
        "middleware": {operation: chance.sample(MIDDLEWARE, 2) for operation in ("create", "list", "update")},
        "scopes": [
            {
                "name": "recent",
                "query": "created_at > Time.days_ago(days)",
                "parameters": ["days"],
                "line_number": 70,
            }
        ],
        "computed_fields": [
            {
                "name": "display_name",
                "type": "string",
                "expression": "self.title + self.slug",
                "line_number": 75,
            }
        ],
    }


def _rich_field(chance: random.Random, resource: str, index: int) -> dict[str, Any]:
    if index == 0:
        return {
            "name": "id",
            "type": "uuid!",
            "nullable": False,
            "required": True,
            "constraints": ["@primary", "@auto"],
        }
    base, kind = chance.choice(FIELD_NAMES), chance.choice(FIELD_TYPES)
    field: dict[str, Any] = {
        "name": f"{base}_{index}",
        "type": kind,
        "nullable": kind.endswith("?"),
        "required": kind.endswith("!"),
    }
    if index % 5 == 0:
        field["default_value"] = str(chance.randrange(1000))
    if index % 3 == 0:
        field["constraints"] = [f"@min({chance.randrange(10)})", f"@max({chance.randrange(100, 1000)})"]
    if index % 4 == 0:
        field["documentation"] = f"The {base} of this {resource}, as users see it."
    if index % 6 == 0:
        field["tags"] = ["public", "indexed"]
    return field


def _rich_relationship(chance: random.Random, names: list[str], name: str, index: int) -> dict[str, Any]:
    hubs = min(len(names), max(3, len(names) // 100))
    target = names[chance.randrange(hubs if chance.random() < 0.3 else len(names))]
    kind = ("belongs_to", "has_many", "belongs_to", "has_many_through")[index]
    relationship = {"name": f"relation_{index}", "type": kind, "target_resource": target}
    if kind == "belongs_to":
        relationship["foreign_key"] = f"{target.lower()}_id"
        relationship["on_delete"] = chance.choice(("cascade", "restrict", "set_null"))
    elif kind == "has_many_through":
        relationship["through_table"] = f"{name.lower()}_{target.lower()}"
    return relationship


def _rich_hook(chance: random.Random, name: str, moment: str, index: int) -> dict[str, Any]:
    function = chance.choice(FUNCTIONS)
    source = f'self.slug = {function}(self.title)\nif self.status == "draft" {{\n  Logger.info("{name} saved")\n}}\n'
    return {
        "type": moment,
        "transaction": index == 0,
        "async": index == 2,
        "source_code": source,
        "line_number": 30 + 8 * index,
    }


def _rich_routes(resource: dict[str, Any]) -> list[dict[str, Any]]:
    name = resource["name"]
    routes = []
    for method, rest, handler, operation in RICH_ROUTES:
        route = {
            "method": method,
            "path": f"/{name.lower()}s{rest}",
            "handler": f"{name}.{handler}",
            "resource": name,
            "operation": operation,
            "middleware": resource["middleware"].get(operation, ["auth"]),
        }
        if method in ("POST", "PUT", "PATCH"):
            route["request_body"] = f"{name}Input"
        route["response_body"] = f"{name}Output"
        routes.append(route)
    return routes


def _rich_pattern(chance: random.Random, names: list[str], index: int) -> dict[str, Any]:
    example = {"file_path": "app/x.cdt", "line_number": 3, "code": "@before create: [auth]"}
    return {
        "id": f"pattern-{index}",
        "name": f"pattern_{index}",
        "category": ("hook", "validation", "middleware", "query")[index % 4],
        "description": f"Pattern number {index}.",
        "template": "@before create: [<middleware>]",
        "examples": [{"resource": chance.choice(names), **example} for _ in range(3)],
        "frequency": chance.randrange(1, len(names) + 1),
        "confidence": 0.25,
    }


def _rich_graph(resources: list[dict[str, Any]]) -> dict[str, Any]:
    """The graph of relationships as a document carries it."""
    nodes = {
        each["name"]: {
            "id": each["name"],
            "type": "resource",
            "name": each["name"],
            "file_path": each["file_path"],
        }
        for each in resources
    }
    edges = [
        {
            "from": each["name"],
            "to": relationship["target_resource"],
            "relationship": relationship["type"],
            "weight": 1,
        }
        for each in resources
        for relationship in each["relationships"]
    ]
    return {"nodes": dict(sorted(nodes.items())), "edges": edges}
