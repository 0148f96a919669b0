"""Sample types of the standard library's `profiling.sampling`: samples, and their time as `conduit` records call it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from conduit.profile.builder import ProfileBuilder
from conduit.profile.model import ValueType

if TYPE_CHECKING:
    from conduit.fetch.foreign.result import SampledStacks

_TIME_OF_MODE = {0: "wall", 1: "cpu"}  # the other modes (gil, exception) have no kind of profile here
_NS_PER_MICROSECOND = 1_000


def build_sampled(stacks: SampledStacks, mode: int | None, interval_us: int) -> ProfileBuilder:
    """Return a builder that holds the stacks with `samples` and, if the interval is known, their time.

    The time of a stack is its samples times the interval, as profiling.sampling reckons it. There is no period, so that
    the profile can be compared with those of formats that have none.
    """
    period_ns = interval_us * _NS_PER_MICROSECOND
    time = ValueType(_TIME_OF_MODE.get(-1 if mode is None else mode, "time"), "nanoseconds")
    builder = ProfileBuilder(
        [ValueType("samples", "count"), *([time] if period_ns else [])],
        default_sample_type=time.type if period_ns else "",
    )
    for (thread, stack), count in stacks.items():
        values = [count, count * period_ns] if period_ns else [count]
        builder.add(stack, values, {"thread": thread} if thread else {})
    return builder


def describe_sampling(interval_us: int, error_percent: float | None) -> str:
    """Return what a reader of the times should know."""
    missing = (
        f"; {error_percent:.2f}% of the samples could not be read and are missing" if error_percent else ""
    )
    return (
        f"times are samples × the interval of {interval_us / 1000:g}ms{missing}"
        if interval_us
        else missing[2:]
    )
