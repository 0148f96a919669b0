"""The served page keeps the rules of the profile page, and reads no file that the document does not name."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from conduit.errors import ConduitError
from conduit.http.messages import Request
from conduit.metadata.schema import Metadata, Resource
from conduit.web.access import AccessRules
from conduit.web.registry.application import RegistryApplication
from conduit.web.registry.page import registry_document
from conduit.web.registry.page_data import page_data
from conduit.web.registry.source_files import read_source

if TYPE_CHECKING:
    from pathlib import Path

FILES = ["models.py", "/etc/passwd", "gone.py", "../outside.py"]


class Shop:
    """A document that names some files of a folder."""

    def __init__(self, root: Path) -> None:
        self._root = root

    def page(self) -> bytes:
        return registry_document(
            page_data(Metadata(resources=(Resource(name="Book"),)), "shop", is_served=True)
        )

    def source(self, number: str) -> str:
        return read_source(FILES, number, self._root)


@pytest.fixture
def application(tmp_path: Path) -> RegistryApplication:
    (tmp_path / "models.py").write_text("class Book: ...\n")
    return RegistryApplication(Shop(tmp_path), AccessRules())


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({}, 200),
        ({"path": "/", "method": "HEAD"}, 200),
        ({"peer": "192.0.2.7"}, 403),
        ({"headers": {"host": "evil.example"}}, 403),
        ({"headers": {"host": "localhost", "x-forwarded-for": "192.0.2.7"}}, 403),
        ({"headers": {"host": "localhost", "origin": "https://evil.example"}}, 403),
        ({"method": "POST"}, 405),
        ({"path": "/other"}, 404),
        ({"path": "/source", "query": "file=0"}, 200),
        ({"path": "/source", "query": "file=1"}, 404),
        ({"path": "/source", "query": "file=2"}, 404),
        ({"path": "/source", "query": "file=4"}, 404),
        ({"path": "/source", "query": "file=-1"}, 404),
        ({"path": "/source", "query": "file=models.py"}, 404),
        ({"path": "/source"}, 404),
    ],
)
def test_a_request_is_answered_by_the_rules(
    application: RegistryApplication, changes: dict[str, object], status: int
) -> None:
    asked = {
        "method": "GET",
        "path": "/",
        "headers": {"host": "localhost:8080"},
        "peer": "127.0.0.1",
        **changes,
    }
    answer = application.answer(Request(**asked))  # type: ignore[arg-type]
    assert answer.status == status
    assert b"root:x:" not in bytes(answer.body)


def test_large_answers_are_compressed_where_the_client_accepts_it(application: RegistryApplication) -> None:
    headers = {"host": "localhost:8080", "accept-encoding": "gzip"}
    answer = application.answer(Request("GET", "/", "", headers, "127.0.0.1"))
    assert ("Content-Encoding", "gzip") in answer.headers
    assert bytes(answer.body[:2]) == b"\x1f\x8b"


def test_beyond_this_machine_every_path_stands_behind_the_secret(tmp_path: Path) -> None:
    rules = AccessRules(hosts=frozenset({"0.0.0.0"}), remote=True, prefix="/secret")
    application = RegistryApplication(Shop(tmp_path), rules)
    statuses = {
        path: application.answer(Request("GET", path, "", {"host": "0.0.0.0:8080"}, "192.0.2.7")).status
        for path in ("/secret/", "/secret", "/secrex/", "/", "/source")
    }
    assert statuses == {"/secret/": 200, "/secret": 307, "/secrex/": 404, "/": 404, "/source": 404}


def test_a_document_opens_no_file_outside_its_root_unless_all_folders_are_allowed(tmp_path: Path) -> None:
    root = tmp_path / "root"
    root.mkdir()
    (tmp_path / "outside.py").write_text("x = 1\n")
    for number in ("1", "3"):
        with pytest.raises(ConduitError, match=r"outside the folders .* --source-anywhere"):
            read_source(FILES, number, root)
    assert read_source(FILES, "3", root, anywhere=True) == "x = 1\n"


def test_a_file_that_is_no_source_code_is_refused_by_its_name(tmp_path: Path) -> None:
    (tmp_path / "local.env").write_text("SECRET=1\n")
    with pytest.raises(ConduitError, match=r"local\.env: not named as source code is"):
        read_source(["local.env"], "0", tmp_path)
