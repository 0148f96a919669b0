"""`conduit introspect -http` and `-html`: the page as its users start it."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING

import pytest

from conduit.cli.introspect import run
from conduit.errors import UsageError
from conduit.metadata.codec import encode
from conduit.metadata.schema import Metadata, Resource, ResourceDetails, Route

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    details = ResourceDetails(module="library.models")
    resources = (Resource(name="Book", details=details), Resource(name="Order", id="shop.models:Order"))
    routes = (Route(method="GET", path="/books", handler="library.views:books"),)
    (tmp_path / "metadata.json").write_bytes(encode(Metadata(resources=resources, routes=routes)))
    monkeypatch.chdir(tmp_path)
    return tmp_path


def data_of(path: Path) -> dict[str, list[dict[str, str]]]:
    found = re.search(r'id="data">(.*?)</script>', path.read_text(), re.DOTALL)
    assert found is not None
    return dict(json.loads(found[1]))


def test_one_file_holds_the_application_and_is_named_after_its_folder(
    folder: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(["-html", "page.html"]) == 0
    assert capsys.readouterr() == ("", "conduit introspect: wrote page.html\n")
    data = data_of(folder / "page.html")
    assert [one["name"] for one in data["resources"]] == ["Book", "Order"]
    assert str(data["title"]) == folder.name


def test_a_part_of_the_application_has_a_page_of_its_own(folder: Path) -> None:
    assert run(["page", "-html=page.html", "-app", "library", "-metadata", "metadata.json"]) == 0
    assert [one["name"] for one in data_of(folder / "page.html")["resources"]] == ["Book"]


@pytest.mark.parametrize("words", [["page"], ["-html=x.html", "-http=:0"], ["page", "-http=nowhere"]])
def test_a_wrong_call_says_what_was_expected(folder: Path, words: list[str]) -> None:
    with pytest.raises(UsageError, match="expected"):
        run(words)
    assert not (folder / "x.html").exists()
