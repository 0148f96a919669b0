"""`conduit bench`: runs benchmarks like `go test -bench`, with its output.

Exit status: 0 success; 1 a benchmark failed, a file could not be loaded or a target was missed; 2 wrong usage.
"""

from __future__ import annotations

import re
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

from conduit.cli.against import declare_against, run_against_command, run_self_test
from conduit.cli.bench_cut import CutBySignal
from conduit.cli.bench_modes import refuse_idle_flags
from conduit.cli.bench_paths import read_paths
from conduit.cli.flags import FlagSet
from conduit.cli.history_flags import declare_save, save_run
from conduit.cli.outputs import is_standard_output, refuse_shared_outputs
from conduit.cli.profiling import add_profile_flags, declare_page, profile_to_show, show_page
from conduit.errors import ConfigurationError, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from conduit.bench.against.seeds import SeedCheck
    from conduit.bench.result import MeasurementWarning
    from conduit.bench.run.measure import Options
    from conduit.bench.run.session import Plan, Session
    from conduit.bench.run.targets import Target
    from conduit.bench.run.transcript import Transcript
    from conduit.cli.flags import Parsed
    from conduit.cli.profiling import Together
    from conduit.cli.results_output import Results

_USAGE = """usage: conduit bench [flags] [PATH…]

Runs the benchmarks (functions bench_*(b)) of the bench_*.py files under each PATH and prints their results as Go's
benchmark text. Without PATH: the folder benchmarks, or else all bench_*.py files in this folder and its subfolders.
./... means this folder and its subfolders. Output of the benchmarks themselves goes to standard error."""

ONE_SECOND = (1_000_000_000, None)


def flags() -> FlagSet:
    """Return the flags of the command, Go's under Go's names."""
    found = FlagSet(_USAGE)
    found.option("bench", "run only benchmarks that match, level by level", default=".", metavar="REGEX")
    found.option("skip", "exclude benchmarks that match", default="", metavar="REGEX")
    found.option(
        "run",
        "accepted for compatibility with go test (-run='^$'); has no effect, since there are no tests",
        metavar="REGEX",
    )
    found.option("list", "print the names that match, and run nothing", metavar="REGEX")
    found.option(
        "benchtime",
        "run each benchmark for this time, or this many times (default 1s)",
        parse=_benchtime,
        metavar="1s|100x",
    )
    found.option("count", "run each benchmark this many times", default=1, parse=_count, metavar="N")
    found.option(
        "cpu", "run with each of these numbers of processors", default=(), parse=_cpu_list, metavar="1,2"
    )
    found.switch("benchmem", "print B/op and allocs/op (both depend on the minor version of Python)")
    found.switch("peakmem", "print peak-B/op, the most memory that an operation holds at once")
    found.switch("bytecodes", "print bytecodes/op")
    found.switch(
        "instructions",
        "print instructions/op, from perf events or valgrind (takes seconds for each benchmark)",
    )
    found.switch("short", "set b.short, so that benchmarks can do less")
    found.switch("v", "print each name when it starts, and every log line")
    found.switch("json", "print events as JSON, as go test -json does")
    found.switch("failfast", "start nothing after the first failure")
    found.option(
        "shuffle",
        "run in random order: off, on, or a seed",
        default="off",
        parse=_shuffle,
        metavar="off|on|N",
    )
    found.option(
        "timeout", "end the whole run after this time (0: never)", default=0, parse=_duration, metavar="TIME"
    )
    found.option("o", "also write the output to this file, once the run is complete", metavar="FILE")
    found.switch("isolate", "run each repetition in a fresh interpreter")
    found.option("threads", "threads of b.run_parallel (default: processors)", parse=_positive, metavar="N")
    found.option(
        "warmup",
        "run each benchmark for this time, or this many times, before measuring",
        parse=_benchtime,
        metavar="100ms|10x",
    )
    found.option(
        "gc",
        "the garbage collector while measuring: off, on, or collect (off, then one measured collection)",
        default="off",
        parse=_gc_mode,
        metavar="off|on|collect",
    )
    found.switch("subtract-loop", "subtract the cost of an empty loop on this machine from ns/op")
    add_profile_flags(found)
    declare_page(found)
    found.switch(
        "check", "compare with [tool.conduit.targets] in pyproject.toml; exit 1 if a result is not acceptable"
    )
    declare_against(found)
    declare_save(found)
    return found


