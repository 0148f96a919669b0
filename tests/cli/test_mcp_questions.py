"""Ten questions about a Django application, answered by tool calls alone through the SDK's own client.

Each answer is compared with what stands in the application's source. The number of calls and the bytes that the agent
reads are printed (`pytest -s`); each question has a bound on both.
"""

from __future__ import annotations

import asyncio
import json
import os
import shutil
import subprocess
import sys
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

mcp = pytest.importorskip("mcp")
pytest.importorskip("rest_framework")

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Coroutine

LIBRARY = Path(__file__).resolve().parents[2] / "examples" / "django_library"

FAST = """\
def unique_titles(titles):
    return list(dict.fromkeys(titles))
"""
SLOW = """\
def is_known(title, found):
    return any(title == one for one in found)


def unique_titles(titles):
    found = []
    for title in titles:
        if not is_known(title, found):
            found.append(title)
    return found
"""
BENCHMARK = """\
import sys
sys.path.insert(0, ".")
from books.titles import unique_titles
TITLES = [f"title {number}" for number in range(300)]
def bench_unique_titles(b):
    for _ in b:
        unique_titles(TITLES)
def bench_joining(b):
    for _ in b:
        " ".join(TITLES)
"""


def run(folder: Path, *command: str) -> None:
    identity = {f"GIT_{who}_{what}": "a@b.c" for who in ("AUTHOR", "COMMITTER") for what in ("NAME", "EMAIL")}
    done = subprocess.run(
        command, cwd=folder, env={**os.environ, **identity}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def record(folder: Path, profile: str) -> None:
    run(folder, sys.executable, "-m", "conduit", "bench", "-bench=UniqueTitles", "-benchtime=300ms",
        f"-cpuprofile={profile}", "benchmarks/bench_titles.py")  # fmt: skip


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The library as a repository whose working copy is slower than main, with documents and profiles of both."""
    from conduit.metadata.codec import encode
    from conduit.sources.application import Application, collect_application

    folder = tmp_path_factory.mktemp("project") / "library"
    shutil.copytree(LIBRARY, folder, ignore=shutil.ignore_patterns("__pycache__"))
    collected = collect_application(Application(root=str(folder), django="library.settings"))
    document = json.loads(encode(collected.metadata))
    route = next(one for one in document["routes"] if one["path"] == "/loans/<int:pk>/return/")
    assert "login_required" in route["middleware"]
    (folder / "metadata.json").write_text(json.dumps(document))
    route["middleware"].remove("login_required")
    (folder / "proposed.json").write_text(json.dumps(document))
    (folder / "benchmarks").mkdir()
    (folder / "benchmarks" / "bench_titles.py").write_text(BENCHMARK)
    titles = folder / "books" / "titles.py"
    titles.write_text(FAST)
    run(folder, "git", "init", "-q", "-b", "main")
    run(folder, "git", "add", ".")
    run(folder, "git", "commit", "-q", "-m", "first")
    record(folder, "main.prof")
    titles.write_text(SLOW)
    record(folder, "now.prof")
    return folder


class Agent:
    """Calls tools, and counts the calls and the bytes of the answers."""

    def __init__(self, session: Any) -> None:
        self._session = session
        self.calls = 0
        self.bytes = 0

    async def ask(self, tool: str, **arguments: Any) -> dict[str, Any]:
        answer = await self._session.call_tool(tool, arguments)
        text = answer.content[0].text
        assert not answer.is_error, text
        self.calls += 1
        self.bytes += len(text.encode())
        found: dict[str, Any] = json.loads(text)
        return found


@asynccontextmanager
async def served(project: Path) -> AsyncIterator[Any]:
    server = mcp.StdioServerParameters(
        command=sys.executable, args=["-m", "conduit", "mcp", "-metadata=metadata.json"], cwd=project
    )
    async with mcp.stdio_client(server) as (read, write), mcp.ClientSession(read, write) as session:
        await session.initialize()
        yield session


async def post_routes_without_authentication(agent: Agent) -> Any:
    found = await agent.ask("app_routes", method="POST", without_authentication=True)
    return {f"{one['method']} {one['path']}" for one in found["items"]}


async def effects_of_deleting_an_author(agent: Agent) -> Any:
    impact = (await agent.ask("app_impact", name="Author"))["value"]
    return {(one["resource"], one["relationship"], one["on_delete"]) for one in impact["effects"]}


async def slower_since_main_and_where(agent: Agent) -> Any:
    compared = (await agent.ask("benchmark_compare", revision="main", budget="2s"))["value"]
    # Counts are exact however busy the machine is; the time of so short a comparison only has to agree.
    worse = {row["name"].partition(":")[2] for row in compared["rows"] if row["closes_gate"]}
    slower = {
        row["name"].partition(":")[2]
        for row in compared["rows"]
        if row["unit"] == "sec/op" and row["delta"] > 0
    }
    grown = await agent.ask("profile_difference", base="main.prof", source="now.prof")
    heaviest = max(grown["rows"], key=lambda row: row["flat"])["name"]
    lines = await agent.ask("profile_lines", source="now.prof", function="is_known$")
    return worse & slower, "is_known" in heaviest, "any(title == one for one in found)" in lines["text"]


async def way_from_a_loan_to_its_author(agent: Agent) -> Any:
    ways = (await agent.ask("app_path", start="Loan", end="Author"))["value"]["paths"]
    return [way["resources"] for way in ways]


async def the_rules_for_an_isbn(agent: Agent) -> Any:
    found = await agent.ask("app_search", text="isbn")
    owner = next(one["name"].partition(".")[0] for one in found["items"] if one["kind"] == "field")
    while True:
        resource = (await agent.ask("app_resource", name=owner))["value"]
        field = next(one for one in resource["fields"] if one["name"] == "isbn")
        if not field["details"].get("inherited_from"):
            break
        owner = field["details"]["inherited_from"]
    details = field["details"]
    return details["unique"], details["max_length"], f"{resource['file_path']}:{field['line_number']}"


async def who_may_return_a_loan(agent: Agent) -> Any:
    (route,) = (await agent.ask("app_routes", path="/loans/*/return/"))["items"]
    return route["handler"], "login_required" in route["guards"]


async def code_that_runs_when_a_loan_is_saved(agent: Agent) -> Any:
    loan = (await agent.ask("app_resource", name="Loan"))["value"]
    return {
        one["handler"].partition(":")[2] for one in loan["hooks"] if one["type"] in ("save", "after_save")
    }


async def guards_that_the_proposal_drops(agent: Agent) -> Any:
    found = await agent.ask("app_difference", old="metadata.json", new="proposed.json")
    return "login_required" in json.dumps(found) and found["total"] == 1


async def models_that_go_with_a_book(agent: Agent) -> Any:
    return set((await agent.ask("app_impact", name="Book"))["value"]["deleted"])


async def heaviest_function_and_its_caller(agent: Agent) -> Any:
    top = await agent.ask("profile_top", source="now.prof", cumulative=True, focus="titles", count=30)
    names = {row["name"].split(".")[-1] for row in top["rows"]}
    callers = await agent.ask("profile_callers_and_callees", source="now.prof", function="is_known$")
    return "is_known" in names, "unique_titles" in callers["text"]


def line_of(path: str, text: str) -> int:
    return next(n for n, line in enumerate((LIBRARY / path).read_text().splitlines(), 1) if text in line)


QUESTIONS: list[tuple[Callable[[Agent], Coroutine[Any, Any, Any]], Any]] = [
    (post_routes_without_authentication, {"POST /api/health/", "ANY /"}),
    (effects_of_deleting_an_author, {("Book", "author", "restrict"), ("Editing", "author", "cascade")}),
    (slower_since_main_and_where, ({"BenchmarkUniqueTitles"}, True, True)),
    (way_from_a_loan_to_its_author, [["Loan", "Book", "Author"]]),
    (the_rules_for_an_isbn, (True, 13, f"books/models.py:{line_of('books/models.py', 'isbn =')}")),
    (who_may_return_a_loan, ("books.views:return_loan", True)),
    (code_that_runs_when_a_loan_is_saved, {"count_loan", "log_everything", "Loan.save"}),
    (guards_that_the_proposal_drops, True),
    (models_that_go_with_a_book, {"Editing", "AudioBook", "Loan", "Note"}),
    (heaviest_function_and_its_caller, (True, True)),
]


def test_ten_questions_are_answered_by_tool_calls_alone(project: Path) -> None:
    async def walk() -> list[tuple[str, int, int]]:
        rows = []
        async with served(project) as session:
            for question, expected in QUESTIONS:
                agent = Agent(session)
                assert await question(agent) == expected, question.__name__
                rows.append((question.__name__.replace("_", " "), agent.calls, agent.bytes))
        return rows

    rows = asyncio.run(walk())
    source = sum(path.stat().st_size for path in project.rglob("*.py"))
    for question, calls, read in rows:
        print(f"{calls} calls {read:>6} bytes  {question}")
        assert calls <= 3 and read <= 40_000
    print(f"{sum(row[1] for row in rows)} calls {sum(row[2] for row in rows)} bytes; source {source} bytes")
    assert len(rows) == 10
