"""The reference cannot go false: a page a command, equal to its help, and every public name described."""

from __future__ import annotations

import importlib.util
from types import ModuleType

import pytest

from conduit.cli import COMMANDS
from tests.conftest import PROJECT


def _load(name: str) -> ModuleType:
    specification = importlib.util.spec_from_file_location(name, PROJECT / "docs" / f"{name}.py")
    assert specification is not None and specification.loader is not None
    module = importlib.util.module_from_spec(specification)
    specification.loader.exec_module(module)
    return module


REFERENCE = _load("reference_pages")
API = _load("api_pages")


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_has_a_page_equal_to_its_help(command: str) -> None:
    written = (REFERENCE.PAGES / f"{command}.md").read_text(encoding="utf-8")
    assert written == REFERENCE.page(command), "run `make reference`, which writes the pages anew"


def test_there_is_no_page_of_a_command_that_is_gone() -> None:
    assert {path.stem for path in REFERENCE.PAGES.glob("*.md")} == set(COMMANDS)


@pytest.mark.parametrize("module", API.MODULES)
def test_every_public_name_has_a_signature_and_a_docstring_on_the_reference_page(module: str) -> None:
    text = API.describe(module)
    for name in importlib.import_module(module).__all__:
        if not name.startswith("__"):
            assert f"`{module}.{name}" in text or f"`{name}" in text
    assert "(no description)" not in text
