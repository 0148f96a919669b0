from __future__ import annotations

import sys
from pathlib import Path

import pytest

from conduit.sources.discovery import DiscoveryError, discover, find_interpreter, settings_of_manage

MANAGE = 'import os\nif __name__ == "__main__":\n    os.environ.setdefault("DJANGO_SETTINGS_MODULE", "shop.settings")\n'
APP = "from fastapi import FastAPI\nother = 3\napp = FastAPI()\n"


def found(root: Path, **environment: str) -> tuple[str, str]:
    chosen = discover(root, environment)
    application = chosen.application
    return application.app or application.django, chosen.named_by


def test_the_projects_own_section_comes_before_everything_else(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text(
        '[tool.conduit]\napp = "own:app"\n[tool.fastapi]\nentrypoint = "other:app"\n'
    )
    (tmp_path / "manage.py").write_text(MANAGE)
    assert found(tmp_path, DJANGO_SETTINGS_MODULE="a.b") == ("own:app", "[tool.conduit] in pyproject.toml")


@pytest.mark.parametrize(
    ("name", "text", "environment", "expected"),
    [
        ("pyproject.toml", '[tool.fastapi]\nentrypoint = "m:app"', {}, "m:app"),
        ("pyproject.toml", '[tool.pytest.ini_options]\nDJANGO_SETTINGS_MODULE = "s"', {}, "s"),
        ("pyproject.toml", '[tool.django-stubs]\ndjango_settings_module = "t"', {}, "t"),
        ("main.py", APP, {"DJANGO_SETTINGS_MODULE": "u"}, "u"),
        ("main.py", APP, {"FLASK_APP": "hello.py"}, "hello"),
        ("manage.py", MANAGE, {}, "shop.settings"),
        ("main.py", APP, {}, "main:app"),
        ("main.py", APP + "pages = Starlette()\n", {}, "main:app"),
        ("api.py", "def create_app(): ...\n", {}, "api:create_app()"),
    ],
)
def test_each_usual_place_names_the_application(
    tmp_path: Path, name: str, text: str, environment: dict[str, str], expected: str
) -> None:
    (tmp_path / name).write_text(text)
    assert found(tmp_path, **environment)[0] == expected


def test_two_answers_of_one_place_are_put_to_the_caller(tmp_path: Path) -> None:
    (tmp_path / "main.py").write_text(APP)
    (tmp_path / "api.py").write_text(APP)
    with pytest.raises(DiscoveryError, match=r"more than one[\s\S]*--app main:app[\s\S]*--app api:app"):
        discover(tmp_path, {})


def test_one_answer_given_twice_is_one_answer(tmp_path: Path) -> None:
    (tmp_path / "pyproject.toml").write_text(
        '[tool.pytest.ini_options]\nDJANGO_SETTINGS_MODULE = "s"\n[tool.django-stubs]\ndjango_settings_module = "s"\n'
    )
    assert found(tmp_path)[0] == "s"


def test_a_folder_without_an_application_says_how_to_name_one(tmp_path: Path) -> None:
    with pytest.raises(DiscoveryError, match=r"found no application .* name it with --app"):
        discover(tmp_path, {})


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("[tool.conduit", "pyproject.toml: "),
        ('[tool.conduit]\napp = "x:y"\nsetings = "z"', "knows no 'setings'; it takes app"),
        ("[tool.conduit]\napp = 3", "tool.conduit.app: expected a text, got 3"),
        ('[tool.conduit]\napp = "x:y"\nfactory = "yes"', "expected true or false, got 'yes'"),
    ],
)
def test_a_section_that_cannot_be_read_is_told_with_its_key(tmp_path: Path, text: str, expected: str) -> None:
    (tmp_path / "pyproject.toml").write_text(text)
    with pytest.raises(DiscoveryError) as caught:
        discover(tmp_path, {})
    assert expected in str(caught.value)


def test_a_manage_py_that_is_no_python_is_told_apart_from_one_without_settings(tmp_path: Path) -> None:
    path = tmp_path / "manage.py"
    path.write_text("import os\nos.environ.setdefault('OTHER', 'x')\n")
    assert settings_of_manage(path) == ""
    path.write_text("def (:\n")
    with pytest.raises(DiscoveryError, match=r"reading .*manage\.py"):
        settings_of_manage(path)


def test_the_folders_own_interpreter_comes_before_the_active_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("VIRTUAL_ENV", raising=False)
    assert Path(find_interpreter(tmp_path)).samefile(sys.executable)
    (tmp_path / ".venv" / "bin").mkdir(parents=True)
    (tmp_path / ".venv" / "bin" / "python").touch()
    assert find_interpreter(tmp_path) == str(tmp_path / ".venv" / "bin" / "python")
    assert find_interpreter(tmp_path, "python3.12") == "python3.12"
