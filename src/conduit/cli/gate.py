"""The gate of the comparing commands: the values of `-gate`, the levels, and the messages."""

from __future__ import annotations

from typing import TYPE_CHECKING

from conduit.cli.flags import Flag, parse_bool
from conduit.cli.terminal_text import complain

if TYPE_CHECKING:
    from collections.abc import Sequence

    from conduit.bench.compare.verdicts import Gates, Judged
    from conduit.cli.flags import FlagSet


_WORTH_SAYING = ("minor", "moderate", "major", "verify")


def declare_gate(flags: FlagSet) -> None:
    """Declare `-gate`, which may stand alone or say `strict`; its value is "", "on" or "strict"."""
    help = "exit 1 on regressions; -gate=strict: also if a comparison is undecided or missing"
    flags.flags["gate"] = Flag("gate", _parse_gate, "", help, is_switch=True)


def _parse_gate(text: str) -> str:
    if text == "strict":
        return text
    return "on" if parse_bool(text) else ""


def gates_of_project() -> Gates:
    """Return the levels in the `pyproject.toml` of the project around the current folder, or the guide's."""
    from pathlib import Path

    from conduit.bench.compare.verdicts import read_gates
    from conduit.bench.run.discover import project_root

    return read_gates(project_root(Path.cwd()) / "pyproject.toml")


def report_gate(judged: Sequence[Judged], unpaired: Sequence[tuple[str, str, str]], mode: str) -> int:
    """Print regressions, undecided rows and rows without a counterpart on standard error; return the exit status."""
    from conduit.bench.compare.exports import delta_text
    from conduit.bench.compare.verdicts import outcome

    result = outcome(judged)
    for row in judged:
        if row.closes_gate or row.grade in _WORTH_SAYING:
            say_gate(f"{row.row.name}: {row.row.unit}: {delta_text(row)}: {row.text}")
    for row in result.undecided:
        say_gate(f"{row.row.name}: {row.row.unit}: {row.text}")
    for name, unit, column in unpaired:
        say_gate(f"{name}: {unit}: only in {column}")
    strict = mode == "strict"
    status = result.status(strict=strict) or int(strict and bool(unpaired))
    if result.closing:
        say_gate(f"closed: {len(result.closing)} of {len(judged)} comparisons")
    elif result.undecided:
        state = "closed" if status else "not passed"
        undecided = f"{len(result.undecided)} of {len(judged)} comparisons are undecided"
        say_gate(f"{state}: {undecided}; raise -count{remark(is_failure=bool(status))}")
    if unpaired and not result.closing:
        names = ", ".join(dict.fromkeys(name for name, _, _ in unpaired))
        say_gate(
            f"{'closed' if status else 'not passed'}: on one side only: {names}{remark(is_failure=bool(status))}"
        )
    return status


def remark(*, is_failure: bool) -> str:
    """Return what follows a line about a comparison that did not pass: a word where the exit status says nothing."""
    return "" if is_failure else " (no failure: -gate=strict makes it one)"


def say_gate(text: str) -> None:
    """Print a line about the gate on standard error."""
    complain(f"gate: {text}")
