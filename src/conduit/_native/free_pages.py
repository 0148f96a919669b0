"""Free memory of a thread's malloc arena, given back to the system (`free_pages.c` beside this file)."""

from __future__ import annotations

from conduit._native import available

if available():
    from conduit._native._core import drop_free_pages as drop_free_pages
else:

    def drop_free_pages() -> int:
        """Do nothing, and return 0 bytes: there is no extension."""
        return 0
