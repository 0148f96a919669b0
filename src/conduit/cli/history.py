"""`conduit history`: what benchmarks measured at earlier commits, where they moved, and which commit moved them."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from conduit.cli.flags import FlagSet
from conduit.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

    from conduit.cli.flags import Parsed
    from conduit.cli.tables import Page
    from conduit.history.findings import Finding
    from conduit.history.series import History, Run, Series

_USAGE = """usage: conduit history list|show|compare|prune [flags] [REGEX | OLD NEW]

  list    the runs that are kept
  show    each benchmark's series with its steps: where it moved and stayed
  compare two commits, as benchstat compares two files
  prune   remove runs

`conduit bench -save` keeps a run. Results of different machines and minor versions of Python are separate series."""

_SHORT_COMMIT = 10


def flags() -> FlagSet:
    """The flags of all subcommands."""
    found = FlagSet(_USAGE)
    found.option(
        "store",
        "where runs are kept: a folder, or `notes` for git notes",
        default=".conduit/bench",
        metavar="DIR|notes",
    )
    found.option("unit", "show: only series in this unit (sec/op, B/op, allocs/op, …)", metavar="UNIT")
    found.option("format", "text or json", default="text", parse=_format, metavar="text|json")
    found.switch("steps", "show: only series with a step")
    found.option(
        "html", "show: write the page to this file, complete in itself, instead of printing", metavar="FILE"
    )
    found.option("keep", "prune: keep the newest N runs of each commit", parse=_positive, metavar="N")
    found.option("before", "prune: remove runs of commits older than this date", metavar="YYYY-MM-DD")
    found.switch("n", "prune: print what would be removed, and remove nothing")
    return found


def _format(text: str) -> str:
    if text not in ("text", "json"):
        raise ValueError("expected text or json")
    return text


def _positive(text: str) -> int:
    if not (text.isascii() and text.isdigit() and int(text)):
        raise ValueError("expected a number from 1")
    return int(text)


def run(arguments: list[str]) -> int:
    """Run the command; return the exit status."""
    parsed = flags().parse(arguments, positionals="mixed")
    words = parsed.positionals
    if not words or words[0] not in _SUBCOMMANDS:
        found = f"found {words[0]!r}" if words else "found nothing"
        raise UsageError(f"expected list, show, compare or prune first, {found}")
    command, takes = _SUBCOMMANDS[words[0]]
    most = 2 if command is _compare else 1
    if len(words) > most + 1:
        raise UsageError(f"expected at most {most} after {words[0]}, found {' '.join(words[1:])!r}")
    for name in parsed.given:
        if name not in ("store", "format", *takes):
            raise UsageError(f"-{name} has no effect on `history {words[0]}`")
    return command(parsed, *words[1:])


def _read(parsed: Parsed) -> History:
    from conduit.history.series import read_history
    from conduit.history.store import NOTES, open_store

    where, here = parsed["store"], Path.cwd()
    if where != NOTES and not (here / where).is_dir():
        raise UsageError(
            f"there is no folder {where} with runs; `conduit bench -save` makes it, -store names another"
        )
    history = read_history(open_store(where, here).runs(), _commit_order(here))
    for warning in history.warnings:
        print(f"conduit history: {warning}", file=sys.stderr)
    return history


def _commit_order(folder: Path) -> list[str]:
    """All commits of the repository, oldest first; none outside of a repository."""
    from conduit.history.store import git_line

    return git_line(folder, "rev-list", "--topo-order", "--reverse", "--all").split()


def _list(parsed: Parsed, pattern: str = "") -> int:
    if pattern:
        raise UsageError("`history list` takes no REGEX; `history show` does")
    history = _read(parsed)
    if parsed["format"] == "json":
        print(json.dumps({"version": 1, "runs": [_run_object(run) for run in history.runs]}, indent=2))
        return 0
    from conduit.cli.tables import standard_page

    rows = [_run_cells(run) for run in history.runs]
    standard_page().table(
        ["commit date", "commit", "python", "machine", "load", "results", "run"], rows, keep="run"
    )
    return 0


def _run_object(run: Run) -> dict[str, object]:
    return {"name": run.name, "configuration": dict(run.configuration), "results": len(run.results)}


def _run_cells(run: Run) -> list[str]:
    get = run.configuration.get
    commit = run.commit[:_SHORT_COMMIT] + (" modified" if run.is_modified else "")
    date = get("commit-date", "")[:19]
    return [date, commit, get("python", ""), get("cpu", ""), get("load", ""), str(len(run.results)), run.name]


def _show(parsed: Parsed, pattern: str = "") -> int:
    from conduit.history.findings import find_all

    series = _chosen(_read(parsed).series, parsed["unit"], _matcher(pattern))
    findings = find_all(series)
    if parsed["steps"]:
        moved = {finding.key for finding in findings}
        series = [one for one in series if one.key in moved]
    if parsed["html"] is not None:
        _write_page(parsed["html"], series, findings)
        return 0
    if parsed["format"] == "json":
        print(json.dumps(_document(series, findings), indent=2))
        return 0
    from conduit.cli.tables import standard_page

    _print_series(standard_page(), series, findings)
    return 0


def _write_page(path: str, series: list[Series], findings: list[Finding]) -> None:
    from conduit.files import write_file_whole
    from conduit.web.history_page import history_file

    here = Path.cwd()
    write_file_whole(path, history_file(f"{here.name}: benchmark history", series, findings, _subjects(here)))
    print(f"conduit history: wrote {path}", file=sys.stderr)


def _subjects(folder: Path) -> dict[str, str]:
    """The first line of every commit's message; none outside of a repository."""
    from conduit.history.store import git_line

    lines = git_line(folder, "log", "--all", "--format=%H %s").splitlines()
    return {commit: subject for commit, _, subject in (line.partition(" ") for line in lines)}


