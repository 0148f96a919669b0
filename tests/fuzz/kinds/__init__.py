"""The kinds of inputs that are fuzzed: each file here has one or more, in a tuple `KINDS`; a room adds a file for its readers."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.fuzz.frame import Kind


def all_kinds() -> dict[str, Kind]:
    """Return every kind by its name."""
    found: dict[str, Kind] = {}
    for path in sorted(Path(__file__).parent.glob("*.py")):
        if path.stem != "__init__":
            for kind in import_module(f"tests.fuzz.kinds.{path.stem}").KINDS:
                assert kind.name not in found, kind.name
                found[kind.name] = kind
    return found
