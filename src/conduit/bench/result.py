"""The results of a benchmark: a `Measurement` for each repetition, with its warnings; `BenchmarkResult` for all.

Numbers are stored as counted (iterations, nanoseconds, requests, bytes); quotients are derived.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from statistics import median
from typing import TYPE_CHECKING

from conduit.errors import ConduitError

if TYPE_CHECKING:
    from collections.abc import Mapping


class BenchmarkFailedError(ConduitError):
    """A benchmark that was asked for a result failed, or skipped itself; `log` has its lines."""

    def __init__(self, name: str, log: tuple[str, ...], verb: str = "failed") -> None:
        super().__init__("\n".join([f"{name} {verb}", *log]))
        self.name = name
        self.log = log


@dataclass(frozen=True, slots=True)
class MeasurementWarning:
    """Why a result may not be what it seems: a short `code`, the `cause` as found, and what to do about it."""

    code: str
    cause: str
    remedy: str

    def __str__(self) -> str:
        return f"{self.cause}; {self.remedy}" if self.remedy else self.cause


@dataclass(frozen=True, slots=True)
class AllocationCount:
    """Requests to the interpreter's allocators and their bytes, over `n` iterations of one operation."""

    n: int
    allocations: int
    bytes: int

    @property
    def allocations_per_op(self) -> int:
        """Whole requests an operation, rounded down as Go does."""
        return self.allocations // self.n

    @property
    def bytes_per_op(self) -> int:
        """Whole bytes an operation, rounded down as Go does."""
        return self.bytes // self.n


@dataclass(frozen=True, slots=True)
class Measurement:
    """One repetition of one benchmark: one result line.

    `processors` is the `-N` of the name; `elapsed_ns` and `cpu_ns` are totals over `n` iterations; `metrics` are
    the benchmark's own and replace built-in columns of the same unit; `loop_ns` is what was subtracted an
    iteration for the loop itself. `allocations` is None where they were not asked for or could not be counted.
    """

    name: str
    processors: int
    n: int
    elapsed_ns: int
    cpu_ns: int = 0
    processed_bytes: int = 0
    shows_allocations: bool = False
    allocations: AllocationCount | None = None
    loop_ns: float = 0.0
    timer_ns: float = 0.0
    metrics: Mapping[str, float] = field(default_factory=dict)
    log: tuple[str, ...] = ()
    warnings: tuple[MeasurementWarning, ...] = ()

    @property
    def ns_per_op(self) -> float:
        """Nanoseconds an iteration; the benchmark's own metric of that unit where it reported one."""
        own = self.metrics.get("ns/op")
        if own is not None:
            return own
        return max(self.elapsed_ns / self.n - self.loop_ns - self.timer_ns, 0.0) if self.n > 0 else 0.0

    @property
    def megabytes_per_second(self) -> float:
        """10⁶ bytes a second; 0 where the benchmark did not say how many it processes."""
        own = self.metrics.get("MB/s")
        if own is not None:
            return own
        if self.processed_bytes <= 0 or self.elapsed_ns <= 0 or self.n <= 0:
            return 0.0
        return self.processed_bytes * self.n / 1e6 / (self.elapsed_ns / 1e9)

    @property
    def bytes_per_op(self) -> int | None:
        """Bytes asked for an iteration, or None where they were not counted."""
        if "B/op" in self.metrics:
            return int(self.metrics["B/op"])
        return None if self.allocations is None else self.allocations.bytes_per_op

    @property
    def allocs_per_op(self) -> int | None:
        """Allocation requests an iteration, or None where they were not counted."""
        if "allocs/op" in self.metrics:
            return int(self.metrics["allocs/op"])
        return None if self.allocations is None else self.allocations.allocations_per_op

    def values(self) -> dict[str, float]:
        """Return every value by its unit, in the order of the result line."""
        found: dict[str, float] = {}
        if self.ns_per_op:
            found["ns/op"] = self.ns_per_op
        if self.megabytes_per_second:
            found["MB/s"] = self.megabytes_per_second
        for unit in sorted(self.metrics):
            if unit not in ("ns/op", "MB/s", "B/op", "allocs/op"):
                found[unit] = self.metrics[unit]
        if self.bytes_per_op is not None:
            found["B/op"] = self.bytes_per_op
        if self.allocs_per_op is not None:
            found["allocs/op"] = self.allocs_per_op
        return found


@dataclass(frozen=True, slots=True)
class BenchmarkResult:
    """All repetitions of one benchmark, in the order they ran; at least one."""

    name: str
    samples: tuple[Measurement, ...]
    common_warnings: tuple[MeasurementWarning, ...] = ()

    @property
    def n(self) -> int:
        """Iterations over all repetitions."""
        return sum(sample.n for sample in self.samples)

    @property
    def elapsed_ns(self) -> int:
        """Measured wall time over all repetitions."""
        return sum(sample.elapsed_ns for sample in self.samples)

    @property
    def ns_per_op(self) -> float:
        """Nanoseconds an iteration: the median of the repetitions."""
        return median(sample.ns_per_op for sample in self.samples)

    @property
    def bytes_per_op(self) -> int | None:
        """Bytes asked for an iteration, exactly; None where the allocation counter is not available."""
        return self.samples[-1].bytes_per_op

    @property
    def allocs_per_op(self) -> int | None:
        """Allocation requests an iteration, exactly; None where the allocation counter is not available."""
        return self.samples[-1].allocs_per_op

    @property
    def metrics(self) -> Mapping[str, float]:
        """The benchmark's own metrics, of the last repetition."""
        return self.samples[-1].metrics

    @property
    def warnings(self) -> tuple[MeasurementWarning, ...]:
        """Every repetition's warnings, each once, and those about all of them together."""
        own = [warning for sample in self.samples for warning in sample.warnings]
        return tuple(dict.fromkeys([*own, *self.common_warnings]))

    def value(self, unit: str) -> float | None:
        """Return the median of a unit over the repetitions that have it, or None."""
        found = [values[unit] for sample in self.samples if unit in (values := sample.values())]
        return median(found) if found else None
