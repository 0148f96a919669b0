from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest

from conduit._native import available, reason

pytestmark = pytest.mark.skipif(not available(), reason=reason())

PROJECT = Path(__file__).resolve().parent.parent.parent


@pytest.mark.parametrize("tracer", ["", "above", "below"])
@pytest.mark.parametrize("allocator", ["pymalloc", "malloc", "debug", "malloc_debug"])
def test_every_sampled_block_is_counted_until_it_is_freed_whatever_the_allocator_and_the_tracer(
    allocator: str, tracer: str
) -> None:
    answer = subprocess.run(
        [sys.executable, "-m", "tests.native.heap_blocks", tracer],
        capture_output=True,
        text=True,
        timeout=120,
        cwd=PROJECT,
        env=os.environ | {"PYTHONMALLOC": allocator},
    )
    assert (answer.returncode, answer.stderr) == (0, "")
