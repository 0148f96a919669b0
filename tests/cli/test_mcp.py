"""`conduit mcp`: the SDK's own client asks a real process, and gets what the commands print, within the budget."""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import re
import shutil
import subprocess
import sys
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conduit.cli.mcp.answers import fitted, page_of, size_bytes

mcp = pytest.importorskip("mcp")

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

    Command = Callable[..., subprocess.CompletedProcess[str]]

EXAMPLES = Path(__file__).resolve().parents[2] / "examples"
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=300),
    lambda inner: st.lists(inner, max_size=30) | st.dictionaries(st.text(max_size=8), inner, max_size=12),
    max_leaves=60,
)


CALLS: list[tuple[str, dict[str, Any]]] = [
    ("app_overview", {}),
    ("app_search", {"text": "a"}),
    ("app_resource", {"name": "identity"}),
    ("app_routes", {}),
    ("app_dependencies", {"name": "identity"}),
    ("app_path", {"start": "identity", "end": "session"}),
    ("app_impact", {"name": "identity"}),
    ("app_patterns", {}),
    ("app_difference", {"old": "metadata.json", "new": "metadata.json"}),
    ("profile_sources", {}),
    ("profile_top", {"source": "cpu.prof", "count": 500}),
    ("profile_difference", {"base": "cpu.prof", "source": "cpu.prof"}),
    ("profile_callers_and_callees", {"source": "cpu.prof", "function": "."}),
    ("profile_lines", {"source": "cpu.prof", "function": "."}),
    ("profile_labels", {"source": "cpu.prof"}),
    ("profile_advice", {"source": "cpu.prof"}),
]
"""A call of each tool that reads, except `app_resources` and `benchmark_history`."""

OTHER_CALLS: list[tuple[str, dict[str, Any]]] = [
    ("app_resources", {}),
    ("benchmark_history", {}),
    ("benchmark_names", {}),
    ("benchmark_run", {"pattern": "Quick", "count": 1, "benchtime": "10x"}),
    ("benchmark_compare", {"revision": "HEAD", "pattern": "Quick", "budget": "1s"}),
]


@pytest.fixture(scope="module")
def project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("project")
    command = [
        sys.executable,
        "-m",
        "conduit",
        "collect",
        "--openapi",
        str(EXAMPLES / "kratos.json"),
        "-o",
        "metadata.json",
    ]
    subprocess.run(command, cwd=folder, check=True, capture_output=True)
    (folder / "cpu.prof").write_bytes((EXAMPLES / "registry.cpu.pb.gz").read_bytes())
    (folder / "benchmarks").mkdir()
    (folder / "benchmarks" / "bench_a.py").write_text(
        "import time\ndef bench_quick(b):\n    for _ in b:\n        pass\n"
        "def bench_endless(b):\n    time.sleep(600)\n"
    )
    return folder


@asynccontextmanager
async def session(project: Path, *flags: str) -> AsyncIterator[Any]:
    server = mcp.StdioServerParameters(
        command=sys.executable, args=["-m", "conduit", "mcp", "-metadata=metadata.json", *flags], cwd=project
    )
    async with mcp.stdio_client(server) as (read, write), mcp.ClientSession(read, write) as opened:
        await opened.initialize()
        yield opened


async def ask(opened: Any, tool: str, **arguments: Any) -> dict[str, Any]:
    answer = await opened.call_tool(tool, arguments)
    assert not answer.is_error, answer.content[0].text
    found: dict[str, Any] = json.loads(answer.content[0].text)
    return found


async def refusal(opened: Any, tool: str, **arguments: Any) -> str:
    answer = await opened.call_tool(tool, arguments)
    assert answer.is_error
    return str(answer.content[0].text)


def test_an_agent_reads_the_application_as_the_commands_print_it(
    project: Path, conduit_command: Command
) -> None:
    async def walk() -> None:
        async with session(project) as opened:
            overview = await ask(opened, "app_overview")
            assert overview["value"]["counts"]["routes"] == 60
            open_posts = await ask(opened, "app_routes", method="post", without_guards=True)
            truth = json.loads(conduit_command("introspect", "routes", "-format=json", cwd=project).stdout)
            assert {(row["method"], row["path"]) for row in open_posts["items"]} == {
                (route["method"], route["path"])
                for route in truth
                if route["method"] == "POST" and not route.get("middleware")
            }
            identity = await ask(opened, "app_resource", name="identity")
            assert identity["value"] == json.loads(
                conduit_command("introspect", "resource", "identity", "-format=json", cwd=project).stdout
            )
            found = await ask(opened, "app_search", text="SESSION", offset=0)
            assert {one["kind"] for one in found["items"]} == {"resource", "field", "route"}
            for tool in ("app_dependencies", "app_impact"):
                assert (await ask(opened, tool, name="identity"))["value"]
            assert (await ask(opened, "app_patterns"))["total"] == 8
            same = await ask(opened, "app_difference", old="metadata.json", new="metadata.json")
            assert same["total"] == 0

    asyncio.run(walk())


