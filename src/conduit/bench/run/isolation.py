"""Each repetition in an interpreter of its own, with a different memory layout, hash seed and state of caches.

The parent starts this module as a program, once for each top-level benchmark and repetition, and hands it a request
on standard input; the child answers with one JSON event per line. In both processes, what the benchmark itself prints
goes to standard error.
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from dataclasses import asdict, replace
from pathlib import Path
from typing import TYPE_CHECKING

from conduit.bench.names import NameFilter
from conduit.bench.run.discover import BenchmarkFile, load
from conduit.bench.run.events import Ended, Measured, Measuring, Started, Warned, decode_event, encode_event
from conduit.bench.run.measure import Options, spread_warning
from conduit.bench.run.runner import Runner

if TYPE_CHECKING:
    from collections.abc import Callable

    from conduit.bench.result import Measurement
    from conduit.bench.run.events import Event


def run_isolated(
    file: BenchmarkFile, name: str, bench: str, skip: str, options: Options, emit: Callable[[Event], None]
) -> bool:
    """Run one top-level benchmark `options.count` times, each in a fresh process; return whether all went well.

    Events are told when the last repetition is done, repetitions of one benchmark in a row. After Ctrl-C, what
    was measured until then is told before the interruption goes on.
    """
    events: list[Event] = []
    try:
        for _ in range(options.count):
            request: dict[str, object] = {
                "path": str(file.path),
                "root": str(file.root),
                "package": file.package,
                "name": name,
                "bench": bench,
                "skip": skip,
                "options": asdict(replace(options, count=1)),
            }
            events += _run_child(name, request)
    finally:
        for event in _in_a_row(events, options):
            emit(event)
    return not any(isinstance(event, Ended) and event.outcome == "failed" for event in events)


def _run_child(name: str, request: dict[str, object]) -> list[Event]:
    command = [sys.executable, *_interpreter_flags(), "-m", "conduit.bench.run.isolation"]
    child = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
    try:
        answer, _ = child.communicate(json.dumps(request))
    except BaseException:
        child.kill()
        child.wait()
        raise
    events = [decode_event(json.loads(line)) for line in answer.splitlines()]
    if child.returncode != 0:
        events.append(
            Ended(name, "failed", (f"    its process ended with {_describe_status(child.returncode)}",))
        )
    return events


def _interpreter_flags() -> list[str]:
    return subprocess._args_from_interpreter_flags()  # type: ignore[attr-defined,no-any-return]


def _describe_status(status: int) -> str:
    if status >= 0:
        return f"exit status {status}"
    try:
        return f"signal {signal.Signals(-status).name}"
    except ValueError:
        return f"signal {-status}"


def _in_a_row(events: list[Event], options: Options) -> list[Event]:
    """Return the events of all repetitions, benchmark by benchmark, in the order of the first repetition."""
    by_name: dict[str, list[Event]] = {}
    for event in events:
        name = event.measurement.name if isinstance(event, Measured) else event.name
        by_name.setdefault(name, []).append(event)
    ordered: list[Event] = []
    for group in by_name.values():
        ordered += dict.fromkeys(event for event in group if isinstance(event, Started | Measuring))
        for count in options.processor_list():
            ordered += _with_spread([m for m in _measurements(group) if m.processors == count])
        ordered += dict.fromkeys(event for event in group if isinstance(event, Ended))
    return ordered


def _measurements(group: list[Event]) -> list[Measurement]:
    return [event.measurement for event in group if isinstance(event, Measured)]


def _with_spread(measurements: list[Measurement]) -> list[Event]:
    events: list[Event] = [Measured(measurement) for measurement in measurements]
    warning = spread_warning(measurements)
    if warning is not None:
        events.append(Warned(measurements[0].name, measurements[0].processors, warning))
    return events


def serve() -> int:
    """Read the request, run the benchmark and write its events, in the child process. Return the exit status."""
    request = json.load(sys.stdin)
    # Only events may reach the parent's pipe: everything else that is written to 1 goes where errors go.
    answers = os.fdopen(os.dup(1), "w", encoding="utf-8")
    os.dup2(2, 1)
    fields = request["options"]
    options = Options(**fields | {"processors": tuple(fields["processors"])})
    file = BenchmarkFile(Path(request["path"]), Path(request["root"]), request["package"])

    def emit(event: Event) -> None:
        answers.write(json.dumps(encode_event(event)) + "\n")
        answers.flush()

    runner = Runner(options, NameFilter(request["bench"], request["skip"]), emit)
    runner.run_benchmark(request["name"], load(file)[request["name"]])
    return 0


if __name__ == "__main__":
    try:
        sys.exit(serve())
    except KeyboardInterrupt:
        sys.exit(130)
