"""The largest profile that is accepted."""

from __future__ import annotations


class Limits:
    """How much a profile may hold before `decode` refuses it, so that a small file cannot take all the memory."""

    __slots__ = ("frames", "records", "size_bytes")

    def __init__(self, size_bytes: int = 1 << 29, records: int = 5_000_000, frames: int = 50_000_000) -> None:
        self.size_bytes: int = size_bytes  # of the decompressed document
        self.records: int = records  # entries in any one table: samples, locations, strings, labels, …
        self.frames: int = frames  # location references and values in all samples together


DEFAULT_LIMITS = Limits()
