from __future__ import annotations

import json
import sysconfig
from typing import TYPE_CHECKING

import pytest

import conduit.notebook
from conduit.report.ownership import owner_of

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    ("file", "owner"),
    [
        ("/srv/shop/views.py", ("project", "shop/views.py")),
        ("C:\\work\\shop\\views.py", ("project", "shop/views.py")),
        ("/srv/.venv/lib/python3.11/site-packages/django/core/handlers/base.py", ("library", "django")),
        ("/usr/lib/python3/dist-packages/six.py", ("library", "six")),
        ("C:\\Python\\Lib\\site-packages\\numpy\\core.py", ("library", "numpy")),
        ("/usr/lib/python3.11/json/encoder.py", ("standard", "json/encoder.py")),
        ("/root/.pyenv/versions/3.13.0/lib/python3.13t/asyncio/base.py", ("standard", "asyncio/base.py")),
        ("<frozen importlib._bootstrap>", ("standard", "<frozen importlib._bootstrap>")),
        ("<string>", ("project", "<string>")),
        ("", ("runtime", "")),
        ("<built-in>", ("runtime", "")),
    ],
)
def test_the_owner_is_told_by_the_file(file: str, owner: tuple[str, str]) -> None:
    assert owner_of("f", file) == owner


@pytest.mark.parametrize(
    ("name", "file", "owner"),
    [
        (
            "conduit.middleware.asgi.Labels.__call__",
            "/work/src/conduit/middleware/asgi.py",
            ("library", "conduit"),
        ),
        ("conduit.middleware.<module>", "/work/src/conduit/middleware/__init__.py", ("library", "conduit")),
        ("conduit.metadata.snapshot.f", "/old/src/conduit/metadata/snapshot.py", ("library", "conduit")),
        ("", conduit.notebook.__file__, ("library", "conduit")),
        ("conduit.apps.articles.list", "/srv/conduit/apps/articles.py", ("project", "apps/articles.py")),
        ("shop.views.index", "/srv/conduit/middleware/asgi.py", ("project", "middleware/asgi.py")),
    ],
)
def test_conduits_own_frames_are_no_projects_also_in_an_editable_install(
    name: str, file: str, owner: tuple[str, str]
) -> None:
    assert owner_of(name, file) == owner


@pytest.mark.parametrize(
    ("file", "owner"),
    [
        ("/srv/.venv/bin/uvicorn", ("library", "uvicorn")),
        ("/usr/local/bin/gunicorn", ("library", "gunicorn")),
        ("/home/ann/.local/bin/flask", ("library", "flask")),
        ("/root/.pyenv/versions/3.11.7/bin/celery", ("library", "celery")),
        ("/opt/miniconda3/envs/shop/bin/pip3.11", ("library", "pip3.11")),
        ("C:\\work\\venv\\Scripts\\uvicorn.exe\\__main__.py", ("library", "uvicorn")),
        ("/srv/shop/bin/serve", ("project", "bin")),
        ("/srv/.venv/bin/manage.py", ("project", "bin/manage.py")),
    ],
)
def test_the_launcher_of_a_command_is_its_librarys_and_a_projects_own_script_is_not(
    file: str, owner: tuple[str, str]
) -> None:
    found = owner_of("<module>", file)
    assert found[0] == owner[0]
    assert owner[0] == "project" or found == owner


def test_a_folder_of_another_name_is_an_environment_if_it_says_so_itself(tmp_path: Path) -> None:
    launcher = f"{tmp_path}/shop/bin/uvicorn"
    assert owner_of("<module>", launcher)[0] == "project"
    other = tmp_path / "other"
    other.mkdir()
    (other / "pyvenv.cfg").write_text("home = /usr/bin\n")
    assert owner_of("<module>", f"{other}/bin/uvicorn") == ("library", "uvicorn")


def test_this_pythons_own_files_and_packages_are_told_apart() -> None:
    assert owner_of("dumps", json.__file__)[0] == "standard"
    assert owner_of("fixture", f"{sysconfig.get_path('purelib')}/pytest/__init__.py") == ("library", "pytest")
