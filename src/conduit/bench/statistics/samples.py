"""Statistics of repeated measurements, without assuming how they are distributed.

The centre of a sample is its median, with an interval from order statistics: the population's median lies between
two of the sorted values with a probability that the binomial distribution gives, whatever the distribution is.
Two samples are compared by the Mann-Whitney U test, exact for small samples. With ties and samples of unequal
size the distribution of U is not symmetric, so the two tails are counted separately: p = min(1, 2 * min(P(U <= u),
P(U >= u))). Values declared exact (`Unit … assume=exact`) are not a sample of anything: their centre is the mode,
and any difference is one.

MeasurementWarning is data: what a reader should know of a result is in its `warnings`.
"""

from __future__ import annotations

import math
from bisect import bisect_left, bisect_right
from functools import lru_cache
from itertools import accumulate, groupby
from typing import TYPE_CHECKING, NamedTuple

from conduit.bench.statistics.go_math import choose, exp, log
from conduit.bench.text.numbers import format_fixed, format_shortest

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

# Beyond these sizes the exact distribution of U costs more than it tells.
_EXACT_LIMIT = 50
_EXACT_LIMIT_WITH_TIES = 25
# Beyond this size the order statistics come from the normal approximation.
_BINOMIAL_LIMIT = 30


class Summary(NamedTuple):
    """A sample's centre and the interval around it, in the sample's unit. Bounds may be infinite."""

    center: float
    low: float
    high: float
    warnings: tuple[str, ...] = ()

    @property
    def range_text(self) -> str:
        """The interval's larger half as a percentage of the centre: `2%`, `∞`, `?` where the signs differ."""
        return _range_text(self.center, self.low, self.high)


@lru_cache(maxsize=4096)
def _range_text(center: float, low: float, high: float) -> str:
    if math.isinf(low) or math.isinf(high):
        return "∞"
    if center > 0 and low > 0 and high > 0:
        share = max(high / center - 1, 1 - low / center)
        return f"{100 * share:.0f}%" if share < math.inf else format_fixed(share, 0) + "%"
    return _range_of_other_signs(center, low, high)


class Comparison(NamedTuple):
    """The outcome of a test: `p` is 0 where the values are exact and need none."""

    p: float
    n_old: int
    n_new: int
    alpha: float
    warnings: tuple[str, ...] = ()

    @property
    def is_significant(self) -> bool:
        """Whether the samples are taken to differ (when their centres do)."""
        return not self.p > self.alpha

    @property
    def text(self) -> str:
        """`p=0.000 n=10`, `n=10+9` where the sizes differ."""
        p = f"p={self.p:.3f} " if self.p else ""
        return f"{p}n={self.n_old}" if self.n_old == self.n_new else f"{p}n={self.n_old}+{self.n_new}"

    def delta_text(self, old: float, new: float) -> str:
        """Return the difference of two centres in percent; `~` if the test sees none, `?` where it has no base."""
        if self.p > self.alpha:
            return "~"
        if old == new:
            return "0.00%"
        if old == 0:
            return "?"
        return format_fixed((divide(new, old) - 1.0) * 100.0, 2, plus=True) + "%"


def divide(numerator: float, denominator: float) -> float:
    """Divide as IEEE 754 does: a zero denominator gives an infinity or NaN."""
    if denominator:
        return numerator / denominator
    if not numerator or math.isnan(numerator):
        return math.nan
    return math.copysign(math.inf, numerator) * math.copysign(1.0, denominator)


def sort_values(values: list[float]) -> list[float]:
    """Sort a sample in place, NaN first, and returns it."""
    values.sort()
    if any(map(math.isnan, values)):
        values.sort(key=lambda value: (not math.isnan(value), 0.0 if math.isnan(value) else value))
    return values


def quantile(ordered: Sequence[float], share: float) -> float:
    """Return the quantile of a sorted sample by Hyndman and Fan's method 8; NaN of nothing."""
    if not ordered:
        return math.nan
    position = 1 / 3.0 + share * (len(ordered) + 1 / 3.0)
    whole = int(position)
    if whole <= 0:
        return ordered[0]
    if whole >= len(ordered):
        return ordered[-1]
    below = ordered[whole - 1]
    return below + (position - whole) * (ordered[whole] - below)


