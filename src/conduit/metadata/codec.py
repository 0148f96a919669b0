"""Encoding and decoding of documents, and reading them from files.

The fast decoder is msgspec's typed one, which accepts what Go and this package write. What it refuses goes to the
slow decoder (`diagnosis`), which normalises the compiler's format and `null`s, or reports every fault with its
path. Encoding writes exactly the bytes of Go's `encoding/json`: key order, omitted keys, escapes, numbers.
"""

from __future__ import annotations

import math
from os import fspath, fstat
from typing import TYPE_CHECKING

import msgspec
from msgspec.structs import force_setattr, replace

from conduit._native import available as native_available
from conduit.errors import MetadataError
from conduit.metadata.schema import EMPTY, ZERO_TIME, FrozenDict, Metadata

if TYPE_CHECKING:
    import os
    from typing import BinaryIO

    from conduit.metadata.schema import DependencyGraph, Pattern

if TYPE_CHECKING or not native_available():
    from conduit.metadata.tables import replace_none
else:
    from conduit._native.registry import replace_none

GO_DEPTH = 10_000
"""The nesting depth that Go's decoder refuses beyond; our default too."""


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """Limits beyond which a document is refused."""

    size_bytes: int = 1 << 30
    """Maximum size of the JSON text, after decompression."""
    depth: int = GO_DEPTH
    """Maximum nesting of objects and lists."""
    compression: int = 200
    """Maximum expansion factor of a compressed document larger than 1 MiB."""


DEFAULT_LIMITS = Limits()

_decode = msgspec.json.Decoder(Metadata).decode
_encode = msgspec.json.Encoder(order="deterministic").encode


def decode(
    data: bytes | bytearray | memoryview | str, *, strict: bool = False, limits: Limits = DEFAULT_LIMITS
) -> Metadata:
    """Decode and validate a document in UTF-8 JSON.

    Missing keys and `null` are the empty value of their type. Unknown keys are ignored; with `strict` they are errors.
    The compiler's variant of the format is converted. Raises `MetadataError` with the path of every fault, or with the
    byte offset where reading stopped.
    """
    if isinstance(data, str):
        data = data.encode("utf-8", "surrogatepass")
    elif not isinstance(data, bytes):
        data = bytes(data)
    if len(data) > limits.size_bytes:
        raise MetadataError(f"the document has {len(data):,} bytes; the limit is {limits.size_bytes:,}")
    if strict or limits.depth < GO_DEPTH:
        return _decode_slowly(data, strict, limits)
    try:
        if not data.isascii():
            data.decode()  # msgspec does not look into the text that it skips
        metadata = _decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return _decode_slowly(data, strict, limits)
    if metadata.generated == ZERO_TIME and b'"generated":' not in data:
        # Documents from Go always have the key; those of its compiler, in the other shape, never.
        return _decode_slowly(data, strict, limits)
    return freeze(metadata)


def _decode_slowly(data: bytes, strict: bool, limits: Limits) -> Metadata:
    from conduit.metadata.diagnosis import decode_slowly

    return freeze(decode_slowly(data, strict=strict, depth=limits.depth))


_LISTS = ("fields", "relationships", "hooks", "validations", "constraints")


def freeze(metadata: Metadata) -> Metadata:
    """Make a document's maps `FrozenDict`s and its lists tuples, in place, and return it.

    Raises `MetadataError` for a resource without a name.
    """
    for key in ("resources", "routes", "patterns"):
        if getattr(metadata, key) is None:
            force_setattr(metadata, key, ())
    replace_none(metadata.resources, _LISTS, ())
    for resource in metadata.resources:
        if not resource.name:
            raise _nameless(metadata)
        middleware = resource.middleware
        if middleware is not EMPTY and (type(middleware) is not FrozenDict or not middleware):
            force_setattr(resource, "middleware", FrozenDict(middleware) if middleware else EMPTY)
    replace_none(metadata.patterns, ("examples",), ())
    _freeze_graph(metadata.dependencies)
    return metadata


def _nameless(metadata: Metadata) -> MetadataError:
    index = next(index for index, resource in enumerate(metadata.resources) if not resource.name)
    path = f"resources[{index}].name"
    return MetadataError(f"{path}: every resource needs a name, and this one has none", path=path)


def _freeze_graph(graph: DependencyGraph) -> None:
    if type(graph.nodes) is not FrozenDict:
        force_setattr(graph, "nodes", FrozenDict(graph.nodes or {}))
    if graph.edges is None:
        force_setattr(graph, "edges", ())


