"""`conduit benchstat`: summarises benchmark results, and compares old with new."""

from __future__ import annotations

import gc
import sys
from contextlib import contextmanager
from typing import TYPE_CHECKING

from conduit.cli.flags import FlagSet, HelpRequested
from conduit.cli.gate import declare_gate, gates_of_project, report_gate
from conduit.cli.terminal_text import printable_on_terminal
from conduit.errors import BenchmarkFileError, UsageError
from conduit.units import counted

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from conduit.bench.compare.comparison import Comparison, Options
    from conduit.bench.compare.verdicts import Judged
    from conduit.cli.flags import Parsed

_USAGE = """usage: conduit benchstat [flags] OLD [NEW ...]

Reads benchmark text and prints the median of each benchmark with its interval, in one column for each file. If there
are several files, each is compared with the first. A file is PATH or LABEL=PATH; - is standard input.
"""
_FORMATS = ("text", "csv", "json", "markdown", "html", "classic")


def run(arguments: list[str]) -> int:
    """Run the command; returns 0, or 2 where the call or an input was wrong."""
    flags = _flags()
    try:
        parsed = flags.parse(arguments)
    except HelpRequested:
        raise
    except UsageError as error:
        return _wrong_call(f"{error}\n{flags.help()}")
    if not parsed.positionals:
        return _wrong_call(flags.help())
    # Everything read is needed until the end, and the process ends then: looking for garbage costs a fifth of the run.
    with _no_collection():
        return _run(parsed)


@contextmanager
def _no_collection() -> Iterator[None]:
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def _run(parsed: Parsed) -> int:
    try:
        _refuse_flags_of_other_formats(parsed)
        if parsed["growth"]:
            return _growth(parsed)
        return _classic(parsed) if parsed["format"] == "classic" else _compare(parsed)
    except (UsageError, BenchmarkFileError) as error:
        return _wrong_call(f"benchstat: {error}\n")


def _growth(parsed: Parsed) -> int:
    from conduit.cli.growth import print_growth

    useless = parsed.given.keys() - {"growth", "confidence", "format"}
    if useless:
        raise UsageError(f"-{min(useless)} has no effect on -growth")
    if parsed["format"] not in ("text", "json"):
        raise UsageError(f"-growth is printed with -format text or json, not {parsed['format']}")
    print_growth(
        parsed["growth"],
        parsed.positionals,
        confidence=parsed["confidence"],
        as_json=parsed["format"] == "json",
    )
    return 0


def _wrong_call(text: str) -> int:
    _write(sys.stderr, text)
    return 2


def _flags() -> FlagSet:
    flags = FlagSet(_USAGE, verbatim=True)
    flags.option("filter", "use only results that match QUERY", default="*", metavar="QUERY")
    flags.option("table", "one table for each distinct value", default=".config", metavar="KEYS")
    flags.option("row", "one row for each distinct value", default=".fullname", metavar="KEYS")
    flags.option("col", "one column for each distinct value", default=".file", metavar="KEYS")
    flags.option("ignore", "let results differ in these keys", default="", metavar="KEYS")
    flags.option(
        "alpha",
        "a difference is significant if p is at most this",
        default=0.05,
        parse=_level,
        metavar="LEVEL",
    )
    flags.option("confidence", "level of the intervals", default=0.95, parse=_level, metavar="LEVEL")
    flags.option("format", f"one of {', '.join(_FORMATS)}", default="text", metavar="FORMAT")
    declare_gate(flags)
    flags.option("delta-test", "classic: utest, ttest or none", default="utest", metavar="TEST")
    flags.option(
        "sort",
        "order of the rows: [-]delta (largest regression first), [-]name or none",
        default="none",
        metavar="ORDER",
    )
    flags.option(
        "growth",
        "show how costs grow with this parameter of the names, such as /n",
        default="",
        metavar="KEY",
    )
    flags.switch("only-significant", "show only rows with a significant difference")
    flags.option("split", "classic: group by these LABELS", default="pkg,goos,goarch", metavar="LABELS")
    flags.switch("geomean", "classic: add the geometric mean of each file")
    flags.switch("csv", "classic: print comma-separated values")
    flags.switch("norange", "classic: leave the ranges out of -csv")
    return flags


