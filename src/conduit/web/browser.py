"""Opens an address in the user's browser, without waiting for it."""

from __future__ import annotations

import os
import webbrowser


def open_browser(url: str) -> bool:
    """Whether a browser was started. On a machine without a screen none is: a text browser would take the terminal."""
    has_screen = os.name == "nt" or bool(
        os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY") or os.environ.get("BROWSER")
    )
    if not has_screen and os.uname().sysname != "Darwin":
        return False
    try:
        return webbrowser.open(url)
    except webbrowser.Error:
        return False
