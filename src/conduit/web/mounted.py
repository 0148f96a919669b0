"""The page inside an application: over the profiles of a folder, and over this process, behind the endpoint's rules.

`/debug/profiles/` lists them, `/debug/profiles/NAME/ui/` is the page of one. Live ones are recorded when their page is
opened, and again by its button. Requests need what `/debug/pprof` needs (`conduit.http.access`): by default they come
from this machine, by a local name, and bear the token.
"""

from __future__ import annotations

import threading
from collections import OrderedDict
from pathlib import Path
from typing import TYPE_CHECKING

from conduit.errors import ConduitError
from conduit.http.access import log_in, log_warning, require_token
from conduit.http.messages import parse_query, plain_response, redirect_response, split_mount
from conduit.web.turns import take_turn

if TYPE_CHECKING:
    import os

    from conduit.http.access import Access
    from conduit.http.asgi import ASGIApp
    from conduit.http.messages import Request, Response
    from conduit.http.wsgi import WSGIApp
    from conduit.profile.model import Profile
    from conduit.web.application import Application

ROOT = "/debug/profiles"
LIVE = ("live-cpu", "live-wall")
_SUFFIXES = (".prof", ".pprof", ".pb.gz", ".pb")
_MAX_BODY_BYTES = 1 << 20
_KEPT = 4  # applications, each with the profiles that it has read or recorded
_VIEW_SECONDS = 60.0  # of CPU time: the application's own requests wait for the same interpreter


def asgi_app(
    app: ASGIApp | None = None,
    access: Access | None = None,
    *,
    folder: str | os.PathLike[str] | None = None,
    live_seconds: float = 10.0,
) -> ASGIApp:
    """Return an ASGI application that answers `/debug/profiles`, and passes other requests to `app` (404 without one).

    It shows the pprof files of `folder` (not below it), and CPU and wall profiles of this process, `live_seconds` long;
    0 leaves live ones out. Requests need a token, as at `/debug/pprof`: `access.token`, the environment variable
    CONDUIT_DEBUG_TOKEN, or a new one, which is logged as a warning; a browser logs in at
    `/debug/profiles/login?token=TOKEN`. Pages are made in threads, so the event loop continues.
    """
    from conduit.http.asgi import mount_asgi

    pages = ProfilePages(require_token(access, log_warning, ROOT), folder, live_seconds)

    return mount_asgi(pages.answer, ROOT, app, _MAX_BODY_BYTES)


def wsgi_app(
    app: WSGIApp | None = None,
    access: Access | None = None,
    *,
    folder: str | os.PathLike[str] | None = None,
    live_seconds: float = 10.0,
) -> WSGIApp:
    """Return a WSGI application that answers `/debug/profiles`, and passes other paths to `app` (404 without one).

    Arguments and rules are those of `asgi_app`. A live profile occupies its worker while it is recorded.
    """
    from conduit.http.wsgi import mount_wsgi

    pages = ProfilePages(require_token(access, log_warning, ROOT), folder, live_seconds)

    return mount_wsgi(pages.answer, ROOT, app, _MAX_BODY_BYTES)


class ProfilePages:
    """Answers requests for the list of profiles and for the pages of each, under the rules of one `Access`."""

    def __init__(
        self, access: Access, folder: str | os.PathLike[str] | None = None, live_seconds: float = 10.0
    ) -> None:
        self.access = access
        self._folder = None if folder is None else Path(folder)
        self._live_seconds = live_seconds
        self._lock = threading.Lock()
        self._recording = threading.Lock()
        self._reading = threading.Lock()
        self._applications: OrderedDict[tuple[str, str, int], Application] = OrderedDict()

    def answer(self, request: Request, cancelled: threading.Event) -> Response:
        """Answer one request; blocks while a profile is read or recorded."""
        parts = split_mount(request.path, ROOT)
        if parts is None:
            return plain_response(404, "404 page not found")
        root, rest = parts
        if rest == "/login":
            refused = self.access.refusal_by_origin(request)
            token = parse_query(request.query).get("token", "")
            return plain_response(*refused) if refused else log_in(self.access, token)
        refused = self.access.refusal(request)
        if refused is not None:
            challenge = (("WWW-Authenticate", "Bearer"),) if refused[0] == 401 else ()
            return plain_response(*refused, *challenge)
        if rest in ("", "/"):
            return self._list() if rest else redirect_response(307, f"{root}/")
        name, _, inner = rest[1:].partition("/")
        if not inner:
            return redirect_response(307, f"{root}/{name}/ui/")
        try:
            application = self._application(name, f"{root}/{name}", cancelled)
        except ConduitError as error:
            return plain_response(500, str(error))
        if application is None:
            return plain_response(404, "there is no such profile; /debug/profiles/ lists them")
        return application.answer(request, cancelled)

    def _list(self) -> Response:
        from conduit.web.profile_list import list_page

        return list_page(self._stored(), LIVE if self._live_seconds > 0 else (), self._live_seconds)

    def _stored(self) -> list[Path]:
        """Return the pprof files of the folder, the newest first."""
        if self._folder is None or not self._folder.is_dir():
            return []
        found = [path for path in self._folder.iterdir() if path.name.endswith(_SUFFIXES) and path.is_file()]
        return sorted(found, key=lambda path: (-path.stat().st_mtime, path.name))

    def _application(self, name: str, prefix: str, cancelled: threading.Event) -> Application | None:
        """Return the pages of one profile: those of before, unless its file has changed; None if there is none."""
        is_live = name in LIVE and self._live_seconds > 0
        path = None if is_live else next((path for path in self._stored() if path.name == name), None)
        if path is None and not is_live:
            return None
        stamp = 0 if path is None else path.stat().st_mtime_ns
        key = (name, prefix, stamp)
        with self._lock:
            known = self._applications.get(key)
            if known is not None:
                self._applications.move_to_end(key)
                return known
        if path is None:
            return self._make(name, prefix, key, self._record(name, cancelled))
        from conduit.profile.codec import decode

        with take_turn(self._reading, cancelled):
            with self._lock:
                known = self._applications.get(key)
            return known or self._make(name, prefix, key, decode(path.read_bytes()))

    def _make(self, name: str, prefix: str, key: tuple[str, str, int], profile: Profile) -> Application:
        from conduit.report.options import Options
        from conduit.web.application import Application
        from conduit.web.configs import SavedConfigs
        from conduit.web.session import ProfileSession

        # A request to record again has an event of its own: that of this request is set when it has been answered.
        is_live = name in LIVE and not key[2]
        session = ProfileSession(
            profile,
            Options(),
            SavedConfigs(),
            fetch=(lambda: self._record(name, threading.Event())) if is_live else None,
            fetch_for=(lambda seconds: self._record(name, threading.Event(), seconds)) if is_live else None,
            max_seconds=self.access.max_seconds,
            limit_s=_VIEW_SECONDS,
        )
        made = Application(session, prefix=prefix, access=self.access)
        with self._lock:
            self._applications[key] = made
            while len(self._applications) > _KEPT:
                self._applications.popitem(last=False)
        return made

    def _record(self, name: str, cancelled: threading.Event, seconds: float | None = None) -> Profile:
        from conduit.record import cpu, wall

        if not self._recording.acquire(blocking=False):
            raise ConduitError("another profile of this process is being recorded; try again when it is done")
        try:
            recording = cpu() if name == "live-cpu" else wall()
            recording.start()
            try:
                cancelled.wait(self._live_seconds if seconds is None else seconds)
            finally:
                profile = recording.stop()
        finally:
            self._recording.release()
        return profile
