"""File paths as tables show them: relative to the project, or to the folder that a package is installed in.

The document keeps whole paths; only what a person reads is shortened.
"""

from __future__ import annotations

import re

_INSTALLED = re.compile(r".*/(?:site|dist)-packages/")
_STANDARD_LIBRARY = re.compile(r".*/lib/python\d+\.\d+/")


def shown_path(path: str, line: int = 0) -> str:
    """Return `path:line` without the folder of the environment: `django/contrib/admin/sites.py:255`."""
    if path.startswith("/"):
        path = _STANDARD_LIBRARY.sub("", _INSTALLED.sub("", path, count=1), count=1)
    return f"{path}:{line}" if path and line else path
