"""What is doubtful about a document, said on standard error so that the answer stays clean."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

SHOWN = 3


def print_warnings(path: str, warnings: Sequence[object], verbose: bool) -> None:
    """Prints the first few warnings, or all of them, and how many there are beyond."""
    shown = len(warnings) if verbose else min(SHOWN, len(warnings))
    for warning in warnings[:shown]:
        print(f"conduit: warning: {path}: {warning}", file=sys.stderr)
    if shown < len(warnings):
        print(f"conduit: {len(warnings) - shown} more warnings; --verbose shows them", file=sys.stderr)
