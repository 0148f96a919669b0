"""`conduit history`: benchmark results at earlier commits, their lasting changes, and the commits that caused them."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any, NamedTuple

from conduit.cli.flags import FlagSet
from conduit.errors import UsageError
from conduit.units import counted

if TYPE_CHECKING:
    from conduit.cli.flags import Parsed

_USAGE = """usage: conduit history list|show|compare|bisect|run|import|last|prune [flags] [ARGUMENT…]
       conduit history -http=:8080
       conduit history -html FILE

  list                        the stored runs
  show [REGEX]                the series of each benchmark with its steps (lasting changes)
  compare OLD NEW             two commits, as benchstat compares two files
  bisect BENCHMARK [GOOD..BAD] find the commit that changed a benchmark; default range: its last step
  run GOOD..BAD [PATH…]       measure the present benchmarks at earlier commits, and store the results
  import FILE|DIR…            store results of asv, pytest-benchmark, Bencher or github-action-benchmark
  last [REV]                  the newest commit up to REV (HEAD) with a run from this class of machine
  prune                       remove runs
  -http, -html                the page: in the browser, or as one file

`conduit bench -save` stores a run. Results of different machines and minor versions of Python are separate series."""


_HALF_AN_HOUR = 30 * 60 * 1_000_000_000


class _Subcommand(NamedTuple):
    module: str
    function: str
    flags: tuple[str, ...]
    most: int | None  # arguments after the name


_SUBCOMMANDS = {
    "list": _Subcommand("lists", "list_runs", ("format",), 0),
    "show": _Subcommand("show", "show", ("format", "unit", "steps", "html"), 1),
    "compare": _Subcommand("compare", "compare", ("format",), 2),
    "bisect": _Subcommand("bisect", "bisect", ("error", "instructions", "env", "o", "v"), None),
    "run": _Subcommand("fill", "fill", ("step", "budget", "bench", "skip", "retry", "env", "v"), None),
    "import": _Subcommand("imports", "import_results", ("commit",), None),
    "last": _Subcommand("last", "last", (), 1),
    "prune": _Subcommand("lists", "prune", ("keep", "before", "n"), 0),
}
_PAGE = _Subcommand("page", "show_page", ("http", "html", "no_browser"), 0)


def flags() -> FlagSet:
    """Return the flags of all subcommands."""
    found = FlagSet(_USAGE)
    found.option(
        "store",
        "where runs are kept: a folder, or `notes` for git notes",
        default=".conduit/bench",
        metavar="DIR|notes",
    )
    found.option("unit", "show: only series in this unit (sec/op, B/op, allocs/op, …)", metavar="UNIT")
    found.option(
        "format", "list, show, compare: text or json", default="text", parse=_format, metavar="text|json"
    )
    found.switch("steps", "show: only series with a step")
    found.option("http", "serve the page at this address", metavar="[HOST]:PORT")
    found.switch("no_browser", "with -http, print the address and open nothing")
    found.option("html", "write the page to one self-contained file", metavar="FILE")
    found.option(
        "error",
        "bisect: the probability of naming the wrong commit",
        default=0.02,
        parse=_error,
        metavar="SHARE",
    )
    found.switch(
        "instructions",
        "bisect: count instructions of both sides, by perf events or valgrind (tens of seconds)",
        default=True,
    )
    found.option(
        "env",
        "bisect, run: run commits in environments with their dependencies, or their sources in this one",
        default="own",
        parse=_environment,
        metavar="own|shared",
    )
    found.option(
        "o", "bisect: where the profiles go (default .conduit/bisect/BENCHMARK-COMMIT)", metavar="DIR"
    )
    found.switch("v", "bisect, run: print each step of each pair")
    found.option(
        "step",
        "run: measure every N-th commit; auto: about 32 commits, then between those that differ",
        default=None,
        parse=_step,
        metavar="auto|N",
    )
    found.option(
        "budget",
        "run: stop after this time (default 30m)",
        default=_HALF_AN_HOUR,
        parse=_duration,
        metavar="TIME",
    )
    found.option("bench", "run: only benchmarks that match, level by level", default=".", metavar="REGEX")
    found.option("skip", "run: exclude benchmarks that match", default="", metavar="REGEX")
    found.switch("retry", "run: try again to measure commits that could not be measured before")
    found.option("commit", "import: the commit of results that name none", default="", metavar="ID")
    found.option("keep", "prune: keep the newest N runs of each commit", parse=_positive, metavar="N")
    found.option("before", "prune: remove runs of commits older than this date", metavar="YYYY-MM-DD")
    found.switch("n", "prune: print what would be removed, and remove nothing")
    return found


def _format(text: str) -> str:
    if text not in ("text", "json"):
        raise ValueError("expected text or json")
    return text


def _environment(text: str) -> str:
    if text not in ("own", "shared"):
        raise ValueError("expected own or shared")
    return text


def _step(text: str) -> int | None:
    return None if text == "auto" else _positive(text)


def _duration(text: str) -> int:
    from conduit.units import parse_duration_ns

    time_ns = parse_duration_ns(text)
    if time_ns <= 0:
        raise ValueError("expected a time above 0")
    return time_ns


def _error(text: str) -> float:
    share = float(text)
    if not 0 < share <= 0.5:
        raise ValueError("expected a share above 0, at most 0.5")
    return share


def _positive(text: str) -> int:
    if not (text.isascii() and text.isdigit() and int(text)):
        raise ValueError("expected a number from 1")
    return int(text)


def run(arguments: list[str]) -> int:
    """Run the command; return the exit status."""
    parsed = flags().parse(arguments, positionals="mixed")
    words = parsed.positionals
    name, subcommand = _subcommand(parsed)
    if subcommand.most is not None and len(words) > subcommand.most + 1:
        raise UsageError(
            f"expected at most {counted(subcommand.most, 'argument')} after {name}, "
            f"found {' '.join(words[1:])!r}"
        )
    for flag in parsed.given:
        if flag not in ("store", *subcommand.flags):
            raise UsageError(f"-{flag} has no effect on `history {name}`".replace(" `", " `").rstrip())
    function: Any = getattr(import_module(f"conduit.cli.history.{subcommand.module}"), subcommand.function)
    status: int = function(parsed, *words[1:])
    return status


def _subcommand(parsed: Parsed) -> tuple[str, _Subcommand]:
    words = parsed.positionals
    if words and words[0] in _SUBCOMMANDS:
        return words[0], _SUBCOMMANDS[words[0]]
    if not words and parsed.given.keys() & {"http", "html"}:
        return "", _PAGE
    found = f"found {words[0]!r}" if words else "found nothing"
    *most, last = _SUBCOMMANDS
    raise UsageError(f"expected {', '.join(most)} or {last} first, {found}")
