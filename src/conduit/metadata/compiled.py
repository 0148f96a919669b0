"""The compiled form of a large document: one file beside it, from which a question reads only its part.

A document of thirteen megabytes takes longer to decode than any question to it. The compiled form holds smaller
documents, each with what a family of questions needs: the relationships, the routes without their chains, the counts of
each resource, every resource with its routes; answers that depend on nothing else, such as the statistics; and the
facts by which two documents are compared. It has the families that were asked: making all of them takes many times as
long as reading the document, and one is a small part of that.

It is a cache and never the truth. It names the document that it was made from by size, inode and times; where these,
the format or the package's version differ, or a part's checksum is wrong, it is ignored, and the document is read and
compiled again. A file of another user is ignored too. Where it cannot be written, nothing is said and nothing is lost.

Layout: magic, length and CRC-32 of the header (little-endian), the header (MessagePack: the document's stamp, and each
part's offset, length and CRC-32), then the parts (MessagePack).
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING
from zlib import crc32

import msgspec
from msgspec.structs import replace

from conduit._version import __version__
from conduit.errors import ConduitError
from conduit.metadata.codec import freeze
from conduit.metadata.schema import EMPTY, Field, Hook, Metadata, Relationship, Resource, Route

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

SMALLEST_BYTES = 1 << 20
"""Documents below this size are read whole: compiling them would gain nothing."""

_MAGIC = b"CONDUIT-COMPILED-6\n"
_LARGEST_HEADER_BYTES = 1 << 26
_encode = msgspec.msgpack.Encoder().encode
_decode_metadata = msgspec.msgpack.Decoder(Metadata).decode


class _Header(msgspec.Struct, frozen=True):
    version: str
    stamp: tuple[int, ...]
    parts: dict[str, tuple[int, int, int]]
    """Name → offset from the end of the header, length, CRC-32."""


def compiled_path(document: str) -> str:
    """Return the path of a document's compiled form."""
    return f"{document}.compiled"


def stamp_of(status: os.stat_result) -> tuple[int, ...]:
    """Return what identifies one state of a file: size, inode, and the times of its content and of its inode."""
    return status.st_size, status.st_ino, status.st_mtime_ns, status.st_ctime_ns


class CompiledForm:
    """An open compiled form whose header has been checked; `part` reads and checks one part."""

    def __init__(self, descriptor: int, start: int, parts: dict[str, tuple[int, int, int]]) -> None:
        self._descriptor = descriptor
        self._start = start
        self._parts = parts

    def part(self, name: str) -> Metadata | None:
        """Return a smaller document; `None` where the form has no such part or it is damaged."""
        data = self.bytes_of(name)
        try:
            return None if data is None else freeze(_decode_metadata(data))
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, ValueError):
            return None

    def bytes_of(self, name: str) -> bytes | None:
        """Return the bytes of a part; `None` where the form has no such part or it is damaged."""
        if name not in self._parts:
            return None
        offset, length, checksum = self._parts[name]
        try:
            data = os.pread(self._descriptor, length, self._start + offset)
        except OSError:
            return None
        return data if len(data) == length and crc32(data) == checksum else None

    def names(self) -> Iterable[str]:
        """Return the names of the parts."""
        return self._parts

    def close(self) -> None:
        """Close the file."""
        os.close(self._descriptor)


def open_compiled(document: str) -> CompiledForm | None:
    """Return the compiled form of a document as it is now; `None` where there is none that fits."""
    try:
        status = os.stat(document)  # noqa: PTH116 (pathlib would cost more than the look-up)
    except OSError:
        return None
    return _open_of_state(document, stamp_of(status))


