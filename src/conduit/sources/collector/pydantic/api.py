"""The one file that imports Pydantic, 1 or 2: the base class, and which of the two it is."""

from __future__ import annotations

import sys
from types import SimpleNamespace
from typing import Any


def open_pydantic() -> Any:
    """Pydantic's base class and major version; `None` where the application has not imported it."""
    if "pydantic" not in sys.modules:
        return None
    try:
        import pydantic
    except ImportError:
        return None
    version = str(getattr(pydantic, "VERSION", ""))
    return SimpleNamespace(
        BaseModel=pydantic.BaseModel, version=version, major=int(version.partition(".")[0] or 0)
    )
