"""Whether a benchmark's allocation counts are the same in other processes, whose hash seeds differ.

A count can depend on the order of a set or on the address of an object. One process cannot show that; two others
count again, and a difference becomes a warning. They are started for each top-level benchmark, and only for
operations that are short enough to be repeated.
"""

from __future__ import annotations

import os
import random
import re
import sys
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING

from conduit.bench.against.process import BenchmarkProcess, ProcessEndedError
from conduit.bench.against.worktree import Checkout
from conduit.bench.result import MeasurementWarning

if TYPE_CHECKING:
    from collections.abc import Sequence

    from conduit.bench.result import Measurement
    from conduit.bench.run.discover import BenchmarkFile

PROCESSES = 2
MAX_NS_PER_OP = 50_000_000
_CAUSES = {"irregular-allocations", "unrepeatable-allocations"}


class SeedCheck:
    """Counts a measured benchmark's allocations again in other processes. Close it at the end of the run."""

    def __init__(self, *, short: bool = False, threads: int | None = None) -> None:
        self._short = short
        self._threads = threads
        self._rng = random.Random()
        self._top = ("", "")
        self._stack = ExitStack()
        self._processes: list[BenchmarkProcess] = []

    @staticmethod
    def is_useful() -> bool:
        """Return whether processes have hash seeds of their own: the user has not fixed one."""
        return os.environ.get("PYTHONHASHSEED", "random") == "random"

    def check(self, file: BenchmarkFile, measurement: Measurement) -> MeasurementWarning | None:
        """Return a warning if the counts differ in another process, or could not be taken there."""
        own = measurement.allocations
        if own is None or measurement.elapsed_ns / measurement.n > MAX_NS_PER_OP:
            return None
        if any(warning.code in _CAUSES for warning in measurement.warnings):
            return None
        try:
            others = [
                self._count(process, file, measurement) for process in self._processes_for(file, measurement)
            ]
        except ProcessEndedError as error:
            return unchecked_warning(str(error).splitlines()[-1])
        found = [(own.bytes_per_op, own.allocations_per_op), *(count for count in others if count)]
        if len(set(found)) == 1:
            return None
        return varying_warning(found)

    def _processes_for(self, file: BenchmarkFile, measurement: Measurement) -> list[BenchmarkProcess]:
        top = (str(file.path), measurement.name.partition("/")[0])
        if top != self._top:
            self.close()
            self._top = top
            setup = {
                "paths": [str(file.path)],
                "bench": f"^{re.escape(top[1])}$",
                "skip": "",
                "gc": "off",
                "short": self._short,
                "threads": self._threads,
                "versions": False,
            }
            here = Checkout("another process", Path.cwd(), sys.executable, ())
            self._processes = [
                self._stack.enter_context(BenchmarkProcess(here, setup, self._rng.randrange(1, 1 << 32)))
                for _ in range(PROCESSES)
            ]
            for process in self._processes:
                process.receive()
        return self._processes

    def _count(
        self, process: BenchmarkProcess, file: BenchmarkFile, measurement: Measurement
    ) -> tuple[int, int] | None:
        answer = process.ask({"name": f"{file.package}:{measurement.name}", "count": ["B/op", "allocs/op"]})
        counts = answer.get("counts", {})
        return (int(counts["B/op"]), int(counts["allocs/op"])) if "B/op" in counts else None

    def close(self) -> None:
        """End the processes."""
        self._stack.close()
        self._processes = []
        self._top = ("", "")


def varying_warning(found: Sequence[tuple[int, int]]) -> MeasurementWarning:
    """Return the warning about (B/op, allocs/op) of several processes that differ."""
    sizes, numbers = [size for size, _ in found], [number for _, number in found]
    ranges = ", ".join(
        f"{min(values)} to {max(values)} {unit}"
        for unit, values in (("B/op", sizes), ("allocs/op", numbers))
        if min(values) != max(values)
    )
    return MeasurementWarning(
        "varying-counts",
        "B/op and allocs/op are not the same in every process, as with the order of a set: "
        f"{ranges} in {len(found)} processes",
        "compare versions with --against, which counts under many hash seeds, or fix PYTHONHASHSEED",
    )


def unchecked_warning(
    reason: str,
    remedy: str = "a benchmark has to run in several processes at the same time; else fix PYTHONHASHSEED",
) -> MeasurementWarning:
    """Return the warning about counts that could not be taken in other processes."""
    return MeasurementWarning(
        "unchecked-counts",
        f"whether B/op and allocs/op are the same in other processes could not be checked: {reason}",
        remedy,
    )