def test_an_agent_explores_a_profile_from_the_top_down(project: Path, conduit_command: Command) -> None:
    async def walk() -> None:
        async with session(project) as opened:
            assert (await ask(opened, "profile_sources"))["items"] == ["cpu.prof"]
            top = await ask(opened, "profile_top", source="cpu.prof", count=5)
            truth = json.loads(
                conduit_command("pprof", "-json", "-nodecount=5", "cpu.prof", cwd=project).stdout
            )
            assert top["rows"] == truth["rows"]
            heaviest = top["rows"][0]["name"]
            peek = await ask(
                opened, "profile_callers_and_callees", source="cpu.prof", function=f"{heaviest}$"
            )
            assert f"| {heaviest}" in peek["text"]
            difference = await ask(opened, "profile_difference", base="cpu.prof", source="cpu.prof")
            assert difference["rows"] == []
            assert "thread" in (await ask(opened, "profile_labels", source="cpu.prof"))["text"]
            assert (await ask(opened, "profile_advice", source="cpu.prof"))["text"]

    asyncio.run(walk())


def test_every_answer_holds_its_budget_and_says_how_to_ask_on(project: Path) -> None:
    async def walk() -> None:
        async with session(project, "-budget=3000") as opened:
            names: list[str] = []
            offset: int | None = 0
            while offset is not None:
                page = await ask(opened, "app_resources", offset=offset)
                names += [row["name"] for row in page["items"]]
                offset = page.get("next_offset")
            assert len(names) == len(set(names)) == 191
            for tool, arguments in CALLS:
                answer = await opened.call_tool(tool, arguments)
                text = answer.content[0].text
                assert not answer.is_error, text
                assert len(text.encode()) <= 3000, tool
                assert answer.structured_content == json.loads(text)

    asyncio.run(walk())


def test_the_lists_of_a_record_that_were_cut_are_asked_for_one_by_one(project: Path) -> None:
    async def walk() -> None:
        async with session(project) as opened, session(project, "-budget=2000") as small:
            whole = (await ask(opened, "app_resource", name="identity"))["value"]
            cut = await ask(small, "app_resource", name="identity")
            assert cut["next"]["fields"]["of"] == len(whole["fields"])
            for part, following in cut["next"].items():
                offset = following["offset"]
                found = cut["value"][part][:offset]
                while offset is not None:
                    page = await ask(small, "app_resource", name="identity", part=part, offset=offset)
                    found += page["items"]
                    offset = page.get("next_offset")
                assert found == whole[part]
            routes = await ask(small, "app_routes", resource="identity")
            assert {row["resource"] for row in routes["items"]} == {"identity"}

    asyncio.run(walk())


def test_no_answer_holds_the_password_of_an_address(project: Path) -> None:
    async def walk() -> None:
        address = "http://agent:hunter2@127.0.0.1:1/debug/pprof/profile"
        async with session(project, f"-profile={address}") as opened:
            sources = (await ask(opened, "profile_sources"))["items"]
            assert sources[0] == "http://agent:***@127.0.0.1:1/debug/pprof/profile"
            for source in (sources[0], address, address.replace("127", "126")):
                said = await refusal(opened, "profile_top", source=source)
                assert "hunter2" not in said
            assert "hunter2" not in json.dumps(await ask(opened, "app_overview"))

    asyncio.run(walk())


def test_wrong_arguments_are_refused_in_words_and_the_server_goes_on(project: Path) -> None:
    async def walk() -> None:
        async with session(project) as opened:
            assert "resource not found: 'nope'" in await refusal(opened, "app_resource", name="nope")
            assert "begins with a dash" in await refusal(opened, "app_resource", name="-app=os:system")
            assert "outside of" in await refusal(opened, "profile_top", source="/etc/passwd")
            assert "outside of" in await refusal(opened, "app_difference", old="../x", new="metadata.json")
            assert "was not named at the start" in await refusal(
                opened, "profile_top", source="http://127.0.0.1:1/x"
            )
            assert "there is no such file" in await refusal(opened, "profile_top", source="none.prof")
            assert "parsing" in await refusal(opened, "profile_lines", source="cpu.prof", function="(")
            assert await refusal(opened, "profile_top", source="cpu.prof", count="many")
            assert await refusal(opened, "profile_top", source="metadata.json")
            assert (await ask(opened, "app_overview"))["value"]

    asyncio.run(walk())


