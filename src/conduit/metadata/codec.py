"""Records ⇄ JSON bytes, and files of them; where bad input is told apart.

Decoding has one fast way and one slow one. The fast way is msgspec's typed decoder, which takes what Go and we write.
What it refuses goes the slow way (`diagnosis`): read without types, brought into shape where it is another program's
shape or only `null`s, or else refused with every place that is wrong. Encoding writes what Go's `encoding/json` would
write for the same values, byte for byte: the order of the keys, what is left out, escapes, numbers.
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
    from conduit.metadata.indexing import replace_none
else:
    from conduit._native.registry import replace_none

GO_DEPTH = 10_000
"""How deep Go's decoder goes before it refuses; also our default."""


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """How much a document may ask for before it is refused."""

    size_bytes: int = 1 << 30
    """Of the JSON text, after decompression."""
    depth: int = GO_DEPTH
    """Objects and lists within each other."""
    compression: int = 200
    """How many times larger a compressed document may become, once it is larger than 1 MiB."""


DEFAULT_LIMITS = Limits()

_decode = msgspec.json.Decoder(Metadata).decode
_encode = msgspec.json.Encoder(order="deterministic").encode


def decode(
    data: bytes | bytearray | memoryview | str, *, strict: bool = False, limits: Limits = DEFAULT_LIMITS
) -> Metadata:
    """The document in `data` (UTF-8 JSON), checked whole.

    Missing keys and `null` are the empty value of their type. Unknown keys are ignored; with `strict` they are errors.
    The shape that the origin's compiler writes is brought into this one. Raises `MetadataError` with the place of every
    fault, or with the byte where reading stopped.
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
    """The same document, its maps `FrozenDict`s and its lists tuples where the decoder or a caller left others.

    Works in place: what changes is equal to what it replaces. Raises `MetadataError` for a resource without a name.
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
    place = f"resources[{index}].name"
    return MetadataError(f"{place}: every resource needs a name, and this one has none", place=place)


def _freeze_graph(graph: DependencyGraph) -> None:
    if type(graph.nodes) is not FrozenDict:
        force_setattr(graph, "nodes", FrozenDict(graph.nodes or {}))
    if graph.edges is None:
        force_setattr(graph, "edges", ())


def encode(metadata: Metadata, *, indent: int = 0) -> bytes:
    """The document as Go writes it: compact and without a final newline, or with `indent` spaces a level.

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
    """The pattern with its confidence as Go spells the number; a negative zero, being equal to zero, as `0`."""
    return replace(pattern, confidence=msgspec.Raw(go_float(pattern.confidence + 0.0).encode()))


def go_float(value: float) -> str:
    """The shortest decimal that reads back as `value`, spelled as Go's `encoding/json` does."""
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
    """The JSON text in a file, decompressed where it is gzip (by its first bytes, whatever its name).

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
    """Up to `count` bytes. Asking for all of them at once would make room for all of them: a gigabyte a load."""
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
                f"{where}: {len(data):,} compressed bytes become more than {allowed:,}; raise the limits if that is meant"
            )
        if not stream.eof:
            raise MetadataError(
                f"{where}: not a whole gzip file: it ends early, after {size:,} bytes of text"
            )
        pieces.append(piece)
        data = stream.unused_data
    return b"".join(pieces)
