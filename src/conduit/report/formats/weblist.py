"""`-weblist`: the listings of `-list` as a standalone page, with the lines that have a cost highlighted."""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING

from conduit.report.formats.listing import compute_listings
from conduit.report.report import profile_labels

if TYPE_CHECKING:
    from collections.abc import Iterator

    from conduit.report.formats.listing import Listing
    from conduit.report.report import Report

_STYLE = """
body { font-family: sans-serif; color-scheme: light dark }
h2 { font-size: 1.1em; margin: 1.5em 0 0 }
pre { line-height: 1.3; overflow-x: auto }
.idle { opacity: .65 }
.busy { font-weight: bold }
"""


def print_weblist(report: Report) -> bytes:
    """Return the page, with everything it needs."""
    listings = compute_listings(report)
    lines = [
        "<!DOCTYPE html>",
        '<html lang="en"><head><meta charset="utf-8">',
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">",
        f"<title>{escape(report.title or report.sample_type)}: {escape(report.argument)}</title>",
        f"<style>{_STYLE}</style></head><body>",
        "".join(f"<div>{escape(label)}</div>" for label in profile_labels(report)),
        f"<h1>Total: {escape(report.amount(report.total))}</h1>",
        *(line for listing in listings for line in _section(report, listing)),
        "</body></html>",
    ]
    return ("\n".join(lines) + "\n").encode("utf-8", "backslashreplace")


def _section(report: Report, listing: Listing) -> Iterator[str]:
    yield f"<h2>{escape(listing.function)}</h2><div>{escape(listing.file)}</div>"
    flat, cum = report.amount(listing.flat), report.amount(listing.cum)
    if listing.file:
        share = report.share(listing.cum).strip()
        yield f"<div>{escape(flat)} flat, {escape(cum)} cum ({escape(share)} of total)</div>"
    if listing.error:
        yield f"<div>{escape(listing.error)}</div>"
    if listing.lines:
        rows = []
        for line in listing.lines:
            amounts = f"{report.amount_or_dot(line.flat):>10} {report.amount_or_dot(line.cum):>10}"
            kind = "busy" if line.flat else "idle" if not line.cum else "line"
            rows.append(f'<span class="{kind}">{escape(f"{amounts} {line.number:6d}  {line.text}")}</span>')
        yield "<pre>" + "\n".join(rows) + "</pre>"