def summarize(ordered: list[float], confidence: float) -> Summary:
    """Return the median of a sorted sample and its interval at a confidence level (0 to 1)."""
    low_order, high_order = median_interval(len(ordered), confidence)
    low = ordered[low_order - 1] if low_order >= 1 else -math.inf
    high = ordered[high_order - 1] if high_order <= len(ordered) else math.inf
    warnings: tuple[str, ...] = ()
    if math.isinf(low) or math.isinf(high):
        warnings = _too_few_for_interval(confidence)
    return Summary(quantile(ordered, 0.5), low, high, warnings)


def summarize_exact(ordered: list[float]) -> Summary:
    """Return the most frequent value of a sorted sample (the first of those), and its extremes."""
    mode, most = ordered[0], 0
    for value, run in groupby(ordered):
        count = sum(1 for _ in run)
        if count > most:
            mode, most = value, count
    warnings: tuple[str, ...] = ()
    if most != len(ordered):
        extremes = f"{format_shortest(ordered[0])} to {format_shortest(ordered[-1])}"
        warnings = (f"exact distribution expected, but values range from {extremes}",)
    return Summary(mode, ordered[0], ordered[-1], warnings)


def compare(old: list[float], new: list[float], alpha: float) -> Comparison:
    """Test whether two sorted samples come from one distribution."""
    n_old, n_new = len(old), len(new)
    if math.isnan(old[0]) or math.isnan(new[0]):
        return Comparison(1.0, n_old, n_new, alpha, ("values that are not numbers cannot be compared",))
    p = u_test(old, new)
    if p is None:
        return Comparison(1.0, n_old, n_new, alpha, ("all samples are equal",))
    warnings: tuple[str, ...] = ()
    if p > alpha:
        operator, needed = _samples_needed(alpha)
        if n_old < needed and n_new < needed:
            level = format_shortest(alpha)
            warnings = (f"need {operator} {needed} samples to detect a difference at alpha level {level}",)
    return Comparison(p, n_old, n_new, alpha, warnings)


def compare_exact(old: list[float], new: list[float]) -> Comparison:
    """Compare values that are exact: whatever differs, differs."""
    return Comparison(0.0, len(old), len(new), 0.0)


def geometric_mean(values: Iterable[float]) -> float:
    """Return the geometric mean as a running mean of logarithms; NaN of nothing and where a value is not above 0."""
    mean = 0.0
    count = 0
    for value in values:
        if value <= 0:
            return math.nan
        count += 1
        mean += ((log(value) if value < math.inf else value) - mean) / count
    return exp(mean) if count and math.isfinite(mean) else mean if count else math.nan