def test_every_tool_refuses_arguments_of_the_wrong_kind_and_goes_on(project: Path) -> None:
    def wrong(kind: Any) -> Any:
        return {"string": 7, "integer": "many", "boolean": "perhaps"}[kind]

    async def walk() -> None:
        async with session(project) as opened:
            for tool in (await opened.list_tools()).tools:
                schema = tool.input_schema
                for name, value in schema["properties"].items():
                    given = dict.fromkeys(schema.get("required", ()), "x") | {name: wrong(value["type"])}
                    said = await refusal(opened, tool.name, **given)
                    assert name in said and "Traceback" not in said, (tool.name, said)
                if schema.get("required"):
                    assert "required" in await refusal(opened, tool.name)
            for tool in ("app_resource", "app_dependencies", "app_impact"):
                assert "not found" in await refusal(opened, tool, name="nope")
            assert "the parts are" in await refusal(opened, "app_resource", name="identity", part="nope")
            assert "expected 0 to" in await refusal(opened, "app_routes", offset=10_000)
            assert "expected 0 to" in await refusal(opened, "app_resources", offset=-1)
            assert (await ask(opened, "app_overview"))["value"]

    asyncio.run(walk())


HOSTILE = (
    "a\0b",
    "x" * 200_000,
    "../../../../../../../../etc/passwd",
    "-o=../written",
    "\x1b]0;title\x07\r\nx",
    "(a*)*" * 10 + "*" * 100,
    "$(touch ../written)",
)


def test_no_text_that_an_agent_may_be_talked_into_leaves_the_project_or_ends_the_server(
    project: Path,
) -> None:
    fitting = {
        "source": "cpu.prof",
        "base": "cpu.prof",
        "old": "metadata.json",
        "new": "metadata.json",
        "text": "a",
    }
    before = sorted(project.parent.iterdir())
    hostile = itertools.cycle(HOSTILE)

    async def walk() -> None:
        async with session(project) as opened:
            for tool in (await opened.list_tools()).tools:
                texts = [
                    name for name, kind in tool.input_schema["properties"].items() if kind["type"] == "string"
                ]
                needed = {
                    name: fitting.get(name, "identity") for name in tool.input_schema.get("required", ())
                }
                for name in texts:  # one of them each, in turn: every call starts a command
                    answer = await opened.call_tool(tool.name, {**needed, name: next(hostile)})
                    said = answer.content[0].text
                    assert "Traceback" not in said and "root:" not in said, (tool.name, name, said)
                    assert "Errno" not in said and not said.endswith(tool.name), (tool.name, name, said)
                    assert len(said) < 40_000 and said.replace("\n", " ").isprintable(), (tool.name, name)
            assert (await ask(opened, "app_overview"))["value"]

    asyncio.run(walk())
    assert sorted(project.parent.iterdir()) == before


def test_a_comparison_runs_no_code_from_outside_of_the_projects_own_commits(tmp_path: Path) -> None:
    project, elsewhere = tmp_path / "project", tmp_path / "elsewhere"
    program = "open({!r}, 'w').close()\ndef bench_a(b):\n    for _ in b:\n        pass\n"
    for folder in (project, elsewhere):
        folder.mkdir()
        (folder / "bench_a.py").write_text(program.format(str(tmp_path / f"ran in {folder.name}")))
    shutil.copy(EXAMPLES / "kratos.json", project / "metadata.json")
    subprocess.run(["git", "init", "-q"], cwd=project, check=True)

    async def walk() -> None:
        async with session(project) as opened:
            for revision in ("../elsewhere", str(elsewhere), ".", "-x", "HEAD", "a\0b"):
                said = await refusal(opened, "benchmark_compare", revision=revision)
                assert "revision" in said or "NUL" in said

    asyncio.run(walk())
    assert not list(tmp_path.glob("ran in *"))


def test_benchmarks_run_only_where_they_are_offered(project: Path) -> None:
    async def walk() -> None:
        async with session(project) as opened:
            tools = {tool.name: tool.annotations for tool in (await opened.list_tools()).tools}
            assert [name for name, hints in tools.items() if not hints.read_only_hint] == [
                "benchmark_names",
                "benchmark_run",
                "benchmark_compare",
            ]
            result = await ask(opened, "benchmark_run", pattern="Quick", count=1, benchtime="10x")
            assert "BenchmarkQuick" in result["text"]
        async with session(project, "-benchmarks=false") as opened:
            tools = {tool.name: None for tool in (await opened.list_tools()).tools}
            assert "benchmark_run" not in tools

    asyncio.run(walk())


