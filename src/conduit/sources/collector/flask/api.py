"""The one file that imports Flask."""

from __future__ import annotations

import sys
from types import SimpleNamespace
from typing import Any


def open_flask() -> Any:
    """Flask's application class; `None` where the application has not imported Flask."""
    if "flask" not in sys.modules:
        return None
    try:
        from importlib import metadata

        from flask import Flask
        from flask.views import View
    except ImportError:
        return None
    try:
        version = metadata.version("flask")
    except metadata.PackageNotFoundError:
        version = ""
    return SimpleNamespace(Flask=Flask, View=View, version=version)