def u_test(old: list[float], new: list[float]) -> float | None:
    """Return the two-sided p-value of the Mann-Whitney U test of two sorted samples.

    `None` where all values are equal.
    """
    n_old, n_new = len(old), len(new)
    if old[0] == old[-1] == new[0] == new[-1] and max(n_old, n_new) <= _EXACT_LIMIT_WITH_TIES:
        return None  # as for sizes and allocations, which often are all equal
    # Twice U: for each value of one sample, how many of the other lie below, plus how many do not lie above.
    twice_u = sum([bisect_left(new, value) + bisect_right(new, value) for value in old])
    mirror = 2 * n_old * n_new - twice_u
    has_ties = len({*old, *new}) < n_old + n_new
    limit = _EXACT_LIMIT_WITH_TIES if has_ties else _EXACT_LIMIT
    if n_old > limit or n_new > limit:
        return _normal_p(twice_u / 2, n_old, n_new, _ties_of(old, new))
    if not has_ties:
        if twice_u == mirror:
            return 1.0
        return min(1.0, 2 * tails_without_ties(n_old, n_new)[min(twice_u, mirror) // 2])
    ties = _ties_of(old, new)
    if len(ties) == 1:
        return None
    if twice_u in (0, 2 * n_old * n_new):
        # One sample lies wholly below the other: there is one such arrangement.
        return min(1.0, 2 / math.comb(n_old + n_new, n_old))
    # Samples of equal size may change places, and ranks be counted from above: p is the same, and is counted once.
    if n_old == n_new:
        twice_u = min(twice_u, mirror)
        ties = min(ties, ties[::-1])
    return _exact_p_with_ties(n_old, ties, twice_u)


def _ties_of(old: list[float], new: list[float]) -> tuple[int, ...]:
    """Return how many values share each rank, lowest rank first."""
    return tuple([len(list(run)) for _, run in groupby(sorted(old + new))])


@lru_cache(maxsize=256)
def tails_without_ties(n_old: int, n_new: int) -> list[float]:
    """Return P(U <= u) for u = 0, 1, …: partitions into at most `n_old` parts of at most `n_new` each."""
    limit = n_old * n_new
    counts = [1] + [0] * limit
    # The Gaussian binomial coefficient: multiplied by 1 - x^(n_new + i), divided by 1 - x^i.
    for i in range(1, n_old + 1):
        for u in range(limit, n_new + i - 1, -1):
            counts[u] -= counts[u - n_new - i]
        for u in range(i, limit + 1):
            counts[u] += counts[u - i]
    total = math.comb(n_old + n_new, n_old)
    return [count / total for count in accumulate(counts)]


@lru_cache(maxsize=4096)
def _exact_p_with_ties(n_old: int, ties: tuple[int, ...], twice_u: int) -> float:
    """Count, over all ways to deal the ranks to the samples, those at least as extreme on either side."""
    counts = _counts_by_u(n_old, ties)
    total = math.comb(sum(ties), n_old)
    width = total.bit_length() + 1
    below = counts & ((1 << (twice_u + 1) * width) - 1)
    at_most = _sum_of_digits(below, width)
    at_least = total - _sum_of_digits(below & ((1 << twice_u * width) - 1), width)
    return min(1.0, 2 * min(at_most, at_least) / total)


@lru_cache(maxsize=256)
def _counts_by_u(n_old: int, ties: tuple[int, ...]) -> int:
    """Return how many ways give each value of 2 U, as the digits of one number.

    Digit u, of a fixed width, counts the ways with 2 U = u.

    Polynomials packed into whole numbers: one shift and one addition multiply a polynomial by a term.
    """
    size = sum(ties)
    width = math.comb(size, n_old).bit_length() + 1
    ways = [1] + [0] * n_old  # by how many ranks are dealt to the first sample so far
    before = 0
    for tied in ties:
        choices = [math.comb(tied, taken) for taken in range(tied + 1)]
        least = max(n_old - (size - before - tied), 1)  # with fewer, the ranks that are left are not enough
        for dealt in range(min(n_old, before + tied), least - 1, -1):
            # Each that is taken has those of the second sample so far below it, and half of those it is tied with.
            ways[dealt] += sum(
                [
                    ways[dealt - taken] * choices[taken]
                    << taken * (2 * (before - dealt) + tied + taken) * width
                    for taken in range(max(1, dealt - before), min(tied, dealt) + 1)
                ]
            )
        before += tied
    return ways[n_old]


def _sum_of_digits(number: int, width: int) -> int:
    """Add up the digits of a packed polynomial, halving it until one digit is left."""
    digits = -(-number.bit_length() // width)
    while digits > 1:
        half = -(-digits // 2)
        number = (number >> half * width) + (number & ((1 << half * width) - 1))
        digits = half
    return number


def _normal_p(u: float, n_old: int, n_new: int, ties: tuple[int, ...]) -> float | None:
    """Return the normal approximation, corrected for ties and for continuity."""
    size = n_old + n_new
    correction = float(sum(tied**3 - tied for tied in ties))
    variance = n_old * n_new * ((size + 1) - correction / (size * (size - 1))) / 12
    if variance <= 0:
        return None
    distance = u - n_old * n_new / 2
    distance -= math.copysign(0.5, distance) if distance else 0.0
    z = distance / math.sqrt(variance)
    below = math.erfc(-z / math.sqrt(2)) / 2
    return 2 * min(below, 1 - below)


def student_p(t: float, freedom: float) -> float:
    """Return the two-sided p-value of |t| under Student's distribution: a regularized incomplete beta function."""
    x = freedom / (freedom + t * t)
    return _incomplete_beta(x, freedom / 2, 0.5)


def _incomplete_beta(x: float, a: float, b: float) -> float:
    """Return I_x(a, b), by its continued fraction on the side where that converges fast (Lentz's algorithm)."""
    if x <= 0 or x >= 1:
        return 0.0 if x <= 0 else 1.0
    if x > (a + 1) / (a + b + 2):
        return 1 - _incomplete_beta(1 - x, b, a)
    log_front = math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b) + a * math.log(x) + b * math.log1p(-x)
    c, d = 1.0, 1 / (1 - (a + b) * x / (a + 1))
    fraction = d
    for m in range(1, 500):
        for numerator in (
            m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m)),
            -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1)),
        ):
            d = 1 / (1 + numerator * d)
            c = 1 + numerator / c
            fraction *= c * d
        if abs(c * d - 1) < 1e-15:
            break
    return math.exp(log_front) * fraction / a


