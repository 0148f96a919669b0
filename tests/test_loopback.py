from __future__ import annotations

import pytest

from conduit.loopback import LOCAL_NAMES, host_name, is_loopback


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
