"""The graph's scripts under Node's own test runner, against the paths and pictures that Python makes."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

from conduit.metadata.codec import decode
from conduit.metadata.diagram import application_of, draw, keys_only, neighbourhood, to_dot, to_mermaid
from conduit.metadata.paths import paths_between
from conduit.metadata.schema import (
    Field,
    FieldDetails,
    Relationship,
    RelationshipDetails,
    Resource,
    ResourceDetails,
)
from conduit.web.registry.graph_data import graph_data

TESTS = Path(__file__).resolve().parents[2]
BLOG = TESTS / "golden" / "registry" / "04_blog_all_fields.json"


def key(name: str, target: str, on_delete: str = "", **details: object) -> Relationship:
    return Relationship(
        name, "belongs_to", target, f"{name}_id", on_delete=on_delete, details=RelationshipDetails(**details)  # type: ignore[arg-type]
    )  # fmt: skip


def library() -> list[Resource]:
    """Two applications with a cycle, a many-to-many, an inheritance, and names that need escaping."""

    def one(name: str, module: str, *relationships: Relationship) -> Resource:
        return Resource(
            name,
            fields=(
                Field("id", "int", details=FieldDetails(primary_key=True)),
                Field("code", 'list["x"]', details=FieldDetails(unique=True)),
                Field("ti<t>le", "str"),
                *(Field(f"{one.name}_id", "int") for one in relationships if one.type == "belongs_to"),
            ),
            relationships=relationships,
            details=ResourceDetails(module=module),
        )

    return [
        one("Author", "books.models", key("favourite", "Book", "set_null", nullable=True)),
        one(
            "Book",
            "books.models",
            key("author", "Author", "cascade"),
            Relationship("editors", "has_many_through", "Author", details=RelationshipDetails()),
            key("sequel", "Book", unique=True),
        ),
        one("AudioBook", "books.models", Relationship("book", "inherits", "Book", on_delete="cascade")),
        one("Loan", "desk.models", key("book", "Book", "restrict"), key("reader", 'Rea"der\\')),
        one('Rea"der\\', "desk.models"),
        one("Island", "main"),
    ]


def page_of(resources: list[Resource]) -> dict[str, Any]:
    return {
        "resources": [
            {
                "name": one.name,
                "app": application_of(one),
                "fields": [{"name": field.name, "type": field.type} for field in one.fields],
            }
            for one in resources
        ],
        "graph": graph_data(resources),
    }


def test_lines_marks_and_cycles_are_those_of_the_diagram() -> None:
    data = graph_data(library())
    assert data["lines"] == [
        [0, 1, "favourite", 1 + 2 + 8, "set_null"],
        [1, 0, "author", 1 + 8, "cascade"],
        [1, 0, "editors", 1 + 4, ""],
        [1, 1, "sequel", 8, ""],
        [2, 1, "book", 0, "cascade"],
        [3, 1, "book", 1, "restrict"],
        [3, 4, "reader", 1, ""],
    ]
    assert data["marks"] == ["PU.F", "PU.FF", "PU.", "PU.FF", "PU.", "PU."]
    assert data["cycles"] == [{"names": ["Author", "Book"], "path": ["Author", "Book", "Author"]}]


def test_the_graphs_scripts_agree_with_python_and_keep_their_layout(tmp_path: Path) -> None:
    node = shutil.which("node")
    if node is None:
        pytest.skip("Node is not on this machine (apt-get install nodejs)")
    documents = {"library": library(), "blog": list(decode(BLOG.read_bytes()).resources)}
    texts, paths = [], []
    for name, resources in documents.items():
        for centre in resources:
            near = neighbourhood(resources, centre.name, 1)
            for columns in ("all", "keys"):
                picture = draw(near, document=resources)
                picture = keys_only(picture) if columns == "keys" else picture
                texts.append({"document": name, "shown": [one.name for one in reversed(near)], "columns": columns,
                              "mermaid": to_mermaid(picture), "dot": to_dot(picture)})  # fmt: skip
            for end in resources:
                for depth, most in ((0, 10), (4, 10), (4, 1)):
                    found = paths_between(resources, centre.name, end.name, depth=depth, most=most)
                    paths.append({"document": name, "start": centre.name, "end": end.name, "depth": depth, "most": most,
                                  "found": [path.names for path in found.found], "complete": found.complete})  # fmt: skip
    cases = tmp_path / "cases.json"
    pages = {name: page_of(resources) for name, resources in documents.items()}
    cases.write_text(json.dumps({"documents": pages, "texts": texts, "paths": paths}))
    script = TESTS / "web" / "javascript" / "registry_graph.test.js"
    done = subprocess.run(
        [node, "--test", str(script)],
        env={**os.environ, "CASES": str(cases)}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
