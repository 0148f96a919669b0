"""Open an address in the user's browser, without waiting for it."""

from __future__ import annotations

import os
import webbrowser


def open_browser(url: str) -> bool:
    """Open the address and return whether a browser was started; on a machine without a screen, none is."""
    if not has_screen():
        return False
    try:
        return webbrowser.open(url)
    except webbrowser.Error:
        return False


def has_screen() -> bool:
    """Return whether a window can be opened, or the user named a browser (`BROWSER`) that needs none."""
    if os.name == "nt" or os.uname().sysname == "Darwin":
        return True
    return any(os.environ.get(name) for name in ("DISPLAY", "WAYLAND_DISPLAY", "BROWSER"))
