"""Excerpts of sources in the one-file page: the definition at each location, bounded, and without secrets."""

from __future__ import annotations

import ast
import inspect
import json
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from conduit.metadata.schema import Hook, Metadata, Resource, Route, RouteDetails
from conduit.sources.collector.redaction import CodeRedactor
from conduit.web.registry import registry_file
from conduit.web.registry.excerpts import source_excerpts
from conduit.web.registry.page_data import page_data
from conduit.web.registry.source_files import read_source

from ..conftest import wait_until

if TYPE_CHECKING:
    from pathlib import Path

    from ..conftest import Visitor

MODELS = '''import models

API_KEY = "hunter2hunter2"


@register
@audited(
    fields=("name",),
)
class Author(models.Model):
    """A writer."""

    name = models.CharField()
    password = models.CharField(max_length=80)

    def save(
        self, *args: object,
    ) -> None:
        connect("postgres://shop:s3cr3t9@db/shop")


class Book(models.Model):
    pass
'''


def document(*, extra: int = 0) -> Metadata:
    resources = [
        Resource(
            name="Author", file_path="models.py", line_number=10, hooks=(Hook(type="save", line_number=16),)
        ),
        Resource(name="Book", file_path="models.py", line_number=22),
        Resource(name="Lost", file_path="gone.py", line_number=3),
    ]
    resources += [Resource(name=f"R{n}", file_path=f"many{n}.py", line_number=1) for n in range(extra)]
    details = RouteDetails(file_path="models.py", module="shop")
    routes = (Route(method="GET", path="/", handler="shop:index", line_number=4, details=details),)
    return Metadata(version="1.0", resources=tuple(resources), routes=routes)


@pytest.fixture
def project(tmp_path: Path) -> Path:
    (tmp_path / "models.py").write_text(MODELS)
    return tmp_path


def excerpts_of(data: dict[str, Any], folder: Path, **limits: int) -> dict[str, Any]:
    return source_excerpts(data, lambda number: read_source(data["files"], str(number), folder), **limits)


def test_a_location_has_the_whole_definition_with_its_decorators(project: Path) -> None:
    data = page_data(document(), "shop")
    found = excerpts_of(data, project)
    assert list(found["excerpts"]) == [str(data["files"].index("models.py"))]
    lines = MODELS.splitlines()
    covered = {
        first + at: text for first, part in found["excerpts"]["0"] for at, text in enumerate(part.split("\n"))
    }
    assert covered[10] == lines[9]
    assert covered[18] == lines[17], "the end of a long signature"
    assert covered[22] == lines[21]
    assert found["left_out"] == 0


def test_definitions_end_where_python_says(tmp_path: Path) -> None:
    source = inspect.getsource(json.decoder)
    (tmp_path / "decoder.py").write_text(source)
    nodes = [one for one in ast.walk(ast.parse(source)) if isinstance(one, (ast.FunctionDef, ast.ClassDef))]
    assert len(nodes) > 8
    for node in nodes:
        one = Resource(name=node.name, file_path="decoder.py", line_number=node.lineno)
        data = page_data(Metadata(version="1.0", resources=(one,)), "decoder")
        ((first, text),) = excerpts_of(data, tmp_path)["excerpts"]["0"]
        end = node.end_lineno
        assert end is not None
        assert first == node.lineno
        assert first + len(text.split("\n")) - 1 == min(end, first + 79), node.name


def test_no_secret_is_in_an_excerpt_and_code_stays_code(project: Path) -> None:
    text = json.dumps(excerpts_of(page_data(document(), "shop"), project))
    for secret in ("hunter2hunter2", "s3cr3t9"):
        assert secret in MODELS
        assert secret not in text
    assert "password = models.CharField(max_length=80)" in text


@pytest.mark.parametrize(
    ("code", "shown"),
    [
        ('password = "hunter2"', 'password = "<redacted>"'),
        ("login(password='hunter2')", "login(password='<redacted>')"),
        ('{"api_key": "abc123"}', '{"api_key": "<redacted>"}'),
        ("token: str = request.headers['token']", "token: str = request.headers['token']"),
        ('dsn = f"host=x password=hunter2"', 'dsn = f"host=x password=<redacted>"'),
        ("# password: hunter2", "# password: <redacted>"),
        ('"""Long\n\npassword = "hunter2" """', '"""Long\n\npassword = <redacted> """'),
        ('secret = _("Please type it")', 'secret = _("Please type it")'),
        ("if token == 'x1':", "if token == 'x1':"),
        ('x = environ.get("API_KEY", "abc123")', 'x = environ.get("API_KEY", "<redacted>")'),
        ('fields = ("password", "email")', 'fields = ("password", "email")'),
        ('password = ""', 'password = ""'),
        ('key = """cut off password=hunter2', 'key = """cut off password=<redacted>'),
        ("password = get_password()", "password = get_password()"),
    ],
)
def test_values_are_hidden_in_code_and_names_are_not(code: str, shown: str) -> None:
    assert CodeRedactor().text(code) == shown


def test_the_excerpts_fit_into_their_budget_and_the_rest_is_counted(tmp_path: Path) -> None:
    for number in range(50):
        (tmp_path / f"many{number}.py").write_text("class A:\n" + "    value = 1\n" * 60)
    data = page_data(document(extra=50), "shop")
    found = excerpts_of(data, tmp_path, most=5_000)
    held = sum(len(text) for parts in found["excerpts"].values() for _, text in parts)
    assert 3_000 < held <= 5_000
    assert found["left_out"] == 50 - len(found["excerpts"])


def test_the_file_leads_to_the_excerpt_and_marks_the_line(project: Path, visitor: Visitor) -> None:
    path = project / "shop.html"
    path.write_bytes(registry_file(document(), "shop", read=partial(read_source, root=project)))
    page = visitor.open(f"{path.as_uri()}#view=resource&name=Author")
    page.locator(".one-head a.location").click()
    wait_until(page, "document.querySelector('table.source tr.picked') !== null")
    assert "class Author" in page.locator("tr.picked").inner_text()
    assert (
        page.evaluate("getComputedStyle(document.querySelector('tr.picked td:last-child')).whiteSpace")
        == "pre"
    )
    assert "1 line" in page.locator("tr.gap").first.inner_text()
    page.go_back()
    page.goto(f"{path.as_uri()}#view=resource&name=Lost")
    wait_until(page, "document.querySelector('h2.name')?.textContent === 'Lost'")
    assert page.locator("a.location").count() == 0, "its file cannot be read"
