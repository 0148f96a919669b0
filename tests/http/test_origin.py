from __future__ import annotations

import base64

import pytest

from conduit.http.messages import printable
from conduit.http.origin import (
    LOCAL_NAMES,
    bears_token,
    cookie_value,
    forwarding_header,
    host_name,
    is_cross_origin,
    is_loopback,
)


@pytest.mark.parametrize(
    ("header", "name"),
    [
        ("localhost:6060", "localhost"),
        ("LocalHost", "localhost"),
        ("[::1]:6060", "::1"),
        ("127.0.0.1", "127.0.0.1"),
        ("evil.example:80", "evil.example"),
        ("", ""),
    ],
)
def test_a_host_header_is_reduced_to_its_name(header: str, name: str) -> None:
    assert host_name(header) == name


def test_a_name_that_only_starts_like_a_local_one_is_not_local() -> None:
    assert host_name("localhost.evil.example:80") not in LOCAL_NAMES
    assert host_name("127.0.0.1.evil.example") not in LOCAL_NAMES


@pytest.mark.parametrize(
    ("peer", "local"),
    [
        ("127.0.0.1", True),
        ("127.9.9.9", True),
        ("::1", True),
        ("::ffff:127.0.0.1", True),
        ("fe80::1%eth0", False),
        ("10.0.0.1", False),
        ("", True),
        ("testclient", False),
    ],
)
def test_only_addresses_of_this_machine_are_loopback(peer: str, local: bool) -> None:
    assert is_loopback(peer) is local


@pytest.mark.parametrize(
    "header", ["x-forwarded-for", "forwarded", "via", "x-real-ip", "x-forwarded-anything", "cf-connecting-ip"]
)
def test_a_header_that_a_proxy_adds_is_found(header: str) -> None:
    assert forwarding_header({"host": "localhost", header: "10.0.0.1"}) == header


def test_a_plain_request_has_no_forwarding_header() -> None:
    assert forwarding_header({"host": "localhost", "accept": "*/*"}) is None


@pytest.mark.parametrize(
    ("headers", "cross"),
    [
        ({}, False),
        ({"origin": "http://localhost:8080"}, False),
        ({"origin": "http://LOCALHOST:8080"}, False),
        ({"origin": "http://localhost:3000"}, True),
        ({"origin": "http://evil.example"}, True),
        ({"origin": "null"}, True),
        ({"origin": "http://localhost:8080, http://evil.example"}, True),
        ({"origin": "file://localhost:8080"}, True),
        ({"sec-fetch-site": "same-origin"}, False),
        ({"sec-fetch-site": "none"}, False),
        ({"sec-fetch-site": "cross-site"}, True),
        ({"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate", "sec-fetch-dest": "document"}, True),
    ],
)
def test_a_request_for_a_page_of_another_origin_is_told_by_its_headers(
    headers: dict[str, str], cross: bool
) -> None:
    assert is_cross_origin({"host": "localhost:8080", **headers}) is cross


def test_a_link_on_another_site_may_open_a_page_in_the_window_but_not_load_it_into_itself() -> None:
    link = {"sec-fetch-site": "cross-site", "sec-fetch-mode": "navigate", "sec-fetch-dest": "document"}
    assert not is_cross_origin(link, navigation=True)
    assert is_cross_origin({**link, "sec-fetch-dest": "iframe"}, navigation=True)
    assert is_cross_origin({"sec-fetch-site": "cross-site"}, navigation=True)


def basic(text: str) -> str:
    return "Basic " + base64.b64encode(text.encode()).decode()


@pytest.mark.parametrize(
    ("headers", "carries"),
    [
        ({"authorization": "Bearer secret"}, True),
        ({"authorization": "bearer  secret"}, True),
        ({"authorization": basic("pprof:secret")}, True),
        ({"authorization": basic(":secret")}, True),
        ({"cookie": f"a=b; login={cookie_value('secret')}"}, True),
        ({}, False),
        ({"authorization": "Bearer wrong"}, False),
        ({"authorization": "Bearer "}, False),
        ({"authorization": "secret"}, False),
        ({"authorization": basic("secret:")}, False),
        ({"authorization": "Basic ???"}, False),
        ({"cookie": "login=secret"}, False),
        ({"cookie": f"other={cookie_value('secret')}"}, False),
        ({"cookie": "login="}, False),
    ],
)
def test_a_token_is_accepted_as_bearer_as_password_and_in_the_cookie_only(
    headers: dict[str, str], carries: bool
) -> None:
    assert bears_token(headers, "secret", "login") is carries


def test_text_that_a_header_cannot_hold_is_percent_encoded() -> None:
    assert printable("/a?b=c%20d") == "/a?b=c%20d"
    assert printable("/a\r\nSet-Cookie: x=ü\x1b") == "/a%0D%0ASet-Cookie:%20x=%C3%BC%1B"