def _level(text: str) -> float:
    from conduit.bench.text.numbers import parse_float

    try:
        return parse_float(text)
    except ValueError as error:
        raise ValueError("value out of range" if "range" in str(error) else "parse error") from None


_CLASSIC_FLAGS = {"delta-test", "split", "geomean", "csv", "norange"}
_OTHER_FLAGS = {"filter", "table", "row", "col", "ignore", "confidence", "gate", "only-significant"}


def _refuse_flags_of_other_formats(parsed: Parsed) -> None:
    """A flag that would silently do nothing is a mistake of the caller."""
    is_classic = parsed["format"] == "classic"
    useless = parsed.given.keys() & (_OTHER_FLAGS if is_classic else _CLASSIC_FLAGS)
    if useless:
        where = "is not for" if is_classic else "is for"
        raise UsageError(f"-{min(useless)} {where} -format classic")


def _options(parsed: Parsed) -> Options:
    from conduit.bench.compare.comparison import Options

    return Options(
        table=parsed["table"],
        row=parsed["row"],
        column=parsed["col"],
        ignore=parsed["ignore"],
        filter=parsed["filter"],
        alpha=parsed["alpha"],
        confidence=parsed["confidence"],
    )


def _without_collections(compare: Callable[[Parsed], int], parsed: Parsed) -> int:
    """Compare with the collector off: large files become many records, and all of them are kept."""
    import gc

    collects = gc.isenabled()
    gc.disable()
    try:
        return compare(parsed)
    finally:
        if collects:
            gc.enable()


def _compare(parsed: Parsed) -> int:
    from conduit.bench.compare.arrange import differing_pythons
    from conduit.bench.compare.comparison import Builder, compare_files

    options = _options(parsed)
    Builder(options)  # a wrong query is told before a wrong format, and before any file is read
    _check_format(parsed["format"])
    order = _order(parsed)
    comparison = compare_files(parsed.positionals, options)
    for error in comparison.errors:
        _write(sys.stderr, f"{error}\n")
    if not comparison.tables:
        _nothing(parsed)
    _hint_at_configuration(comparison)
    _warn_of_pythons(differing_pythons(comparison))
    if not _judges(parsed):
        _arrange(comparison, order, parsed)
        _print(comparison, [], parsed)
        return 0
    from conduit.bench.compare.arrange import in_row_order
    from conduit.bench.compare.verdicts import judge

    judged, unpaired = judge(comparison.rows, gates_of_project()), comparison.unpaired
    _arrange(comparison, order, parsed)
    _print(comparison, in_row_order(judged, comparison), parsed)
    if not parsed["gate"]:
        return 0
    if not judged:
        raise UsageError("nothing to compare: the files have no benchmark and unit in common")
    return report_gate(judged, unpaired, parsed["gate"])


def _order(parsed: Parsed) -> str:
    order = str(parsed["sort"]).removeprefix("-")
    if order not in ("none", "name", "delta"):
        raise UsageError(f"-sort must be [-]delta, [-]name or none, not {parsed['sort']}")
    return order


def _arrange(comparison: Comparison, order: str, parsed: Parsed) -> None:
    if order == "none" and not parsed["only-significant"]:
        return
    from conduit.bench.compare.arrange import arrange_rows

    hidden = arrange_rows(
        comparison,
        order,
        reverse=parsed["sort"].startswith("-"),
        only_significant=parsed["only-significant"],
    )
    if hidden:
        _write(
            sys.stderr,
            f"benchstat: {counted(hidden, 'row')} without a significant difference not shown; geomean covers all\n",
        )


