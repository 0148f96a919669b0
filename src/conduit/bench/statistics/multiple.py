"""Many tests at once: p-values adjusted for the number of tests.

Of a hundred functions that did not change, five have p < 0.05. The adjusted p-values are those of Benjamini and
Hochberg (1995), R's `p.adjust(method = "BH")`: of all rows whose adjusted value is at most 0.05, about one in twenty is
a false discovery.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence


def adjust_p_values(p_values: Sequence[float]) -> list[float]:
    """Return the p-values adjusted for their number, in the order given; none for none."""
    count = len(p_values)
    adjusted = [0.0] * count
    least = 1.0
    for rank, number in zip(
        range(count, 0, -1), sorted(range(count), key=p_values.__getitem__, reverse=True), strict=True
    ):
        least = min(least, p_values[number] * count / rank)
        adjusted[number] = least
    return adjusted
