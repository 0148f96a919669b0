"""`conduit history bisect`: finds the commit that changed a benchmark, by paired measurements, with a given error."""

from __future__ import annotations

import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from conduit.cli.against import Progress, ended_by_signals
from conduit.cli.history.stored import SHORT_COMMIT, read_store
from conduit.errors import ConduitError, UsageError
from conduit.units import counted

if TYPE_CHECKING:
    from conduit.bench.against.interleaved import Measured, Plan
    from conduit.cli.flags import Parsed
    from conduit.cli.history.culprit_report import Sides
    from conduit.history.checkouts import Commit
    from conduit.history.culprit import Culprit, Probe
    from conduit.history.pairs import Pairs

_INTERRUPTED = 130
_REPORT_PAIRS = 10
_COUNT_PAIRS = 3  # processes that show whether a count varies
_COUNTS = ("B/op", "allocs/op", "bytecodes/op")


def bisect(parsed: Parsed, benchmark: str = "", *words: str) -> int:
    """Search, and report the commit; return the exit status."""
    from conduit.bench.against.overlay import benchmark_files
    from conduit.bench.against.worktree import repository_root
    from conduit.history.checkouts import commits_between
    from conduit.history.pairs import open_pairs

    benchmark = _plain_name(benchmark)
    if not benchmark:
        raise UsageError("expected a benchmark: conduit history bisect BENCHMARK [GOOD..BAD] [PATH…]")
    here = Path.cwd()
    root = repository_root(here)
    first, last, paths = _range_and_paths(parsed, benchmark, words, root)
    plan = plan_of_paths(benchmark, paths, root, here)
    commits = commits_between(root, first, last)
    files = benchmark_files(root, plan.paths)
    progress = Progress(verbose=parsed["v"])
    _say(f"{counted(len(commits) - 1, 'commit')} after {named(commits[0])}, up to {named(commits[-1])}")
    with ended_by_signals():
        try:
            with open_pairs(
                root, commits[0].id, files, plan, parsed["env"], notify=_say, progress=progress.show
            ) as pairs:
                search = _Search(pairs, commits, progress)
                culprit = search.run(parsed["error"])
                _report(parsed, pairs, commits, culprit)
        except KeyboardInterrupt:
            progress.clear()
            _say("interrupted: the results so far are above")
            return _INTERRUPTED
    return 0


def _range_and_paths(
    parsed: Parsed, benchmark: str, words: tuple[str, ...], root: Path
) -> tuple[str, str, list[str]]:
    from conduit.history.checkouts import read_range

    if words and ".." in words[0] and not Path(words[0]).exists():
        return (*read_range(root, words[0]), list(words[1:]))
    return (*_range_of_last_step(parsed, benchmark), list(words))


def _range_of_last_step(parsed: Parsed, benchmark: str) -> tuple[str, str]:
    """Return the commits around the newest lasting step of the benchmark in the store.

    Raises `UsageError` if there is none.
    """
    from conduit.cli.history.stored import matcher
    from conduit.history.findings import find_all

    matches = matcher(benchmark)
    series = [one for one in read_store(parsed).series if matches(one.key.benchmark)]
    steps = [finding for finding in find_all(series) if finding.key.unit == "sec/op" and finding.step.holds]
    if not steps:
        raise UsageError(
            f"no kept series of {benchmark} has a step in sec/op; name the range: "
            f"conduit history bisect {benchmark} GOOD..BAD"
        )
    newest = max(steps, key=lambda finding: finding.first_after.date)
    _say(f"the last step of {newest.key.benchmark}: {newest.step.delta:+.2%} in {newest.commits}")
    return newest.last_before.commit, newest.first_after.commit


def plan_of_paths(
    bench: str, words: list[str], root: Path, here: Path, *, skip: str = "", counts: tuple[str, ...] = ()
) -> Plan:
    """Return the plan for the benchmarks that match in some paths. Raises `UsageError`."""
    from conduit.bench.against.interleaved import Plan
    from conduit.bench.names import NameFilter
    from conduit.cli.bench_paths import read_paths

    try:
        NameFilter(bench, skip)
    except ValueError as error:
        raise UsageError(str(error)) from None
    paths = []
    for given in read_paths(words, here):
        path = (here / given).resolve()
        if not path.is_relative_to(root.resolve()):
            raise UsageError(f"{given}: not inside {root}")
        if not path.exists():
            raise UsageError(f"{given}: no such file or folder")
        paths.append(str(path.relative_to(root.resolve())))
    return Plan(paths=tuple(paths), bench=bench, skip=skip, counts=counts)


class _Search:
    """The search, with a line for each commit that is decided."""

    def __init__(self, pairs: Pairs, commits: list[Commit], progress: Progress) -> None:
        self._pairs = pairs
        self._commits = {commit.id: commit for commit in commits}
        self._progress = progress

    def run(self, error: float) -> Culprit:
        from conduit.history.culprit import find_culprit

        return find_culprit(list(self._commits), self._pairs.log_ratios, error=error, notify=self._tell)

    def _tell(self, probe: Probe) -> None:
        self._progress.clear()
        commit = self._commits[probe.commit]
        if probe.verdict == "broken":
            _say(f"{named(commit)}: skipped, {one_line(probe.reason)}")
            return
        _say(f"{named(commit)}: {probe.verdict}, {probe.delta:+.2%} in {counted(probe.pairs, 'pair')}")


