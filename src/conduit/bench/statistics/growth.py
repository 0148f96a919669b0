"""How a cost grows with a size: the usual function of n that fits best, and those that fit about equally well.

Each candidate is `a + b·f(n)` with neither below 0, fitted by least squares of the relative errors. A candidate that
hardly grows over the sizes measured is equivalent to the constant, and omitted. The others have equally many
parameters.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

FUNCTIONS: dict[str, Callable[[float], float]] = {
    "constant": lambda n: 0.0,
    "log n": math.log,
    "√n": math.sqrt,
    "n": lambda n: n,
    "n log n": lambda n: n * math.log(n),
    "n²": lambda n: n**2,
    "n³": lambda n: n**3,
}
MIN_SIZES = 4
MIN_RANGE = 8  # largest size over smallest
_ALIKE = 2.0  # times the least error: candidates up to there are not told apart
_LEAST_RISE = 0.1
_SMALLEST_ERROR = 0.005  # measurements are no better than that


class Growth(NamedTuple):
    """`function` fits best; `error` is the standard deviation of the costs around it, as a share of each.

    `alike` fit about as well; `errors` has all candidates. `exponent` is the slope of the cost over the size, both on
    logarithmic scales, in the upper half of the sizes.
    """

    function: str
    error: float
    alike: tuple[str, ...]
    exponent: float
    errors: Mapping[str, float]


def fit_growth(costs: Mapping[float, float]) -> Growth | str:
    """Fit costs (any unit, above 0) by size; return the reason instead where the sizes are too few or too close."""
    sizes = sorted(size for size in costs if size > 0 and costs[size] > 0)
    if len(sizes) < MIN_SIZES:
        return f"{len(sizes)} sizes; a fit needs {MIN_SIZES}"
    if sizes[-1] < MIN_RANGE * sizes[0]:
        return f"sizes from {sizes[0]:g} to {sizes[-1]:g}; a fit needs a factor of {MIN_RANGE}"
    points = [(size, costs[size]) for size in sizes]
    fits = {name: (function, *_fit(points, function)) for name, function in FUNCTIONS.items()}
    errors = {
        name: _error(points, *fit, parameters=1 if name == "constant" else 2)
        for name, fit in fits.items()
        if name == "constant" or _grows(points, *fit)
    }
    best = min(errors, key=lambda name: errors[name])
    limit = max(errors[best], _SMALLEST_ERROR) * _ALIKE
    if errors["constant"] <= limit:
        best = "constant"  # the simplest of those that fit
    alike = tuple(name for name, error in errors.items() if name != best and error <= limit)
    return Growth(best, errors[best], alike, _exponent(points), errors)


def _grows(
    points: Sequence[tuple[float, float]], function: Callable[[float], float], a: float, b: float
) -> bool:
    """Return whether a fit rises by more over the sizes than measurements usually spread."""
    first, last = a + b * function(points[0][0]), a + b * function(points[-1][0])
    return last > first * (1 + _LEAST_RISE)


def _error(
    points: Sequence[tuple[float, float]],
    function: Callable[[float], float],
    a: float,
    b: float,
    *,
    parameters: int,
) -> float:
    squares = math.fsum(((a + b * function(size)) / cost - 1) ** 2 for size, cost in points)
    return math.sqrt(squares / (len(points) - parameters))


def _fit(points: Sequence[tuple[float, float]], function: Callable[[float], float]) -> tuple[float, float]:
    """Return a and b, neither below 0, with the least sum of squares of `(a + b·f(n)) / cost - 1`."""
    ones = [1 / cost for _, cost in points]
    scaled = [function(size) / cost for size, cost in points]
    uu = math.fsum(u * u for u in ones)
    vv = math.fsum(v * v for v in scaled)
    uv = math.fsum(u * v for u, v in zip(ones, scaled, strict=True))
    u_sum, v_sum = math.fsum(ones), math.fsum(scaled)
    determinant = uu * vv - uv * uv
    if vv == 0 or determinant <= 1e-12 * uu * vv:
        return u_sum / uu, 0.0
    a = (u_sum * vv - v_sum * uv) / determinant
    b = (v_sum * uu - u_sum * uv) / determinant
    if a < 0:
        return 0.0, v_sum / vv
    if b < 0:
        return u_sum / uu, 0.0
    return a, b


def _exponent(points: Sequence[tuple[float, float]]) -> float:
    """Return the least-squares slope of log cost over log size in the upper half, where constants matter least."""
    upper = points[len(points) // 2 - (len(points) == MIN_SIZES) :]
    x = [math.log(size) for size, _ in upper]
    y = [math.log(cost) for _, cost in upper]
    middle_x, middle_y = math.fsum(x) / len(x), math.fsum(y) / len(y)
    numerator = math.fsum((a - middle_x) * (b - middle_y) for a, b in zip(x, y, strict=True))
    return numerator / math.fsum((a - middle_x) ** 2 for a in x)
