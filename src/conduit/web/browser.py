"""Opens an address in the user's browser, without waiting for it."""

from __future__ import annotations

import os
import webbrowser


def open_browser(url: str) -> bool:
    """Whether a browser was started. On a machine without a screen none is: a text browser would take the terminal."""
    if not has_screen():
        return False
    try:
        return webbrowser.open(url)
    except webbrowser.Error:
        return False


def has_screen() -> bool:
    """Whether there is a screen to open a window on, or the user named a browser that needs none."""
    if os.name == "nt" or os.uname().sysname == "Darwin":
        return True
    return any(os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER"))
