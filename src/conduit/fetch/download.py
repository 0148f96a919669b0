"""Profiles over HTTP: which URL a source means, how long to wait, and what a server says when it refuses."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, NamedTuple
from urllib.parse import SplitResult, parse_qsl, quote, urlencode, urlsplit

from conduit.fetch.deadline import Deadline
from conduit.report.errors import FetchError

if TYPE_CHECKING:
    from email.message import Message
    from ssl import SSLContext
    from typing import IO

# Where a server keeps its CPU profile, for a source that names a host only.
DEFAULT_PATH = "/debug/pprof/profile"
_INDEX = "/debug/pprof"
_DEFAULT_TIMEOUT = 60.0
_GRACE = 5.0  # seconds beyond the timeout, for the server to send what it measured
_MOST = 1 << 29  # bytes of a profile; a server that sends more is not trusted to end
_INSECURE = "https+insecure"
_AS_THEY_ARE = "".join(chr(code) for code in range(0x21, 0x7F))
_PASSWORD = re.compile(r"((?:^|//)[^/?#@:]*:)[^/?#]*@")
_PARAMETER = re.compile(
    r"([?&](?:sig|otp|[^=&#]*(?:token|secret|passw|passphrase|(?:api|access)[-_]?key|signature|credential|session|jwt|"
    r"auth(?!or))[^=&#]*)=)[^&#]+",
    re.IGNORECASE,
)
# A user without a password may be a token; a plain name is none.
_USER = re.compile(r"(?<=//)(?![A-Za-z_.-]{1,20}@)[^/?#@:]+@")


class Target(NamedTuple):
    """Where a profile is fetched from, and how long that may take in seconds."""

    url: str
    timeout: float


def profile_url(source: str, seconds: int, timeout: int) -> Target | None:
    """Return the URL that a source means, with `seconds` in its query; None for a text that is none.

    A host alone means its CPU profile. Without a timeout, half as much again as the measurement takes is waited,
    or a minute.
    """
    parts = _split(source)
    if "://" not in source and (parts is None or _may_be_host(parts)):
        parts = _split(f"http://{source}")
    if parts is None or not parts.netloc:
        return None
    query = dict(parse_qsl(parts.query, keep_blank_values=True))
    if seconds > 0:
        query["seconds"] = str(seconds)
    elif query.get("seconds", "").isdecimal():
        seconds = int(query["seconds"])
    path = parts.path
    if path in ("", "/") or path.rstrip("/").endswith(_INDEX):  # a host only, or the index page
        path = path.rstrip("/").removesuffix(_INDEX) + DEFAULT_PATH
    wait = float(timeout) if timeout > 0 else seconds * 1.5 if seconds > 0 else _DEFAULT_TIMEOUT
    # Sorted, as the original writes them.
    encoded = urlencode(sorted(query.items()), errors="surrogateescape")
    return Target(parts._replace(path=path, query=encoded).geturl(), wait)


def _may_be_host(parts: SplitResult) -> bool:
    """Return whether a text without `//` may be `host:port/path`.

    Parsed as a URL, such a text has its host for a scheme, or for a path.
    """
    if parts.netloc or parts.scheme == "file":
        return False
    return bool(parts.scheme) or ":" in parts.path.partition("/")[0]


def _split(text: str) -> SplitResult | None:
    try:
        parts = urlsplit(text)
        # `host:80/path` has no scheme, and a port that is no number is no URL; both are found out here.
        _ = parts.port
    except ValueError:
        return None
    return parts


class Certificates(NamedTuple):
    """Files for TLS: the client's certificate and its key, and the authorities that a server is checked by."""

    certificate: str = ""
    key: str = ""
    authorities: str = ""


