"""Where a request comes from: peer address, Host, and the headers that browsers and proxies add.

The peer's address keeps other machines out. The Host header keeps out web pages that a local browser was lured to
(DNS rebinding). Neither is proof that the client is on this machine: a reverse proxy is a local peer and may send
any Host. Forwarding headers give most proxies away; nginx's defaults add none, so only a token keeps its clients out.
"""

from __future__ import annotations

import base64
import binascii
import hmac
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

LOCAL_NAMES = frozenset({"localhost", "127.0.0.1", "::1"})

_FORWARDING = frozenset(
    {
        "forwarded",
        "via",
        "x-real-ip",
        "x-client-ip",
        "x-cluster-client-ip",
        "x-original-host",
        "x-original-url",
        "x-rewrite-url",
        "x-envoy-external-address",
        "x-proxyuser-ip",
        "true-client-ip",
        "cf-connecting-ip",
        "fastly-client-ip",
        "fly-client-ip",
    }
)


def host_name(header: str) -> str:
    """Return the name in a Host header, without port and brackets, in lower case."""
    if header.startswith("["):
        return header[1:].partition("]")[0].lower()
    name, colon, port = header.rpartition(":")
    return (name if colon and port.isdigit() else header).lower()


def is_loopback(peer: str) -> bool:
    """Return whether an IP address belongs to this machine.

    The empty one of a Unix socket does: there, file permissions decide.
    """
    from ipaddress import ip_address

    if not peer:
        return True
    try:
        address = ip_address(peer.partition("%")[0])
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    return bool((mapped or address).is_loopback)


def forwarding_header(headers: Mapping[str, str]) -> str | None:
    """Return the name of a header that a proxy added on behalf of another client; None without one."""
    for name in headers:
        if name in _FORWARDING or name.startswith("x-forwarded-"):
            return name
    return None


def is_cross_origin(headers: Mapping[str, str], *, navigation: bool = False) -> bool:
    """Return whether a browser sent the request for a page of another origin, by `Origin` and `Sec-Fetch-Site`.

    With `navigation`, a link on another site that opens this page in the window itself is let through.
    """
    if headers.get("sec-fetch-site", "").strip().lower() == "cross-site" and not (
        navigation
        and headers.get("sec-fetch-mode") == "navigate"
        and headers.get("sec-fetch-dest") == "document"
    ):
        return True
    origin = headers.get("origin")
    if origin is None:
        return False
    scheme, separator, authority = origin.partition("://")
    return (
        not separator
        or scheme.lower() not in ("http", "https")
        or authority.lower() != headers.get("host", "").strip().lower()
    )


def bears_token(headers: Mapping[str, str], token: str, cookie: str) -> bool:
    """Return whether the request carries `token`, compared in constant time.

    It may stand in `Authorization: Bearer TOKEN`, as the password of `Authorization: Basic` (which is what
    `http://pprof:TOKEN@host/` in an address becomes), or, hashed by `cookie_value`, in the cookie of that name.
    """
    scheme, _, given = headers.get("authorization", "").partition(" ")
    given = given.strip()
    if scheme.lower() == "basic":
        given = _basic_password(given)
    elif scheme.lower() != "bearer":
        given = ""
    if given and same_secret(given, token):
        return True
    return any(same_secret(value, cookie_value(token)) for value in _cookies(headers, cookie))


def same_secret(given: str, expected: str) -> bool:
    """Compare two texts in a time that does not depend on where they differ."""
    return hmac.compare_digest(given.encode("utf-8", "replace"), expected.encode("utf-8", "replace"))


def cookie_value(token: str) -> str:
    """Return the value of the login cookie: derived from the token, which cannot be computed back from it."""
    return hmac.new(token.encode("utf-8", "replace"), b"conduit login cookie", "sha256").hexdigest()


def _basic_password(encoded: str) -> str:
    try:
        text = base64.b64decode(encoded, validate=True).decode("utf-8")
    except (binascii.Error, ValueError):
        return ""
    return text.partition(":")[2]


def _cookies(headers: Mapping[str, str], name: str) -> list[str]:
    pairs = (part.strip().partition("=") for part in headers.get("cookie", "").replace(",", ";").split(";"))
    return [value for key, _, value in pairs if key == name]
