"""Units of benchmark values: conversion to base units, decimal or binary prefixes, and scaling for display.

A unit is words joined by `-`, `*` and `/`; everything between a `/` and the next `*` is the denominator. `ns` and `MB`
in the numerator are converted to `sec` and `B`. All cells of a table row have the same prefix, chosen so that the
smallest of them still shows four significant digits, as rounded.
"""

from __future__ import annotations

import math
import re
from functools import lru_cache
from typing import TYPE_CHECKING

from conduit.bench.text.numbers import format_fixed

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_WORD_OR_JOINT = re.compile(r"[*/]|[^*/\-\s]+")


def tidy_unit(unit: str) -> tuple[str, float]:
    """Give the base unit for `unit`, and what a value in `unit` is multiplied by: `ns/op` is (`sec/op`, 1e-9)."""
    known = _TIDIED.get(unit)
    if known is None:
        known = _TIDIED[unit] = _tidy(unit)
    return known


_TIDIED: dict[str, tuple[str, float]] = {
    "ns/op": ("sec/op", 1e-9),
    "MB/s": ("B/s", 1e6),
    "B/op": ("B/op", 1.0),
    "allocs/op": ("allocs/op", 1.0),
}


def _tidy(unit: str) -> tuple[str, float]:
    factor = 1.0
    pieces = []
    position = 0
    for word, start in _numerator(unit):
        if word == "ns":
            factor /= 1e9
        elif word == "MB":
            factor *= 1e6
        else:
            continue
        pieces += [unit[position:start], "sec" if word == "ns" else "B"]
        position = start + 2
    return "".join([*pieces, unit[position:]]), factor


def _numerator(unit: str) -> Iterator[tuple[str, int]]:
    """The words above the line, with where each begins."""
    below = False
    for match in _WORD_OR_JOINT.finditer(unit):
        word = match[0]
        if word in "*/":
            below = word == "/"
        elif not below:
            yield word, match.start()


@lru_cache(maxsize=1024)
def is_binary(unit: str) -> bool:
    """Return whether amounts in this unit are scaled by 1024 (bytes above the line) and not by 1000."""
    return any(word in ("B", "MB", "bytes") for word, _ in _numerator(unit))


class Scaler:
    """How one row is printed: `decimals` behind the point, divided by `factor`, followed by `prefix`."""

    __slots__ = ("_template", "decimals", "factor", "prefix")

    def __init__(self, decimals: int, factor: float, prefix: str) -> None:
        self.decimals: int = decimals
        self.factor: float = factor
        self.prefix: str = prefix
        self._template = f"%.{decimals}f{prefix}"

    def format(self, value: float) -> str:
        """Print `value`, which is in base units."""
        scaled = value / self.factor
        if math.isfinite(scaled):
            return self._template % scaled
        return format_fixed(scaled, self.decimals) + self.prefix


def _scales(names: str, steps: list[float], borders: tuple[float, ...]) -> list[tuple[float, Scaler]]:
    """Return for each prefix, largest first, the smallest value that still takes 1, 2 and 3 decimals with it."""
    table = []
    for name, factor in zip(names.split(","), steps, strict=True):
        for decimals, border in enumerate(borders, start=1):
            table.append((border * factor, Scaler(decimals, factor, name)))
    return table


# The borders are where a value rounds up to the next digit, so that 99.995 is printed as 100.0 and not 99.99 or
# 100.00. Decimal borders are read from text and not multiplied, because 99.995 * 1e-9 is not the float 99.995e-9.
_DECIMAL = [
    (float(f"{border}e{exponent}"), Scaler(decimals, float(f"1e{exponent}"), name))
    for exponent, name in zip(range(12, -10, -3), ["T", "G", "M", "k", "", "m", "µ", "n"], strict=True)
    for decimals, border in enumerate(["99.995", "9.9995", ".99995"], start=1)
]
_BINARY = _scales("Ti,Gi,Mi,Ki,", [2.0**40, 2.0**30, 2.0**20, 2.0**10, 1.0], (99.995, 9.9995, 0.99995))
_FINEST = [float(f"9.9995e{exponent}") for exponent in range(-1, -9, -1)]
_PLAIN = Scaler(3, 1.0, "")


def common_scaler(values: Iterable[float], binary: bool) -> Scaler:
    """Choose the scaler for a row: the one that suits the value nearest to zero, zeros left out."""
    smallest = min((magnitude for magnitude in map(abs, values) if magnitude != 0), default=0.0)
    return _scaler_for(smallest, binary)


@lru_cache(maxsize=4096)
def _scaler_for(smallest: float, binary: bool) -> Scaler:
    if not smallest:
        return _PLAIN
    table = _BINARY if binary else _DECIMAL
    for border, scaler in table:
        if smallest >= border:
            return scaler
    return _below_the_last_prefix(smallest, table[-1][1])


def _below_the_last_prefix(smallest: float, last: Scaler) -> Scaler:
    """There is no smaller prefix: more decimals, up to ten, keep the digits."""
    value = smallest / last.factor
    decimals = next((i for i, border in enumerate(_FINEST) if value >= border), len(_FINEST) - 1)
    return Scaler(decimals + 3, last.factor, last.prefix)
