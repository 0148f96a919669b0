"""The binary format of the standard library's `profiling.sampling` (`--binary`), version 1, as Python 3.15 writes it.

Described in CPython's InternalDocs/profiling_binary_format.md: a header, records of samples (each a difference from
its thread's stack before, perhaps compressed with zstd), a table of strings, a table of frames, statistics, a footer.
The writer's byte order is the file's; the magic number tells which.
"""

from __future__ import annotations

import struct
from typing import NamedTuple

from conduit.fetch.foreign.result import MAX_VALUE, ForeignProfile, SampledStacks, malformed
from conduit.fetch.foreign.sampling_modes import build_sampled, describe_sampling
from conduit.fetch.foreign.zstandard import decompress
from conduit.profile.limits import DEFAULT_LIMITS

_FORMAT = "profiling.sampling's binary"
_MAGIC = {b"HCAT": "<", b"TACH": ">"}
_VERSION = 1
_HEADER = "4sI4sQQQIQQII"
_HEADER_BYTES = struct.calcsize(f"<{_HEADER}")
_FOOTER = "IIQ16s"
_FOOTER_BYTES = 32
_STATISTICS = "ddddII8sII"
_STATISTICS_BYTES = 56
_STATISTICS_MAGIC = b"TACHSTAT"
_HAS_ERROR_RATE = 1
_NO_COMPRESSION, _ZSTD = 0, 1
_MODE_BITS = 0b111  # the mode plus one; 0 is unknown
_REPEAT, _FULL, _SUFFIX, _POP_PUSH = range(4)
_MAX_DEPTH = 100_000
_MAX_VARINT_BYTES = 10

_Frame = tuple[str, str, int, int]


class _Header(NamedTuple):
    order: str  # of bytes, as `struct` writes it
    interval_us: int
    sample_count: int
    strings_offset: int
    frames_offset: int
    compression: int
    mode: int | None


def decode(data: bytes) -> ForeignProfile | None:
    """Return a file's samples and their time, with threads as labels; None if the bytes are not in this format.

    Raise `MalformedProfileError` for a damaged file, another version, or a compression that this Python cannot read.
    """
    order = _MAGIC.get(data[:4])
    if order is None or len(data) < 8:
        return None
    try:
        header = _read_header(data, order)
        frames = _read_frames(data, header)
        samples = data[_HEADER_BYTES : header.strings_offset]
        if header.compression == _ZSTD:
            samples = decompress(samples, DEFAULT_LIMITS.size_bytes, _FORMAT)
        stacks = _Records(samples, order, frames).read()
    except (IndexError, struct.error):
        raise malformed(_FORMAT, "unexpected end") from None
    found = sum(stacks.values())
    if found != header.sample_count:
        raise malformed(_FORMAT, f"{found} samples, and its header says {header.sample_count}")
    duration, error_percent = _read_statistics(data, order)
    profile = build_sampled(stacks, header.mode, header.interval_us).build(
        duration_nanos=round(duration * 10**9)
    )
    return ForeignProfile(profile, describe_sampling(header.interval_us, error_percent))


def _read_header(data: bytes, order: str) -> _Header:
    fields = struct.unpack_from(order + _HEADER, data)
    _, version, python, _, interval, samples, _, strings, frames, compression, capture = fields
    if version != _VERSION:
        raise malformed(_FORMAT, f"version {version} of the format; known is {_VERSION}")
    if not _HEADER_BYTES <= strings <= frames <= len(data) - _FOOTER_BYTES:
        writer = ".".join(str(part) for part in python[:3])
        raise malformed(_FORMAT, f"its tables are not where the header says (written by Python {writer})")
    if compression not in (_NO_COMPRESSION, _ZSTD):
        raise malformed(_FORMAT, f"compression {compression}, which is neither none (0) nor zstd (1)")
    if samples > MAX_VALUE or samples * interval > MAX_VALUE // 1_000:
        raise malformed(_FORMAT, f"{samples} samples of {interval} µs are more than a profile holds")
    mode = (capture & _MODE_BITS) - 1
    return _Header(order, interval, samples, strings, frames, compression, mode if mode >= 0 else None)


def _read_statistics(data: bytes, order: str) -> tuple[float, float | None]:
    """Return the duration in seconds and the percentage of failed samples: 0 and None where there are none."""
    start = len(data) - _FOOTER_BYTES - _STATISTICS_BYTES
    if start < _HEADER_BYTES:
        return 0.0, None
    duration, _, error, _, present, _, magic, _, size = struct.unpack_from(order + _STATISTICS, data, start)
    if magic != _STATISTICS_MAGIC or size != _STATISTICS_BYTES:
        return 0.0, None
    known = present & _HAS_ERROR_RATE and 0 <= error <= 100
    return duration if 0 <= duration < MAX_VALUE // 10**9 else 0.0, error if known else None