def _matcher(pattern: str) -> Callable[[str], bool]:
    from conduit.regexps import PatternError, compile_pattern

    try:
        return compile_pattern(pattern).matches if pattern else lambda _: True
    except PatternError as error:
        raise UsageError(f"invalid REGEX {pattern!r}: {error}") from None


def _chosen(series: tuple[Series, ...], unit: str | None, matches: Callable[[str], bool]) -> list[Series]:
    chosen = [one for one in series if matches(one.key.benchmark) and unit in (None, one.key.unit)]
    if series and not chosen:
        units = sorted({one.key.unit for one in series})
        raise UsageError(f"no series is left; there are {len(series)}, in the units {', '.join(units)}")
    return chosen


def _document(series: list[Series], findings: list[Finding]) -> dict[str, object]:
    return {
        "version": 1,
        "series": [
            {**one.key._asdict(), "points": [point._asdict() for point in one.points]} for one in series
        ],
        "steps": [_step_object(finding) for finding in findings],
    }


def _step_object(finding: Finding) -> dict[str, object]:
    return {
        **finding.key._asdict(),
        **finding.step._asdict(),
        "direction": finding.direction,
        "after_commit": finding.last_before.commit,
        "first_commit": finding.first_after.commit,
        "also_changed": list(finding.also_changed),
    }


def _print_series(page: Page, series: list[Series], findings: list[Finding]) -> None:
    from conduit.bench.text.units import common_scaler, is_binary

    rows = []
    for one in series:
        values = one.values
        scaler = common_scaler([values[0], values[-1]], is_binary(one.key.unit))
        steps = sum(finding.key == one.key for finding in findings)
        key = one.key
        rows.append([key.benchmark, key.unit, key.python, str(len(values)), scaler.format(values[0]),
                     scaler.format(values[-1]), str(steps), sparkline(values)])  # fmt: skip
    page.table(
        ["benchmark", "unit", "python", "commits", "first", "last", "steps", "trend"], rows, keep="benchmark"
    )
    if findings:
        page.line()
        page.heading("steps")
        page.table(
            ["benchmark", "unit", "commits", "change", "interval", "p", "points", "what", "also changed"],
            [_step_cells(finding) for finding in findings],
            keep="benchmark",
        )


def _step_cells(finding: Finding) -> list[str]:
    from conduit.history.findings import p_text

    step = finding.step
    return [
        finding.key.benchmark,
        finding.key.unit,
        finding.commits,
        f"{step.delta:+.2%}",
        f"{step.low:+.2%} to {step.high:+.2%}",
        p_text(step),
        str(step.points),
        finding.direction if step.holds else f"{finding.direction}, then back",
        ", ".join(finding.also_changed),
    ]


