"""URLs of the endpoints below `/debug/pprof/` of a service, from whatever part of them a user gives."""

from __future__ import annotations

from urllib.parse import parse_qsl, urlencode, urlsplit

from conduit.fetch.download import without_password
from conduit.report.errors import FetchError

_INDEX = "/debug/pprof/"


def is_url(text: str) -> bool:
    """Return whether a text names a service (`http://…`, `localhost:6060`) and not a process's number."""
    return "://" in text or (":" in text and not text.startswith(":"))


def endpoint_url(service: str, endpoint: str, **parameters: str) -> str:
    """Return the URL of one endpoint of a service, with these parameters and those that the service's URL has.

    `service` may be a host and port, the index (`…/debug/pprof/`), the endpoint itself, or another endpoint of it.
    Raises `FetchError` for a text that is no URL.
    """
    try:
        parts = urlsplit(service if "://" in service else f"http://{service}")
        _ = parts.port
    except ValueError as error:
        raise FetchError(f"{without_password(service)} is no URL: {error}") from None
    if not parts.netloc:
        raise FetchError(
            f"{without_password(service)} names no host: a URL is as http://localhost:6060/debug/pprof/"
        )
    path = parts.path if parts.path not in ("", "/") else _INDEX
    head, index, name = path.rpartition("pprof/")
    if index and "/" not in name:
        path = f"{head}{index}{endpoint}"
    elif path.endswith("/pprof"):
        path = f"{path}/{endpoint}"
    elif not path.endswith(f"/{endpoint}"):
        path = f"{path.rstrip('/')}/{endpoint}"
    query = dict(parse_qsl(parts.query, keep_blank_values=True)) | parameters
    return parts._replace(path=path, query=urlencode(query, errors="surrogateescape"), fragment="").geturl()