def run(arguments: list[str]) -> int:
    """Run the command."""
    parsed = flags().parse(arguments, positionals="mixed")
    mode = refuse_idle_flags(parsed)
    if parsed["run"] is not None:
        _say("-run selects tests and has no effect on benchmarks; -bench selects benchmarks")
    if mode in ("against", "self-test"):
        return run_against_command(parsed) if mode == "against" else run_self_test(parsed)
    shown = profile_to_show(parsed)
    plan = read_plan(parsed)
    targets = read_checked_targets() if parsed["check"] else []

    from conduit.bench.run.session import Session
    from conduit.bench.run.transcript import JsonSink, TextSink, Transcript
    from conduit.cli.results_output import Results, results_alone_on_stdout

    recorded = recordings_around(parsed)
    takes_stdout = profile_on_stdout(parsed)
    results = None
    with CutBySignal() as cut:
        try:
            with results_alone_on_stdout() as stream:
                if takes_stdout:
                    _say(f"-{takes_stdout} goes to standard output, and the results to standard error")
                    stream = sys.stderr
                results = Results(stream, keeps_copy=parsed["o"] is not None or bool(parsed["save"]))
                sink = JsonSink(results.write) if parsed["json"] else TextSink(results.write)
                transcript = Transcript(sink, verbose=parsed["v"])
                with _count_check(plan) as check:
                    session = Session(
                        plan, transcript, results.progress.show, check, _say, _instruction_counter(parsed)
                    )
                    try:
                        passed = session.run([recorded])
                    except KeyboardInterrupt:
                        cut.tell(sink)
                        raise
                if not parsed["count"]:
                    _say("-count=0: nothing was measured")
                if passed and session.has_run_nothing:
                    _say_that_nothing_ran(parsed)
                if parsed["check"]:
                    passed = _check(session, targets, parsed, transcript) and passed
                if parsed["save"] and session.results():
                    save_run(parsed["save"], results.copy())
        except KeyboardInterrupt:
            if results is not None:
                _write_results(parsed, results)
            raise
        finally:
            recorded.end()  # after standard output is itself again, which a profile may go to
        _write_results(parsed, results)
    if shown is not None:
        show_page(shown, parsed)
    return 0 if passed else 1


def _write_results(parsed: Parsed, results: Results) -> None:
    if parsed["o"] is not None and not is_standard_output(parsed["o"]):  # the results are there already
        from conduit.files import write_file_whole

        write_file_whole(parsed["o"], results.copy())


@contextmanager
def _count_check(plan: Plan) -> Iterator[SeedCheck | None]:
    """The check of allocation counts in other processes, where they are counted and have seeds of their own."""
    if plan.listed is not None or plan.is_isolated or not plan.options.counts_allocations:
        yield None
        return
    from contextlib import closing

    from conduit.bench.against.seeds import SeedCheck

    if not SeedCheck.is_useful():
        yield None
        return
    with closing(SeedCheck(short=plan.options.short, threads=plan.options.threads)) as check:
        yield check


def _instruction_counter(parsed: Parsed) -> Callable[..., float | MeasurementWarning] | None:
    if not parsed["instructions"]:
        return None
    from functools import partial

    from conduit.bench.against.instructions import count_instructions

    return partial(count_instructions, short=parsed["short"])


def _say(text: str) -> None:
    from conduit.cli.terminal_text import complain

    complain(f"conduit bench: {text}")


def _say_that_nothing_ran(parsed: Parsed) -> None:
    """Warn about a run without benchmarks: Go only prints PASS, so that a misspelt name looks like a success."""
    asked = [f"-{name}={parsed[name]}" for name in ("bench", "skip") if name in parsed.given]
    found = f"no benchmark matches {' '.join(asked)}" if asked else "no functions named bench_… were found"
    _say(f"{found}; -list=. prints the names")


def recordings_around(parsed: Parsed) -> Together:
    """Return the recordings around all benchmarks, written by `end`: calibration is inside, imports are not."""
    from conduit.bench.run.loop import is_harness_file
    from conduit.cli.profiling import Together, profile_flags_given, recordings

    if parsed["o"] is not None:
        refuse_shared_outputs(
            {"o": parsed["o"], **{flag: parsed[flag] for flag in profile_flags_given(parsed)}}
        )
    for flag in profile_flags_given(parsed):
        if parsed["isolate"]:
            raise UsageError(
                f"-{flag} profiles this process, and --isolate runs the benchmarks in others: drop one"
            )
    asked = recordings(
        parsed,
        lambda filename: filename == __file__ or is_harness_file(filename),
        default_memory_type="alloc_space",
    )
    return Together(asked, ends_at_exit=False)


def profile_on_stdout(parsed: Parsed) -> str:
    """Return the profile flag whose file is standard output, or an empty text."""
    from conduit.cli.profiling import profile_flags_given

    return next((flag for flag in profile_flags_given(parsed) if is_standard_output(parsed[flag])), "")


