"""zstd, which Python has from 3.14 on, and earlier versions by the package `backports.zstd`."""

from __future__ import annotations

from typing import Any

from conduit.fetch.foreign.result import malformed


def decompress(data: bytes, most: int, format: str) -> bytes:
    """Return the decompressed bytes of one frame, or of several one after the other.

    Raise `MalformedProfileError` for damaged bytes, for more than `most` of them, and if no module reads zstd.
    """
    zstd = _module()
    if zstd is None:
        raise malformed(
            format,
            "compressed with zstd, which this Python cannot read; `pip install backports.zstd` adds it",
        )
    parts, size = [], 0
    while data:
        frame = zstd.ZstdDecompressor()
        try:
            part = frame.decompress(data, most - size + 1)
        except zstd.ZstdError as error:
            raise malformed(format, f"zstd: {error}") from None
        size += len(part)
        if size > most:
            raise malformed(format, f"more than {most:,} bytes, the limit for a profile")
        if not frame.eof:
            raise malformed(format, "zstd: unexpected end")
        parts.append(part)
        data = frame.unused_data
    return b"".join(parts)


def _module() -> Any:
    import importlib

    for name in ("compression.zstd", "backports.zstd"):
        try:
            return importlib.import_module(name)
        except ImportError:
            continue
    return None
