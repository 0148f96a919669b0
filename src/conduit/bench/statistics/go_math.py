"""Logarithm and exponential to the last bit of Go's on amd64.

Geometric means are printed with every digit they have (3652.9999999999973), so they agree with those of Go's tools
only if both functions round alike; C libraries do not. The logarithm is FreeBSD's (e_log.c): x = 2^k * (1 + f),
and log(1 + f) by a minimax polynomial in s = f / (2 + f). The exponential is Shibata's (ICS 2010): the argument is
reduced by k * log(2) and divided by 16, its Taylor series is evaluated with fused multiplications, and four
doublings of exp(x) - 1 bring it back. Logarithms of factorials are FreeBSD's too (e_lgamma_r.c): Stirling's series
with minimax coefficients from 7! on.
"""

from __future__ import annotations

import math
from functools import lru_cache

_LOG_2_HIGH = 6.93147180369123816490e-01
_LOG_2_LOW = 1.90821492927058770002e-10
_L1 = 6.666666666666735130e-01
_L2 = 3.999999999940941908e-01
_L3 = 2.857142874366239149e-01
_L4 = 2.222219843214978396e-01
_L5 = 1.818357216161805012e-01
_L6 = 1.531383769920937332e-01
_L7 = 1.479819860510658591e-01

_W0 = 4.18938533204672725052e-01
_W1 = 8.33333333333329678849e-02
_W2 = -2.77777777728775536470e-03
_W3 = 7.93650558643019558500e-04
_W4 = -5.95187557450339963135e-04
_W5 = 8.36339918996282139126e-04
_W6 = -1.63092934096575273989e-03

_LOG_2_UPPER_HALF = 0.69314718055966295651160180568695068359375
_LOG_2_LOWER_HALF = 0.28235290563031577122588448175013436025525412068e-12
_TAYLOR = [1.0, 1 / 2, 1 / 6, 1 / 24, 1 / 120, 1 / 720, 1 / 5040, 1 / 40320]


@lru_cache(maxsize=4096)
def log(x: float) -> float:
    """Return the natural logarithm of a normal x > 0."""
    fraction, exponent = math.frexp(x)
    if fraction < 0.7071067811865476:
        fraction *= 2
        exponent -= 1
    f = fraction - 1
    s = f / (2 + f)
    s2 = s * s
    s4 = s2 * s2
    odd = s2 * (_L1 + s4 * (_L3 + s4 * (_L5 + s4 * _L7)))
    even = s4 * (_L2 + s4 * (_L4 + s4 * _L6))
    half_square = 0.5 * f * f
    rest = s * (half_square + (odd + even)) + exponent * _LOG_2_LOW
    return exponent * _LOG_2_HIGH - ((half_square - rest) - f)


def exp(x: float) -> float:
    """Return the exponential of a finite x; infinite where it overflows."""
    if x > 709.782712893384:
        return math.inf
    exponent = round(x * math.log2(math.e))
    reduced = _fused(-_LOG_2_UPPER_HALF, float(exponent), x)
    reduced = _fused(-_LOG_2_LOWER_HALF, float(exponent), reduced) * 0.0625
    series = _TAYLOR[-1]
    for coefficient in _TAYLOR[-2::-1]:
        series = _fused(series, reduced, coefficient)
    y = reduced * series  # exp(reduced) - 1
    for _ in range(3):
        y *= y + 2.0
    return math.ldexp(_fused(y + 2.0, y, 1.0), exponent)


def choose(n: int, k: int) -> float:
    """Return the binomial coefficient, exact up to n = 20, and through logarithms (so not symmetric in k) above."""
    if n <= 20 or k in (0, n):
        return float(math.comb(n, k))
    return exp(_log_factorial(n) - _log_factorial(k) - _log_factorial(n - k))


def _log_factorial(n: int) -> float:
    if n < 7:
        return log(math.factorial(n)) if n > 1 else 0.0
    x = float(n + 1)
    z = 1 / x
    y = z * z
    return (x - 0.5) * (log(x) - 1) + (
        _W0 + z * (_W1 + y * (_W2 + y * (_W3 + y * (_W4 + y * (_W5 + y * _W6)))))
    )


_ratio = float.as_integer_ratio


def _fused(a: float, b: float, c: float) -> float:
    """a * b + c, rounded once."""
    (a_top, a_bottom), (b_top, b_bottom), (c_top, c_bottom) = map(_ratio, (a, b, c))
    bottom = a_bottom * b_bottom
    return (a_top * b_top * c_bottom + c_top * bottom) / (
        bottom * c_bottom
    )  # of whole numbers: rounded right
