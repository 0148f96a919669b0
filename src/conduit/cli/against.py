"""`conduit bench --against REV` and `--self-test`: two checkouts measured alternately."""

from __future__ import annotations

import math
import signal
import sys
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from conduit.cli.bench_paths import read_paths
from conduit.cli.gate import declare_gate, gates_of_project
from conduit.cli.outputs import is_standard_output
from conduit.cli.terminal_text import complain
from conduit.control_characters import printable
from conduit.errors import ConduitError, UsageError
from conduit.units import counted

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType

    from conduit.bench.against.interleaved import AgainstResult, AgainstRow, Plan
    from conduit.bench.against.worktree import Checkout
    from conduit.cli.flags import FlagSet, Parsed

FORMATS = ("text", "json", "markdown", "github")
_INTERRUPTED = 130
_ROUNDS = 8


def declare_against(flags: FlagSet) -> None:
    """Declare the flags of comparisons."""
    flags.option(
        "against", "compare with this git revision, or with the checkout in this folder", metavar="REV|PATH"
    )
    flags.option(
        "against-env",
        "-against: run the old side in an environment of its own, or its sources in this one",
        default="own",
        parse=_environment,
        metavar="own|shared",
    )
    flags.switch("own-benchmarks", "-against: run each side's own benchmark files, not this side's on both")
    flags.option("budget", "-against: time for all benchmarks together", default="60s", metavar="TIME")
    flags.option("seed", "-against: measure in the random order of this seed", parse=int, metavar="N")
    flags.option("format", f"-against: {', '.join(FORMATS)}", default="text", parse=_format, metavar="FORMAT")
    flags.switch(
        "self-test",
        "compare this checkout with itself, and report the smallest difference that can be detected",
    )
    declare_gate(flags)


def _environment(text: str) -> str:
    if text not in ("own", "shared"):
        raise ValueError("expected own or shared")
    return text


def _format(text: str) -> str:
    if text not in FORMATS:
        raise ValueError(f"expected one of {', '.join(FORMATS)}")
    return text


def run_against_command(parsed: Parsed) -> int:
    """Compare, print and gate; return the exit status."""
    from conduit.bench.against.interleaved import run_against
    from conduit.bench.against.worktree import current_checkout
    from conduit.cli.against_output import format_comparison, report_gate, report_problems

    gates = gates_of_project()
    here = Path.cwd()
    progress = Progress(verbose=parsed["v"])
    with ended_by_signals(), _other_side(parsed, here) as (root, other):
        plan = _plan(parsed, root, here)
        with _with_benchmarks(parsed, root, other, plan) as (other_side, notes):
            result = run_against(other_side, current_checkout(root), plan, progress.show)
        progress.clear()
    result.notes[:0] = notes
    _add_environment_hint(result, other)
    rows = result.rows(gates)
    report_problems(result, sys.stderr)
    text = format_comparison(result, rows, parsed["format"])
    sys.stdout.write(text)
    if parsed["o"] is not None and not is_standard_output(parsed["o"]):  # the text is there already
        from conduit.files import write_file_whole

        write_file_whole(parsed["o"], text.encode())
    status = report_gate(rows, parsed["gate"]) if parsed["gate"] else 0
    if result.interrupted:
        return _INTERRUPTED
    if not rows and not result.problems:
        raise UsageError("nothing to compare: no benchmark matches on either side")
    if not any(benchmark.pairs for benchmark in result.benchmarks):
        raise ConduitError("nothing was compared: no benchmark ran on both sides")
    return 1 if result.problems else status


@contextmanager
def ended_by_signals() -> Iterator[None]:
    """Let SIGTERM end the run as Ctrl-C does, so that processes end and temporary files are removed."""

    def interrupt(number: int, frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, interrupt)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


@contextmanager
def _other_side(parsed: Parsed, here: Path) -> Iterator[tuple[Path, Checkout]]:
    """The root of this side, and the other side, ready to run."""
    from conduit.bench.against import worktree
    from conduit.bench.run.discover import project_root

    wanted, environment = parsed["against"], parsed["against-env"]
    folder = Path(wanted)
    if folder.is_dir() and (folder.is_absolute() or "/" in wanted or wanted.startswith(".")):
        root = project_root(here)
        yield root, worktree.folder_as_checkout(folder.resolve(), environment)._replace(stands_for=root)
        return
    root = worktree.repository_root(here)
    commit = worktree.resolve_revision(root, wanted)
    for submodule in worktree.dirty_submodules(root):
        _say(f"submodule {submodule} is not at its recorded commit: only the working copy has its content")
    with worktree.revision_checked_out(root, wanted, commit, environment, _say) as checkout:
        yield root, checkout


@contextmanager
def _with_benchmarks(
    parsed: Parsed, root: Path, other: Checkout, plan: Plan
) -> Iterator[tuple[Checkout, list[str]]]:
    """The other side with this side's benchmark files, and notes about files that differ."""
    from conduit.bench.against import overlay

    files = overlay.benchmark_files(root, plan.paths)
    changed = [file.path for file in overlay.differing_files(other.root, root, files) if file.old_exists]
    if parsed["own-benchmarks"]:
        notes = [f"each side ran its own {path}, which differ" for path in changed]
        yield other, notes
        return
    notes = [f"both sides ran the working copy's {path}, which differs at {other.name}" for path in changed]
    if other.is_temporary:
        overlay.copy_into_worktree(root, other.root, files)
        yield other, notes
        return
    with tempfile.TemporaryDirectory(prefix="conduit-against-") as holder:
        yield overlay.mirror_with_benchmarks(root, other, Path(holder) / other.root.name, files), notes


