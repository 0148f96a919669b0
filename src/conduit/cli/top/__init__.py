"""`conduit top`: functions, threads and tasks of a running process, live in the terminal, or once as plain text.

`samples` takes one profile after another in a thread, `table` makes the lines to show, `screen` draws them and reads
the keys; the library for that is imported only there.
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

from conduit.cli.dump import process_or_service
from conduit.cli.flags import FlagSet
from conduit.cli.terminal_text import complain
from conduit.errors import ConduitError, UsageError

if TYPE_CHECKING:
    from conduit.cli.flags import Parsed
    from conduit.profile.model import Profile

_USAGE = """usage: conduit top [flags] PID
       conduit top [flags] URL

Shows which functions and threads of a running Python process use the CPU, live: the sums of conduit pprof -top over
the last ten intervals; and its asyncio tasks. Keys: f and c sort by flat or cum, t shows threads, a shows tasks,
/ filters by a regular expression, space pauses and resumes, s writes the profile that is shown to cpu-PID.pb.gz (of
tasks, the goroutine profile to goroutine-PID.pb.gz), q or Ctrl-C quits.

A task is shown with its coroutine, the line in your code at which it is, and what it waits for. "seen there" is how
long it has been found there without interruption, counted from when you began to watch the tasks. Tasks can be read
from a process of Python 3.14 or later, and from any service.

A PID is sampled from outside, as by conduit record -inside=never: the process is not stopped, and no code of Conduit
runs in it. This needs permission to read its memory (the same user if kernel.yama.ptrace_scope is 0, root, or
SYS_PTRACE in a container). Processes of Python 3.13 to 3.15 can be read from any version, those of 3.11 and 3.12 only
by the same minor version. A URL is a service with Conduit's endpoint, or a Go program, from which one profile after
another is requested: http://localhost:6060/debug/pprof/.

The live view needs a terminal and the extra `top`: pip install 'conduit-runtime[top]'. -once needs neither."""

_INTERVAL = 1.0
_SECONDS = 2.0


def flags() -> FlagSet:
    """Return the flags of the command."""
    from conduit.cli.record import parse_positive, parse_seconds
    from conduit.record.remote import OUTSIDE_RATE_HZ

    found = FlagSet(_USAGE)
    found.option("pid", "the process, or the URL of a service", metavar="PID|URL")
    found.option(
        "interval",
        "time between two views; a whole number for a URL",
        default=_INTERVAL,
        parse=parse_seconds,
        metavar="SECONDS",
    )
    found.option(
        "rate", "samples a second of a process", default=OUTSIDE_RATE_HZ, parse=parse_positive, metavar="HZ"
    )
    found.switch("cum", "sort by cum first")
    found.switch("tasks", "show tasks first")
    found.switch("once", "print one table as plain text, and exit")
    found.option(
        "seconds",
        "with -once: sample for this time",
        default=_SECONDS,
        parse=parse_seconds,
        metavar="SECONDS",
    )
    return found


def run(arguments: list[str]) -> int:
    """Run the command."""
    parsed = flags().parse(arguments, positionals="mixed")
    target = process_or_service(parsed)
    _check(parsed, target)
    return _print_once(parsed, target) if parsed["once"] else _watch(parsed, target)


def _check(parsed: Parsed, target: int | str) -> None:
    """Refuse flags that are wrong, or have no effect here."""
    if parsed["rate"] > 1000:
        raise UsageError(f"-rate must be from 1 to 1000, got {parsed['rate']}")
    if parsed["once"] and "interval" in parsed.given:
        raise UsageError("-interval has no effect with -once, which samples for -seconds")
    ineffective = [f"-{name}" for name in ("cum", "rate", "seconds") if name in parsed.given]
    if parsed["once"] and parsed["tasks"] and ineffective:
        raise UsageError(
            f"{ineffective[0]} has no effect with -once -tasks, which reads the tasks of one moment"
        )
    if not parsed["once"] and "seconds" in parsed.given:
        raise UsageError("-seconds has no effect without -once; -interval sets how often the view changes")
    if isinstance(target, int):
        return
    if "rate" in parsed.given:
        raise UsageError("-rate has no effect on a URL: the service samples at its own rate")
    name = "seconds" if parsed["once"] else "interval"
    if parsed[name] != int(parsed[name]):
        raise UsageError(f"-{name} must be whole seconds for a URL, got {parsed[name]:g}")


def _print_once(parsed: Parsed, target: int | str) -> int:
    from conduit.cli.terminal_text import printable_on_terminal
    from conduit.cli.top.table import top_report

    if parsed["tasks"]:
        return _print_tasks(target)
    profile = _profile(target, parsed["seconds"], parsed["rate"])
    sys.stdout.flush()
    sys.stdout.buffer.write(printable_on_terminal(top_report(profile, by_cum=parsed["cum"]), sys.stdout))
    return 0


def _print_tasks(target: int | str) -> int:
    from conduit.cli.top.tasks import NO_TASKS, count_states, task_rows, tasks_of_process, tasks_of_service
    from conduit.control_characters import printable

    tasks = tasks_of_process(target) if isinstance(target, int) else tasks_of_service(target)
    if not tasks.tasks and tasks.reason != NO_TASKS:
        raise ConduitError(tasks.reason)
    lines = [count_states(tasks), *task_rows(tasks, lambda _: True, has_times=False)]
    sys.stdout.write("".join(f"{printable(line)}\n" for line in lines))
    return 0


def _profile(target: int | str, seconds: float, rate_hz: int) -> Profile:
    if isinstance(target, int):
        from conduit.record.remote import record

        return record(target, seconds, rate_hz)
    from conduit.cli.top.samples import fetch_profile

    return fetch_profile(target, int(seconds))


def _watch(parsed: Parsed, target: int | str) -> int:
    if not (sys.stdin.isatty() and sys.stdout.isatty()) or os.environ.get("TERM") == "dumb":
        raise UsageError(
            "the live view needs a terminal on standard input and output; -once prints one table"
        )
    try:
        from conduit.cli.top.screen import show
    except ModuleNotFoundError as error:
        raise ConduitError(
            f"the live view needs prompt_toolkit (no module {error.name}); "
            "install it with: pip install 'conduit-runtime[top]'; -once prints one table without it"
        ) from None
    from conduit.cli.top.samples import ProcessIntervals, Samples, ServiceIntervals

    intervals = (
        ProcessIntervals(target, parsed["interval"], parsed["rate"])
        if isinstance(target, int)
        else ServiceIntervals(target, int(parsed["interval"]))
    )
    with Samples(intervals) as samples:
        status = show(samples, by_cum=parsed["cum"], is_tasks=parsed["tasks"])
    if samples.has_ended:
        complain(f"conduit: {samples.name} has ended")
    return status