def read_plan(parsed: Parsed) -> Plan:
    """Return the plan of a command line. Raises `UsageError`."""
    from pathlib import Path

    from conduit.bench.names import NameFilter
    from conduit.bench.run.discover import NoSuchPathError, find_files
    from conduit.bench.run.session import Plan

    try:
        NameFilter(parsed["bench"], parsed["skip"])
        listed = None if parsed["list"] is None else re.compile(parsed["list"])
    except ValueError as error:
        raise UsageError(str(error)) from None
    except re.error as error:
        raise UsageError(f'invalid regexp in -list ("{parsed["list"]}"): {error}') from None
    paths = read_paths(parsed.positionals, Path.cwd())
    try:
        files = find_files(paths)
    except NoSuchPathError as error:
        raise UsageError(str(error)) from None
    return Plan(
        files=tuple(files),
        paths=tuple(paths),
        bench=parsed["bench"],
        skip=parsed["skip"],
        options=_options(parsed),
        is_isolated=parsed["isolate"],
        shuffle_seed=parsed["shuffle"] if parsed["shuffle"] != "off" else None,
        timeout_ns=parsed["timeout"],
        listed=listed,
    )


def _options(parsed: Parsed) -> Options:
    from conduit.bench.run.measure import Options

    time_ns, iterations = parsed["benchtime"] or ONE_SECOND
    warm_up_ns, warm_up_iterations = parsed["warmup"] or (0, None)
    return Options(
        goal_ns=time_ns,
        iterations=iterations,
        count=parsed["count"],
        processors=parsed["cpu"],
        threads=parsed["threads"],
        warm_up_ns=warm_up_ns if warm_up_iterations is None else 0,
        warm_up_iterations=warm_up_iterations or 0,
        gc_mode=parsed["gc"],
        counts_allocations=parsed["benchmem"] or parsed["check"],
        counts_bytecodes=parsed["bytecodes"],
        counts_peak=parsed["peakmem"],
        subtracts_loop=parsed["subtract-loop"],
        short=parsed["short"],
        fail_fast=parsed["failfast"],
    )


def read_checked_targets() -> list[Target]:
    """Return the targets of the project around the current folder. Raises `ConfigurationError` if it has none."""
    from pathlib import Path

    from conduit.bench.run.discover import project_root
    from conduit.bench.run.targets import read_targets

    path = project_root(Path.cwd()) / "pyproject.toml"
    targets = read_targets(path)
    if not targets:
        raise ConfigurationError(
            f"-check: {path} has no targets; write some, such as [tool.conduit.targets.NAME] time = "
            '{ acceptable = "5ms" }'
        )
    return targets


def _check(session: Session, targets: list[Target], parsed: Parsed, transcript: Transcript) -> bool:
    from conduit.bench.run.allocations import unavailable_reason
    from conduit.bench.run.targets import VERDICT_HEADER, judge, verdict_row

    reason = unavailable_reason()
    unavailable = {} if reason is None else {"B/op": reason, "allocs/op": reason}
    # A filtered run measures what it was asked for; only a whole one can miss a benchmark.
    is_filtered = bool(parsed.given.keys() & {"bench", "skip", "short"}) or bool(parsed.positionals)
    verdicts = judge(targets, session.results(), unavailable, reports_absent=not is_filtered)
    print_table(transcript, VERDICT_HEADER, [verdict_row(verdict) for verdict in verdicts])
    return all(verdict.passes for verdict in verdicts)


def print_table(transcript: Transcript, header: list[str], rows: list[list[str]]) -> None:
    """Print a table among the results; readers of the benchmark format ignore its lines."""
    import io

    from conduit.cli.tables import Page

    text = io.StringIO()
    Page(text, None, False).table(header, rows)
    lines = text.getvalue().splitlines()
    for position, line in enumerate(lines):
        data = {"Check": dict(zip(header, rows[position - 1], strict=True))} if position else {}
        transcript.line(line, data)


def _benchtime(text: str) -> tuple[int, int | None]:
    from conduit.bench.api import read_benchtime

    return read_benchtime(text)


def _duration(text: str) -> int:
    from conduit.units import parse_duration_ns

    time_ns = parse_duration_ns(text)
    if time_ns < 0:
        raise ValueError("a time cannot be negative")
    return time_ns


def _count(text: str) -> int:
    if not text.isascii() or not text.isdigit():
        raise ValueError("parse error")
    return int(text)


def _positive(text: str) -> int:
    number = _count(text)
    if number < 1:
        raise ValueError("expected at least 1")
    return number


def _cpu_list(text: str) -> tuple[int, ...]:
    return tuple(_positive(part.strip()) for part in text.split(",") if part.strip())


def _shuffle(text: str) -> int | str:
    if text == "off":
        return "off"
    if text == "on":
        import time

        return time.time_ns()
    try:
        return int(text)
    except ValueError:
        raise ValueError('should be "off", "on", or a valid integer') from None


def _gc_mode(text: str) -> str:
    if text not in ("off", "on", "collect"):
        raise ValueError("expected off, on or collect")
    return text
