"""The lines of the live view: functions with the sums of `-top`, threads with their heaviest function, or tasks."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from conduit.cli.top.tasks import count_states, task_rows
from conduit.control_characters import printable
from conduit.profile.measurement import percentage
from conduit.report.formats.top import compute_top
from conduit.report.options import Options
from conduit.report.pipeline import prepare_report, print_report

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from conduit.cli.top.tasks import Tasks
    from conduit.profile.model import Profile, Sample
    from conduit.report.report import Report

FUNCTION_COLUMNS = "      flat  flat%        cum   cum%  function"
THREAD_COLUMNS = "      flat  flat%  thread, and the function that took most of it"
TASK_COLUMNS = "   state  seen there  task: coroutine, the line it is at, what it waits for"


class View(NamedTuple):
    """The rows that are wanted: functions by flat or cum, or threads; `matches` says of a name whether it is shown."""

    by_cum: bool
    is_threads: bool
    matches: Callable[[str], bool]


class Table(NamedTuple):
    """A profile as lines: what was recorded, the heads of the columns, the rows."""

    recorded: str
    columns: str
    rows: list[str]


def top_report(profile: Profile, *, by_cum: bool) -> bytes:
    """Return the report `-top`."""
    return print_report(_report(profile, by_cum))


def make_table(profile: Profile, view: View) -> Table:
    """Return the lines of a view."""
    report = _report(profile, view.by_cum)
    columns = THREAD_COLUMNS if view.is_threads else FUNCTION_COLUMNS
    rows = _threads(report, view) if view.is_threads else _functions(report, view)
    return Table(_recorded(profile, report), columns, _lines(rows))


def make_task_table(tasks: Tasks, matches: Callable[[str], bool]) -> Table:
    """Return the lines of the view of tasks: a row for each, or why there are none."""
    rows = task_rows(tasks, matches, has_times=True) if tasks.tasks else [tasks.reason]
    return Table(count_states(tasks), TASK_COLUMNS, _lines(rows))


def _lines(rows: Iterable[str]) -> list[str]:
    """Return every name comes from the process that is watched."""
    return [printable(row).replace("\n", "\\n").replace("\t", "\\t") for row in rows]


def _report(profile: Profile, by_cum: bool) -> Report:
    options = Options(sort="cum" if by_cum else "flat")
    return prepare_report(profile, "top", options, lambda _: None)


def _recorded(profile: Profile, report: Report) -> str:
    seconds = profile.duration_nanos / 1e9
    used = report.total / 1e9
    share = f" ({used / seconds:.0%} of one core)" if seconds else ""
    return f"{used:.2f}s of CPU time in the last {seconds:.1f}s{share}"


def _functions(report: Report, view: View) -> Iterator[str]:
    total = report.total
    for row in compute_top(report).rows:
        if view.matches(row.name):
            yield (
                f"{row.flat_text:>10} {percentage(row.flat, total)}"
                f" {row.cum_text:>10} {percentage(row.cum, total)}  {row.name}"
            )


def _threads(report: Report, view: View) -> Iterator[str]:
    index = report.values.index
    used: dict[str, int] = {}
    leaves: dict[str, dict[str, int]] = {}
    for sample in report.profile.samples:
        name, value = (sample.labels.get("thread") or ["(no name)"])[0], sample.values[index]
        used[name] = used.get(name, 0) + value
        functions = leaves.setdefault(name, {})
        leaf = _leaf(sample)
        functions[leaf] = functions.get(leaf, 0) + value
    for name in sorted(used, key=lambda name: (-used[name], name)):
        if view.matches(name):
            heaviest = max(leaves[name], key=lambda leaf: leaves[name][leaf])
            yield f"{report.amount(used[name]):>10} {percentage(used[name], report.total)}  {name}: {heaviest}"


def _leaf(sample: Sample) -> str:
    for location in sample.locations:
        for line in location.lines:
            if line.function:
                return line.function.name
    return "(no stack)"
