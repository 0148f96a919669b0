"""`conduit bench --against REV` and `--self-test`: two checkouts measured in turn, and what this machine can resolve."""

from __future__ import annotations

import json
import math
import signal
import sys
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from conduit.cli.gate import declare_gate, gates_of_project
from conduit.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import FrameType

    from conduit.bench.against.interleaved import AgainstResult, AgainstRow, Plan
    from conduit.bench.against.worktree import Checkout
    from conduit.cli.flags import FlagSet, Parsed

_FORMATS = ("text", "json", "markdown")
_INTERRUPTED = 130
_ROUNDS = 8


DEFAULT_FOLDER = "benchmarks"
NO_DEFAULT_FOLDER = (
    f"no PATH given and there is no ./{DEFAULT_FOLDER} folder; "
    "name a bench_*.py file or a folder that has some (`.` searches this folder and all below it)"
)


def declare_against(flags: FlagSet) -> None:
    """Declare the flags that belong to comparisons."""
    flags.option(
        "against", "compare with this git revision, or with a checkout at this path", metavar="REV|PATH"
    )
    flags.option(
        "against-env",
        "run the other side in its own environment, or its sources in this one",
        default="own",
        parse=_environment,
        metavar="own|shared",
    )
    flags.option("budget", "--against: time for all benchmarks together", default="60s", metavar="TIME")
    flags.option("seed", "--against: repeat a random order", parse=int, metavar="N")
    flags.option(
        "format", "--against: text, json or markdown", default="text", parse=_format, metavar="FORMAT"
    )
    flags.switch("self-test", "compare this checkout with itself, and say what can be resolved here")
    declare_gate(flags)


def _environment(text: str) -> str:
    if text not in ("own", "shared"):
        raise ValueError("expected own or shared")
    return text


def _format(text: str) -> str:
    if text not in _FORMATS:
        raise ValueError(f"expected one of {', '.join(_FORMATS)}")
    return text


def run_against_command(parsed: Parsed) -> int:
    """Compare, prints and gates; returns the exit status."""
    from conduit.bench.against.interleaved import run_against
    from conduit.bench.against.worktree import current_checkout

    gates = gates_of_project()
    here = Path.cwd()
    with _ended_by_signals(), _other_side(parsed, here) as (root, other):
        plan = _plan(parsed, root, here)
        result = run_against(other, current_checkout(root), plan, _Progress().show)
        _Progress().clear()
    rows = result.rows(gates)
    _print(result, rows, parsed["format"])
    status = _gate(rows, parsed["gate"]) if parsed["gate"] else 0
    if result.interrupted:
        return _INTERRUPTED
    if not rows:
        raise UsageError("nothing to compare: the two sides have no benchmark in common that runs")
    return 1 if result.problems else status


@contextmanager
def _ended_by_signals() -> Iterator[None]:
    """Let SIGTERM end the run as Ctrl-C does: what was started is ended, what was made is removed."""

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
        yield project_root(here), worktree.folder_as_checkout(folder.resolve(), environment)
        return
    root = worktree.repository_root(here)
    commit = worktree.resolve_revision(root, wanted)
    for submodule in worktree.dirty_submodules(root):
        _say(f"submodule {submodule} is not at its recorded commit: only the working copy has its content")
    with worktree.revision_checked_out(root, wanted, commit, environment, _say) as checkout:
        yield root, checkout


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
    for given in parsed.positionals or [DEFAULT_FOLDER]:
        path = (here / given).resolve()
        if not path.exists() and not parsed.positionals:
            raise UsageError(NO_DEFAULT_FOLDER)
        if not path.exists():
            raise UsageError(f"{given}: no such file or folder")
        if not path.is_relative_to(root):
            raise UsageError(f"{given}: not inside {root}, which is what is compared")
        paths.append(str(path.relative_to(root)))
    counts = ["B/op", "allocs/op", *(["bytecodes/op"] if parsed["bytecodes"] else [])]
    return Plan(
        paths=tuple(paths),
        bench=parsed["bench"],
        skip=parsed["skip"],
        short=parsed["short"],
        gc_mode=parsed["gc"],
        budget_ns=budget_ns,
        counts=tuple(counts),
        seed=parsed["seed"],
    )


class _Progress:
    """A line on standard error that is overwritten; only on a terminal."""

    def show(self, text: str) -> None:
        if sys.stderr.isatty():
            sys.stderr.write(f"\r\x1b[K{text[:78]}")
            sys.stderr.flush()

    def clear(self) -> None:
        if sys.stderr.isatty():
            sys.stderr.write("\r\x1b[K")


def _print(result: AgainstResult, rows: list[AgainstRow], form: str) -> None:
    for problem in result.problems:
        _say(f"{problem.name} failed on the {problem.side} side:\n{problem.text}")
    for side, note in result.notes.items():
        _say(f"{side} side: {note}")
    if form == "json":
        sys.stdout.write(_json(result, rows))
        return
    header, cells = _HEADER, [_cells(row) for row in rows]
    if form == "markdown":
        print(_markdown(result, header, cells))
    else:
        from conduit.cli.tables import Page

        print(f"old: {result.old}\nnew: {result.new}")
        Page(sys.stdout, None, False).table(header, cells)
    for name, side in result.unpaired:
        print(f"{'- ' * (form == 'markdown')}{_short(name)}: on the {side} side only")


