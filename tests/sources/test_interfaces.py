"""GraphQL schemas, gRPC services and MCP servers, against what GraphQL, the descriptors and the servers enumerate."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from conduit.metadata.registry import Registry
from conduit.sources.application import Application, collect_application

GRAPHQL = """
import enum, typing, strawberry

@strawberry.enum
class Color(enum.Enum):
    RED = "r"
@strawberry.interface
class Node:
    id: strawberry.ID
@strawberry.type
class Author(Node):
    books: list["Book"]
@strawberry.type(description="A book")
class Book(Node):
    title: str = strawberry.field(description="the title")
    author: Author
    color: Color | None
    @strawberry.field
    def pages(self, unit: str = "p") -> int: return 1
@strawberry.input
class BookInput:
    title: str
    author_id: int = 3
Found = typing.Annotated[Author | Book, strawberry.union("Found")]
class IsAuthenticated(strawberry.BasePermission):
    def has_permission(self, source, info, **kwargs): return True
@strawberry.type
class Query:
    @strawberry.field(permission_classes=[IsAuthenticated])
    def books(self, first: int = 10) -> list[Book]: return []
    @strawberry.field
    async def search(self, text: str) -> list[Found]: return []
    version: str = "1"
@strawberry.type
class Mutation:
    @strawberry.mutation
    def add_book(self, data: BookInput) -> Book: ...
schema = strawberry.Schema(Query, Mutation)
"""
PROTO = """
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory

file = descriptor_pb2.FileDescriptorProto(name="shop.proto", package="shop.v1", syntax="proto3")
item, tag = file.message_type.add(name="Item"), file.message_type.add(name="Tag")
item.field.add(name="id", number=1, type=9, label=1)
item.field.add(name="tags", number=2, type=11, type_name=".shop.v1.Tag", label=3)
tag.field.add(name="text", number=1, type=9, label=1)
service = file.service.add(name="Shop")
for name, streams in (("Get", False), ("Watch", True)):
    service.method.add(name=name, input_type=".shop.v1.Tag", output_type=".shop.v1.Item", server_streaming=streams)
DESCRIPTOR = descriptor_pool.Default().Add(file) or descriptor_pool.Default().FindFileByName("shop.proto")
"""
SERVICER = """
import grpc

class ShopServicer:
    def Get(self, request, context): raise NotImplementedError
    def Watch(self, request, context): raise NotImplementedError
"""
SERVER = """
import grpc, shop_pb2, shop_pb2_grpc

class Shop(shop_pb2_grpc.ShopServicer):
    def Get(self, request, context): ...