def _hint_at_configuration(comparison: Comparison) -> None:
    if len(comparison.tables) < 2:
        return
    from conduit.bench.compare.arrange import differing_configuration

    keys = differing_configuration(comparison)
    if keys:
        _write(
            sys.stderr,
            f"benchstat: nothing is compared, because the files differ in {', '.join(keys)}; "
            f"-ignore {','.join(keys)} compares them\n",
        )


def _warn_of_pythons(versions: Sequence[str]) -> None:
    """Say that interpreters are compared, too, which explains differences of code that is the same."""
    if versions:
        _write(
            sys.stderr,
            f"benchstat: this compares Python {' with '.join(versions)}: times are those of different interpreters, "
            "and B/op and allocs/op of the same code differ between minor versions\n",
        )


def _judges(parsed: Parsed) -> bool:
    return bool(parsed["gate"]) or parsed["format"] in ("json", "markdown", "html")


def _nothing(parsed: Parsed) -> None:
    """Text and CSV of nothing are empty, as in benchstat; who wants a verdict is told that there is none."""
    message = (
        f"no benchmark results in {', '.join(parsed.positionals)}: expected lines such as "
        "`BenchmarkName  100  1234 ns/op`"
    )
    if parsed["filter"] != "*":
        message += ", and a filter that lets some pass"
    if _judges(parsed):
        raise UsageError(message)
    if sys.stderr.isatty():
        _write(sys.stderr, f"benchstat: {message}\n")


_TESTS = {"none": "none", "u": "utest", "u-test": "utest", "utest": "utest"} | dict.fromkeys(
    ("t", "t-test", "ttest"), "ttest"
)


def _classic(parsed: Parsed) -> int:
    from conduit.bench.compare import classic, classic_table
    from conduit.bench.text.reader import InputFile

    order = _order(parsed)
    test = _TESTS.get(parsed["delta-test"].lower())
    if test is None:
        raise UsageError(f"-delta-test must be utest, ttest or none, not {parsed['delta-test']}")
    options = classic.ClassicOptions(
        alpha=parsed["alpha"],
        test=test,
        split=tuple(parsed["split"].split(",")) if parsed["split"] else (),
        order=order,
        reverse=parsed["sort"].startswith("-"),
        geomean=parsed["geomean"],
    )
    pythons: list[set[str]] = []
    tables = classic.classic_tables([InputFile(path, path) for path in parsed.positionals], options, pythons)
    if len({frozenset(versions) for versions in pythons if versions}) > 1:
        _warn_of_pythons(list(dict.fromkeys(version for found in pythons for version in sorted(found))))
    if parsed["csv"]:
        text = classic_table.format_classic_csv(tables, ranges=not parsed["norange"])
    else:
        text = classic_table.format_classic_text(tables)
    _write(sys.stdout, text)
    return 0


def _check_format(name: str) -> None:
    if name in _FORMATS:
        return
    from conduit.errors import suggestion

    raise UsageError("-format must be text or csv" + suggestion(name, tuple(_FORMATS), 1))


def _print(comparison: Comparison, judged: Sequence[Judged], parsed: Parsed) -> None:
    from conduit.bench.compare import exports, table

    if parsed["format"] == "csv":
        text, warnings = table.format_csv(comparison)
        _write(sys.stderr, warnings)
    elif parsed["format"] == "json":
        text = exports.format_json(comparison, judged)
    elif parsed["format"] == "markdown":
        text = exports.format_markdown(comparison, judged)
    elif parsed["format"] == "html":
        from conduit.bench.compare.html import format_html

        text = format_html(comparison, judged)
    else:
        text = table.format_text(comparison)
    _write(sys.stdout, text)


def _write(stream: object, text: str) -> None:
    """Write text as UTF-8, whatever the locale is; bytes that were not UTF-8 come out as they went in."""
    buffer = getattr(stream, "buffer", None)
    if buffer is None:
        stream.write(text)  # type: ignore[attr-defined]
        return
    data = text.encode("utf-8", "surrogateescape")
    buffer.write(printable_on_terminal(data, stream))  # type: ignore[arg-type]
    buffer.flush()
