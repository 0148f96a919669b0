"""`conduit pprof -leaks`: allocating lines that grew from the first heap profile to the last, and are still held."""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING

from conduit.control_characters import printable
from conduit.fetch.inputs import fetch_profile
from conduit.profile.imports import without_imports
from conduit.report.leaks import find_leaks
from conduit.units import format_duration, format_size

if TYPE_CHECKING:
    from collections.abc import Callable

    from conduit.fetch.inputs import Request
    from conduit.report.leaks import Growth, Leaks
    from conduit.report.options import Options

_SHOWN = 20


def print_leaks(
    requests: list[Request], say: Callable[[str], None], *, leaves_imports_out: bool, as_json: bool, most: int
) -> None:
    """Print the lines as a table, the largest growth first, at most `most` of them (0: all; -1: 20)."""
    profiles = [fetch_profile(request, say) for request in requests]
    if leaves_imports_out:
        profiles = [without_imports(profile, 0)[0] for profile in profiles]
    leaks = find_leaks(profiles)
    if as_json:
        print(json.dumps(_document(leaks), indent=2))
        return
    for line in _table(leaks, _SHOWN if most < 0 else most):
        print(printable(line))


def serve_leaks(
    requests: list[Request],
    address: str,
    options: Options,
    say: Callable[[str], None],
    *,
    opens_browser: bool,
) -> None:
    """Serve a page on the growth, whose other views compare the last profile with the first."""
    from conduit.profile.merge import difference
    from conduit.web import serve_profile

    profiles = [fetch_profile(request, say) for request in requests]
    find_leaks(profiles)  # raises for profiles that make no series, before a page is opened
    changed = difference(profiles[-1], profiles[0], mark_base=True)
    changed.time_nanos = profiles[-1].time_nanos
    if not options.sample_index:
        options = options.copy(sample_index="inuse_space")
    sources = [source for request in requests for source in request.sources]
    serve_profile(
        changed,
        options,
        address,
        say,
        opens_browser=opens_browser,
        sources=sources[-1:],
        base=[f"-diff_base={sources[0]}"],
        series=profiles,
        series_sources=sources,
    )


def _document(leaks: Leaks) -> dict[str, object]:
    return {
        "profiles": leaks.profiles,
        "seconds": leaks.seconds or None,
        "lines": [
            {
                **growth._asdict(),
                "bytes_per_second": growth.grown_bytes / leaks.seconds if leaks.seconds else None,
            }
            for growth in leaks.growths
        ],
    }


def _table(leaks: Leaks, most: int) -> list[str]:
    over = f" over {format_duration(leaks.seconds * 1e9)}" if leaks.seconds else ""
    if not leaks.growths:
        return [f"Nothing grew from the first of {leaks.profiles} profiles to the last{over}."]
    shown = leaks.growths[:most] if most else leaks.growths
    total = sum(growth.grown_bytes for growth in leaks.growths)
    rows = [("grown", "rate", "held", "objects", ""), *(_row(growth, leaks.seconds) for growth in shown)]
    widths = [max(len(row[column]) for row in rows) for column in range(4)]
    lines = [f"Grown and still held{over}, {leaks.profiles} profiles: {format_size(total)}"]
    lines += [
        "  ".join([*(cell.rjust(width) for cell, width in zip(row, widths, strict=False)), row[4]]).rstrip()
        for row in rows
    ]
    if len(shown) < len(leaks.growths):
        lines.append(f"{len(leaks.growths) - len(shown):,} more lines grew; -nodecount=0 shows all")
    return lines


def _shortened(path: str) -> str:
    """Return a path below the current folder as a relative one."""
    here = os.getcwd() + os.sep  # noqa: PTH109 (pathlib would slow the start)
    return path.removeprefix(here)


def _row(growth: Growth, seconds: float) -> tuple[str, str, str, str, str]:
    rate = f"{format_size(growth.grown_bytes / seconds)}/s" if seconds else "unknown"
    place = f"{_shortened(growth.file)}:{growth.line} " if growth.file else ""
    callers = f" ({' < '.join(growth.callers)})" if growth.callers else ""
    return (
        f"+{format_size(growth.grown_bytes)}",
        rate,
        format_size(growth.held_bytes),
        f"{growth.grown_objects:+,}",
        f"{place}{growth.function}{callers}" + ("" if growth.steady else " [not in every step]"),
    )
