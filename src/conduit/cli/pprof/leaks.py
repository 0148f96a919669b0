"""`conduit pprof -leaks`: allocating lines that grew from the first heap profile to the last, and are still held."""

from __future__ import annotations

import json
import os
import re
import shlex
import sys
import time
from typing import TYPE_CHECKING
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit

from conduit.control_characters import printable
from conduit.errors import UsageError
from conduit.fetch.download import DEFAULT_PATH, profile_url
from conduit.fetch.endpoint_urls import endpoint_url
from conduit.fetch.inputs import fetch_profile, is_local
from conduit.profile.imports import without_imports
from conduit.regexps import quote_pattern
from conduit.report.leaks import find_leaks, restarts
from conduit.units import counted, format_duration, format_size

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from conduit.fetch.inputs import Request
    from conduit.profile.model import Profile
    from conduit.report.leaks import Growth, Leaks
    from conduit.report.options import Options

_SHOWN = 20
_SHOWN_ABOVE_ORIGINS = 10
_SECONDS = 30
_LIBRARY_FOLDER = re.compile(r"^.*?/(?=(?:site|dist)-packages/|python\d[\d.]*t?/)")

_CELL = re.compile(r"In \[\d+\](?=\.)")  # in its place, a notebook's cell has a file that does not exist


def print_leaks(
    requests: list[Request], say: Callable[[str], None], *, leaves_imports_out: bool, as_json: bool, most: int
) -> None:
    """Print the lines as a table, the largest growth first, at most `most` of them (0: all; -1: 20)."""
    profiles, files = _fetch_series(requests, say)
    _warn_of_other_processes(profiles, say)
    if leaves_imports_out:
        profiles = [without_imports(profile, 0)[0] for profile in profiles]
    leaks = find_leaks(profiles)
    if as_json:
        print(json.dumps(_document(leaks), indent=2))
        return
    for line in _report(leaks, most):
        print(printable(line))
    sys.stdout.flush()  # one pipe may take both, and the table comes first
    for text in (_sampling_remark(leaks), _next_commands(leaks, files)):
        if text:
            say(text)


def _warn_of_other_processes(profiles: list[Profile], say: Callable[[str], None]) -> None:
    for number in restarts(profiles):
        say(
            f"profile {number + 1} has allocated less in all than profile {number}: they are of different "
            "processes, and what grew between them is no leak of either"
        )


def _fetch_series(requests: list[Request], say: Callable[[str], None]) -> tuple[list[Profile], list[str]]:
    """Fetch the profiles; of one service alone two, so many seconds apart as the request says.

    Return them and the files that they are in, empty for one that is in none.
    """
    profiles: list[Profile] = []
    files: list[str] = []

    def fetch(request: Request) -> None:
        profiles.append(fetch_profile(request, say))
        [source] = request.sources
        files.append(request.saved or (source if source != "-" and is_local(source) else ""))

    if len(requests) > 1:
        for request in requests:
            fetch(request)
        return profiles, files
    [request] = requests
    [source] = request.sources
    address, seconds = ("", 0) if is_local(source) else heap_address(source, request.seconds)
    if not address:
        raise UsageError(
            "-leaks compares heap profiles of one process: expected two or more, the earliest first, got 1; take them "
            "at two times (curl -o heap1.prof http://HOST:PORT/debug/pprof/heap), or name a service alone, which is "
            "asked twice: conduit pprof -leaks -seconds=30 http://localhost:6060/"
        )
    request.sources, request.seconds, seconds = [address], -1, max(1, seconds)
    fetch(request)
    say(f"Please wait... ({seconds}s until the second profile)")
    time.sleep(seconds)
    fetch(request)
    return profiles, files


def heap_address(source: str, seconds: int) -> tuple[str, int]:
    """Return the address of a service's heap profile as it is now, and how many seconds lie between two of them.

    `seconds` of the command line counts first, then the one in the address; 30 is the default. The address is empty
    where `source` is none.
    """
    target = profile_url(source, -1, -1)
    if target is None:
        return "", 0
    parts = urlsplit(target.url)
    query = dict(parse_qsl(parts.query, keep_blank_values=True))
    given = query.pop("seconds", "")
    if seconds <= 0:
        seconds = int(given) if given.isdecimal() and int(given) > 0 else _SECONDS
    address = urlunsplit(parts._replace(query=urlencode(query, errors="surrogateescape")))
    if parts.path.endswith(DEFAULT_PATH):
        address = endpoint_url(address, "heap")
    return address, seconds


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

    profiles, _ = _fetch_series(requests, say)
    _warn_of_other_processes(profiles, say)
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
        "sampled_bytes": leaks.sampled_bytes or None,
        "lines": [_object(growth, leaks) for growth in leaks.growths],
        "program_lines": [_object(growth, leaks) for growth in leaks.origins],
    }


