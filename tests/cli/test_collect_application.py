"""`conduit collect` on live applications, as real processes."""

from __future__ import annotations

import json
import subprocess
from collections.abc import Callable
from pathlib import Path

EXAMPLES = Path(__file__).resolve().parent.parent.parent / "examples"

Run = Callable[..., "subprocess.CompletedProcess[str]"]


def test_a_projects_folder_is_collected_with_one_command_and_the_choice_is_printed_first(
    conduit_command: Run, tmp_path: Path
) -> None:
    output = tmp_path / "metadata.json"
    done = conduit_command("collect", "-o", str(output), cwd=EXAMPLES / "fastapi_shop")
    assert (done.returncode, done.stdout) == (0, "")
    lines = done.stderr.splitlines()
    assert lines[0].startswith("conduit: collecting --app main:app (from main.py: app) with ")
    assert lines[1] == "the shop has been imported"
    assert any(route["path"] == "/v2/orders" for route in json.loads(output.read_text())["routes"])


def test_a_document_on_standard_output_is_alone_there(conduit_command: Run) -> None:
    done = conduit_command("collect", "--app", "main:make_app()", "-o", "-", cwd=EXAMPLES / "fastapi_shop")
    assert json.loads(done.stdout)["version"] == "1.0"


def test_django_by_its_manage_py_and_a_failing_part_are_one_document_and_exit_1(
    conduit_command: Run, tmp_path: Path
) -> None:
    output = tmp_path / "metadata.json"
    manage = str(EXAMPLES / "django_library" / "manage.py")
    done = conduit_command(
        "collect", "--django", manage, "--app", "nowhere:app", "-o", str(output), cwd=tmp_path
    )
    assert done.returncode == 1
    assert "repair what they name and collect again" in done.stderr
    document = json.loads(output.read_text())
    assert "books.Loan" in {resource["id"] for resource in document["resources"]}
    assert document["errors"][0]["source"] == "loading nowhere:app"


def test_several_sources_are_one_document(conduit_command: Run) -> None:
    arguments = ("--django", "library.settings", "--app", "main:app", "-o", "-")
    done = conduit_command(
        "collect",
        *arguments,
        cwd=EXAMPLES / "django_library",
        env={**_environment(), "PYTHONPATH": str(EXAMPLES / "fastapi_shop")},
    )
    document = json.loads(done.stdout)
    assert [source["kind"] for source in document["sources"]] == [
        "django",
        "rest_framework",
        "sqlalchemy",
        "fastapi",
    ]
    names = {resource["name"] for resource in document["resources"]}
    assert {
        "books.Book",
        "models:Book",
        "Loan",
        "Customer",
    } <= names  # two of them share a name, so both show their ids


def _environment() -> dict[str, str]:
    import os

    return dict(os.environ)


def test_wrong_calls_say_what_was_expected_and_exit_with_2(conduit_command: Run, tmp_path: Path) -> None:
    for arguments, expected in (
        (("main:app",), "unexpected argument 'main:app'"),
        (("--openapi", "a.json", "--app", "m:a"), "--openapi is a source of its own"),
        (("--factory",), "--factory also needs --app"),
        (("--root", "nowhere", "--app", "m:a"), "there is no such folder"),
        (("--app", "m:a", "--time-limit", "soon"), 'invalid value "soon" for flag -time-limit'),
    ):
        done = conduit_command("collect", *arguments, cwd=tmp_path)
        assert done.returncode == 2, done.stderr
        assert expected in done.stderr


def test_a_folder_without_an_application_exits_with_1_and_writes_nothing(
    conduit_command: Run, tmp_path: Path
) -> None:
    done = conduit_command("collect", "-o", "metadata.json", cwd=tmp_path)
    assert done.returncode == 1
    assert "found no application" in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_an_application_of_which_nothing_loads_does_not_replace_the_document(
    conduit_command: Run, tmp_path: Path
) -> None:
    kept = tmp_path / "metadata.json"
    kept.write_text("{}", encoding="utf-8")
    done = conduit_command("collect", "--app=nowhere.main:app", "--root", str(tmp_path), "-o", str(kept))
    assert done.returncode == 1
    assert "there is no module 'nowhere'" in done.stderr
    assert f"nothing was collected, so {kept} was not written" in done.stderr
    assert kept.read_text(encoding="utf-8") == "{}"


def test_help_says_that_loading_executes_the_applications_code(conduit_command: Run) -> None:
    assert "executes its code" in conduit_command("collect", "--help").stdout
