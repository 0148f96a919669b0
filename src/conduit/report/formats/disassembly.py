"""`-disasm`: refused in pprof's words for a profile whose binary says nothing; Python code has no addresses to list."""

from __future__ import annotations

from typing import TYPE_CHECKING

from conduit.report.errors import NoMatchError

if TYPE_CHECKING:
    from conduit.report.report import Report


def print_disassembly(report: Report) -> bytes:
    """Always raises `NoMatchError`: machine code is not read here."""
    raise NoMatchError(f"no matches found for regexp {report.argument}")
