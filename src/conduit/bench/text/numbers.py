"""Numbers as Go reads and prints them; the benchmark format is defined by Go's rules, not by Python's.

Go takes `0x1p4`, `.5`, `+5`, `1_000`, `Inf` and `NaN`, but no digits of other scripts, and it refuses what
overflows (`1e999`). It prints the shortest text that reads back as the same float, with an exponent below
1e-4 and from 1e6 on (`%v` of package fmt).
"""

from __future__ import annotations

import math
import re

_DECIMAL = re.compile(r"[+-]?(?:[0-9]+\.?[0-9]*|\.[0-9]+)(?:[eE][+-]?[0-9]+)?").fullmatch
_HEXADECIMAL = re.compile(
    r"[+-]?0[xX](?:[0-9a-fA-F]+\.?[0-9a-fA-F]*|\.[0-9a-fA-F]+)[pP][+-]?[0-9]+"
).fullmatch
_SPECIAL = re.compile(r"[+-]?inf(?:inity)?|nan", re.IGNORECASE | re.ASCII).fullmatch
_INTEGER = re.compile(r"[+-]?[0-9]+").fullmatch
# An underscore stands between two digits (of the base in use), or between the prefix 0x and a digit.
_LOOSE_UNDERSCORE = re.compile(r"(?<![0-9])_|_(?![0-9])").search
_LOOSE_HEX_UNDERSCORE = re.compile(r"(?<![0-9a-fA-FxX])_|_(?![0-9a-fA-F])").search

INT_MAX = (1 << 63) - 1
INT_MIN = -(1 << 63)


def parse_float(text: str) -> float:
    """Read a float by Go's syntax.

    Raises `ValueError` with Go's words: "invalid syntax", or "value out of range" where the number overflows.
    """
    # Nearly all values start with a digit; for those, float() accepts exactly Go's syntax apart from underscores.
    if "0" <= text < ":" and text.isascii() and "_" not in text:
        try:
            return _finite(float(text))
        except ValueError:
            if _DECIMAL(text):
                raise
    if _DECIMAL(text):
        return _finite(float(text))
    if _HEXADECIMAL(text):
        return _from_hexadecimal(text)
    if _SPECIAL(text):
        return float(text)
    if "_" in text:
        return _parse_with_underscores(text)
    raise ValueError("invalid syntax")


def parse_int(text: str) -> int:
    """Read a 64-bit decimal integer by Go's syntax; raises `ValueError` as `parse_float` does."""
    if not _INTEGER(text):
        raise ValueError("invalid syntax")
    # Nothing that fits is this long without leading zeros; Python refuses to read 5,000 digits.
    digits = text.lstrip("+-").lstrip("0")
    if len(digits) > 19:
        raise ValueError("value out of range")
    value = int(text)
    if not INT_MIN <= value <= INT_MAX:
        raise ValueError("value out of range")
    return value


def format_shortest(value: float) -> str:
    """Print a float as Go's `%v` does: `207170`, `4.972e+07`, `5e-09`, `NaN`, `+Inf`."""
    if not math.isfinite(value):
        return _non_finite(value, plus=True)
    sign, digits, point = _shortest_digits(value)
    if -4 < point <= 6:
        return sign + _plain(digits, point)
    exponent = point - 1
    mantissa = digits[0] + ("." + digits[1:] if len(digits) > 1 else "")
    return f"{sign}{mantissa}e{'-' if exponent < 0 else '+'}{abs(exponent):02d}"


def format_fixed(value: float, decimals: int, *, plus: bool = False) -> str:
    """Print a float as Go's `%.2f` (or, with `plus`, `%+.2f`) does, NaN and the infinities included."""
    if math.isfinite(value):
        return f"{value:+.{decimals}f}" if plus else f"{value:.{decimals}f}"
    return _non_finite(value, plus=True) if math.isinf(value) else ("+NaN" if plus else "NaN")


def _finite(value: float) -> float:
    if math.isinf(value):
        raise ValueError("value out of range")
    return value


def _from_hexadecimal(text: str) -> float:
    try:
        return _finite(float.fromhex(text))
    except OverflowError:
        raise ValueError("value out of range") from None


def _parse_with_underscores(text: str) -> float:
    body = text.lstrip("+-")
    loose = _LOOSE_HEX_UNDERSCORE if body[:2] in ("0x", "0X") else _LOOSE_UNDERSCORE
    if loose(body):
        raise ValueError("invalid syntax")
    return parse_float(text.replace("_", ""))


def _non_finite(value: float, *, plus: bool) -> str:
    if math.isnan(value):
        return "NaN"
    return "-Inf" if value < 0 else ("+Inf" if plus else "Inf")


def _shortest_digits(value: float) -> tuple[str, str, int]:
    """Split a float into sign, shortest digits and the position of the point: 0.05 is ("", "5", -1)."""
    text = repr(abs(value))
    sign = "-" if math.copysign(1.0, value) < 0 else ""
    mantissa, _, exponent = text.partition("e")
    whole, _, fraction = mantissa.partition(".")
    digits = whole + fraction
    point = len(whole) + int(exponent or 0)
    stripped = digits.lstrip("0")
    point -= len(digits) - len(stripped)
    stripped = stripped.rstrip("0")
    return (sign, stripped, point) if stripped else (sign, "0", 1)


def _plain(digits: str, point: int) -> str:
    if point <= 0:
        return "0." + "0" * -point + digits
    if point >= len(digits):
        return digits + "0" * (point - len(digits))
    return digits[:point] + "." + digits[point:]
