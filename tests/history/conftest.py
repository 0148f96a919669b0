"""The command with short measurements, for what does not depend on how long they are."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

# A quarter of each batch and a tenth of each profile: the regressions planted here are of 200%.
_SHORT = """
from conduit.bench.against import interleaved
from conduit.cli import program
from conduit.cli.history import culprit_report
interleaved.BATCH_NS //= 4
interleaved.TURN_NS //= 4
culprit_report._PROFILE_NS //= 10
program()
"""


@pytest.fixture
def short_command() -> Callable[..., subprocess.CompletedProcess[str]]:
    """Runs `conduit` in a process of its own that measures for a short time."""

    def run(*arguments: str, **options: object) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-c", _SHORT, *arguments]
        return subprocess.run(command, capture_output=True, text=True, timeout=120, **options)  # type: ignore[call-overload,no-any-return]

    return run
