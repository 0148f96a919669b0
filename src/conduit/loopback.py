"""Which names and addresses are this machine: asked by everything that listens on a port.

The peer's address keeps other machines out; the Host header keeps out web pages that a local browser was lured to
(DNS rebinding) and whatever a reverse proxy passes on from outside.
"""

from __future__ import annotations

LOCAL_NAMES = frozenset({"localhost", "127.0.0.1", "::1"})


def host_name(header: str) -> str:
    """The name in a Host header, without port and brackets, in lower case."""
    if header.startswith("["):
        return header[1:].partition("]")[0].lower()
    name, colon, port = header.rpartition(":")
    return (name if colon and port.isdigit() else header).lower()


def is_loopback(peer: str) -> bool:
    """Whether an IP address is this machine's own. Empty, as for a Unix socket, is: its file permissions decide."""
    from ipaddress import ip_address

    if not peer:
        return True
    try:
        address = ip_address(peer.partition("%")[0])
    except ValueError:
        return False
    mapped = getattr(address, "ipv4_mapped", None)
    return bool((mapped or address).is_loopback)