"""
TOOLS = '''
{imports}
server = {made}

@server.tool()
def add(a: int, b: int = 2) -> int:
    """Adds two numbers."""
    return a + b
@server.resource("users://{{uid}}/profile")
def profile(uid: str) -> str: return ""
@server.prompt()
def ask(topic: str) -> str: return topic
'''
SERVERS = {
    "mcp": ("from mcp.server.mcpserver import MCPServer", "MCPServer('shop')"),
    "fastmcp": ("from fastmcp import FastMCP", "FastMCP('shop')"),
}


def collected(folder: Path, app: str, **files: str) -> Registry:
    for name, text in files.items():
        (folder / f"{name}.py").write_text(text)
    metadata = collect_application(Application(root=str(folder), app=app)).metadata
    assert metadata.errors == ()
    return Registry(metadata)


def answer(folder: Path, code: str) -> Any:
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=folder, capture_output=True, text=True, check=True
    )
    return json.loads(done.stdout.splitlines()[-1])


def test_types_of_a_graphql_schema_are_resources_and_its_operations_routes(tmp_path: Path) -> None:
    pytest.importorskip("strawberry")
    registry = collected(tmp_path, "shop:schema", shop=GRAPHQL)
    truth = answer(
        tmp_path,
        "import json, shop\nfrom graphql import build_schema, is_scalar_type\n"
        "g = build_schema(shop.schema.as_str()); roots = {'Query': 'QUERY', 'Mutation': 'MUTATION'}\n"
        "types = {n: list(getattr(t, 'fields', {})) for n, t in g.type_map.items()\n"
        "         if n[:2] != '__' and n not in roots and not is_scalar_type(t)}\n"
        "print(json.dumps([types, [[m, f] for r, m in roots.items() for f in g.type_map[r].fields]]))",
    )
    assert {r.name: [f.name for f in r.fields] for r in registry.resources()} == truth[0]
    assert [[r.method, r.path.partition("/")[2]] for r in registry.routes()] == truth[1]
    books, add = registry.routes("QUERY")[1], registry.routes("MUTATION")[0]
    assert (books.handler, books.middleware, books.response_body, books.resource) == (
        "shop:Query.books",
        ("IsAuthenticated",),
        "[]Book",
        "Book",
    )
    assert (add.request_body, add.response_body) == ("BookInput", "Book")
    assert {(r.type, r.target_resource) for r in registry.resource("Book").relationships} == {
        ("belongs_to", "Author"),
        ("inherits", "Node"),
    }
    fields = {field.name: field for field in registry.resource("BookInput").fields}
    assert (fields["title"].required, fields["authorId"].default_value) == (True, "3")
    assert registry.resource("Book").line_number == 14


def test_grpc_services_are_those_of_the_descriptors_with_the_methods_that_implement_them(
    tmp_path: Path,
) -> None:
    pytest.importorskip("grpc")
    pytest.importorskip("google.protobuf")
    files = {"shop_pb2": PROTO, "shop_pb2_grpc": SERVICER, "shop": SERVER}
    registry = collected(tmp_path, "shop", **files)
    truth = answer(
        tmp_path,
        "import json, shop_pb2\n"
        "s = shop_pb2.DESCRIPTOR.services_by_name.values()\n"
        "print(json.dumps([[f'/{m.containing_service.full_name}/{m.name}', m.output_type.name]"
        " for x in s for m in x.methods]))",
    )
    assert [[route.path, route.resource] for route in registry.routes()] == truth
    get, watch = registry.routes()
    assert (get.method, get.handler, get.response_body) == ("GRPC", "shop:Shop.Get", "Item")
    assert (watch.handler, watch.response_body) == ("", "[]Item")
    tags = next(field for field in registry.resource("Item").fields if field.name == "tags")
    assert tags.type == "[]shop.v1.Tag"
    assert [(r.name, r.type, r.target_resource) for r in registry.resource("Item").relationships] == [
        ("tags", "has_many", "Tag")
    ]


def test_grpc_services_of_a_package_that_the_application_only_calls_are_left_out(tmp_path: Path) -> None:
    pytest.importorskip("grpc")
    pytest.importorskip("google.protobuf")
    package = tmp_path / "elsewhere"
    package.mkdir()
    (package / "shop_pb2.py").write_text(PROTO)
    (package / "shop_pb2_grpc.py").write_text(SERVICER)
    project = tmp_path / "project"
    project.mkdir()
    path = f"import sys; sys.path.append({str(package)!r})\n"
    caller = "import grpc, shop_pb2, shop_pb2_grpc\nfrom starlette.applications import Starlette\napp = Starlette()\n"
    registry = collected(project, "client:app", client=path + caller)
    assert (registry.routes(), registry.resources()) == ((), ())
    registry = collected(project, "server", server=path + SERVER)
    assert [route.handler for route in registry.routes()] == ["server:Shop.Get", ""]


MOUNTED = """
from fastmcp import FastMCP
inner = FastMCP("inner")
@inner.tool
def find(text: str) -> str: return text
@inner.resource("notes://{name}")
def note(name: str) -> str: return name
middle = FastMCP("middle")
middle.mount(inner, namespace="deep")
server = FastMCP("outer")
@server.tool
def add(a: int) -> int: return a
@server.tool(tags={"hidden"})
def secret(a: int) -> int: return a
server.mount(middle, namespace="shop")
server.disable(tags={"hidden"})
"""


def test_an_mcp_server_lists_mounted_servers_under_the_names_that_clients_see_and_nothing_disabled(
    tmp_path: Path,
) -> None:
    pytest.importorskip("fastmcp")
    registry = collected(tmp_path, "shop:server", shop=MOUNTED)
    truth = answer(
        tmp_path,
        "import asyncio, json, shop\n"
        "async def main():\n"
        "    s = shop.server\n"
        "    return [[t.name for t in await s.list_tools()], [t.uri_template for t in await"
        " s.list_resource_templates()]]\n"
        "print(json.dumps(asyncio.run(main())))",
    )
    assert [[route.path for route in registry.routes(kind)] for kind in ("TOOL", "RESOURCE")] == truth
    assert [route.handler for route in registry.routes()] == ["shop:add", "shop:find", "shop:note"]


@pytest.mark.parametrize("package", SERVERS)
def test_tools_resources_and_prompts_of_an_mcp_server_are_routes(package: str, tmp_path: Path) -> None:
    pytest.importorskip(package)
    imports, made = SERVERS[package]
    registry = collected(tmp_path, "shop:server", shop=TOOLS.format(imports=imports, made=made))
    truth = answer(
        tmp_path,
        "import asyncio, json, shop\n"
        "async def main():\n"
        "    s = shop.server\n"
        "    return [[t.name for t in await s.list_tools()], [str(getattr(t, 'uri_template', '') or t.uriTemplate)"
        " for t in await s.list_resource_templates()], [p.name for p in await s.list_prompts()]]\n"
        "print(json.dumps(asyncio.run(main())))",
    )
    found = [[route.path for route in registry.routes(kind)] for kind in ("TOOL", "RESOURCE", "PROMPT")]
    assert found == truth
    (tool,) = registry.routes("TOOL")
    assert (tool.handler, tool.middleware, tool.line_number > 0) == ("shop:add", (), True)
    assert tool.details is not None
    assert [(p.name, p.type, p.required, p.default_value) for p in tool.details.parameters] == [
        ("a", "integer", True, ""),
        ("b", "integer", False, "2"),
    ]