def _report(parsed: Parsed, pairs: Pairs, commits: list[Commit], culprit: Culprit) -> None:
    from dataclasses import replace

    from conduit.cli.history.culprit_report import Sides, default_folder
    from conduit.history.pairs import only_benchmark

    by_id = {commit.id: commit for commit in commits}
    pairs.begin_again(culprit.last_good, replace(pairs.plan, counts=_COUNTS))
    between = [_exact_counts(pairs, suspect) for suspect in culprit.suspects[:-1]]
    measured = only_benchmark(pairs.add(culprit.first_bad, _REPORT_PAIRS))
    old, new = pairs.worktrees
    sides = Sides(old.at(culprit.last_good), new.at(culprit.first_bad), measured)
    _print_commit(culprit, by_id, sides, parsed["error"], _counts_line(culprit, between, measured))
    folder = Path(parsed["o"]) if parsed["o"] is not None else default_folder(measured.name, culprit)
    _print_counts_and_profile(sides, folder, instructions=parsed["instructions"])


def _exact_counts(pairs: Pairs, commit: str) -> dict[str, tuple[float, float]]:
    """Return the counts of a commit that never vary, each behind the reference's; none where it cannot be measured."""
    from conduit.history.culprit import CannotMeasureError
    from conduit.history.pairs import only_benchmark

    try:
        return _never_varying(only_benchmark(pairs.add(commit, _COUNT_PAIRS)))
    except CannotMeasureError:
        return {}


def _never_varying(measured: Measured) -> dict[str, tuple[float, float]]:
    from conduit.bench.against.counts import varies

    return {unit: counts[0] for unit, counts in measured.counts.items() if counts and not varies(counts)}


def _counts_line(culprit: Culprit, between: list[dict[str, tuple[float, float]]], measured: Measured) -> str:
    """Return what the counts say of suspects that times could not tell apart; an empty text if nothing."""
    from conduit.history.culprit import where_counts_change

    last = _never_varying(measured)
    before = {unit: old for unit, (old, _) in last.items()}
    each = [{unit: new for unit, (_, new) in counts.items()} for counts in (*between, last)]
    found = where_counts_change(before, each) if between else {}
    if len(found) != 1:
        return ""
    ((at, units),) = found.items()
    *most, end = units
    listed = f"{', '.join(most)} and {end} change" if most else f"{end} changes"
    return f"{listed} at {culprit.suspects[at][:SHORT_COMMIT]} and at no other of them: most likely it is that one"


def _print_commit(
    culprit: Culprit, by_id: dict[str, Commit], sides: Sides, error: float, counts_line: str
) -> None:
    from conduit.cli.history.culprit_report import effect_interval

    effect, low, high = effect_interval(sides.measured)
    bad = by_id[culprit.first_bad]
    print(f"benchmark  {sides.measured.name}")
    if len(culprit.suspects) == 1:
        print(f"commit     {bad.id}\n           {bad.subject}\n           {bad.author}, {bad.date}")
    else:
        print(f"commit     one of {len(culprit.suspects)}, which could not be distinguished:")
        reasons = {probe.commit: one_line(probe.reason) for probe in culprit.probes if probe.reason}
        for suspect in culprit.suspects:
            reason = f"  ({reasons[suspect]})" if suspect in reasons else ""
            print(f"           {suspect}  {by_id[suspect].subject}{reason}")
    if counts_line:
        print(f"counts     {counts_line}")
    print(
        f"effect     {effect:+.2%} in sec/op ({low:+.2%} to {high:+.2%}, {len(sides.measured.pairs)} pairs "
        f"against {culprit.last_good[:SHORT_COMMIT]})"
    )
    skipped = sum(probe.verdict == "broken" for probe in culprit.probes)
    print(
        f"search     {len(culprit.probes)} of {len(by_id) - 1} commits measured"
        f"{f', {skipped} of them skipped' if skipped else ''}; error at most {error:.1%}"
    )


def _print_counts_and_profile(sides: Sides, folder: Path, *, instructions: bool) -> None:
    from conduit.cli.history import culprit_report
    from conduit.cli.tables import standard_page

    print()
    rows = culprit_report.count_rows(sides, instructions=instructions)
    standard_page().table(["count", "before", "after", "change", "note"], rows)
    print()
    try:
        good, bad = culprit_report.save_profiles(sides, folder)
    except ConduitError as error:
        _say(str(error))
        return
    print(f"CPU profiles of as many operations: {good} and {bad}")
    culprit_report.print_profile_difference(good, bad)


def named(commit: Commit) -> str:
    """Return a commit as messages name it: its short id and the beginning of its subject."""
    subject = commit.subject if len(commit.subject) <= 50 else f"{commit.subject[:49]}…"
    return f"{commit.id[:SHORT_COMMIT]} ({subject})"


def _plain_name(benchmark: str) -> str:
    """Return a benchmark's name as results print it, without its package and its `-N`; a pattern stays as it is."""
    return re.sub(
        r"-\d+$", "", benchmark.partition(":")[2] if re.match(r"[\w/.-]+:\w", benchmark) else benchmark
    )


def one_line(reason: str) -> str:
    """Return what a reason says in its first and its last line, where installers and tracebacks name the cause."""
    lines = [re.sub(r"\s+", " ", line).strip() for line in reason.splitlines() if line.strip()]
    return " … ".join(dict.fromkeys([*lines[:1], *lines[-1:]]))


def _say(text: str) -> None:
    print(f"conduit history: {text}", file=sys.stderr, flush=True)