# The smallest p that n against n values can give, n = 1 to 9.
_SMALLEST_P = [min(1.0, 2 / math.comb(2 * n, n)) for n in range(1, 10)]


def _samples_needed(alpha: float) -> tuple[str, int]:
    for n, smallest in enumerate(_SMALLEST_P, start=1):
        if smallest <= alpha:
            return ">=", n
    return ">", len(_SMALLEST_P) + 1


@lru_cache(maxsize=64)
def _too_few_for_interval(confidence: float) -> tuple[str, ...]:
    operator, needed = ">", _EXACT_LIMIT
    for n in range(2, _EXACT_LIMIT + 1):
        low, high = median_interval(n, confidence)
        if low > 0 and high <= n:
            operator, needed = ">=", n
            break
    level = format_shortest(confidence)
    return (f"need {operator} {needed} samples for confidence interval at level {level}",)


@lru_cache(maxsize=1024)
def median_interval(n: int, confidence: float) -> tuple[int, int]:
    """Return the order statistics (counted from 1) between which the median of the population lies.

    0 and n + 1 stand for minus and plus infinity: the sample is too small for that confidence.
    """
    if confidence >= 1:
        return 0, n + 1
    low, high = _binomial_interval(n, confidence) if n <= _BINOMIAL_LIMIT else _normal_interval(n, confidence)
    return max(low, 0), min(high, n + 1)


def _binomial_interval(n: int, confidence: float) -> tuple[int, int]:
    """Add the probabilities of the gaps between values, outwards from the middle, the larger one first.

    Gaps as far left as right are equally probable; which of them counts as larger, rounding decides, and the
    interval's percentage shows it. Hence not `math.comb`.
    """
    probabilities = [choose(n, k) / 2.0**n for k in range(n + 1)]

    def probability(k: int) -> float:
        return probabilities[k] if 0 <= k <= n else 0.0

    low = math.ceil((n + 1) * 0.5) - 1
    high = low + 1
    total = probability(low)
    while total < confidence and (probability(low - 1) > 0 or probability(high) > 0):
        if probability(low - 1) >= probability(high):
            low -= 1
            total += probability(low)
        else:
            total += probability(high)
            high += 1
    return low, high


def _normal_interval(n: int, confidence: float) -> tuple[int, int]:
    """Return the interval by the normal approximation, rounded outwards to whole gaps.

    It is then narrowed from the right where that suffices.
    """
    mean, deviation = n * 0.5, math.sqrt(n * 0.5 * 0.5)
    left = _normal_quantile((1 - confidence) / 2) * deviation + mean
    right = 2 * mean - left
    low = math.floor(math.floor(left - 0.5) + 0.5) + 1
    high = math.floor(math.ceil(right - 0.5) + 0.5) + 1

    def mass(high: int) -> float:
        def below(order: int) -> float:
            return math.erfc(-(order - 0.5 - mean) / (deviation * math.sqrt(2))) / 2

        return below(high) - below(low)

    return (low, high - 1) if confidence <= mass(high - 1) < mass(high) else (low, high)


def _normal_quantile(share: float) -> float:
    if share <= 0 or share >= 1:
        return math.copysign(math.inf, share - 0.5)
    from statistics import NormalDist

    return NormalDist().inv_cdf(share)


def _range_of_other_signs(center: float, low: float, high: float) -> str:
    def sign(value: float) -> float:
        return math.nan if math.isnan(value) else float((value > 0) - (value < 0))

    if sign(center) != sign(low) or sign(center) != sign(high):
        return "?"
    if center == 0:
        return "0%"
    return format_fixed(100 * max(divide(high, center) - 1, 1 - divide(low, center)), 0) + "%"
