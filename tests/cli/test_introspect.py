"""`conduit collect` and `conduit introspect` as their users run them: real processes, real documents."""

from __future__ import annotations

import gzip
import json
import os
import pty
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from conduit.cli.introspect import VERBS
from tests.conftest import OWN_GOLDEN, PROJECT

Run = Callable[..., subprocess.CompletedProcess[str]]
BLOG = OWN_GOLDEN / "registry" / "04_blog_all_fields.json"


@pytest.fixture(scope="session")
def kratos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The metadata of a real API, collected by the command."""
    target = tmp_path_factory.mktemp("kratos") / "metadata.json"
    command = [sys.executable, "-m", "conduit", "collect", "--openapi", "kratos.json", "-o", str(target)]
    subprocess.run(command, cwd=PROJECT / "examples", check=True, capture_output=True)
    return target


@pytest.fixture
def ask(kratos: Path, conduit_command: Run) -> Run:
    """Runs `conduit introspect …` on that metadata."""

    def run(*arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
        return conduit_command("introspect", *arguments, "--metadata", str(kratos), **options)

    return run


def answer(done: subprocess.CompletedProcess[str]) -> Any:
    assert (done.returncode, done.stderr) == (0, "")
    return json.loads(done.stdout)


# --- the verbs, against the document's own content ------------------------------------------------------


def test_resources_are_the_documents_own_records(ask: Run, kratos: Path) -> None:
    document = json.loads(kratos.read_bytes())
    assert answer(ask("resources", "--format", "json")) == document["resources"]
    lines = ask("resources").stdout.splitlines()
    assert [line.split()[0] for line in lines[1:]] == [one["name"] for one in document["resources"]]


def test_one_resource_is_its_record_and_the_table_names_every_field_and_route(ask: Run, kratos: Path) -> None:
    document = json.loads(kratos.read_bytes())
    record = next(one for one in document["resources"] if one["name"] == "session")
    assert answer(ask("resource", "session", "--format=json")) == record
    shown = ask("resource", "session").stdout
    assert all(f"  {field['name']} " in shown for field in record["fields"])
    paths = [route["path"] for route in document["routes"] if route["resource"] == "session"]
    assert len(paths) == 8
    assert all(path in shown for path in paths)


@pytest.mark.parametrize(
    ("flags", "keep"),
    [
        ([], lambda route: True),
        (["--method", "delete"], lambda route: route["method"] == "DELETE"),
        (["--resource", "session"], lambda route: route["resource"] == "session"),
        (["--middleware", "oryAccessToken"], lambda route: "oryAccessToken" in route.get("middleware", [])),
        (
            ["--method=GET", "--resource=identity", "--middleware=oryAccessToken"],
            lambda route: (
                (route["method"], route["resource"]) == ("GET", "identity") and "middleware" in route
            ),
        ),
    ],
)
def test_routes_are_those_that_pass_every_filter(
    ask: Run, kratos: Path, flags: list[str], keep: Callable[[dict[str, Any]], bool]
) -> None:
    expected = [route for route in json.loads(kratos.read_bytes())["routes"] if keep(route)]
    assert expected
    assert answer(ask("routes", *flags, "--format", "json")) == expected


def test_a_request_finds_its_templated_route_and_the_closest_one_stands_first(ask: Run) -> None:
    found = answer(ask("routes", "--match", "GET /admin/identities/5?x=1", "--format", "json"))
    assert [route["path"] for route in found] == ["/admin/identities/{id}"]
    found = answer(ask("routes", "--match", "/sessions/whoami", "--format", "json"))
    assert [route["path"] for route in found] == ["/sessions/whoami", "/sessions/{id}"]


def test_a_request_that_no_route_serves_says_which_methods_would_do(ask: Run) -> None:
    done = ask("routes", "--match", "PUT /sessions/5")
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr == "conduit: no route serves PUT /sessions/5; it is served for DELETE\n"


def test_deps_are_the_graph_with_the_other_direction_beside_it(ask: Run) -> None:
    both = answer(ask("deps", "session", "--format", "json"))
    assert list(both) == ["nodes", "edges", "dependents"]
    assert {(edge["from"], edge["to"]) for edge in both["edges"]} == {
        ("session", "sessionAuthenticationMethods"),
        ("session", "authenticatorAssuranceLevel"),
        ("session", "sessionDevice"),
        ("session", "identity"),
        ("session", "oryAccessToken"),
    }
    assert set(both["edges"][0]) == {"from", "to", "relationship", "weight"}
    assert set(both["nodes"]["session"]) == {"id", "type", "name", "file_path"}
    reverse = answer(ask("deps", "session", "--reverse", "--format", "json"))
    assert list(reverse) == ["nodes", "edges"]
    assert reverse == both["dependents"]
    assert {edge["to"] for edge in reverse["edges"]} == {"session"}


def test_deps_show_both_directions_in_words(ask: Run) -> None:
    shown = ask("deps", "session").stdout
    assert "session depends on 5 directly" in shown
    assert "3 depend on session directly" in shown
    only = ask("deps", "session", "--reverse").stdout
    assert "depends on 5" not in only


def test_deps_go_as_deep_as_asked_and_only_along_the_edges_asked_for(ask: Run) -> None:
    one = answer(ask("deps", "session", "--format", "json"))
    two = answer(ask("deps", "session", "--depth", "2", "--format", "json"))
    everything = answer(ask("deps", "session", "--depth", "0", "--format", "json"))
    assert len(one["nodes"]) < len(two["nodes"]) <= len(everything["nodes"])
    middleware = answer(ask("deps", "session", "--type", "middleware", "--format", "json"))
    assert set(middleware["nodes"]) == {"session", "oryAccessToken"}
    resources = answer(ask("deps", "session", "--type", "resource", "--format", "json"))
    assert "oryAccessToken" not in resources["nodes"]
    assert len(resources["edges"]) == 4


def test_functions_called_in_hooks_are_dependencies_too(conduit_command: Run) -> None:
    done = conduit_command(
        "introspect", "deps", "Post", "--type", "function", "--format", "json", "--metadata", str(BLOG)
    )
    assert set(answer(done)["nodes"]) == {
        "Post",
        "Email.compose",
        "Mailer.deliver",
        "String.slugify",
        "Time.now",
    }


def test_patterns_can_be_of_one_category_and_of_a_minimum_frequency(ask: Run) -> None:
    patterns = answer(ask("patterns", "--format", "json"))
    counts = [one["frequency"] for one in patterns]
    assert counts == sorted(counts, reverse=True)
    assert len({one["id"] for one in patterns}) == len(patterns)
    validation = answer(ask("patterns", "validation", "--format", "json"))
    assert validation == [one for one in patterns if one["category"] == "validation"]
    frequent = answer(ask("patterns", "--min-frequency", "9", "--format", "json"))
    assert frequent == [one for one in patterns if one["frequency"] >= 9]
    rare = answer(ask("patterns", "--min-frequency", "1", "--format", "json"))
    assert len(rare) > len(patterns)


def test_the_places_where_a_pattern_is_not_followed_are_named(ask: Run) -> None:
    shown = ask("patterns").stdout
    assert "8 of 9 fields `action` are checked by `enum`; 1 is not" in shown
    assert "uiContainer  action: string" in shown


def test_impact_tells_each_relationship_with_its_way(conduit_command: Run, ask: Run) -> None:
    shown = conduit_command("introspect", "impact", "User", "--metadata", str(BLOG))
    assert "is forbidden by 1 relationship" in shown.stdout
    touched = answer(ask("impact", "identity", "--format", "json"))
    assert {one["resource"] for one in touched["effects"]} == {
        "session",
        "settingsFlow",
        "successfulNativeRegistration",
    }
    assert {one["on_delete"] for one in touched["effects"]} == {"undeclared"}


def test_cycles_are_found_and_their_absence_is_good_news(
    conduit_command: Run, ask: Run, tmp_path: Path
) -> None:
    assert ask("cycles").stdout == "no cycles\n"
    relation = {"type": "belongs_to", "name": "x"}
    document = {
        "version": "1.0",
        "resources": [
            {"name": "A", "relationships": [{**relation, "target_resource": "B"}]},
            {"name": "B", "relationships": [{**relation, "target_resource": "A"}]},
        ],
    }
    file = tmp_path / "metadata.json"
    file.write_text(json.dumps(document))
    done = conduit_command("introspect", "cycles", "--metadata", str(file))
    assert (done.returncode, done.stdout.splitlines()[1].split()) == (0, ["2", "A", "→", "B", "→", "A"])


def test_stats_count_what_is_in_the_document(ask: Run, kratos: Path) -> None:
    document = json.loads(kratos.read_bytes())
    done = ask("stats", "--format", "json")
    counts = json.loads(done.stdout)["counts"]
    assert counts["resources"] == len(document["resources"]) == 191
    assert counts["routes"] == len(document["routes"]) == 60
    assert counts["fields"] == sum(len(one["fields"]) for one in document["resources"])
    assert counts["graph_edges"] == len(document["dependencies"]["edges"])


# --- forms ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "verb", [verb for verb in VERBS if verb not in ("diagram", "diff", "page")]
)  # forms of their own
def test_every_verb_says_the_same_in_json_and_yaml_and_has_a_table(ask: Run, verb: str) -> None:
    words = [verb, *("session", "identity")[: VERBS[verb][3]]]
    plain = json.loads(ask(*words, "--format", "json").stdout)
    written = ask(*words, "--format", "yaml")
    assert written.returncode == 0
    assert yaml.safe_load(written.stdout) == plain
    for flags in ([], ["--verbose"]):
        table = ask(*words, *flags)
        assert table.returncode == 0
        assert table.stdout.strip()
        assert "\x1b" not in table.stdout


@pytest.mark.parametrize(
    "verb", [verb for verb in VERBS if verb not in ("diagram", "diff", "page")]
)  # forms of their own
def test_every_verb_has_help_that_exits_with_0(conduit_command: Run, verb: str) -> None:
    done = conduit_command("introspect", verb, "--help")
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.startswith(f"usage: conduit introspect {verb}")


def test_json_escapes_what_go_escapes(conduit_command: Run) -> None:
    done = conduit_command("introspect", "resource", "Post", "--format", "json", "--metadata", str(BLOG))
    assert r"Blog post \u003cresource\u003e \u0026 more" in done.stdout


def run_in_terminal(columns: int, *arguments: str, **variables: str) -> str:
    """What a command shows on a terminal of so many columns."""
    leader, follower = pty.openpty()
    environment = {**os.environ, "TERM": "xterm", "COLUMNS": str(columns), **variables}
    command = [sys.executable, "-m", "conduit", *arguments]
    process = subprocess.Popen(command, stdout=follower, stderr=subprocess.PIPE, env=environment)
    os.close(follower)
    shown = b""
    try:
        while piece := os.read(leader, 65536):
            shown += piece
    except OSError:
        pass  # how Linux says that the last writer has closed the terminal
    finally:
        os.close(leader)
        process.communicate()
    return shown.decode().replace("\r\n", "\n")


@pytest.mark.parametrize("columns", [40, 80, 132])
@pytest.mark.parametrize(
    "words", [("routes",), ("resources",), ("patterns",), ("resource", "session"), ("deps", "session")]
)
def test_tables_fit_the_terminal(kratos: Path, columns: int, words: tuple[str, ...]) -> None:
    shown = run_in_terminal(columns, "introspect", *words, "--metadata", str(kratos), "--no-color")
    assert shown.count("\n") > 5
    if words != ("patterns",):  # whose running text keeps long words whole
        assert max(map(len, shown.splitlines())) <= columns


def test_a_path_keeps_half_of_a_narrow_line(kratos: Path) -> None:
    shown = run_in_terminal(80, "introspect", "routes", "--metadata", str(kratos), "--no-color")
    assert "/admin/identities/{id}/sessions" in shown


def test_emphasis_is_for_terminals_that_want_it(kratos: Path) -> None:
    words = ("introspect", "cycles", "--metadata", str(kratos))
    words = ("introspect", "deps", "session", "--metadata", str(kratos))
    assert "\x1b[1m" in run_in_terminal(80, *words)
    assert "\x1b" not in run_in_terminal(80, *words, "--no-color")
    assert "\x1b" not in run_in_terminal(80, *words, NO_COLOR="1")
    assert "\x1b" not in run_in_terminal(80, *words, TERM="dumb")


def test_nothing_is_cut_in_a_pipe(ask: Run) -> None:
    assert "…" not in ask("routes", "--verbose", env={**os.environ, "COLUMNS": "40"}).stdout


# --- where the document is ------------------------------------------------------------------------------


def test_the_document_is_what_is_named_else_the_variable_else_the_usual_places(
    conduit_command: Run, tmp_path: Path
) -> None:
    def make(name: str, path: str) -> None:
        (tmp_path / path).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / path).write_text(json.dumps({"version": "1.0", "resources": [{"name": name}]}))

    def first(*flags: str, **variables: str) -> str:
        done = conduit_command(
            "introspect", "resources", *flags, cwd=tmp_path, env={**os.environ, **variables}
        )
        assert done.returncode == 0, done.stderr
        return str(done.stdout.splitlines()[1].split()[0])

    make("Here", "metadata.json")
    assert first() == "Here"
    make("Built", "build/introspection/metadata.json")
    assert first() == "Built"
    make("Variable", "v.json")
    assert first(CONDUIT_METADATA="v.json") == "Variable"
    make("Named", "n.json")
    assert first("--metadata", "n.json", CONDUIT_METADATA="v.json") == "Named"


def test_without_a_document_the_message_says_where_it_was_sought_and_how_to_make_one(
    conduit_command: Run, tmp_path: Path
) -> None:
    environment = {key: value for key, value in os.environ.items() if key != "CONDUIT_METADATA"}
    done = conduit_command("introspect", "resources", cwd=tmp_path, env=environment)
    assert (done.returncode, done.stdout) == (1, "")
    assert "build/introspection/metadata.json and metadata.json" in done.stderr
    assert "conduit collect" in done.stderr


def test_a_compressed_document_is_read_too(conduit_command: Run, kratos: Path, tmp_path: Path) -> None:
    packed = tmp_path / "metadata.json.gz"
    packed.write_bytes(gzip.compress(kratos.read_bytes()))
    done = conduit_command("introspect", "resource", "session", "--metadata", str(packed))
    assert (done.returncode, done.stdout.splitlines()[0]) == (0, "session")


# --- wrong calls and wrong names ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["resource", "sesion"], "resource not found: 'sesion'; did you mean session"),
        (["deps", "identiy"], "did you mean identity"),
        (["impact", "identiy"], "did you mean identity"),
        (["routes", "--resource", "sesion"], "did you mean session"),
        (["routes", "--middleware", "oryAccesToken"], "did you mean oryAccessToken"),
        (["patterns", "validatoin"], "did you mean validation"),
    ],
)
def test_an_unknown_name_gets_suggestions_on_standard_error_and_exit_status_1(
    ask: Run, words: list[str], message: str
) -> None:
    done = ask(*words)
    assert (done.returncode, done.stdout) == (1, "")
    assert message in done.stderr


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ([], "expected a verb: resources, resource, routes"),
        (["resorces"], "did you mean resources?"),
        (["resource"], "resource: expected NAME, got 0 arguments"),
        (["resources", "x"], "resources: expected no argument, got 1"),
        (["deps", "session", "--depth", "-1"], "expected a number from 0"),
        (["deps", "session", "--type", "table"], "expected resource, middleware or function"),
        (["routes", "--format", "xml"], "expected table, json or yaml"),
        (["routes", "--match", "orders"], 'expected a request such as "GET /orders/5"'),
        (["patterns", "--min-frequency", "0"], "expected a number from 1"),
        (["routes", "--colour"], "flag provided but not defined: -colour"),
    ],
)
def test_a_wrong_call_says_what_was_expected_and_exits_with_2(
    conduit_command: Run, kratos: Path, words: list[str], message: str
) -> None:
    done = conduit_command("introspect", *words, env={**os.environ, "CONDUIT_METADATA": str(kratos)})
    assert (done.returncode, done.stdout) == (2, "")
    assert message in done.stderr


def test_flags_may_stand_before_the_verb_after_it_and_with_one_dash(
    conduit_command: Run, kratos: Path
) -> None:
    for words in (
        ["-metadata", str(kratos), "resource", "session"],
        ["resource", "-metadata", str(kratos), "session"],
        ["--metadata", str(kratos), "resource", "session", "-format=table"],
    ):
        done = conduit_command("introspect", *words)
        assert (done.returncode, done.stdout.splitlines()[0]) == (0, "session"), done.stderr


def test_yaml_answers_need_no_pyyaml(kratos: Path) -> None:
    code = (
        "import sys; sys.modules['yaml'] = None\n"
        "from conduit.cli import main\n"
        f"raise SystemExit(main(['introspect', 'resources', '--format', 'yaml', '--metadata', {str(kratos)!r}]))"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
    assert yaml.safe_load(done.stdout)[0]["name"]


# --- collect --------------------------------------------------------------------------------------------


def test_collect_says_what_it_wrote_and_where(conduit_command: Run, tmp_path: Path) -> None:
    done = conduit_command("collect", "--openapi", str(PROJECT / "examples" / "kratos.json"), cwd=tmp_path)
    assert (done.returncode, done.stdout) == (0, "")
    assert "conduit: wrote build/introspection/metadata.json with 191 resources and 60 routes" in done.stderr
    assert [path.name for path in (tmp_path / "build" / "introspection").iterdir()] == ["metadata.json"]


def test_collect_to_standard_output_prints_the_document_only(conduit_command: Run) -> None:
    galaxy = OWN_GOLDEN / "openapi" / "scalar-galaxy.yaml"
    done = conduit_command("collect", "--openapi", str(galaxy), "-o", "-")
    assert done.returncode == 0
    assert len(json.loads(done.stdout)["resources"]) == 10


def test_a_failed_collection_leaves_the_old_document_in_place(conduit_command: Run, tmp_path: Path) -> None:
    (tmp_path / "metadata.json").write_text("old")
    (tmp_path / "bad.json").write_text('{"swagger": "2.0"}')
    done = conduit_command("collect", "--openapi", "bad.json", "-o", "metadata.json", cwd=tmp_path)
    assert (done.returncode, done.stdout) == (1, "")
    assert done.stderr.startswith("conduit: bad.json: is Swagger 2.0; expected OpenAPI 3.0 to 3.2")
    assert (tmp_path / "metadata.json").read_text() == "old"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["bad.json", "metadata.json"]


@pytest.mark.parametrize(
    ("words", "status", "message"),
    [
        ([], 1, "found no application"),
        (["kratos.json"], 2, "unexpected argument 'kratos.json'; name the source with --app, --django,"),
        (["--openapi", "gone.json"], 1, "cannot read gone.json: No such file or directory"),
        (["--openapi", "."], 1, "cannot read .: Is a directory"),
    ],
)
def test_collect_called_wrongly_says_what_to_do(
    conduit_command: Run, tmp_path: Path, words: list[str], status: int, message: str
) -> None:
    done = conduit_command("collect", *words, cwd=tmp_path)
    assert (done.returncode, done.stdout) == (status, "")
    assert message in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_warnings_of_a_document_are_on_standard_error_and_in_it(conduit_command: Run, tmp_path: Path) -> None:
    document = {
        "openapi": "3.1.0",
        "components": {"schemas": {"A": {"properties": {"x": {"$ref": "b.json#/B"}}}}},
    }
    (tmp_path / "api.json").write_text(json.dumps(document))
    done = conduit_command("collect", "--openapi", "api.json", "-o", "m.json", cwd=tmp_path)
    assert done.returncode == 0
    assert (
        "warning: api.json: #/components/schemas/A/properties/x: the reference 'b.json#/B' leads out"
        in done.stderr
    )
    assert json.loads((tmp_path / "m.json").read_text())["errors"][0]["source"] == "api.json"


def test_routes_are_filtered_by_globs_and_by_what_they_lack_and_sorted(ask: Run) -> None:
    def listed(*words: str) -> list[dict[str, Any]]:
        return list(answer(ask("routes", *words, "--format", "json")))

    everything = listed()
    assert [r["path"] for r in listed("--path", "/admin/*")] == [
        r["path"] for r in everything if r["path"].startswith("/admin/")
    ]
    assert listed("--handler", "*Identity") == [r for r in everything if r["handler"].endswith("Identity")]
    without = listed("--without", "oryAccessToken")
    assert without == [r for r in everything if "oryAccessToken" not in str(r.get("middleware", ""))]
    assert 0 < len(without) < len(everything)
    assert [r["path"] for r in listed("--sort", "path")] == sorted(r["path"] for r in everything)


def test_mounts_that_cannot_be_read_are_shown_below_the_routes(conduit_command: Run, tmp_path: Path) -> None:
    file = tmp_path / "metadata.json"
    mounts = [
        {"path": "/old", "kind": "foreign", "application": "legacy:App"},
        {"path": "/static", "kind": "static", "application": "starlette.staticfiles:StaticFiles"},
        {"path": "/in", "kind": "application", "application": "a:b"},
    ]
    routes = [{"method": "GET", "path": "/in/x"}]
    file.write_text(json.dumps({"version": "1.0", "routes": routes, "mounts": mounts}))
    shown = conduit_command("introspect", "routes", "--metadata", str(file)).stdout
    assert [line.split() for line in shown.splitlines()[3:]] == [
        ["MOUNT", "APPLICATION", "KIND"],
        ["/old", "legacy:App", "not", "readable"],
        ["/static", "starlette.staticfiles:StaticFiles", "files"],
    ]


def test_resources_are_filtered_by_kind(ask: Run) -> None:
    assert len(answer(ask("resources", "--kind", "openapi_schema", "--format", "json"))) == 191
    assert "did you mean openapi_schema" in ask("resources", "--kind", "openapi_schemas").stderr


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    """A document as a Django project leaves it: names, handlers, installed files, a guard that all routes carry."""

    def route(method: str, path: str, handler: str, *middleware: str) -> dict[str, Any]:
        details = {
            "name": path.strip("/").replace("/", "-"),
            "file_path": "/env/lib/python3.11/site-packages/shop/views.py",
        }
        carried = ["csrf_protect", *middleware]
        return {
            "method": method,
            "path": path,
            "handler": handler,
            "middleware": carried,
            "line_number": 7,
            "details": details,
        }

    file = tmp_path / "metadata.json"
    resources = [
        {
            "name": name,
            "id": f"{app}.{name}",
            "kind": "django_model",
            "file_path": f"/env/lib/python3.11/site-packages/{app}/models.py",
            "fields": [{"name": f"f{number}", "type": "int"} for number in range(count)],
        }
        for name, app, count in (("Order", "sales", 1), ("Item", "sales", 3), ("Page", "cms", 2))
    ]
    routes = [
        route("GET", "/orders/", "shop.sales.views:OrderList.get", "login_required"),
        route("POST", "/orders/", "shop.sales.views:OrderList.post"),
        route("GET", "/pages/", "shop.cms.views:page"),
    ]
    document = {
        "version": "1.0",
        "resources": resources,
        "routes": routes,
        "middleware": ["SessionMiddleware"],
    }
    file.write_text(json.dumps(document))
    return file


def test_routes_show_handler_and_name_and_tell_once_what_all_carry(conduit_command: Run, shop: Path) -> None:
    shown = conduit_command("introspect", "routes", "--metadata", str(shop)).stdout.splitlines()
    assert [line.split() for line in shown] == [
        ["METHOD", "PATH", "HANDLER", "NAME", "MIDDLEWARE"],
        ["GET", "/orders/", "shop.sales.views:OrderList.get", "orders", "login_required"],
        ["POST", "/orders/", "shop.sales.views:OrderList.post", "orders"],
        ["GET", "/pages/", "shop.cms.views:page", "pages"],
        [],
        ["all", "3", "routes", "carry:", "csrf_protect"],
        ["every", "request", "passes:", "SessionMiddleware"],
    ]


def test_a_location_is_relative_to_the_folder_of_installed_packages(conduit_command: Run, shop: Path) -> None:
    for words in (["routes", "--verbose"], ["resources"], ["resource", "Order"]):
        shown = conduit_command("introspect", *words, "--metadata", str(shop)).stdout
        assert "/env/" not in shown
        assert "shop/views.py:7" in shown or "sales/models.py" in shown


def test_app_without_a_colon_narrows_a_document_to_one_part(conduit_command: Run, shop: Path) -> None:
    def names(*words: str) -> list[str]:
        rows = answer(conduit_command("introspect", *words, "--metadata", str(shop), "--format", "json"))
        return [row.get("name") or row["path"] for row in rows]

    assert names("resources", "--app", "sales") == ["Order", "Item"]
    assert names("routes", "--app", "sales") == ["/orders/", "/orders/"]
    assert names("routes", "--app", "shop.cms") == ["/pages/"]
    done = conduit_command("introspect", "routes", "--app", "sale", "--metadata", str(shop))
    assert (done.returncode, done.stdout) == (1, "")
    assert "app not found: 'sale'; did you mean sales?" in done.stderr


def test_rows_are_sorted_by_the_key_that_is_asked_for(conduit_command: Run, shop: Path) -> None:
    def column(verb: str, key: str, position: int) -> list[str]:
        shown = conduit_command("introspect", verb, "--sort", key, "--metadata", str(shop)).stdout
        return [line.split()[position] for line in shown.splitlines()[1:4]]

    assert column("resources", "name", 0) == ["Item", "Order", "Page"]
    assert column("resources", "fields", 0) == ["Item", "Page", "Order"]
    assert column("routes", "handler", 2)[0] == "shop.cms.views:page"
    assert column("routes", "method", 0) == ["GET", "GET", "POST"]
    done = conduit_command("introspect", "resources", "--sort", "size", "--metadata", str(shop))
    assert done.returncode == 2
    assert "expected name, kind, fields, relationships or routes" in done.stderr


def test_a_narrow_terminal_says_which_columns_it_has_no_room_for(shop: Path) -> None:
    shown = run_in_terminal(48, "introspect", "routes", "--metadata", str(shop), "--no-color")
    assert shown.splitlines()[0].split() == ["METHOD", "PATH", "HANDLER", "NAME"]
    assert "OrderList.get" in shown
    assert "no room for MIDDLEWARE" in shown
    assert "no room" not in run_in_terminal(150, "introspect", "routes", "--metadata", str(shop))
