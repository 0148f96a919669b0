"""Amounts with their units: times, sizes and counts, parsed from what people write and printed for them.

Times are integers of nanoseconds, sizes integers of bytes. Sizes are binary (1 kB = 1024 B), as Go's
profiling tools read and print them.
"""

from __future__ import annotations

import re

NANOSECONDS: dict[str, int] = {
    "ns": 1,
    "us": 1_000,
    "µs": 1_000,
    "μs": 1_000,
    "ms": 1_000_000,
    "s": 1_000_000_000,
    "m": 60_000_000_000,
    "h": 3_600_000_000_000,
}
BYTES: dict[str, int] = {"b": 1, "kb": 1 << 10, "mb": 1 << 20, "gb": 1 << 30, "tb": 1 << 40, "pb": 1 << 50}

_DURATION_PART = re.compile(r"(\d+\.?\d*|\.\d+)(ns|us|µs|μs|ms|s|m|h)")
_SIZE = re.compile(r"(\d+\.?\d*|\.\d+)\s*([A-Za-z]*)")


def parse_duration_ns(text: str) -> int:
    """Read a time as Go writes it (`300ms`, `1.5s`, `2h45m`); return whole nanoseconds.

    Raises `ValueError` for anything else, an empty text and a number without a unit included; `0` needs none.
    """
    body = text[1:] if text[:1] in "+-" else text
    if body == "0":
        return 0
    total = 0.0
    position = 0
    while match := _DURATION_PART.match(body, position):
        total += float(match[1]) * NANOSECONDS[match[2]]
        position = match.end()
    if not body or position != len(body):
        raise ValueError(
            f"invalid duration {text!r}: expected a number with a unit, such as 300ms, 1.5s or 2m30s"
        )
    return -round(total) if text[:1] == "-" else round(total)


def parse_size_bytes(text: str) -> int:
    """Read a size (`512`, `2kB`, `10 MB`, `1.5GiB`); return whole bytes. Raise `ValueError` for anything else."""
    match = _SIZE.fullmatch(text.strip())
    unit = match[2].lower().replace("ib", "b") if match else ""
    if match is None or (unit and unit not in BYTES):
        raise ValueError(
            f"invalid size {text!r}: expected a number with B, kB, MB, GB, TB or PB, such as 2kB"
        )
    return round(float(match[1]) * BYTES[unit or "b"])


def format_duration(nanoseconds: float) -> str:
    """Print a time for people with three significant digits: `342µs`, `1.5s`, `0s`."""
    for unit, factor in (("s", 1e9), ("ms", 1e6), ("µs", 1e3)):
        if abs(nanoseconds) >= factor * 0.9995:
            return _three_digits(nanoseconds / factor) + unit
    return _three_digits(nanoseconds) + "ns" if nanoseconds else "0s"


def format_size(size_bytes: float) -> str:
    """Print a size for people with three significant digits and binary units: `207B`, `2.5kB`, `10MB`."""
    for unit, factor in (("PB", 2**50), ("TB", 2**40), ("GB", 2**30), ("MB", 2**20), ("kB", 2**10)):
        if abs(size_bytes) >= factor:
            return _three_digits(size_bytes / factor) + unit
    return _three_digits(size_bytes) + "B"


def counted(number: int, noun: str, plural: str = "") -> str:
    """Print a number of things: `1 sample`, `1,234 samples`; for `2 boxes` the plural has to be given."""
    return f"{number:,} {noun if number == 1 else plural or f'{noun}s'}"


def _three_digits(value: float) -> str:
    decimals = 0 if abs(value) >= 99.95 else 1 if abs(value) >= 9.995 else 2
    text = f"{value:.{decimals}f}"
    return text.rstrip("0").rstrip(".") if "." in text else text
