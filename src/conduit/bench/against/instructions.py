"""instructions/op: user-space instructions of an operation, including C code, the same under any load.

They are counted in separate processes with a fixed hash seed, as the difference of two warm runs: by the kernel's perf
events if available, otherwise under valgrind, which is about fifty times slower than the processor.
"""

from __future__ import annotations

import re
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

from conduit.bench.against.process import BenchmarkProcess, ProcessEndedError
from conduit.bench.against.worktree import Checkout
from conduit.bench.result import MeasurementWarning

if TYPE_CHECKING:
    from conduit.bench.result import Measurement
    from conduit.bench.run.discover import BenchmarkFile

GOAL_NS = 20_000_000  # native time of the counted iterations; a second under valgrind
MAX_ITERATIONS = 2_000
WARM_UP = 100  # the interpreter has adapted its instructions by then
_HASH_SEED = 1
_VALGRIND = ("valgrind", "--tool=cachegrind", "--cache-sim=no", "--cachegrind-out-file=/dev/null")
_TOTAL = re.compile(r"I\s+refs:\s+([\d,]+)")


def count_instructions(
    file: BenchmarkFile, measurement: Measurement, *, short: bool = False
) -> float | MeasurementWarning:
    """Return the instructions per operation of a measured benchmark, or a warning that says why there are none."""
    here = Checkout("another process", Path.cwd(), sys.executable, ())
    ns_per_op = measurement.elapsed_ns / measurement.n
    name = f"{file.package}:{measurement.name}"
    return count_instructions_at(here, str(file.path), name, ns_per_op, short=short)


def count_instructions_at(
    checkout: Checkout,
    path: str,
    name: str,
    ns_per_op: float,
    *,
    short: bool = False,
    hash_seed: int | None = _HASH_SEED,
) -> float | MeasurementWarning:
    """Return the instructions per operation of a checkout's benchmark, or a warning that says why there are none.

    `path` is its file, `name` its package and name as in `folder/bench_file:Name/sub`. A `hash_seed` of None leaves
    the user's own.
    """
    counted = max(1, min(int(GOAL_NS / max(ns_per_op, 1.0)), MAX_ITERATIONS))
    warm_up = min(WARM_UP, counted)
    levels = name.partition(":")[2].split("/")
    setup = {
        "paths": [path],
        "bench": "^" + "$/^".join(re.escape(level) for level in levels) + "$",
        "skip": "",
        "gc": "off",
        "short": short,
        "threads": 1,
        "versions": False,
    }
    try:
        with BenchmarkProcess(checkout, setup, hash_seed) as process:
            process.receive()
            answers = [process.ask({"name": name, "instructions": n}) for n in (warm_up, warm_up + counted)]
        if all("instructions" in answer for answer in answers):
            return float(answers[1]["instructions"] - answers[0]["instructions"]) / counted
        reason = str(answers[0].get("reason") or answers[0].get("failed", "")).strip().splitlines()[-1]
        if shutil.which(_VALGRIND[0]) is None:
            return _unavailable(
                f"perf events: {reason}; valgrind is not installed", "apt-get install valgrind"
            )
        few, many = (
            _under_valgrind(checkout, setup, name, n, hash_seed) for n in (warm_up, warm_up + counted)
        )
    except ProcessEndedError as error:
        return _unavailable(str(error).splitlines()[-1], "the benchmark has to run in a process of its own")
    return (many - few) / counted


def _under_valgrind(
    checkout: Checkout, setup: dict[str, Any], name: str, n: int, hash_seed: int | None
) -> int:
    with BenchmarkProcess(checkout, setup, hash_seed, _VALGRIND) as process:
        process.receive()
        answer = process.ask({"name": name, "n": n})
        if "failed" in answer:
            raise ProcessEndedError(answer["failed"])
        found = _TOTAL.search(process.finish())
    if found is None:
        raise ProcessEndedError("valgrind printed no count")
    return int(found[1].replace(",", ""))


def _unavailable(reason: str, remedy: str) -> MeasurementWarning:
    return MeasurementWarning("no-instructions", f"instructions/op: n/a, {reason}", remedy)
