"""Division as the values of a profile are divided: whole numbers, cut towards zero."""

from __future__ import annotations


def quotient(value: int, divisor: int) -> int:
    """Integer division that cuts towards zero; a divisor of 0 leaves the value as it is."""
    if not divisor:
        return value
    return value // divisor if (value < 0) == (divisor < 0) else -(-value // divisor)
