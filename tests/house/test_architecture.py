"""The page about the architecture names files that exist, every package, and the layers that are enforced."""

from __future__ import annotations

import ast
import re
import tomllib

from tests.house.tree import PACKAGE, PROJECT

PAGE = (PROJECT / "docs" / "explanation" / "architecture.md").read_text(encoding="utf-8")
NAMES = {
    name for name in re.findall(r"`([^`\s]+)`", PAGE) if re.search(r"/|\.(py|c|h)$", name) and "*" not in name
}
OUTSIDE = ("src/", "tests/", "docs/", "benchmarks/", ".ci/")


def test_every_file_and_folder_that_the_page_names_exists() -> None:
    assert len(NAMES) > 60
    missing = [
        name for name in NAMES if not ((PROJECT if name.startswith(OUTSIDE) else PACKAGE) / name).exists()
    ]
    assert [name for name in missing if not name.startswith("/debug/")] == []


def test_every_room_of_the_package_is_on_the_page() -> None:
    rooms = {path.name for path in PACKAGE.iterdir() if path.is_dir() and (path / "__init__.py").exists()}
    assert {room for room in rooms if f"`{room}/" not in PAGE} == set()


def test_every_package_says_which_packages_use_it() -> None:
    docstrings = {
        path.parent.name: ast.get_docstring(ast.parse(path.read_text(encoding="utf-8"))) or ""
        for path in PACKAGE.glob("*/__init__.py")
    }
    assert len(docstrings) > 12
    assert {name for name, text in docstrings.items() if "Used by" not in text} == set()


def test_the_layers_of_the_page_are_those_that_are_enforced() -> None:
    contracts = tomllib.loads((PROJECT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    [layers] = [contract["layers"] for contract in contracts if contract["type"] == "layers"]
    held = [set(layer.split(" | ")) for layer in layers]
    rows = re.findall(r"^\| [^|]+ \| (.+) \|$", PAGE, re.MULTILINE)[1:]
    shown = [{name.rstrip("/").removesuffix(".py") for name in re.findall(r"`([^`]+)`", row)} for row in rows]
    assert shown == [floor for floor in held if floor != {"__main__"}]
