"""What a run of benchmarks prints, as Go's `go test -bench` prints it: text, or the JSON events of `test2json`.

A `Transcript` turns events into lines; a sink writes each line, either as it is or as a JSON object. Warnings are
printed after all results of the run, each kind once and in one line (`--- WARN: name: text`), which readers of the
format pass over. With -v and in the event stream, each is a block below the result that it concerns. The JSON event
of the result line also has them as data (`Result` and `Warnings`, keys that Go's readers ignore).
"""

from __future__ import annotations

import json
from dataclasses import asdict
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from conduit.bench.names import numbered
from conduit.bench.run.events import Ended, Measured, Measuring, Started, Warned
from conduit.bench.run.machine import config_lines
from conduit.bench.text.writer import (
    NameColumn,
    format_block,
    format_measurement,
    format_warnings,
    trim_log,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from conduit.bench.result import Measurement, MeasurementWarning
    from conduit.bench.run.events import Event


_NOTHING: Mapping[str, object] = {}


class TextSink:
    """Plain text: the output as it is. `test` is the benchmark that a line is about, empty for the package's own."""

    def __init__(self, write: Callable[[str], object]) -> None:
        self._write = write

    def package(self, name: str) -> None:
        """A package begins."""

    def action(self, action: str, test: str = "", data: Mapping[str, object] = _NOTHING) -> None:
        """Text has no actions."""

    def output(
        self, text: str, test: str = "", is_frame: bool = False, data: Mapping[str, object] = _NOTHING
    ) -> None:
        """Write the text, but not the `=== RUN` frames, which only the event stream has."""
        if not text.startswith("=== RUN"):
            self._write(text)


class JsonSink:
    """One JSON object a line, with the keys of Go's `test2json`; additional ones hold results as data."""

    def __init__(self, write: Callable[[str], object]) -> None:
        self._write = write
        self._package = ""

    def package(self, name: str) -> None:
        """A package begins."""
        self._package = name

    def action(self, action: str, test: str = "", data: Mapping[str, object] = _NOTHING) -> None:
        """Write an event without output."""
        now = datetime.now(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")
        event: dict[str, object] = {"Time": now, "Action": action, "Package": self._package}
        if test:
            event["Test"] = test
        self._write(json.dumps(event | dict(data), ensure_ascii=False) + "\n")

    def output(
        self, text: str, test: str = "", is_frame: bool = False, data: Mapping[str, object] = _NOTHING
    ) -> None:
        """Write an event with output."""
        frame = {"OutputType": "frame"} if is_frame else {}
        self.action("output", test, {"Output": text, **frame, **data})


def result_data(measurement: Measurement) -> dict[str, object]:
    """Return a measurement as data: its name, n, every value by its unit (None: not available), and the warnings."""
    values: dict[str, float | None] = dict(measurement.values())
    if any(warning.code == "no-allocations" for warning in measurement.warnings):
        values |= {"B/op": None, "allocs/op": None}
    return {
        "Name": measurement.name,
        "Processors": measurement.processors,
        "N": measurement.n,
        "ElapsedNs": measurement.elapsed_ns,
        "Values": values,
        "Warnings": [asdict(warning) for warning in measurement.warnings],
    }


class Transcript:
    """Prints what happens, package by package."""

    def __init__(self, sink: TextSink | JsonSink, *, verbose: bool = False) -> None:
        self._sink = sink
        self._is_verbose = verbose or isinstance(sink, JsonSink)
        self._package = ""
        self._is_last = False
        self._labels_are_printed = False
        self._column = NameColumn([], [])
        # Code of a warning → its first text, and the results that have it (package, name).
        self._held: dict[str, tuple[str, list[tuple[str, str]]]] = {}

    def begin_package(
        self, package: str, top_level: Sequence[str], processor_list: Sequence[int], *, is_last: bool = True
    ) -> None:
        """A file's benchmarks begin; `top_level` are the names of those that the filter means.

        Before the end of the last file's, the warnings of all are printed.
        """
        self._package = package
        self._is_last = is_last
        self._labels_are_printed = False
        self._column = NameColumn(top_level, processor_list)
        self._sink.package(package)
        self._sink.action("start")

    def end_package(self, passed: bool, elapsed_s: float) -> None:
        """A file's benchmarks are done."""
        if self._is_last:
            self.print_held_warnings()
        if passed:
            self._sink.output("PASS\n", is_frame=True)
            self._sink.output(f"ok  \t{self._package}\t{elapsed_s:.3f}s\n")
        else:
            self._sink.output("FAIL\n", is_frame=True)
            self._sink.output("exit status 1\n")
            self._sink.output(f"FAIL\t{self._package}\t{elapsed_s:.3f}s\n", is_frame=True)
        self._sink.action("pass" if passed else "fail", data={"Elapsed": round(elapsed_s, 3)})

    def interrupt_package(self, why: str, elapsed_s: float) -> None:
        """The run was ended from outside; `why` is a line that says so."""
        self.print_held_warnings()
        self._sink.output(f"{why}\n")
        self._sink.output(f"FAIL\t{self._package}\t{elapsed_s:.3f}s\n", is_frame=True)
        self._sink.action("fail", data={"Elapsed": round(elapsed_s, 3)})

    def refuse_package(self, package: str, why: str) -> None:
        """A file whose benchmarks could not even be loaded."""
        self._sink.package(package)
        self._sink.action("start")
        self._sink.output(f"FAIL\t{package} [{why}]\n", is_frame=True)
        self._sink.action("fail", data={"Elapsed": 0})

    def list_names(self, names: Sequence[str], elapsed_s: float) -> None:
        """Only the names, for `-list`."""
        for name in names:
            self._sink.output(f"{name}\n")
        self._sink.output(f"ok  \t{self._package}\t{elapsed_s:.3f}s\n")
        self._sink.action("pass", data={"Elapsed": round(elapsed_s, 3)})

    def line(self, text: str, data: Mapping[str, object] = _NOTHING) -> None:
        """A line outside any benchmark."""
        self._sink.output(f"{text}\n", data=data)

    def warn(self, warnings: Sequence[MeasurementWarning]) -> None:
        """Write the warnings about the machine."""
        if warnings:
            data = {"Warnings": [asdict(warning) for warning in warnings]}
            self._sink.output(format_warnings("machine", warnings), data=data)

    def tell(self, event: Event) -> None:
        """Print one event."""
        if isinstance(event, Started):
            self._start(event)
        elif isinstance(event, Measuring):
            self._print_labels()
        elif isinstance(event, Measured):
            self._measured(event.measurement)
        elif isinstance(event, Warned):
            name = numbered(event.name, event.processors)
            self._warn_about(event.name, name, [event.warning])
        else:
            self._end(event)

    def _start(self, event: Started) -> None:
        self._column.make_room(event.name)
        if self._is_verbose:
            self._print_labels()
            self._sink.action("run", event.name)
            self._sink.output(f"=== RUN   {event.name}\n", event.name, is_frame=True)
            self._sink.output(f"{event.name}\n", event.name)

    def _print_labels(self) -> None:
        if not self._labels_are_printed:
            self._labels_are_printed = True
            for line in config_lines(self._package):
                self._sink.output(f"{line}\n")

    def _measured(self, measurement: Measurement) -> None:
        name = numbered(measurement.name, measurement.processors)
        if self._is_verbose:
            self._print_log(measurement.name, measurement.log)
        line = format_measurement(measurement, self._column.width)
        self._sink.output(f"{line}\n", measurement.name, data={"Result": result_data(measurement)})
        if measurement.log and not self._is_verbose:
            self._sink.output(format_block("BENCH", name, trim_log(measurement.log)), measurement.name)
        if measurement.warnings:
            self._warn_about(measurement.name, name, measurement.warnings)

    def _warn_about(self, test: str, name: str, warnings: Sequence[MeasurementWarning]) -> None:
        if not self._is_verbose:
            for warning in warnings:
                results = self._held.setdefault(warning.code, (str(warning), []))[1]
                if (self._package, name) not in results:
                    results.append((self._package, name))
            return
        data = {"Warnings": [asdict(warning) for warning in warnings]}
        self._sink.output(format_warnings(name, warnings), test, data=data)

    def print_held_warnings(self) -> None:
        """Print each kind of warning in one line: the first result that has it, how many others have it, the text.

        A result of an earlier file is named with that file.
        """
        for text, results in self._held.values():
            package, name = results[0]
            where = "" if package == self._package else f"{package} "
            more = f" (and {len(results) - 1} more)" if len(results) > 1 else ""
            self._sink.output(f"--- WARN: {where}{name}{more}: {text}\n", name)
        self._held.clear()

    def _end(self, event: Ended) -> None:
        tag = {"failed": "FAIL", "skipped": "SKIP"}.get(event.outcome)
        name = numbered(event.name, event.processors or 1)
        if self._is_verbose:
            self._print_log(event.name, event.log)
        if tag is None or (tag == "SKIP" and not self._is_verbose):
            return
        log = () if self._is_verbose else event.log
        self._sink.output(format_block(tag, name, log), event.name, is_frame=True)
        self._sink.action("fail" if tag == "FAIL" else "skip", event.name)

    def _print_log(self, test: str, log: Sequence[str]) -> None:
        for line in log:
            self._sink.output(f"{line}\n", test)