def test_every_tool_answers_and_the_history_names_the_commit_of_a_step(project: Path, tmp_path: Path) -> None:
    folder = tmp_path / "project"
    shutil.copytree(project, folder)
    store = folder / ".conduit" / "bench"
    store.mkdir(parents=True)
    for number in range(20):
        times = "".join(
            f"BenchmarkTotal-2 1000 {(100 if number < 12 else 150) + (number * 7 + at) % 5 / 10} ns/op\n"
            for at in range(6)
        )
        head = f"commit: {number + 1:040x}\ncommit-date: 2026-01-{number + 1:02}T00:00:00Z\npython: 3.13.1\npkg: shop\n"
        (store / f"{number:02}.txt").write_text(head + times)
    who = ["-c", "user.name=a", "-c", "user.email=a@b.c"]
    for command in (["init", "-q"], ["add", "."], [*who, "commit", "-q", "-m", "a project"]):
        subprocess.run(["git", *command], cwd=folder, check=True)

    async def walk() -> None:
        async with session(folder) as opened:
            offered = {tool.name for tool in (await opened.list_tools()).tools}
            assert offered == {name for name, _ in [*CALLS, *OTHER_CALLS]}
            answers = {name: await ask(opened, name, **given) for name, given in [*CALLS, *OTHER_CALLS]}
            [step] = answers["benchmark_history"]["steps"]
            assert step["first_commit"] == f"{13:040x}"
            assert step["delta"] == pytest.approx(0.5, abs=0.01)
            assert answers["benchmark_history"]["series"] == 1
            assert answers["benchmark_names"]["text"].splitlines()[:2] == [
                "BenchmarkQuick",
                "BenchmarkEndless",
            ]
            assert "BenchmarkQuick" in answers["benchmark_run"]["text"]
            compared = answers["benchmark_compare"]["value"]["rows"]
            assert {row["name"].partition(":")[2] for row in compared} == {"BenchmarkQuick"}

    asyncio.run(walk())


def test_a_call_that_is_cancelled_ends_the_command_behind_it(project: Path) -> None:
    def running() -> list[str]:
        found = []
        for entry in Path("/proc").iterdir():
            if entry.name.isdigit():
                try:
                    line = (entry / "cmdline").read_bytes()
                except OSError:
                    continue
                if b"-bench=Endless" in line:
                    found.append(entry.name)
        return found

    async def walk() -> None:
        async with session(project) as opened:
            call = asyncio.create_task(opened.call_tool("benchmark_run", {"pattern": "Endless"}))
            while not running():
                await asyncio.sleep(0.05)
            call.cancel()
            with pytest.raises(asyncio.CancelledError):
                await call
            while running():
                await asyncio.sleep(0.05)
            assert (await ask(opened, "app_overview"))["value"]

    asyncio.run(asyncio.wait_for(walk(), 60))


@given(JSON, st.integers(1000, 3000))
def test_what_is_cut_to_fit_is_never_twice_its_budget(value: Any, budget: int) -> None:
    assert size_bytes(fitted(value, budget)) <= 2 * budget


@given(st.lists(JSON, max_size=40), st.integers(1000, 3000))
def test_pages_follow_each_other_without_a_gap(items: list[Any], budget: int) -> None:
    offset, seen = 0, 0
    while True:
        page = page_of(items, offset, budget)
        seen += len(page.items)
        offset += len(page.items)
        assert page.left_out == len(items) - offset
        if not page.left_out:
            break
        assert page.items
    assert seen == len(items)


def test_without_the_sdk_the_command_says_what_to_install(conduit_command: Command, tmp_path: Path) -> None:
    (tmp_path / "mcp").mkdir()
    (tmp_path / "mcp" / "__init__.py").write_text(
        "raise ModuleNotFoundError(\"No module named 'mcp'\", name='mcp')\n"
    )
    answer = conduit_command("mcp", env={**os.environ, "PYTHONPATH": str(tmp_path)}, input="")
    assert answer.returncode == 1
    assert "pip install 'conduit-runtime[mcp]'" in answer.stderr


def test_the_page_for_agents_names_commands_and_flags_that_exist(conduit_command: Command) -> None:
    from conduit.cli import COMMANDS

    page = conduit_command("skill").stdout
    named = set(re.findall(r"(?:^|; )conduit ([a-z]+)", page, re.MULTILINE))
    assert named <= set(COMMANDS)
    assert {"introspect", "pprof", "bench", "benchstat", "run", "record", "history", "collect"} <= named
