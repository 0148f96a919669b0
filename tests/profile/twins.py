"""The loops in Python in place of those in C, for tests of both."""

from __future__ import annotations

import pytest

from conduit.profile import loops, python_loops

LOOPS = [name for name in loops.__all__ if name.islower()]


def use_twins(patch: pytest.MonkeyPatch) -> None:
    """Have every loop over columns run in Python."""
    for name in LOOPS:
        patch.setattr(loops, name, getattr(python_loops, name))
