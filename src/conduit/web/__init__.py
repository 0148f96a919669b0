"""Reports in a browser: the page of `conduit pprof -http`, the same page as one HTML file, and the trace viewer.

The page shows the numbers of the text reports (`conduit.report`) in views whose addresses and parameters are those of
google/pprof's web interface. `session` makes the data of each view, `application` answers requests, `server` listens,
and `page` builds the document; scripts and style are the plain files in `static/`, without a build step, and nothing
is loaded from other hosts. `registry` is the page of a metadata document, `history_page` that of benchmark results.
Used by the command line (`serve_profile`, `single_file_report`) and by applications, which mount the page over stored
and live profiles with `asgi_app` and `wsgi_app`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from conduit.web.mounted import asgi_app, wsgi_app

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from conduit.profile.model import Profile
    from conduit.report.options import Options

__all__ = ["asgi_app", "serve_profile", "single_file_report", "wsgi_app"]


def serve_profile(
    profile: Profile,
    options: Options,
    address: str,
    say: Callable[[str], None],
    *,
    opens_browser: bool = True,
    fetch: Callable[[], Profile] | None = None,
    fetch_for: Callable[[int], Profile] | None = None,
    sources: Sequence[str] = (),
    base: Sequence[str] = (),
    repeats: tuple[Sequence[Profile], Sequence[Profile]] | None = None,
    series: Sequence[Profile] = (),
    series_sources: Sequence[str] = (),
) -> None:
    """Serve the page at `[host]:port` until interrupted.

    `fetch` reads live sources again, `fetch_for` for so many seconds.

    `sources` and `base` are what the page's command lines name: the sources, and the flags that name a base. `repeats`
    holds the single profiles before and after, where several are compared with several; `series` heap profiles of one
    process, the earliest first, read from `series_sources`, whose growth the first page shows.

    Raises `UsageError` for a malformed address and `ConduitError` if the port is taken.
    """
    from conduit.web.browser import open_browser
    from conduit.web.configs import SavedConfigs
    from conduit.web.server import PageServer
    from conduit.web.session import ProfileSession

    session = ProfileSession(
        profile,
        options,
        SavedConfigs(),
        fetch=fetch,
        fetch_for=fetch_for,
        sources=sources,
        base=base,
        repeats=repeats,
        series=series,
        series_sources=series_sources,
    )
    server = PageServer(session, address)
    url = f"{server.url}/ui/growth" if series else server.url
    say(f"Serving web UI on {url}")
    if opens_browser and not open_browser(url):
        say(f"No browser was found to open; visit {url}")
    try:
        server.serve()
    except KeyboardInterrupt:
        say("")
    finally:
        server.release()


def single_file_report(
    profile: Profile,
    options: Options,
    warn: Callable[[str], None],
    repeats: tuple[Sequence[Profile], Sequence[Profile]] | None = None,
) -> bytes:
    """Return all views in one HTML document that opens from disk and needs no server or network.

    `repeats`: see `serve_profile`.
    """
    from conduit.web.configs import SavedConfigs
    from conduit.web.page import single_file
    from conduit.web.session import ProfileSession

    data = ProfileSession(profile, options, SavedConfigs(), repeats=repeats).single_file()
    for message in data["errors"]:
        warn(message)
    return single_file(data)
