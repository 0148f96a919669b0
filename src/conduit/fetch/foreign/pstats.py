"""Statistics (`.pstats`) of cProfile and profiling.sampling: times, calls and callers of each function.

The format has no stacks. The functions' own times are exact; callers are estimated: a function's own time is divided
among its callers by the time that each caused, theirs among their callers, and so on, as graph viewers do. A branch
that holds less than a ten-thousandth of the total, or has come back to a function on it, is not followed further.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from conduit.fetch.foreign.marshalled import MarshalError, read_marshalled
from conduit.fetch.foreign.result import MAX_VALUE, ForeignProfile, malformed
from conduit.profile.builder import ProfileBuilder
from conduit.profile.model import ValueType

if TYPE_CHECKING:
    from collections.abc import Sequence

    from conduit.profile.builder import Frame

    Key = tuple[str, int, str]  # file, first line, function
    Callers = dict[Key, tuple[float, float]]  # → own time, cumulative time, in seconds
    _Branch = tuple[tuple[Key, ...], int, int]  # leaf first; calls, own time

_SMALLEST_BRANCH = 10_000
_SAMPLED = ("__sampled__",)  # in files of profiling.sampling, whose counts are samples: direct and cumulative
_MAX_DEPTH = 500
_CAVEAT = (
    "pstats has no stacks: own times (flat) are exact, "
    "cumulative times and callers are estimated from shares of calls"
)


def decode(data: bytes) -> ForeignProfile | None:
    """Return a file's `calls`, or `samples`, and `time`; None if the bytes do not begin like statistics.

    Raise `MalformedProfileError` for a damaged file.
    """
    if data[:1] not in (b"{", b"\xfb") or data[1:2] not in (b"(", b")", b"\xa8", b"\xa9", b"0"):
        return None
    try:
        table = read_marshalled(data)
        sampled = table.pop(_SAMPLED, False) is True
        functions = {_key(key): _entry(entry, sampled=sampled) for key, entry in table.items()}
    except MarshalError as error:
        raise malformed("pstats", str(error)) from None
    except (ValueError, TypeError, AttributeError) as error:
        raise malformed("pstats", f"not a table of functions: {error}") from None
    builder = ProfileBuilder(
        [ValueType("samples" if sampled else "calls", "count"), ValueType("time", "nanoseconds")],
        default_sample_type="time",
    )
    _Stacks(functions, builder).add_all()
    return ForeignProfile(builder.build(), _CAVEAT)


class _Function:
    """A function's calls, own time in nanoseconds, and callers."""

    def __init__(self, calls: int, own_ns: int, callers: Callers) -> None:
        self.calls = calls
        self.own_ns = own_ns
        self.callers = callers


def _key(key: Any) -> Key:
    file, line, name = key
    if not (isinstance(file, str) and isinstance(line, int) and isinstance(name, str)):
        raise TypeError(f"{key!r} names no function")
    return file, line, name


def _entry(entry: Any, *, sampled: bool) -> _Function:
    primitive_calls, calls, own, _, callers = entry
    return _Function(
        _whole(primitive_calls if sampled else calls, 1),
        _whole(own, 10**9),
        {_key(key): _caused(value) for key, value in callers.items()},
    )


def _caused(value: Any) -> tuple[float, float]:
    """Return own and cumulative time caused by a caller; `profile` and profiling.sampling store one count."""
    if isinstance(value, int):
        return _amount(value), _amount(value)
    _, _, own, cumulative = value
    return _amount(own), _amount(cumulative)


def _whole(number: Any, factor: int) -> int:
    return round(_amount(number, factor))


def _amount(number: Any, factor: int = 1) -> float:
    """Return a count, or a time in another unit; ValueError for any other number, so that sums stay finite."""
    # A clock that steps back gives a small negative time, which pstats prints as 0 as well.
    if not isinstance(number, (int, float)) or not -1 <= number <= MAX_VALUE // factor:
        raise ValueError("a number that is neither a count nor a time")
    return max(0, number) * factor


class _Stacks:
    """Divides each function's own values among stacks of callers, without losing a unit of them."""

    def __init__(self, functions: dict[Key, _Function], builder: ProfileBuilder) -> None:
        self._functions = functions
        self._builder = builder
        total = sum(function.own_ns for function in functions.values())
        self._smallest = max(1, total // _SMALLEST_BRANCH)

    def add_all(self) -> None:
        for key, function in self._functions.items():
            waiting: list[_Branch] = [((key,), function.calls, function.own_ns)]
            while waiting:
                path, calls, own_ns = waiting.pop()
                branches = self._branches(path, calls, own_ns)
                if branches:
                    waiting.extend(branches)
                elif calls or own_ns:
                    self._builder.add([_frame(one) for one in path], [calls, own_ns])

    def _branches(self, path: tuple[Key, ...], calls: int, own_ns: int) -> list[_Branch]:
        if own_ns < self._smallest or len(path) >= _MAX_DEPTH:
            return []
        function = self._functions.get(path[-1])
        callers = {} if function is None else function.callers
        column = 0 if len(path) == 1 else 1  # the leaf's own time is known per caller
        keys = [key for key in callers if key not in path]
        weights = [callers[key][column] for key in keys]
        if not sum(weights):
            weights = [callers[key][1] for key in keys]
        parts = zip(keys, divide(calls, weights), divide(own_ns, weights), strict=True)
        return [((*path, key), part, own_part) for key, part, own_part in parts] if sum(weights) else []


def divide(value: int, weights: Sequence[float]) -> list[int]:
    """Return whole numbers in proportion to the weights, whose sum is the value; all 0 if the weights are."""
    total = math.fsum(weights)
    parts, seen, given = [], 0.0, 0
    for number, weight in enumerate(weights):
        seen += weight
        upto = (
            value if number == len(weights) - 1 else min(value, round(value * (seen / total))) if total else 0
        )
        parts.append(upto - given)
        given = upto
    return parts if total else [0] * len(weights)


def _frame(key: Key) -> Frame:
    file, line, name = key
    return (name, "", 0, 0) if file == "~" else (name, file, line, line)
