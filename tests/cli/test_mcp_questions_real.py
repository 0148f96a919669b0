"""Ten questions about applications that were not written here, by tool calls alone, with the answers of Django itself.

`django_truth.py` and `django_deletions.py` get those in the application's interpreter, without Conduit: what each view
answers to an anonymous user, what Django's deletion collector reaches, what `_meta`, the resolver and the signals say.
Every day the applications are those that come with Django and REST framework; the slow one is Bugsink. The number of
calls and the bytes are printed (`pytest -s`) beside the size of the sources that would have to be read.
"""

from __future__ import annotations

import asyncio
import json
import re
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any, NamedTuple

import pytest

pytest.importorskip("mcp")
pytest.importorskip("rest_framework")

from conduit.metadata.codec import encode
from conduit.sources.application import Application, collect_application
from tests.cli.test_mcp_questions import Agent, record, run, served

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

SETTINGS = """
SECRET_KEY = "x"
ROOT_URLCONF = "urls"
DJANGO = ("admin", "auth", "contenttypes", "sessions", "messages", "sites", "flatpages", "redirects")
INSTALLED_APPS = [*(f"django.contrib.{name}" for name in DJANGO), "rest_framework", "rest_framework.authtoken"]
TEMPLATES = [{"BACKEND": "django.template.backends.django.DjangoTemplates", "APP_DIRS": True}]
SITE_ID = 1
"""
URLS = """
from django.contrib import admin
from django.contrib.auth.decorators import login_required
from django.urls import include, path
from django.views.i18n import set_language
from rest_framework.authtoken.views import obtain_auth_token

urlpatterns = [
    path("admin/", admin.site.urls),
    path("accounts/", include("django.contrib.auth.urls")),
    path("token/", obtain_auth_token),
    path("language/", set_language),
    path("settings/", login_required(set_language)),
    path("pages/", include("django.contrib.flatpages.urls")),
]
"""
PROPOSED = """
from {settings} import *
ROOT_URLCONF = "proposed_urls"
"""
PROPOSED_URLS = """
from {urls} import urlpatterns
for pattern in urlpatterns:
    if str(pattern.pattern) == "settings/":
        pattern.callback = pattern.callback.__wrapped__
"""
BENCHMARK = """
import sys
sys.path.insert(0, ".")
from text import slugify
def bench_unique_titles(b):
    for _ in b:
        slugify("Ein Maß für große Anwendungen " * 20)
"""


class Real(NamedTuple):
    """A real application: its settings and urls, and the names that the questions are about."""

    settings: str
    urls: str
    model: str
    """Asked about: what goes with it, what points at it, what runs when it is saved."""
    field: str
    way: tuple[str, str]
    address: str
    address_pattern: str
    guard: str
    """What guards the address `/settings/`, and is lost in the proposal."""
    guards_all: bool
    """Whether middleware of its own decides about users, so that more routes are reported than are open."""


REAL = {
    "contrib": Real(
        "settings", "urls", "auth.User", "username", ("authtoken.Token", "auth.Permission"),
        "/admin/auth/user/add/", "/admin/auth/user/add/", "login_required", False,
    ),
    "bugsink": Real(
        "bugsink.settings.development", "bugsink.urls", "users.User", "username", ("tags.EventTag", "teams.Team"),
        "/projects/new/", "/projects/new/", "user_passes_test", True,
    ),
}  # fmt: skip


class Project(NamedTuple):
    """The folder in which the server runs, and what Django said."""

    name: str
    folder: Path
    truth: dict[str, Any]
    deletions: dict[str, list[str]]


def ask_django(python: str, script: Path, folder: Path, *arguments: str) -> Any:
    done = subprocess.run(
        [python, str(script), *arguments],
        cwd=folder,
        capture_output=True,
        text=True,
        timeout=300,
        check=False,
    )
    assert "\n@" in done.stdout, done.stderr
    return json.loads(done.stdout.rpartition("\n@")[2])