def encode(metadata: Metadata, *, indent: int = 0) -> bytes:
    """Encode a document as Go does: compact and without a final newline, or with `indent` spaces per level.

    Equal documents give equal bytes. Raises `MetadataError` for a resource without a name, and `ValueError` for what
    JSON cannot say (a confidence that is not finite, a lone surrogate).
    """
    metadata = freeze(metadata)
    patterns = tuple([_wire_pattern(pattern) for pattern in metadata.patterns])
    data = _encode(replace(metadata, patterns=patterns))
    data = data.replace(b"<", b"\\u003c").replace(b">", b"\\u003e").replace(b"&", b"\\u0026")
    data = data.replace(b"\xe2\x80\xa8", b"\\u2028").replace(b"\xe2\x80\xa9", b"\\u2029")
    return msgspec.json.format(data, indent=indent) if indent else data


def _wire_pattern(pattern: Pattern) -> Pattern:
    """Return the pattern with its confidence spelled as in Go; negative zero becomes `0`."""
    return replace(pattern, confidence=msgspec.Raw(go_float(pattern.confidence + 0.0).encode()))


def go_float(value: float) -> str:
    """Return the shortest decimal that reads back as `value`, spelled as by Go's `encoding/json`."""
    if not math.isfinite(value):
        raise ValueError(f"JSON has no number for {value!r}")
    mantissa, _, exponent = f"{value!r}".partition("e")
    if 1e-6 <= abs(value) < 1e21 or value == 0:  # Python uses exponents for more of these, and for all others
        if not exponent:
            return mantissa.removesuffix(".0")
        from decimal import Decimal

        return f"{Decimal(repr(value)):f}"
    return f"{mantissa}e{'-' if exponent[0] == '-' else '+'}{exponent.lstrip('+-').lstrip('0')}"


def read_document(path: str | os.PathLike[str], *, limits: Limits = DEFAULT_LIMITS) -> bytes:
    """Read the JSON text of a file, decompressing gzip (recognised by its first bytes).

    Never holds more than the limits allow. Raises `MetadataError` for a file that cannot be read, is too large, becomes
    too large, or ends early.
    """
    where = fspath(path)
    try:
        with open(where, "rb") as file:  # noqa: PTH123 - pathlib takes 5 ms to import
            data = _read_at_most(file, limits.size_bytes + 1)
    except OSError as error:
        raise MetadataError(f"cannot read {where}: {error.strerror or error}") from error
    if len(data) > limits.size_bytes:
        raise MetadataError(
            f"{where}: the document has more than {limits.size_bytes:,} bytes, which is the limit"
        )
    return _decompressed(data, where, limits) if data.startswith(b"\x1f\x8b") else data


_FREE_SIZE_BYTES = 1 << 20
_PIECE_BYTES = 1 << 20


def _read_at_most(file: BinaryIO, count: int) -> bytes:
    """Read up to `count` bytes in pieces; a single `read(count)` would allocate `count` bytes first."""
    size = fstat(file.fileno()).st_size  # 0 for a pipe
    data = file.read(min(count, size + 1))
    if len(data) <= size:
        return data
    pieces = [data]
    left = count - len(data)
    while left and (piece := file.read(min(left, _PIECE_BYTES))):
        pieces.append(piece)
        left -= len(piece)
    return b"".join(pieces)


def _decompressed(data: bytes, where: str, limits: Limits) -> bytes:
    import zlib

    allowed = min(limits.size_bytes, max(_FREE_SIZE_BYTES, limits.compression * len(data)))
    pieces: list[bytes] = []
    size = 0
    while data:  # gzip files may be several in a row
        stream = zlib.decompressobj(wbits=31)
        try:
            piece = stream.decompress(data, allowed - size + 1)
        except zlib.error as error:
            raise MetadataError(f"{where}: not a whole gzip file: {error}") from error
        size += len(piece)
        if size > allowed:
            raise MetadataError(
                f"{where}: {len(data):,} compressed bytes become more than {allowed:,}; raise the limits if "
                "that is meant"
            )
        if not stream.eof:
            raise MetadataError(
                f"{where}: not a whole gzip file: it ends early, after {size:,} bytes of text"
            )
        pieces.append(piece)
        data = stream.unused_data
    return b"".join(pieces)
