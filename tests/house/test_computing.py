"""Results are computed, and written elsewhere: the rooms below the command line print nothing of themselves."""

from __future__ import annotations

import ast

from tests.house.tree import modules

# Where a program talks to its user.
VOICES = ("cli/", "pytest_plugin.py", "__main__.py")
# A worker's answers to the process that started it, and a module that is run to write a file.
PROTOCOLS = {"bench/run/isolation.py", "bench/run/session.py", "metadata/json_schema.py"}


def calls_print(module: ast.Module) -> bool:
    calls = (node.func for node in ast.walk(module) if isinstance(node, ast.Call))
    return any(isinstance(function, ast.Name) and function.id == "print" for function in calls)


def test_nothing_below_the_command_line_prints() -> None:
    printers = {path for path, module in modules().items() if calls_print(module)}
    assert {path for path in printers if not path.startswith(VOICES)} <= PROTOCOLS


def _dotted(function: ast.expr) -> str:
    """Return the name of what is called, where it is one of at most two parts."""
    if isinstance(function, ast.Attribute) and isinstance(function.value, ast.Name):
        return f"{function.value.id}.{function.attr}"
    return function.id if isinstance(function, ast.Name) else ""


def test_nothing_below_the_command_line_ends_the_process() -> None:
    enders = set()
    for path, module in modules().items():
        for node in ast.walk(module):
            if isinstance(node, ast.Call) and _dotted(node.func) in ("sys.exit", "exit", "quit"):
                enders.add(path)
    assert {path for path in enders if not path.startswith(VOICES)} <= PROTOCOLS
