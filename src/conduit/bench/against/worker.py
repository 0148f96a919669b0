"""A worker process of `--against`: runs batches of one side's benchmarks on request.

This file runs as a program (`python -P worker.py`), possibly in an environment without this package. It measures
with the side's own `conduit` if there is one, so that a checkout of this project is measured by itself, and otherwise
with the comparing process's: an import hook finds that package by name, without adding its folder, and everything
else in it, to the path.

It reads one JSON request per line and answers each with one JSON line, over file descriptors that benchmarks do not
use; their own output goes to standard error.
"""

from __future__ import annotations

import gc
import json
import os
import signal
import sys
from importlib.machinery import PathFinder
from pathlib import Path
from typing import IO, TYPE_CHECKING, Any

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
    """Serve requests until the comparing process closes the pipe."""
    requests, answers = _own_streams()
    # Ctrl-C goes to the whole group; the comparing process decides when this one ends.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    setup = json.loads(requests.readline())
    sys.path[:0] = setup["import_from"]
    sys.meta_path.append(_FallBackOn(setup["harness"]))
    os.chdir(setup["root"])
    try:
        side = _Side(setup)
        answer = side.found()
        # Every batch begins with a full collection; it need not look through all modules each time.
        gc.collect()
        gc.freeze()
    except Exception as error:
        answers.write(json.dumps({"broken": _describe(error)}) + "\n")
        return
    _answer(answers, answer)
    try:
        for line in requests:
            _answer(answers, side.serve(json.loads(line)))
    finally:
        side.close()


def _own_streams() -> tuple[IO[str], IO[str]]:
    requests = os.fdopen(os.dup(0), "r", encoding="utf-8")
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    os.dup2(2, 1)
    return requests, answers


def _answer(stream: IO[str], answer: dict[str, Any]) -> None:
    stream.write(json.dumps(answer) + "\n")
    stream.flush()


def _describe(error: BaseException) -> str:
    import traceback

    return "".join(traceback.format_exception(error)).rstrip("\n")


class _Side:
    """The benchmarks of one checkout, prepared."""

    def __init__(self, setup: dict[str, Any]) -> None:
        from conduit.bench.against.batches import prepare
        from conduit.bench.names import NameFilter
        from conduit.bench.run.discover import find_files, load
        from conduit.bench.run.measure import Options

        self.reports_versions: bool = setup["versions"]
        self.ready: dict[str, Any] = {}
        self.problems: list[dict[str, str]] = []
        names = NameFilter(setup["bench"], setup["skip"])
        options = Options(gc_mode=setup["gc"], short=setup["short"], threads=setup["threads"])
        for file in find_files([path for path in setup["paths"] if Path(path).exists()]):
            try:
                functions = load(file)
            except Exception as error:
                self.problems.append({"name": file.package, "text": _describe(error)})
                continue
            ready, ended = prepare(functions, names, options)
            self.ready.update({f"{file.package}:{benchmark.name}": benchmark for benchmark in ready})
            for end in ended:
                if end.outcome == "failed":
                    self.problems.append({"name": f"{file.package}:{end.name}", "text": "\n".join(end.log)})

    def found(self) -> dict[str, Any]:
        versions = versions_in_use() if self.reports_versions else {}
        return {"ready": list(self.ready), "problems": self.problems, "versions": versions}

    def close(self) -> None:
        """Tear down what benchmarks set up once."""
        try:
            from conduit.bench.declare import close_declared
        except ImportError:  # an older version of this package measures itself
            return
        for benchmark in self.ready.values():
            close_declared(benchmark.function)

    def serve(self, request: dict[str, Any]) -> dict[str, Any]:
        """Run one batch or count; an exception of the benchmark is an answer, too."""
        try:
            benchmark = self.ready[request["name"]]
            if "n" in request:
                return _timed(benchmark.run_batch(request["n"]))
            if "instructions" in request:
                return _instructions(benchmark, request["instructions"])
            return self._counts(benchmark, request["count"])
        except KeyboardInterrupt:
            raise
        except BaseException as error:
            if getattr(error, "works_elsewhere", False):
                return {"counts": {}, "reason": None, "elsewhere": True}
            return {"failed": _describe(error)}

    def _counts(self, benchmark: Any, units: list[str]) -> dict[str, Any]:
        from conduit.bench.run.allocations import unavailable_reason

        counts: dict[str, float] = {}
        reason = unavailable_reason() if {"allocs/op", "peak-B/op"} & {*units} else None
        if "allocs/op" in units and reason is None:
            counted, _ = benchmark.count_allocations()
            # Not rounded: a fraction per operation is an average, and varies.
            counts["B/op"] = counted.bytes / counted.n
            counts["allocs/op"] = counted.allocations / counted.n
        # A checkout of this package measures itself, and an older one knows no peak.
        if "peak-B/op" in units and reason is None and hasattr(benchmark, "count_peak"):
            counts["peak-B/op"] = benchmark.count_peak()
        if "bytecodes/op" in units:
            counts["bytecodes/op"] = benchmark.count_bytecodes()
        return {"counts": counts, "reason": reason}


def _timed(batch: Any) -> dict[str, Any]:
    # A benchmark's own ns/op is its time, as in an ordinary run: that of an import without the interpreter's start.
    own = batch.metrics.get("ns/op", 0.0)
    return {"elapsed_ns": own * batch.n if own > 0 else batch.elapsed_ns, "cpu_ns": batch.cpu_ns}


def _instructions(benchmark: Any, n: int) -> dict[str, Any]:
    from conduit.bench.run.perf_events import count_instructions

    try:
        return {"instructions": count_instructions(lambda: benchmark.run_batch(n))}
    except OSError as error:
        return {"reason": error.strerror}


def versions_in_use() -> dict[str, str]:
    """Return the versions of the distributions whose modules have been imported.

    Sources that were imported from elsewhere, such as those of a checkout, may be of another version than the
    distribution of the same name that is installed, so these are left out.
    """
    from importlib import metadata

    versions: dict[str, str] = {}
    for name, distributions in metadata.packages_distributions().items():
        module = sys.modules.get(name)
        if module is None or name.startswith("_"):
            continue
        file = getattr(module, "__file__", None)
        places: list[str] = [file] if file else list(getattr(module, "__path__", ()))
        for each in distributions:
            distribution = metadata.distribution(each)
            folder = os.path.realpath(str(distribution.locate_file("")))
            if any(os.path.realpath(place).startswith(folder + os.sep) for place in places):
                versions[each] = distribution.version
    return versions


if __name__ == "__main__":
    main()