def _open_of_state(document: str, stamp: tuple[int, ...]) -> CompiledForm | None:
    try:
        descriptor = os.open(compiled_path(document), os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return None
    form = None
    try:
        if os.fstat(descriptor).st_uid in (os.geteuid(), 0):
            form = _read_header(descriptor, stamp)
    except (OSError, msgspec.DecodeError, UnicodeDecodeError, ValueError):
        form = None
    if form is None:
        os.close(descriptor)
    return form


def _read_header(descriptor: int, stamp: tuple[int, ...]) -> CompiledForm | None:
    start = len(_MAGIC) + 8
    head = os.pread(descriptor, start, 0)
    if len(head) < start or not head.startswith(_MAGIC):
        return None
    length = int.from_bytes(head[len(_MAGIC) : -4], "little")
    if length > _LARGEST_HEADER_BYTES:
        return None
    data = os.pread(descriptor, length, start)
    if len(data) != length or crc32(data) != int.from_bytes(head[-4:], "little"):
        return None
    header = msgspec.msgpack.decode(data, type=_Header)
    if header.version != __version__ or tuple(header.stamp) != stamp:
        return None
    return CompiledForm(descriptor, start + length, header.parts)


def write_compiled(document: str, stamp: tuple[int, ...], parts: Mapping[str, bytes]) -> bool:
    """Add parts to the compiled form of a document that had `stamp` when it was read; return whether it was written.

    Parts of the same names are replaced. The file is written whole and renamed, so a reader sees the old one or the new
    one; of two writers, the parts of one may be lost.
    """
    path = compiled_path(document)
    if not os.access(os.path.dirname(path) or ".", os.W_OK):  # noqa: PTH120
        return False
    all_parts = {**_parts_beside(document, stamp, parts), **parts}
    places: dict[str, tuple[int, int, int]] = {}
    offset = 0
    for name, data in all_parts.items():
        places[name] = (offset, len(data), crc32(data))
        offset += len(data)
    header = _encode(_Header(__version__, stamp, places))
    head = _MAGIC + len(header).to_bytes(4, "little") + crc32(header).to_bytes(4, "little")
    return _write_whole(path, [head, header, *all_parts.values()])


def _parts_beside(document: str, stamp: tuple[int, ...], parts: Mapping[str, bytes]) -> dict[str, bytes]:
    """Return the other parts of the form that is there, without damaged ones."""
    form = _open_of_state(document, stamp)
    if form is None:
        return {}
    try:
        found = {name: form.bytes_of(name) for name in form.names() if name not in parts}
    finally:
        form.close()
    return {name: data for name, data in found.items() if data is not None}


def _write_whole(path: str, pieces: list[bytes]) -> bool:
    from conduit.files import write_file_whole

    try:
        write_file_whole(path, b"".join(pieces))
    except ConduitError:
        return False
    return True


# --- the parts


def document_parts(metadata: Metadata, family: str) -> dict[str, bytes]:
    """Return the parts of a family: `compared`, `resource` (each with its routes), or one smaller document."""
    if family == "compared":
        from conduit.metadata.compared_form import comparison_parts

        return comparison_parts(metadata)
    if family == "resource":
        return _each_resource(metadata)
    return {family: _encode(_SMALLER[family](metadata))}


def _each_resource(metadata: Metadata) -> dict[str, bytes]:
    parts: dict[str, bytes] = {}
    routes: dict[str, list[Route]] = {}
    for route in metadata.routes:
        routes.setdefault(route.resource, []).append(_short(route))
    pointing = _pointing(metadata)
    for resource in metadata.resources:  # the last one of a name is the one that is found
        referring = pointing.get(resource.name, {})
        resources = [
            resource if name == resource.name else Resource(name=name, relationships=tuple(relationships))
            for name, relationships in referring.items()
        ]
        if resource.name not in referring:
            resources.append(resource)
        own = tuple(routes.get(resource.name, ()))
        parts[f"resource:{resource.name}"] = _encode(Metadata(resources=tuple(resources), routes=own))
    return parts


def _tasks(metadata: Metadata) -> Metadata:
    return Metadata(tasks=metadata.tasks)


def _names(metadata: Metadata) -> Metadata:
    return Metadata(resources=tuple(Resource(name=one.name, id=one.id) for one in metadata.resources))


def _relations(metadata: Metadata) -> Metadata:
    """Return what dependencies, cycles and effects of a deletion follow from."""
    return Metadata(
        resources=tuple(
            Resource(
                name=one.name,
                id=one.id,
                file_path=one.file_path,
                kind=one.kind,
                origin=one.origin,
                relationships=one.relationships,
                hooks=tuple(Hook(type="", source_code=h.source_code) for h in one.hooks if h.source_code),
                middleware=one.middleware or EMPTY,
            )
            for one in metadata.resources
        )
    )


def _routes(metadata: Metadata) -> Metadata:
    """Return the routes as tables show them, and what their filters ask of resources."""
    return Metadata(
        resources=tuple(
            Resource(name=one.name, id=one.id, kind=one.kind, details=one.details)
            for one in metadata.resources
        ),
        routes=tuple(map(_short, metadata.routes)),
        middleware=metadata.middleware,
        mounts=metadata.mounts,
    )


def _short(route: Route) -> Route:
    """Return a route without its chain, parameters and answers, which no table shows."""
    details = route.details
    if details is None:
        return route
    return replace(
        route,
        details=replace(
            details, id="", chain=(), parameters=(), responses=(), resources=(), documentation=""
        ),
    )


def _resources(metadata: Metadata) -> Metadata:
    """Return the resources with as many empty fields, relationships and hooks as they have; the table counts them."""
    field, relationship, hook = Field("", ""), Relationship("", "", ""), Hook("")
    return Metadata(
        resources=tuple(
            replace(
                one,
                fields=(field,) * len(one.fields),
                relationships=(relationship,) * len(one.relationships),
                hooks=(hook,) * len(one.hooks),
                validations=(),
                constraints=(),
                middleware=EMPTY,
                scopes=(),
                computed_fields=(),
            )
            for one in metadata.resources
        ),
        routes=_modules(metadata),
    )


def _drawn(metadata: Metadata) -> Metadata:
    """Return what a picture shows: resources with their fields, relationships and constraints."""
    return Metadata(
        resources=tuple(
            replace(
                one,
                documentation="",
                fields=tuple(replace(field, documentation="") for field in one.fields),
                hooks=(),
                validations=(),
                middleware=EMPTY,
                scopes=(),
                computed_fields=(),
            )
            for one in metadata.resources
        ),
        routes=_modules(metadata),
    )


def _modules(metadata: Metadata) -> tuple[Route, ...]:
    """Return the routes with nothing but the module of their handler and their resource."""
    return tuple(
        Route("", "", handler=route.handler.partition(":")[0] + ":", resource=route.resource)
        for route in metadata.routes
    )


def _pointing(metadata: Metadata) -> dict[str, dict[str, list[Relationship]]]:
    """Return target → name of the resource that refers to it → its relationships, in document order."""
    pointing: dict[str, dict[str, list[Relationship]]] = {}
    for resource in metadata.resources:
        for relationship in resource.relationships:
            target = pointing.setdefault(relationship.target_resource, {})
            target.setdefault(resource.name, []).append(relationship)
    return pointing


_SMALLER: dict[str, Callable[[Metadata], Metadata]] = {
    "relations": _relations,
    "routes": _routes,
    "resources": _resources,
    "diagram": _drawn,
    "tasks": _tasks,
    "names": _names,
}
"""Family → what makes its document."""

FAMILIES = frozenset((*_SMALLER, "compared", "resource"))