def _add_environment_hint(result: AgainstResult, other: Checkout) -> None:
    """Say what an environment of its own lacks, and that the shared one may have it."""
    if other.python == sys.executable:
        return
    for reason in dict.fromkeys(entry.reason for entry in result.one_sided):
        if reason.startswith("ModuleNotFoundError: No module named "):
            module = reason.rpartition(" ")[2].strip("'")
            result.notes.append(
                f"the environment of {other.name} has no module {module}: if it is the project's own, that revision "
                "lacks it; otherwise make it a dependency of that revision, or run the revision's sources in this "
                "environment with -against-env=shared"
            )


def _plan(parsed: Parsed, root: Path, here: Path) -> Plan:
    from conduit.bench.against.interleaved import Plan
    from conduit.bench.names import NameFilter
    from conduit.units import parse_duration_ns

    try:
        NameFilter(parsed["bench"], parsed["skip"])
        budget_ns = parse_duration_ns(parsed["budget"])
    except ValueError as error:
        raise UsageError(str(error)) from None
    paths = []
    for given in read_paths(parsed.positionals, here):
        path = (here / given).resolve()
        if not path.is_relative_to(root.resolve()):
            raise UsageError(f"{given}: not inside {root}, which is compared")
        paths.append(str(path.relative_to(root.resolve())))
    allocations = ["B/op", "allocs/op"] if parsed["benchmem"] or "benchmem" not in parsed.given else []
    asked = {"peak-B/op": parsed["peakmem"], "bytecodes/op": parsed["bytecodes"]}
    counts = [*allocations, *(unit for unit, is_asked in asked.items() if is_asked)]
    return Plan(
        paths=tuple(paths),
        bench=parsed["bench"],
        skip=parsed["skip"],
        short=parsed["short"],
        gc_mode=parsed["gc"],
        threads=parsed["threads"],
        budget_ns=budget_ns,
        counts=tuple(counts),
        instructions=parsed["instructions"],
        seed=parsed["seed"],
    )


class Progress:
    """A progress line on standard error: overwritten on a terminal; with `verbose`, a line for each step."""

    def __init__(self, *, verbose: bool = False) -> None:
        self._verbose = verbose

    def show(self, text: str) -> None:
        """Show the current step."""
        if self._verbose:
            complain(text)
        elif sys.stderr.isatty():
            sys.stderr.write(f"\r\x1b[K{printable(text)[:78]}")
            sys.stderr.flush()

    def clear(self) -> None:
        """Remove the line."""
        if not self._verbose and sys.stderr.isatty():
            sys.stderr.write("\r\x1b[K")


def _say(text: str) -> None:
    complain(text)


def run_self_test(parsed: Parsed) -> int:
    """Compare the checkout with itself several times, and report the differences that can be told apart."""
    from dataclasses import replace

    from conduit.bench.against.interleaved import run_against
    from conduit.bench.against.worktree import current_checkout
    from conduit.bench.run.discover import project_root

    here = Path.cwd()
    root = project_root(here)
    checkout = current_checkout(root)
    plan = _plan(parsed, root, here)
    each = replace(plan, budget_ns=plan.budget_ns // _ROUNDS, counts=(), instructions=False)
    gates = gates_of_project()
    progress = Progress(verbose=parsed["v"])
    rows: list[AgainstRow] = []
    rounds = 0
    with ended_by_signals():
        for _ in range(_ROUNDS):
            result = run_against(checkout, checkout, each, progress.show)
            rounds += 1
            rows += result.rows(gates)
            if result.interrupted:
                break
        progress.clear()
    if not rows:
        raise UsageError("nothing to test: no benchmark was found that runs")
    _print_self_test(rows, rounds)
    return 1 if any(row.state == "different" for row in rows) else 0


def _print_self_test(rows: list[AgainstRow], rounds: int) -> None:
    alarms = sum(row.state == "different" for row in rows)
    unresolved = sum(row.state == "unresolved" for row in rows)
    apart = sorted(abs(row.delta) for row in rows)
    widest = apart[min(math.ceil(0.95 * len(apart)), len(apart)) - 1]
    print(f"{counted(len(rows), 'comparison')} of this checkout with itself, in {counted(rounds, 'round')}")
    print(f"false alarms: {alarms}; unresolved: {unresolved}")
    print(f"identical code differs by up to {widest * 100:.2f}% on this machine (95% of the time)")
    if unresolved * 2 > len(rows):
        print("this machine is too busy, or --budget too short: most comparisons could not be resolved")
    elif alarms:
        print("a difference was found where there is none: see docs/comparing.md on noisy machines")
    else:
        print(f"differences above {max(widest, 0.025) * 100:.1f}% can be detected on this machine")