_HEADER = ["benchmark", "unit", "old", "new", "floor", "typical", "p", "pairs", "verdict"]


def _cells(row: AgainstRow) -> list[str]:
    from conduit.bench.text.units import common_scaler, is_binary

    scaler = common_scaler([row.old, row.new], is_binary(row.unit))
    evidence = row.evidence
    return [
        _short(row.name),
        row.unit,
        scaler.format(row.old),
        scaler.format(row.new),
        _percent(row.delta),
        _percent(evidence.typical_delta) if evidence else "",
        f"{evidence.typical_p:.3f}" if evidence else "exact",
        str(evidence.pairs) if evidence else "",
        _verdict(row),
    ]


def _short(name: str) -> str:
    return name.rpartition(":")[2].removeprefix("Benchmark")


def _percent(share: float) -> str:
    return f"{share * 100:+.2f}%" if math.isfinite(share) else "from zero"


def _verdict(row: AgainstRow) -> str:
    from conduit.bench.compare.verdicts import WORDS

    return "unresolved" if row.state == "unresolved" else WORDS[row.grade]


def _markdown(result: AgainstResult, header: list[str], cells: list[list[str]]) -> str:
    lines = [f"`{result.new}` against `{result.old}`", ""]
    lines.append("| " + " | ".join(header) + " |")
    lines.append("|:--|:--|" + "--:|" * 6 + ":--|")
    lines += ["| " + " | ".join(cell.replace("|", "\\|") for cell in row) + " |" for row in cells]
    return "\n".join(lines) + "\n"


def _json(result: AgainstResult, rows: list[AgainstRow]) -> str:
    def row_object(row: AgainstRow) -> dict[str, object]:
        values = row._asdict()
        values["evidence"] = row.evidence._asdict() if row.evidence else None
        return {
            key: None if isinstance(value, float) and not math.isfinite(value) else value
            for key, value in values.items()
        }

    document = {
        "version": 1,
        "old": result.old,
        "new": result.new,
        "rows": [row_object(row) for row in rows],
        "one_side_only": [{"name": name, "side": side} for name, side in result.unpaired],
        "problems": [problem._asdict() for problem in result.problems],
        "notes": result.notes,
        "interrupted": result.interrupted,
    }
    return json.dumps(document, indent=2) + "\n"


def _gate(rows: list[AgainstRow], mode: str) -> int:
    closing = [row for row in rows if row.closes_gate]
    unresolved = [row for row in rows if row.state == "unresolved"]
    for row in closing:
        _say(f"gate: {_short(row.name)}: {row.unit}: {_percent(row.delta)}: {_verdict(row)}")
    if closing:
        _say(f"gate: closed: {len(closing)} of {len(rows)} comparisons")
    elif unresolved:
        state = "closed" if mode == "strict" else "not passed"
        _say(f"gate: {state}: {len(unresolved)} of {len(rows)} comparisons are unresolved; raise --budget")
    return int(bool(closing or (unresolved and mode == "strict")))


def _say(text: str) -> None:
    print(text, file=sys.stderr)


def run_self_test(parsed: Parsed) -> int:
    """Compare the checkout with itself again and again, and says what this machine can tell apart."""
    from dataclasses import replace

    from conduit.bench.against.interleaved import run_against
    from conduit.bench.against.worktree import current_checkout
    from conduit.bench.run.discover import project_root

    here = Path.cwd()
    root = project_root(here)
    checkout = current_checkout(root)
    plan = _plan(parsed, root, here)
    each = replace(plan, budget_ns=plan.budget_ns // _ROUNDS, counts=())
    gates = gates_of_project()
    rows: list[AgainstRow] = []
    rounds = 0
    with _ended_by_signals():
        for _ in range(_ROUNDS):
            result = run_against(checkout, checkout, each, _Progress().show)
            rounds += 1
            rows += result.rows(gates)
            if result.interrupted:
                break
        _Progress().clear()
    if not rows:
        raise UsageError("nothing to test: no benchmark was found that runs")
    _print_self_test(rows, rounds)
    return 1 if any(row.state == "different" for row in rows) else 0


def _print_self_test(rows: list[AgainstRow], rounds: int) -> None:
    alarms = sum(row.state == "different" for row in rows)
    unresolved = sum(row.state == "unresolved" for row in rows)
    apart = sorted(abs(row.delta) for row in rows)
    widest = apart[min(math.ceil(0.95 * len(apart)), len(apart)) - 1]
    print(f"{len(rows)} comparisons of this checkout with itself, in {rounds} rounds")
    print(f"false alarms: {alarms}; unresolved: {unresolved}")
    print(f"identical code differs by up to {widest * 100:.2f}% on this machine (95% of the time)")
    if unresolved * 2 > len(rows):
        print("this machine is too busy, or --budget too short: most comparisons could not be resolved")
    elif alarms:
        print("a difference was seen where there is none: see docs/comparing.md on noisy machines")
    else:
        print(f"differences above {max(widest, 0.025) * 100:.1f}% can be told apart here")
