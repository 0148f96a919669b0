"""`conduit history -http` and `-html`: the history as a page."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from conduit.cli.history.compare import texts_of
from conduit.cli.history.stored import commit_subjects, read_store
from conduit.errors import ConduitError, UsageError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from conduit.cli.flags import Parsed
    from conduit.history.findings import Finding
    from conduit.history.series import History, Series


def show_page(parsed: Parsed) -> int:
    """Write the page to a file, or serve it until interrupted."""
    if parsed["html"] is not None:
        if parsed["http"] is not None:
            raise UsageError("-http serves the page and -html writes it: drop one")
        from conduit.history.findings import find_all

        series = read_store(parsed).series
        write_page(parsed["html"], series, find_all(series))
        return 0
    from conduit.web.browser import open_browser
    from conduit.web.history_application import serve_history

    read_store(parsed)  # a wrong store is told before a port is taken
    server = serve_history(_Source(parsed), parsed["http"])
    _say(f"Serving the history on {server.url} (Ctrl-C ends it)")
    if not parsed["no_browser"] and not open_browser(server.url):
        _say(f"No browser was found to open; visit {server.url}")
    try:
        server.serve()
    except KeyboardInterrupt:
        print(file=sys.stderr)
    finally:
        server.release()
    return 0


def write_page(path: str, series: Sequence[Series], findings: Sequence[Finding]) -> None:
    """Write the page of some series as one file."""
    from conduit.files import write_file_whole

    write_file_whole(path, _document(series, findings, is_served=False))
    print(f"conduit history: wrote {path}", file=sys.stderr)


def _document(series: Sequence[Series], findings: Sequence[Finding], *, is_served: bool) -> bytes:
    from conduit.web.history_page import history_file

    here = Path.cwd()
    title = f"{here.name}: benchmark history"
    return history_file(title, series, findings, commit_subjects(here), is_served=is_served)


class _Source:
    """The store, read again when it has changed, so that a reload shows what was saved since."""

    def __init__(self, parsed: Parsed) -> None:
        self._parsed = parsed
        self._stamp = ""
        self._history: History | None = None
        self._page = b""

    def document(self) -> bytes:
        """Return the page."""
        from conduit.history.findings import find_all

        series = self._present().series
        self._page = self._page or _document(series, find_all(series), is_served=True)
        return self._page

    def compare(self, old: str, new: str) -> str:
        """Return benchstat's table of two commits."""
        from conduit.history.compared import comparison_text

        history = self._present()
        table = comparison_text(
            *((revision[:10], texts_of(self._parsed, history, revision)) for revision in (old, new))
        )
        if not table:
            raise ConduitError("the two commits have no benchmark and unit in common")
        return table

    def _present(self) -> History:
        from conduit.history.store import git_line, open_store

        here = Path.cwd()
        stamp = f"{open_store(self._parsed['store'], here).stamp()}\n{git_line(here, 'show-ref', '--head')}"
        if self._history is None or self._stamp != stamp:
            self._history, self._page = read_store(self._parsed, quiet=True), b""
            self._stamp = stamp
        return self._history


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
