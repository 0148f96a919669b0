"""Comparing documents by their compiled forms: equal resources and routes are neither decoded nor looked at.

Of each resource and route the form keeps the facts that a comparison goes by, and their digest. The digests, the keys
and the guards are one part, the facts two more, the links that deletions go through another.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

import msgspec

from conduit.metadata.facts import ComparedDocument, Facts, ResourceFacts
from conduit.metadata.guards import Steps  # noqa: TC001 (msgspec reads the annotations)
from conduit.metadata.impact import DeletionLinks, LinkTable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from conduit.metadata.schema import Metadata

T = TypeVar("T")

_DIGEST_BYTES = 16
_encode = msgspec.msgpack.Encoder().encode


class DamagedFormError(Exception):
    """A part of a compiled form is missing or damaged; the document itself has to be read."""


class _Records(msgspec.Struct, frozen=True):
    """The resources or the routes of a document."""

    keys: tuple[str, ...]
    digests: bytes
    """Of each one's facts, one behind the other."""
    ends: tuple[int, ...]
    """Where each one's facts end in the part that has them."""

    def by_key(self) -> dict[str, bytes]:
        """Return key → digest."""
        starts = range(0, len(self.digests), _DIGEST_BYTES)
        return {
            key: self.digests[start : start + _DIGEST_BYTES]
            for key, start in zip(self.keys, starts, strict=True)
        }


class _Index(msgspec.Struct, frozen=True):
    middleware: tuple[str, ...]
    names: tuple[str, ...]
    resources: _Records
    routes: _Records
    chains: tuple[Steps, ...]
    """The distinct chains of steps."""
    chain_of_route: tuple[int, ...]
    """For each route its position in `chains`."""
    writing: tuple[int, ...]
    """The positions of the routes that write."""


def comparison_parts(document: Metadata) -> dict[str, bytes]:
    """Return the parts of a compiled form from which `ComparedForm` reads."""
    side = ComparedDocument(document)
    resources, facts_of_resources = _records(side.resources, map(side.resource, side.resources))
    routes, facts_of_routes = _records(side.routes, map(side.route, side.routes))
    positions = {key: at for at, key in enumerate(side.routes)}
    index = _Index(
        side.middleware,
        side.names,
        resources,
        routes,
        side.chains,
        tuple(side.chain_of.values()),
        tuple(positions[key] for key in side.writing),
    )
    return {
        "compared": _encode(index),
        "compared resources": facts_of_resources,
        "compared routes": facts_of_routes,
        "deletions": _encode(side.links().table()),
    }


def _records(keys: Iterable[str], facts: Iterable[object]) -> tuple[_Records, bytes]:
    from hashlib import blake2b

    texts = [_encode(one) for one in facts]
    ends, offset = [], 0
    for text in texts:
        offset += len(text)
        ends.append(offset)
    digests = b"".join(blake2b(text, digest_size=_DIGEST_BYTES).digest() for text in texts)
    return _Records(tuple(keys), digests, tuple(ends)), b"".join(texts)


class ComparedForm:
    """A compiled form as one side of a comparison. Each method raises `DamagedFormError`.

    `read_part` returns the bytes of a part, or None where there is none or it is damaged.
    """

    def __init__(self, read_part: Callable[[str], bytes | None]) -> None:
        self._read_part = read_part
        try:
            index = msgspec.msgpack.decode(self._bytes("compared"), type=_Index)
            self.resources = index.resources.by_key()
            self.routes = index.routes.by_key()
            keys = index.routes.keys
            self.chain_of = dict(zip(keys, index.chain_of_route, strict=True))
            self.writing = [keys[at] for at in index.writing]
        except (msgspec.DecodeError, UnicodeDecodeError, ValueError, IndexError) as error:
            raise DamagedFormError from error
        self.middleware = index.middleware
        self.names = index.names
        self.chains = index.chains
        self.deletions = self._bytes("deletions")
        self._index = index
        self._parts: dict[str, tuple[bytes, dict[str, int]]] = {}

    def resource(self, key: str) -> ResourceFacts:
        """Return the facts of a resource."""
        return _decoded(self._facts("compared resources", self._index.resources, key), ResourceFacts)

    def route(self, key: str) -> Facts:
        """Return the facts of a route."""
        return _decoded(self._facts("compared routes", self._index.routes, key), Facts)

    def links(self) -> DeletionLinks:
        """Return the links that deletions go through."""
        return DeletionLinks.of_table(_decoded(self.deletions, LinkTable))

    def _facts(self, part: str, records: _Records, key: str) -> bytes:
        if part not in self._parts:
            self._parts[part] = self._bytes(part), {one: at for at, one in enumerate(records.keys)}
        data, positions = self._parts[part]
        at = positions[key]
        return data[records.ends[at - 1] if at else 0 : records.ends[at]]

    def _bytes(self, part: str) -> bytes:
        data = self._read_part(part)
        if data is None:
            raise DamagedFormError
        return data


def _decoded(data: bytes, kind: type[T]) -> T:
    try:
        return msgspec.msgpack.decode(data, type=kind)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise DamagedFormError from error