def download(target: Target, certificates: Certificates | None = None) -> bytes:
    """Return the body of a URL. Raise `FetchError` with the server's words where it has some."""
    from http.client import HTTPException
    from urllib.error import HTTPError, URLError
    from urllib.request import Request, build_opener

    url = target.url
    is_insecure = url.startswith(_INSECURE + ":")
    if is_insecure:
        url = "https" + url.removeprefix(_INSECURE)
    if not url.startswith(("http://", "https://")):
        raise FetchError(
            f'Get "{without_password(url)}": unsupported protocol scheme "{url.partition(":")[0]}"'
        )
    context = None
    if is_insecure or (certificates and any(certificates)):
        context = _context(certificates or Certificates(), checks=not is_insecure)
    limit = target.timeout + _GRACE
    with Deadline(limit) as deadline:
        try:
            address, authorization = _without_user(url)
            request = Request(_in_ascii(address), headers={"User-Agent": "conduit-pprof"})
            if authorization:
                request.add_unredirected_header("Authorization", authorization)
            with build_opener(*deadline.handlers(context)).open(request, timeout=limit) as response:
                body = _body(response, url)
            deadline.check()
            return body
        except HTTPError as error:
            with error:
                raise FetchError(_refusal(error.code, str(error.reason), error.headers, error)) from None
        except UnicodeError:
            raise FetchError(
                f'Get "{without_password(url)}": the name of the host is not one, such as localhost:6060'
            ) from None
        except (URLError, HTTPException, OSError) as error:
            reason = error.reason if isinstance(error, URLError) else error
            described = _described(TimeoutError() if deadline.has_passed else reason, limit)
            raise FetchError(f'Get "{without_password(url)}": {described}') from None


def without_password(url: str) -> str:
    """Return the URL as messages and files show it, without secrets.

    The password, and a token or key in the query or as the user, become `***`.
    """
    return _PARAMETER.sub(r"\1***", _USER.sub("***@", _PASSWORD.sub(r"\1***@", url)))


def _without_user(url: str) -> tuple[str, str]:
    """Return the URL without user and password, and the header that they make.

    The header is that of Basic authentication; empty without a user.
    """
    from base64 import b64encode
    from urllib.parse import unquote_to_bytes, urlsplit

    parts = urlsplit(url)
    user, at, host = parts.netloc.rpartition("@")
    if not at:
        return url, ""
    name, _, password = user.encode("utf-8", "surrogateescape").partition(b":")
    secret = b64encode(unquote_to_bytes(name) + b":" + unquote_to_bytes(password)).decode()
    return parts._replace(netloc=host).geturl(), f"Basic {secret}"


def _in_ascii(url: str) -> str:
    """Return the URL with all that is not ASCII in its path and query as bytes, `%C3%A9`."""
    parts = urlsplit(url)
    path, query = (
        quote(part, safe=_AS_THEY_ARE, errors="surrogateescape") for part in (parts.path, parts.query)
    )
    return parts._replace(path=path, query=query).geturl()


def _described(reason: object, limit: float) -> str:
    if isinstance(reason, TimeoutError):
        return f"no complete answer within {limit:g} s; -timeout=SECONDS waits longer"
    if isinstance(reason, OSError) and reason.strerror:
        return reason.strerror.lower()
    return str(reason)


def _body(response: IO[bytes], url: str) -> bytes:
    data = response.read(_MOST + 1)
    if len(data) > _MOST:
        raise FetchError(
            f'Get "{without_password(url)}": the response is longer than {_MOST} bytes, the limit for a profile'
        )
    return data


def _refusal(status: int, reason: str, headers: Message, body: IO[bytes]) -> str:
    """Return the status, and the body where the server says that it is a profile handler's own message."""
    text = f"server response: {status} {reason}"
    if headers.get("X-Go-Pprof") and "text/plain" in headers.get("Content-Type", ""):
        text += f" - {body.read(1 << 16).decode('utf-8', 'replace')}"
    text = text.rstrip("\r\n")
    if status == 401:
        text += "; a token is written into the address: http://pprof:TOKEN@HOST:PORT/debug/pprof/profile"
    return text


def _context(certificates: Certificates, *, checks: bool) -> SSLContext:
    import ssl

    try:
        context = ssl.create_default_context(cafile=certificates.authorities or None)
        if certificates.certificate:
            context.load_cert_chain(certificates.certificate, certificates.key or None)
    except OSError as error:
        names = ", ".join(filter(None, certificates))
        raise FetchError(f"the TLS files {names} cannot be used: {error.strerror or error}") from None
    if not checks:
        context.check_hostname = False
        context.verify_mode = ssl.CERT_NONE
    return context