def _object(growth: Growth, leaks: Leaks) -> dict[str, object]:
    return {
        **growth._asdict(),
        "origin": growth.origin._asdict() if growth.origin else None,
        "bytes_per_second": growth.grown_bytes / leaks.seconds if leaks.seconds else None,
    }


def _report(leaks: Leaks, most: int) -> list[str]:
    over = f" over {format_duration(leaks.seconds * 1e9)}" if leaks.seconds else ""
    if not leaks.growths:
        if leaks.uncertain_bytes:
            unseen = f"less than {format_size(leaks.uncertain_bytes)} of it may go unseen"
            return [f"No growth seen from the first of {leaks.profiles} profiles to the last{over}: {unseen}"]
        return [f"Nothing grew from the first of {leaks.profiles} profiles to the last{over}."]
    total = sum(growth.grown_bytes for growth in leaks.growths)
    heading = f"Grown and still held{over}, {leaks.profiles} profiles: {format_size(total)}"
    if all(growth.is_origin for growth in leaks.growths) or not leaks.origins:
        return [heading, *_table(leaks.growths, leaks, _SHOWN if most < 0 else most)]
    shown = _SHOWN_ABOVE_ORIGINS if most < 0 else most
    return [
        heading,
        *_table(leaks.growths, leaks, shown, callers=0),
        "",
        "By the line of the program that led there, libraries left out:",
        *_table(leaks.origins, leaks, shown, callers=1),
    ]


def _sampling_remark(leaks: Leaks) -> str:
    """Return advice if some of the growth rests on too few samples, or if none was seen."""
    largest = max((growth.grown_bytes for growth in (*leaks.growths, *leaks.origins)), default=0)
    if largest >= leaks.uncertain_bytes:
        return ""
    return (
        f"one sample stands for about {format_size(leaks.sampled_bytes)}, and growth below "
        f"{format_size(leaks.uncertain_bytes)} may be chance: let more time pass between the profiles, or sample "
        "finer: conduit.debug.serve(..., heap_rate_bytes=16384), conduit run -memprofilerate=16384"
    )


def _next_commands(leaks: Leaks, files: Sequence[str]) -> str:
    """Return the commands that show the source of the first row and the growth in the browser; empty without files."""
    rows = leaks.origins or leaks.growths
    if not rows or not all(files):
        return ""
    words = " ".join(map(shlex.quote, files))
    browser = f"in the browser: conduit pprof -leaks -http=:8080 {words}"
    if not rows[0].file or _CELL.match(rows[0].function):  # a cell's source is in its notebook
        return browser
    pattern = shlex.quote(f"^{quote_pattern(rows[0].function)}$")
    return f"the source: conduit pprof -list={pattern} {shlex.quote(files[-1])}\n{browser}"


def _table(growths: Sequence[Growth], leaks: Leaks, most: int, *, callers: int = 3) -> list[str]:
    shown = growths[:most] if most else growths
    # Between two profiles there is one step, in which all of these grew.
    steps = ["grew in"] if leaks.profiles > 2 else []
    head = ["grown", "rate", "held", "objects", *steps, ""]
    rows = [head, *(_row(growth, leaks, callers) for growth in shown)]
    widths = [max(len(row[column]) for row in rows) for column in range(len(head) - 1)]
    lines = [
        "  ".join([*(cell.rjust(width) for cell, width in zip(row, widths, strict=False)), row[-1]]).rstrip()
        for row in rows
    ]
    if len(shown) < len(growths):
        lines.append(f"{counted(len(growths) - len(shown), 'more line')} grew; -nodecount=0 shows all")
    return lines


def _shortened(path: str) -> str:
    """Return a path below the current folder as a relative one, and a library's without its folder."""
    here = os.getcwd() + os.sep  # noqa: PTH109 (pathlib would slow the start)
    return _LIBRARY_FOLDER.sub("", path.removeprefix(here))


def _place(function: str, file: str, line: int) -> str:
    cell = _CELL.match(function)
    return f"{cell[0] if cell else _shortened(file)}:{line}"


def _row(growth: Growth, leaks: Leaks, callers: int) -> list[str]:
    rate = f"{format_size(growth.grown_bytes / leaks.seconds)}/s" if leaks.seconds else "unknown"
    place = f"{_place(growth.function, growth.file, growth.line)} " if growth.file else ""
    return [
        f"+{format_size(growth.grown_bytes)}",
        rate,
        format_size(growth.held_bytes),
        f"{growth.grown_objects:+,}",
        *([leaks.steps_text(growth)] if leaks.profiles > 2 else []),
        f"{place}{growth.function}{_led_by(growth, callers)}",
    ]


def _led_by(growth: Growth, callers: int) -> str:
    """Return the callers of a line, or of a library's line the line of the program that led there."""
    if growth.origin is not None and not growth.is_origin:
        return f" (from {_place(*growth.origin)})"
    names = growth.callers[:callers]
    return f" ({' < '.join(names)})" if names else ""