_BARS = "▁▂▃▄▅▆▇█"
_SPARK_WIDTH = 24


def sparkline(values: list[float]) -> str:
    """Medians of up to 24 stretches of a series as bars; the lowest value is the lowest bar."""
    from itertools import pairwise
    from statistics import median

    count = min(_SPARK_WIDTH, len(values))
    edges = [round(number * len(values) / count) for number in range(count + 1)]
    levels = [median(values[low:high]) for low, high in pairwise(edges)]
    low, high = min(levels), max(levels)
    if high <= low * 1.001:
        return _BARS[0] * count
    return "".join(_BARS[min(int((level - low) / (high - low) * 8), 7)] for level in levels)


# What differs between two runs of a history and says nothing about which of their results are comparable.
_CONTEXT_KEYS = "commit,commit-date,run-date,dependencies,load,modified"


def _compare(parsed: Parsed, old: str = "", new: str = "") -> int:
    import tempfile

    from conduit.cli.benchstat import run as run_benchstat
    from conduit.history.store import StoredRun, open_store

    if not new:
        raise UsageError("expected two commits: conduit history compare OLD NEW")
    history = _read(parsed)
    texts = {
        run.name: run.text
        for run in open_store(parsed["store"], Path.cwd()).runs()
        if isinstance(run, StoredRun)
    }
    with tempfile.TemporaryDirectory(prefix="conduit-history-") as folder:
        files = []
        for number, revision in enumerate((old, new)):
            path = Path(folder) / f"{number}.txt"
            runs = _runs_of(history, revision)
            path.write_text(
                "\n".join(texts[run.name] for run in runs), encoding="utf-8", errors="surrogateescape"
            )
            files.append(f"{revision}={path}")
        return run_benchstat([f"-ignore={_CONTEXT_KEYS}", f"-format={parsed['format']}", *files])


def _runs_of(history: History, revision: str) -> list[Run]:
    """The runs of a commit, given by any revision that git knows or by the beginning of its id."""
    from conduit.history.store import git_line

    commit = git_line(
        Path.cwd(), "rev-parse", "--verify", "--quiet", "--end-of-options", f"{revision}^{{commit}}"
    )
    runs = [run for run in history.runs if run.commit.startswith(commit or revision) and not run.is_modified]
    commits = sorted({run.commit for run in runs})
    if not commits:
        raise UsageError(
            f"no run of {revision} is kept; `conduit history list` prints the commits that have one"
        )
    if len(commits) > 1:
        raise UsageError(f"{revision} is ambiguous: it begins {', '.join(one[:12] for one in commits[:4])}")
    return runs


def _prune(parsed: Parsed, pattern: str = "") -> int:
    from conduit.history.store import open_store

    if pattern:
        raise UsageError("`history prune` takes no REGEX: a run is removed whole")
    if parsed["keep"] is None and parsed["before"] is None:
        raise UsageError("say what to remove: -keep N, -before YYYY-MM-DD, or both")
    history = _read(parsed)
    names = _prunable(history.runs, parsed["keep"], parsed["before"] or "")
    for name in names:
        print(name)
    if not parsed["n"]:
        open_store(parsed["store"], Path.cwd()).remove(names)
    print(f"{len(names)} of {len(history.runs)} runs {'would be ' * parsed['n']}removed", file=sys.stderr)
    return 0


def _prunable(runs: tuple[Run, ...], keep: int | None, before: str) -> list[str]:
    of_commit: dict[str, list[Run]] = {}
    for run in sorted(runs, key=lambda run: run.configuration.get("run-date", ""), reverse=True):
        of_commit.setdefault(run.commit, []).append(run)
    surplus = (
        {run.name for found in of_commit.values() for run in found[keep:]} if keep is not None else set()
    )
    old = {run.name for run in runs if before and run.configuration.get("commit-date", before)[:10] < before}
    return sorted(surplus | old)


_SUBCOMMANDS: dict[str, tuple[Callable[..., int], tuple[str, ...]]] = {
    "list": (_list, ()),
    "show": (_show, ("unit", "steps", "html")),
    "compare": (_compare, ()),
    "prune": (_prune, ("keep", "before", "n")),
}
