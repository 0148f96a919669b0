"""`conduit introspect` on live applications, on pictures and on differences, as real processes."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest

EXAMPLES = Path(__file__).resolve().parent.parent.parent / "examples"
LIBRARY = EXAMPLES / "django_library"

Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.fixture
def cached(tmp_path: Path) -> dict[str, str]:
    """An environment whose cached documents are the test's own."""
    return {**os.environ, "XDG_CACHE_HOME": str(tmp_path / "cache")}


@pytest.fixture(scope="module")
def library(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The document of the example library."""
    from conduit.metadata.codec import encode
    from conduit.sources.application import Application, collect_application

    path = tmp_path_factory.mktemp("library") / "metadata.json"
    collected = collect_application(Application(root=str(LIBRARY), django="library.settings"))
    path.write_bytes(encode(collected.metadata))
    return path


def test_an_application_answers_and_its_snapshot_answers_the_second_time(
    conduit_command: Run, tmp_path: Path, cached: dict[str, str]
) -> None:
    project = tmp_path / "project"
    project.mkdir()
    app = project / "app.py"
    app.write_text(
        "print('loading')\nfrom fastapi import FastAPI\napp = FastAPI()\n@app.get('/one')\ndef one(): ...\n"
    )

    def ask() -> tuple[list[str], str]:
        done = conduit_command(
            "introspect", "routes", "--app", "app:app", "--format", "json", cwd=project, env=cached
        )
        assert done.returncode == 0, done.stderr
        return [route["path"] for route in json.loads(done.stdout)], done.stderr

    paths, said = ask()
    assert paths == ["/one"] and "loading" in said
    paths, said = ask()
    assert paths == ["/one"] and "loading" not in said
    app.write_text(app.read_text() + "@app.get('/two')\ndef two(): ...\n")
    paths, said = ask()
    assert paths == ["/one", "/two"]
    assert "app.py has changed; collecting the application again" in said


def test_the_frameworks_routes_are_hidden_and_their_number_is_said(
    conduit_command: Run, library: Path
) -> None:
    shown = conduit_command("introspect", "routes", "--metadata", str(library), "--format", "json")
    everything = conduit_command(
        "introspect", "routes", "--metadata", str(library), "--format", "json", "--all"
    )
    own, all_of_them = json.loads(shown.stdout), json.loads(everything.stdout)
    assert not [route for route in own if route["path"].startswith("/admin/")]
    assert (
        f"conduit: +{len(all_of_them) - len(own)} routes of the framework; --all shows them" in shown.stderr
    )
    assert everything.stderr == ""


def test_open_routes_are_those_that_ask_nothing_of_the_user(conduit_command: Run, library: Path) -> None:
    shown = conduit_command("introspect", "routes", "--open", "--metadata", str(library), "--format", "json")
    assert {(route["method"], route["path"]) for route in json.loads(shown.stdout)} == {
        ("GET", "/api/health/"),
        ("POST", "/api/health/"),
        ("ANY", "/"),
        ("GET", "/authors/<slug>/"),
    }


def test_a_resource_is_found_by_its_id_too(conduit_command: Run, library: Path) -> None:
    done = conduit_command(
        "introspect", "resource", "books.Loan", "--metadata", str(library), "--format", "json"
    )
    assert json.loads(done.stdout)["name"] == "Loan"


def test_a_name_that_several_resources_have_lists_them(conduit_command: Run, tmp_path: Path) -> None:
    path = tmp_path / "metadata.json"
    twins = [{"name": f"{app}.Page", "id": f"{app}.Page", "file_path": ""} for app in ("blog", "shop")]
    path.write_text(json.dumps({"version": "1.0", "generated": "0001-01-01T00:00:00Z", "resources": twins}))
    done = conduit_command("introspect", "resource", "Page", "--metadata", str(path))
    assert (done.returncode, done.stdout) == (1, "")
    assert "'Page' is the name of 2 resources; say which: blog.Page, shop.Page" in done.stderr


def test_impact_of_a_live_document_follows_cascades(conduit_command: Run, library: Path) -> None:
    done = conduit_command("introspect", "impact", "Book", "--metadata", str(library), "--format", "json")
    found = {(e["resource"], e["relationship"], e["on_delete"]) for e in json.loads(done.stdout)["effects"]}
    assert {
        ("Loan", "book", "cascade"),
        ("Editing", "book", "cascade"),
        ("AudioBook", "book_ptr", "cascade"),
    } <= found
    assert ("Book", "sequel_to", "set_null") in found


def test_a_picture_of_what_is_around_a_resource(conduit_command: Run, library: Path) -> None:
    done = conduit_command("introspect", "diagram", "Loan", "--metadata", str(library))
    assert done.returncode == 0
    assert '  "Loan" }o--|| "Book" : "book (cascade)"' in done.stdout.splitlines()
    assert '"Author"' not in done.stdout


def test_a_picture_of_a_resource_that_does_not_exist_names_near_ones(
    conduit_command: Run, library: Path
) -> None:
    done = conduit_command("introspect", "diagram", "Laon", "--metadata", str(library))
    assert (done.returncode, done.stdout) == (1, "")
    assert "Loan" in done.stderr


def test_the_gate_closes_where_a_write_route_lost_its_permission(
    conduit_command: Run, library: Path, tmp_path: Path
) -> None:
    document = json.loads(library.read_text())
    route = next(r for r in document["routes"] if r["path"] == "/loans/<int:pk>/return/")
    route["middleware"].remove("login_required")
    newer = tmp_path / "newer.json"
    newer.write_text(json.dumps(document))
    done = conduit_command("introspect", "diff", str(library), str(newer), "--gate")
    assert done.returncode == 1
    assert "gate closed: POST /loans/<int:pk>/return/ lost login_required" in done.stderr
    assert conduit_command("introspect", "diff", str(newer), str(library), "--gate").returncode == 0
    shown = conduit_command("introspect", "diff", str(library), str(newer), "--format", "markdown")
    assert "- `POST /loans/&lt;int:pk>/return/` lost `login_required`" in shown.stdout


def test_wrong_forms_are_refused_with_the_right_ones(conduit_command: Run, library: Path) -> None:
    done = conduit_command("introspect", "diagram", "--format", "png", "--metadata", str(library))
    assert done.returncode == 2
    assert "expected mermaid, dot or svg" in done.stderr