@pytest.fixture(scope="module", params=["contrib", pytest.param("bugsink", marks=pytest.mark.slow)])
def project(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Project:
    name = request.param
    real = REAL[name]
    folder = tmp_path_factory.mktemp(name)
    python = sys.executable
    if name == "bugsink":
        from tests.sources.test_real_applications import PINNED, _interpreter

        python = str(_interpreter(name, PINNED[name][0]))
    else:
        (folder / "settings.py").write_text(SETTINGS)
        (folder / "urls.py").write_text(URLS)
    (folder / "proposed.py").write_text(PROPOSED.format(settings=real.settings))
    (folder / "proposed_urls.py").write_text(PROPOSED_URLS.format(urls=real.urls))
    for settings, document in ((real.settings, "metadata.json"), ("proposed", "proposed.json")):
        found = collect_application(
            Application(root=str(folder), django=settings, python=python), 300
        ).metadata
        assert found.errors == ()
        (folder / document).write_bytes(encode(found))
    add_benchmark(folder)
    here = Path(__file__)
    truth = ask_django(
        python, here.with_name("django_truth.py"), folder, real.settings, real.model, *real.way, real.field, real.address
    )  # fmt: skip
    deletions = ask_django(python, here.parents[1] / "sources" / "django_deletions.py", folder, real.settings)
    return Project(name, folder, truth, deletions)


def add_benchmark(folder: Path) -> None:
    """Django's own text module as a repository whose working copy is slower than main, with profiles of both."""
    spec = find_spec("django.utils.text")
    assert spec is not None and spec.origin is not None
    shutil.copy(spec.origin, folder / "text.py")
    (folder / "benchmarks").mkdir()
    (folder / "benchmarks" / "bench_titles.py").write_text(BENCHMARK)
    run(folder, "git", "init", "-q", "-b", "main")
    run(folder, "git", "add", "text.py", "benchmarks")
    run(folder, "git", "commit", "-q", "-m", "first")
    record(folder, "main.prof")
    source = (folder / "text.py").read_text()
    before = 'value = re.sub(r"[^\\w\\s-]", "", value.lower())'
    assert before in source
    after = 'value = "".join(one for one in value.lower() if not re.sub(r"[\\w\\s-]", "", one))'
    (folder / "text.py").write_text(source.replace(before, after))
    record(folder, "now.prof")


def model_name(label: str) -> str:
    return label.rpartition(".")[2]


def without_variables(path: str) -> str:
    """A pattern of Django's, or a path of the document, without variables and signs of regular expressions."""
    path = re.sub(r"\(\?P<\w+>(\[[^\]]*\]|[^()\[\]])*\)|<[^>]*>", "*", path)
    return re.sub(r"[\^$\\?]", "", path)


async def every(agent: Agent, tool: str, **arguments: Any) -> list[Any]:
    """All items, page by page."""
    found: list[Any] = []
    offset: int | None = 0
    while offset is not None:
        page = await agent.ask(tool, offset=offset, **arguments)
        found += page["items"]
        offset = page.get("next_offset")
    return found


async def post_routes_without_authentication(agent: Agent, project: Project) -> bool:
    rows = await every(agent, "app_routes", method="POST", without_authentication=True, framework=True)
    reported = {without_variables(row["path"]) for row in rows}
    right = {without_variables(path) for path in project.truth["open"]}
    if not REAL[project.name].guards_all:
        return reported == right
    page = await agent.ask("app_routes", method="POST", without_authentication=True)
    return bool(right <= reported and "LoginRequiredMiddleware" in page["notes"])


async def rows_that_go_with_a_deletion(agent: Agent, project: Project) -> bool:
    label = REAL[project.name].model
    impact = (await agent.ask("app_impact", name=model_name(label)))["value"]
    assert "next" not in impact
    right = {model_name(one) for one in project.deletions[label]}
    return {model_name(one) for one in impact["deleted"]} == right and bool(right)


async def what_points_at_it(agent: Agent, project: Project) -> bool:
    impact = (await agent.ask("app_impact", name=model_name(REAL[project.name].model)))["value"]
    direct = {
        (one["resource"], one["relationship"], one["on_delete"])
        for one in impact["effects"]
        if one["depth"] == 1
    }
    names = {"do_nothing": "none", "protect": "restrict"}
    right = {(source, field, names.get(kind, kind)) for source, field, kind in project.truth["pointing"]}
    return right <= direct and bool(right)


async def slower_since_main_and_where(agent: Agent, project: Project) -> bool:
    compared = (await agent.ask("benchmark_compare", revision="main", budget="1s"))["value"]
    # Counts are exact however busy the machine is; the time of so short a comparison only has to agree.
    worse = {row["name"].partition(":")[2] for row in compared["rows"] if row["closes_gate"]}
    slower = {
        row["name"].partition(":")[2]
        for row in compared["rows"]
        if row["unit"] == "sec/op" and row["delta"] > 0
    }
    assert (await agent.ask("profile_difference", base="main.prof", source="now.prof"))["rows"]
    lines = (await agent.ask("profile_lines", source="now.prof", function="text.slugify"))["text"]
    return worse & slower == {"BenchmarkUniqueTitles"} and "one for one in value.lower()" in lines


async def the_code_that_answers_an_address(agent: Agent, project: Project) -> bool:
    real = REAL[project.name]
    rows = await every(agent, "app_routes", path=real.address_pattern, framework=True)
    return bool({row["handler"] for row in rows} == {project.truth["view"]})


async def ways_between_two_models(agent: Agent, project: Project) -> bool:
    start, end = map(model_name, REAL[project.name].way)
    ways = (await agent.ask("app_path", start=start, end=end))["value"]["paths"]
    return bool(sorted(way["resources"] for way in ways) == project.truth["paths"])


async def the_rules_for_a_field(agent: Agent, project: Project) -> bool:
    real = REAL[project.name]
    fields = await every(agent, "app_resource", name=model_name(real.model), part="fields")
    field = next(one for one in fields if one["name"] == real.field)
    details = field["details"]
    found = [details.get("max_length"), details.get("unique", False), field["nullable"], field["type"]]
    return bool(found == project.truth["field"])


async def where_a_field_is_stored(agent: Agent, project: Project) -> bool:
    named = REAL[project.name].field
    rows = await every(agent, "app_search", text=named)
    found = {
        row["name"].rpartition(".")[0]
        for row in rows
        if row["kind"] == "field" and row["name"].endswith(f".{named}")
    }
    return set(project.truth["models_with_field"]) <= found <= {*project.truth["models_with_field"], *(
        one for one in found if one.endswith("Serializer"))}  # fmt: skip


async def the_rows_that_must_be_unique(agent: Agent, project: Project) -> bool:
    name = model_name(REAL[project.name].way[1])
    found = await every(agent, "app_resource", name=name, part="constraints")
    unique = sorted(sorted(one["fields"]) for one in found if one.get("kind") == "unique")
    return bool(unique == project.truth["unique"])


async def what_the_proposal_loosens(agent: Agent, project: Project) -> bool:
    found = await agent.ask("app_difference", old="metadata.json", new="proposed.json")
    lost = {(one["route"].partition(" ")[2], one["guard"]) for one in found["summary"]["lost_guards"]}
    return lost == {("/settings/", REAL[project.name].guard)}


QUESTIONS: list[Callable[[Agent, Project], Coroutine[Any, Any, bool]]] = [
    post_routes_without_authentication,
    rows_that_go_with_a_deletion,
    what_points_at_it,
    slower_since_main_and_where,
    the_code_that_answers_an_address,
    ways_between_two_models,
    the_rules_for_a_field,
    where_a_field_is_stored,
    the_rows_that_must_be_unique,
    what_the_proposal_loosens,
]


def test_ten_questions_about_a_real_application_are_answered_as_django_answers_them(project: Project) -> None:
    async def walk() -> list[tuple[str, bool, int, int]]:
        rows = []
        async with served(project.folder) as session:
            for question in QUESTIONS:
                agent = Agent(session)
                is_right = await question(agent, project)
                rows.append((question.__name__.replace("_", " "), is_right, agent.calls, agent.bytes))
        return rows

    rows = asyncio.run(walk())
    for question, is_right, calls, read in rows:
        print(f"{calls} calls {read:>6} bytes  {question}{'' if is_right else ': WRONG'}")
    document = json.loads((project.folder / "metadata.json").read_bytes())
    files = {one.get("file_path") for one in document["resources"]} | {
        one["details"].get("file_path") for one in document["routes"]
    }
    sources = [project.folder / name for name in files if name and (project.folder / name).is_file()]
    size = sum(path.stat().st_size for path in sources)
    print(
        f"{sum(row[2] for row in rows)} calls {sum(row[3] for row in rows)} bytes; {len(sources)} files {size} bytes"
    )
    assert [question for question, is_right, _, _ in rows if not is_right] == []
    assert sum(row[3] for row in rows) < size / 3
