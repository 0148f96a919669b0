"""`conduit trace`: opens a trace in a viewer that works offline."""

from __future__ import annotations

import sys
from pathlib import Path

from conduit.cli.flags import FlagSet
from conduit.errors import UsageError

_USAGE = """usage: conduit trace [flags] TRACE

Opens a timeline in Perfetto's page, which is served from this machine; nothing is sent anywhere. Timelines are written
by `conduit run -trace=FILE`, `conduit bench -trace=FILE`, `conduit.record.trace(FILE)` and `/debug/pprof/trace`."""


def run(arguments: list[str]) -> int:
    """Serve the viewer until it is interrupted."""
    flags = FlagSet(_USAGE)
    flags.option("http", "listen on localhost at this port", default=":0", metavar="[HOST]:PORT")
    flags.switch("no_browser", "print the address and open nothing")
    parsed = flags.parse(arguments, positionals="mixed")
    if len(parsed.positionals) != 1:
        raise UsageError(f"expected one trace file, found {len(parsed.positionals)}\n{_USAGE}")
    port = _port(parsed["http"])

    from conduit.web.trace_viewer import TraceViewer

    viewer = TraceViewer(Path(parsed.positionals[0]), port)
    print(f"Serving the trace viewer on {viewer.url} (Ctrl-C ends it)", file=sys.stderr, flush=True)
    if not parsed["no_browser"]:
        import webbrowser

        webbrowser.open(viewer.url)
    try:
        viewer.serve()
    except KeyboardInterrupt:
        print(file=sys.stderr)
    return 0


def _port(text: str) -> int:
    host, colon, port = text.rpartition(":")
    if not colon or not port.isdigit() or host not in ("", "localhost", "127.0.0.1"):
        raise UsageError(f"invalid -http {text!r}: expected :PORT or localhost:PORT")
    return int(port)
