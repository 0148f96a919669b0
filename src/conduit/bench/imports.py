"""How long an import takes: each iteration in a fresh interpreter, since a second import in the same one is a lookup.

    from conduit.bench import bench_import

    bench_json = bench_import("json")

runs `BenchmarkJson`. ns/op is the time of the import alone, by the clock of the new interpreter, whose own start is
not in it; modules/op is the number of modules that it loads.
"""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from conduit.bench.run.loop import Benchmark

_PROGRAM = """
import sys
sys.path[:] = {path!r}
from time import perf_counter_ns
loaded = len(sys.modules)
start = perf_counter_ns()
__import__({module!r})
taken = perf_counter_ns() - start
print("\\n" + str(taken), len(sys.modules) - loaded)
"""


def bench_import(module: str) -> Callable[[Benchmark], None]:
    """Return a benchmark of importing a module or package, by its dotted name.

    The new interpreters have this one's `sys.path` and keep compiled modules as usual, so that compiling is not
    measured: one import comes before those that are. Raises `ValueError` for a text that is no dotted name.
    """
    if not all(part.isidentifier() for part in module.split(".")):
        raise ValueError(f"bench_import({module!r}): expected a module's dotted name, such as 'json.decoder'")

    def bench(b: Benchmark) -> None:
        b.works_elsewhere = True
        b.stop_timer()
        program = _PROGRAM.format(path=sys.path, module=module)
        _import_once(b, program)
        b.start_timer()
        total_ns = modules = 0
        for _ in b:
            taken_ns, loaded = _import_once(b, program)
            total_ns += taken_ns
            modules += loaded
        b.report_metric(total_ns / b.n, "ns/op")
        b.report_metric(modules / b.n, "modules/op")

    bench.__name__ = f"bench_import_{module.replace('.', '_')}"
    return bench


# Its name begins as those of benchmarks do, and files that use it have it.
bench_import.__conduit_is_no_benchmark__ = True  # type: ignore[attr-defined]


def _import_once(b: Benchmark, program: str) -> tuple[int, int]:
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONDONTWRITEBYTECODE"}
    ran = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True)
    if ran.returncode:
        b.fail(
            ran.stderr.strip().rpartition("\n")[2] or f"the interpreter ended with status {ran.returncode}"
        )
    taken_ns, loaded = ran.stdout.splitlines()[-1].split()  # the module may have printed before
    return int(taken_ns), int(loaded)