class _Bytes:
    """Reads numbers one after the other; raises IndexError or `struct.error` at the end."""

    def __init__(self, data: bytes, offset: int = 0) -> None:
        self.data = data
        self.offset = offset

    def varint(self) -> int:
        byte = self.data[self.offset]
        self.offset += 1
        if byte < 0x80:
            return byte
        value, shift = byte & 0x7F, 7
        for _ in range(_MAX_VARINT_BYTES - 1):
            byte = self.data[self.offset]
            self.offset += 1
            value |= (byte & 0x7F) << shift
            if byte < 0x80:
                return value
            shift += 7
        raise malformed(_FORMAT, "a number of more than 10 bytes")

    def signed(self) -> int:
        value = self.varint()
        return (value >> 1) ^ -(value & 1)

    def take(self, size: int) -> bytes:
        part = self.data[self.offset : self.offset + size]
        if len(part) != size:
            raise IndexError
        self.offset += size
        return part


def _read_frames(data: bytes, header: _Header) -> list[_Frame]:
    footer = struct.unpack_from(header.order + _FOOTER, data, len(data) - _FOOTER_BYTES)
    string_count, frame_count, size, _ = footer
    if size != len(data):
        raise malformed(_FORMAT, f"{len(data)} bytes, and its footer says {size}")
    if string_count > len(data) or frame_count > len(data):
        raise malformed(_FORMAT, "more strings or frames than bytes")
    table = _Bytes(data, header.strings_offset)
    strings = [table.take(table.varint()).decode("utf-8", "replace") for _ in range(string_count)]
    table.offset = header.frames_offset
    return [_read_frame(table, strings) for _ in range(frame_count)]


def _read_frame(table: _Bytes, strings: list[str]) -> _Frame:
    file, name, line = table.varint(), table.varint(), table.signed()
    for _ in range(3):  # the end of the line, and both columns
        table.varint()
    table.take(1)  # the opcode
    if max(file, name) >= len(strings):
        raise malformed(_FORMAT, "a frame with a string that is not in the table")
    # `~` is the file of `<GC>` and `<native>`, which have none; -1 is the line of such frames.
    return strings[name], "" if strings[file] == "~" else strings[file], max(line, 0), 0


class _Records:
    """The records of samples. Each changes the stack of one thread, and counts it once or, repeated, several times."""

    def __init__(self, data: bytes, order: str, frames: list[_Frame]) -> None:
        self._bytes = _Bytes(data)
        self._thread = struct.Struct(order + "QIB")
        self._frames = frames
        self._frames_held = 0
        self._stacks: dict[tuple[int, int], tuple[int, ...]] = {}
        self._counts: dict[tuple[int, int, tuple[int, ...]], int] = {}

    def read(self) -> SampledStacks:
        source = self._bytes
        while source.offset < len(source.data):
            thread, interpreter, kind = self._thread.unpack_from(source.data, source.offset)
            source.offset += self._thread.size
            held = self._stacks.get((thread, interpreter))
            count = self._skip_repeated() if kind == _REPEAT else self._skip_time()
            stack = held if kind == _REPEAT else self._next_stack(kind, held or ())
            if stack is None:
                raise malformed(_FORMAT, "a repeated stack before the first of its thread")
            self._stacks[thread, interpreter] = stack
            key = (thread, interpreter, stack)
            if key not in self._counts:
                self._hold(len(stack))
            self._counts[key] = self._counts.get(key, 0) + count
        return self._named()

    def _hold(self, depth: int) -> None:
        self._frames_held += depth
        if self._frames_held > DEFAULT_LIMITS.frames:
            raise malformed(_FORMAT, f"more than {DEFAULT_LIMITS.frames:,} frames in its stacks")

    def _skip_repeated(self) -> int:
        count = self._bytes.varint()
        if count > len(self._bytes.data):
            raise malformed(_FORMAT, f"{count} repetitions in {len(self._bytes.data)} bytes")
        for _ in range(count):
            self._skip_time()
        return count

    def _skip_time(self) -> int:
        self._bytes.varint()
        self._bytes.take(1)  # whether the thread ran, waited, held the lock
        return 1

    def _next_stack(self, kind: int, held: tuple[int, ...]) -> tuple[int, ...]:
        """Return the stack after a record, innermost first; `held` is the thread's stack before it."""
        if kind == _FULL:
            kept: tuple[int, ...] = ()
        elif kind == _SUFFIX:
            shared = self._bytes.varint()
            kept = self._suffix(held, shared)
        elif kind == _POP_PUSH:
            kept = self._suffix(held, len(held) - self._bytes.varint())
        else:
            raise malformed(_FORMAT, f"a record of the kind {kind}")
        size = self._bytes.varint()
        if size > len(self._bytes.data) or size + len(kept) > _MAX_DEPTH:
            raise malformed(_FORMAT, f"a stack of {size + len(kept)} frames")
        new = [self._bytes.varint() for _ in range(size)]
        if new and max(new) >= len(self._frames):
            raise malformed(_FORMAT, "a stack with a frame that is not in the table")
        return (*new, *kept)

    @staticmethod
    def _suffix(held: tuple[int, ...], count: int) -> tuple[int, ...]:
        if not 0 <= count <= len(held):
            raise malformed(_FORMAT, "a record that goes on from frames that its thread has not")
        return held[len(held) - count :]

    def _named(self) -> SampledStacks:
        interpreters = {interpreter for _, interpreter in self._stacks}
        found: SampledStacks = {}
        for (thread, interpreter, stack), count in self._counts.items():
            name = f"tid:{thread}" + (f" of interpreter {interpreter}" if len(interpreters) > 1 else "")
            key = (name, tuple([self._frames[number] for number in stack]))
            found[key] = found.get(key, 0) + count
        return found
