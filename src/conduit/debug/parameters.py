"""The numbers in a query, parsed as Go's handlers do: text that is no number counts as absent."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping


def parse_integer(text: str) -> int | None:
    """Return a whole number: digits with an optional sign, nothing else; None otherwise, and beyond 64 bits."""
    digits = text[1:] if text[:1] in ("+", "-") else text
    return int(text) if digits.isascii() and digits.isdigit() and len(digits) < 19 else None


def whole_seconds(parameters: Mapping[str, str], default: int) -> float:
    """Return `seconds` as a positive whole number, else the default."""
    seconds = parse_integer(parameters.get("seconds", ""))
    return float(seconds if seconds and seconds > 0 else default)


def fractional_seconds(parameters: Mapping[str, str], default: float) -> float:
    """Return `seconds` as a positive number, else the default."""
    try:
        seconds = float(parameters.get("seconds", ""))
    except ValueError:
        return default
    return seconds if 0 < seconds < float("inf") else default
