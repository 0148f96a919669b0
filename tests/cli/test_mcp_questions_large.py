"""Ten questions about an application of 300 resources and 6,000 routes whose truth is known, by tool calls alone.

The application is made by a generator, so each right answer is known without reading it back. The number of calls and
the bytes are printed (`pytest -s`) beside the size of the document.
"""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import pytest

pytest.importorskip("mcp")

from msgspec.structs import replace

from conduit.metadata.codec import encode
from tests.cli.test_mcp_questions import Agent, served
from tests.web.registry.conftest import ROUTES, large_document

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine
    from pathlib import Path


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The document, and one in which a route has lost a guard."""
    folder = tmp_path_factory.mktemp("large")
    document = large_document()
    (folder / "metadata.json").write_bytes(encode(document))
    routes = list(document.routes)
    at = next(n for n, one in enumerate(routes) if (one.method, one.path) == ("DELETE", "/api/books/{id}/"))
    details = routes[at].details
    assert details is not None
    routes[at] = replace(routes[at], middleware=(), details=replace(details, chain=()))
    (folder / "proposed.json").write_bytes(encode(replace(document, routes=tuple(routes))))
    return folder


async def post_routes_without_authentication(agent: Agent) -> Any:
    found = await agent.ask("app_routes", method="POST", without_authentication=True)
    return {one["path"] for one in found["items"]}, found["total"]


async def effects_of_deleting_an_author(agent: Agent) -> Any:
    impact = (await agent.ask("app_impact", name="Author"))["value"]
    return {(one["resource"], one["on_delete"]) for one in impact["effects"]}


async def way_from_a_vote_to_its_author(agent: Agent) -> Any:
    ways = (await agent.ask("app_path", start="Vote", end="Author"))["value"]["paths"]
    return [way["resources"] for way in ways]


async def who_may_create_an_author(agent: Agent) -> Any:
    (route,) = (await agent.ask("app_routes", path="/api/authors/", method="POST"))["items"]
    return set(route["guards"])


async def code_that_runs_before_an_author_is_saved(agent: Agent) -> Any:
    author = (await agent.ask("app_resource", name="Author"))["value"]
    return [(one["type"], one["handler"]) for one in author["hooks"]]


async def the_longest_name_of_an_author(agent: Agent) -> Any:
    author = (await agent.ask("app_resource", name="Author"))["value"]
    return next(one["constraints"] for one in author["fields"] if one["name"] == "name")


async def where_a_colour_is_kept(agent: Agent) -> Any:
    found = await agent.ask("app_search", text="colour_217")
    return {one["name"] for one in found["items"] if one["kind"] == "field"}


async def how_many_routes_write_things(agent: Agent) -> Any:
    found = await agent.ask("app_routes", path="/things/*", method="DELETE")
    return found["total"], len(found["items"]) < found["total"]


async def what_the_proposal_loosens(agent: Agent) -> Any:
    found = await agent.ask("app_difference", old="metadata.json", new="proposed.json")
    return found["total"], "/api/books/{id}/" in json.dumps(found)


async def what_goes_with_a_book(agent: Agent) -> Any:
    return set((await agent.ask("app_impact", name="Book"))["value"]["deleted"])


# Question, the calls that answer it, the right answer by the generator.
QUESTIONS: list[tuple[str, Callable[[Agent], Coroutine[Any, Any, Any]], Any]] = [
    ("which POST routes lack authentication?", post_routes_without_authentication, ({"/api/reviews/"}, 1)),
    (
        "what breaks if I delete Author?",
        effects_of_deleting_an_author,
        {("Book", "cascade"), ("Review", "cascade"), ("Vote", "set_null"), ("OrderLine", "restrict")},
    ),
    (
        "how does a vote lead to an author?",
        way_from_a_vote_to_its_author,
        [["Vote", "Review", "Book", "Author"]],
    ),
    ("who may create an author?", who_may_create_an_author, {"IsAuthenticated", "IsAdminUser"}),
    (
        "what runs before an author is saved?",
        code_that_runs_before_an_author_is_saved,
        [("before_save", "shop.signals:slugify")],
    ),
    ("how long may an author's name be?", the_longest_name_of_an_author, ["@max(80)"]),
    ("where is colour_217?", where_a_colour_is_kept, {"Thing217.colour_217"}),
    (
        "how many routes delete things?",
        how_many_routes_write_things,
        (sum(number % 4 == 3 for number in range(ROUTES - 9)), True),
    ),
    ("what does the proposal loosen?", what_the_proposal_loosens, (1, True)),
    ("what goes with a book?", what_goes_with_a_book, {"Review"}),
]


def test_ten_questions_about_a_large_application_have_their_known_answers(project: Path) -> None:
    async def walk() -> list[tuple[str, Any, int, int]]:
        rows = []
        async with served(project) as session:
            for question, answer, _ in QUESTIONS:
                agent = Agent(session)
                rows.append((question, await answer(agent), agent.calls, agent.bytes))
        return rows

    rows = asyncio.run(walk())
    for question, _, calls, read in rows:
        print(f"{calls} calls {read:>6} bytes  {question}")
    document = (project / "metadata.json").stat().st_size
    read = sum(row[3] for row in rows)
    print(f"{sum(row[2] for row in rows)} calls {read} bytes; document {document} bytes")
    assert {row[0]: row[1] for row in rows} == {question: right for question, _, right in QUESTIONS}
    assert read < document / 20
