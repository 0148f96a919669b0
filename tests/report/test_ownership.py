from __future__ import annotations

import json
import sysconfig

import pytest

import conduit.notebook
from conduit.report.ownership import owner_of


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


def test_this_pythons_own_files_and_packages_are_told_apart() -> None:
    assert owner_of("dumps", json.__file__)[0] == "standard"
    assert owner_of("fixture", f"{sysconfig.get_path('purelib')}/pytest/__init__.py") == ("library", "pytest")
