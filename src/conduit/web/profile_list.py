"""The list of profiles at `/debug/profiles/`: a page without scripts."""

from __future__ import annotations

import time
from html import escape
from typing import TYPE_CHECKING
from urllib.parse import quote

from conduit.http.messages import HTML, Response
from conduit.profile.measurement import label
from conduit.web.answers import NOT_FRAMED, page_headers

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

_STYLE = (
    ":root{color-scheme:light dark;font:15px/1.5 system-ui,sans-serif}"
    "body{margin:2rem auto;max-width:60rem;padding:0 1rem}"
    "td,th{padding:2px 16px 2px 0;text-align:left}td.n{text-align:right}"
)


def list_page(stored: Sequence[Path], live: Sequence[str], seconds: float) -> Response:
    """Return the page with a link to each profile; opening a live one records it for so many seconds."""
    kinds = {"live-cpu": "CPU time of this process", "live-wall": "wall clock of this process"}
    rows = [
        f'<li><a href="{name}/ui/">{escape(kinds[name])}</a>, recorded for {seconds:g} s when it is opened</li>'
        for name in live
    ]
    files = []
    for path in stored:
        status = path.stat()
        # A file's name is bytes, which need not be text.
        link, shown = (
            quote(path.name, errors="surrogateescape"),
            path.name.encode("utf-8", "replace").decode(),
        )
        when = time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(status.st_mtime))
        files.append(
            f'<tr><td><a href="{link}/ui/">{escape(shown)}</a></td><td>{when}</td>'
            f'<td class="n">{label(status.st_size, "bytes")}</td></tr>'
        )
    table = (
        "<table><thead><tr><th>File</th><th>Changed</th><th>Size</th></tr></thead><tbody>"
        + "".join(files)
        + "</tbody></table>"
        if files
        else "<p>No stored profiles.</p>"
    )
    live_part = f"<h2>Live</h2><ul>{''.join(rows)}</ul>" if rows else ""
    body = (
        '<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><title>Profiles</title>'
        f'<meta name="viewport" content="width=device-width"><style>{_STYLE}</style></head>'
        f"<body><main><h1>Profiles</h1>{live_part}<h2>Stored</h2>{table}</main></body></html>"
    )
    policy = f"default-src 'none'; style-src 'unsafe-inline'; {NOT_FRAMED}"
    return Response(200, page_headers(HTML, policy), body.encode("utf-8", "replace"))
