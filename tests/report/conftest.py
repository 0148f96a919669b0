"""The zone of the process, lent to tests that print times."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def restore_zone() -> Iterator[None]:
    """Request it before `monkeypatch`: then the environment is back when the zone is read again."""
    yield
    time.tzset()
