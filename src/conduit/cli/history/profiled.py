"""A process that writes the CPU profile of one benchmark of a checkout.

This file runs as a program (`python -P profiled.py`), possibly in an environment without this package, which it then
takes from the calling process, as the workers of `--against` do. It reads one JSON object from standard input:
`root`, `import_from`, `harness` (folders), `path` (the benchmark's file), `name` (package and name), `n` (iterations
of a batch), `batches`, `rate_hz` and `output` (a file).
"""

from __future__ import annotations

import json
import os
import sys
from importlib.machinery import PathFinder
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence
    from importlib.machinery import ModuleSpec


class _FallBackOn:
    """Finds the top-level package `conduit` in a given folder, and nothing else."""

    def __init__(self, folder: str) -> None:
        self.folder = folder

    def find_spec(
        self, name: str, path: Sequence[str] | None = None, target: object = None
    ) -> ModuleSpec | None:
        """Find `conduit` after all ordinary finders have failed."""
        return PathFinder.find_spec(name, [self.folder]) if name == "conduit" else None


def main() -> None:
    """Record, and write the profile."""
    setup = json.loads(sys.stdin.read())
    sys.path[:0] = setup["import_from"]
    sys.meta_path.append(_FallBackOn(setup["harness"]))
    os.chdir(setup["root"])
    _record(setup, _prepared(setup))


def _prepared(setup: dict[str, Any]) -> Any:
    from conduit.bench.against.batches import prepare
    from conduit.bench.names import NameFilter
    from conduit.bench.run.discover import find_files, load
    from conduit.bench.run.measure import Options

    package, _, name = setup["name"].partition(":")
    for file in find_files([setup["path"]]):
        if file.package != package:
            continue
        ready, _ = prepare(load(file), NameFilter(".", ""), Options(gc_mode="off"))
        for benchmark in ready:
            if benchmark.name == name:
                return benchmark
    raise SystemExit(f"no benchmark {setup['name']} there")


def _record(setup: dict[str, Any], benchmark: Any) -> None:
    from conduit.bench.run.loop import is_harness_file
    from conduit.record import cpu

    def is_harness(filename: str) -> bool:
        return filename == __file__ or is_harness_file(filename)

    with cpu(setup["output"], rate_hz=setup["rate_hz"], is_harness=is_harness):
        for _ in range(setup["batches"]):
            benchmark.run_batch(setup["n"])


if __name__ == "__main__":
    main()
