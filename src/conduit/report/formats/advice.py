"""`-advice`: remarks that an experienced reader of profiles would make first.

Each remark has a reason with numbers and a suggestion. The thresholds are those that the project's profiling guide
gives for a healthy program.
"""

from __future__ import annotations

import re
from posixpath import basename
from typing import TYPE_CHECKING, NamedTuple

from conduit.profile.measurement import find_unit, label
from conduit.profile.merge import column_sums
from conduit.regexps import quote_pattern
from conduit.report.program_lines import Line, values_by_program_line
from conduit.report.trimming import cum_order, flat_order, whole_graph
from conduit.units import counted

if TYPE_CHECKING:
    from collections.abc import Iterator

    from conduit.report.graph import Node
    from conduit.report.report import Report

_HOT_CPU, _HOT_MEMORY = 0.20, 0.50  # share of the total from which one function stands out
_FEW_SAMPLES = 100  # below this a share is uncertain by ten points and more
_SHORT_NANOS = 1_000_000_000
_GROWTH = 0.10  # share of the base's bytes above which a heap has grown


class Remark(NamedTuple):
    """A finding about a profile, and a suggestion."""

    finding: str
    suggestion: str


class _Kind(NamedTuple):
    """Functions that do one kind of work, and the share above which it is remarkable."""

    pattern: re.Pattern[str]
    share: float
    finding: str
    suggestion: str


_KINDS = (
    _Kind(
        re.compile(r"^(?:testing\.|conduit\.bench\b|_pytest\.|pluggy\.|pytest_benchmark\.|timeit\b|unittest\.)"),
        0.30,
        "the harness itself takes {share}",
        "Give each iteration more work, or profile only the code in question.",
    ),
    _Kind(
        re.compile(r"^(?:reflect\.|inspect\.|typing\.|copy\.(?:deepcopy|_reconstruct)|dataclasses\.)"),
        0.30,
        "reflection and copying take {share}",
        "Compute once what depends on types only, and share objects instead of copying them.",
    ),
    _Kind(
        re.compile(r"^(?:runtime\.(?:mallocgc|gcBgMarkWorker|scanobject)|gc\.|GC\b|<gc>)"),
        0.30,
        "allocating and collecting garbage takes {share}",
        "Look at the allocations: conduit pprof -alloc_space of a heap profile.",
    ),
    _Kind(
        re.compile(r"^(?:<frozen importlib|importlib\.|_bootstrap|marshal\.)"),
        0.20,
        "importing modules takes {share}",
        "Warm the program up before the profile starts, or import less at start-up.",
    ),
    _Kind(
        re.compile(r"^(?:re\._compile|re\._parser|re\._compiler|sre_|_sre\.compile)"),
        0.10,
        "compiling regular expressions takes {share}",
        "Compile them once, at import time.",
    ),
)  # fmt: skip


def compute_advice(report: Report) -> list[Remark]:
    """Return the remarks about a profile, the most fundamental first; empty if there are none."""
    # Time that no sample stands for, below one period, is no more than a rounding of nothing.
    if not report.total or (_sample_count(report) == 0 and report.total < report.profile.period):
        return [
            Remark(
                f"the profile has no {report.sample_type} samples",
                "Let the program run longer, or choose another sample type with -sample_index.",
            )
        ]
    nodes = whole_graph(report)
    if report.compared:
        return list(_growth(report, nodes))
    return [*_too_short(report), *_kinds(report, nodes), *_hot(report, nodes), *_retained(report)]


def _too_short(report: Report) -> Iterator[Remark]:
    profile = report.profile
    count = _sample_count(report)
    if count is not None and count < _FEW_SAMPLES:
        yield Remark(
            f"there {'is' if count == 1 else 'are'} only {counted(count, 'sample')}, so shares are uncertain by "
            f"{100 / max(count, 1) ** 0.5:.0f}% of themselves or more",
            "Measure longer (-benchtime=10s, seconds=30) before drawing conclusions.",
        )
    elif _is_time(report) and 0 < profile.duration_nanos < _SHORT_NANOS:
        yield Remark(
            f"the profile covers only {label(profile.duration_nanos, 'nanoseconds')}",
            "Measure longer (-benchtime=10s, seconds=30) before drawing conclusions.",
        )


def _sample_count(report: Report) -> int | None:
    """Return the number of samples; None for profiles that count events."""
    for index, kind in enumerate(report.profile.sample_types):
        if kind.type == "samples":
            return column_sums(report.profile)[index]
    return None


def _is_time(report: Report) -> bool:
    unit = find_unit(report.sample_unit)
    return unit is not None and unit.family.default.name == "s"


def _is_memory(report: Report) -> bool:
    unit = find_unit(report.sample_unit)
    return unit is not None and unit.family.default.name == "B"


def _kinds(report: Report, nodes: list[Node]) -> Iterator[Remark]:
    for kind in _KINDS:
        flat = sum(node.flat for node in nodes if kind.pattern.search(node.frame.name))
        if flat >= kind.share * report.total:
            yield Remark(kind.finding.format(share=_share(report, flat)), kind.suggestion)


def _hot(report: Report, nodes: list[Node]) -> Iterator[Remark]:
    threshold = (_HOT_MEMORY if _is_memory(report) else _HOT_CPU) * report.total
    hot = [node for node in flat_order(nodes) if node.flat >= threshold]
    for node in hot[:3]:
        yield Remark(
            f"the function {node.name} alone takes {_share(report, node.flat)} ({report.amount(node.flat)} flat)",
            f"See which lines: conduit pprof -list='{_quoted(node)}'; and who calls it: -peek='{_quoted(node)}'.",
        )
    # Where a library's function stands out, the program's line that calls it is what can be changed.
    led = list(_led(report, threshold, {node.frame.name for node in hot}))
    yield from led
    if nodes and not hot and not led:  # samples may have no stacks, or cancel out
        top = flat_order(nodes)[:5]
        together = sum(node.flat for node in top)
        yield Remark(
            f"no function takes {threshold / report.total:.0%} by itself; the five heaviest take "
            f"{_share(report, together)} together",
            f"Look for what they have in common: -cum shows that {_widest(nodes)} and what it calls are behind "
            "most of it.",
        )


def _led(report: Report, threshold: float, told: set[str]) -> Iterator[Remark]:
    """Yield remarks on the lines of the program on whose behalf libraries work, but not on functions in `told`."""
    for line, value in _program_lines(report, threshold, told):
        yield Remark(
            f"the line {_place(line)} in {line.function}, with what it calls in libraries, takes "
            f"{_share(report, value)} ({report.amount(value)})",
            f"See the line: conduit pprof -list='^{quote_pattern(line.function)}$'; with -top -cum the program's "
            "functions come first.",
        )


def _program_lines(report: Report, threshold: float, told: set[str]) -> list[tuple[Line, int]]:
    rows = values_by_program_line(report.profile, report.values.index)
    return [row for row in rows if row[1] >= threshold and row[0].function not in told][:3]


def _place(line: Line) -> str:
    return f"{basename(line.file)}:{line.line}"


def _widest(nodes: list[Node]) -> str:
    return cum_order(nodes)[0].name


def _quoted(node: Node) -> str:
    return f"^{quote_pattern(node.frame.name or node.name)}$"


def _retained(report: Report) -> Iterator[Remark]:
    """Yield a remark on how much of the allocated memory is still in use, for a heap profile."""
    sums = {
        kind.type: total
        for kind, total in zip(report.profile.sample_types, column_sums(report.profile), strict=True)
    }
    allocated, in_use = sums.get("alloc_space", 0), sums.get("inuse_space", 0)
    if allocated > 0:
        yield Remark(
            f"{label(in_use, 'bytes')} of the {label(allocated, 'bytes')} allocated are still in use "
            f"({in_use / allocated:.1%})",
            "A leak shows as growth between two heap profiles: conduit pprof -leaks earlier later.",
        )


def _growth(report: Report, nodes: list[Node]) -> Iterator[Remark]:
    net = column_sums(report.profile)[report.values.index]
    threshold = _GROWTH * report.total
    grown = [node for node in flat_order(nodes) if node.flat > threshold]
    lines = _program_lines(report, threshold, {node.frame.name for node in grown})
    if net > _GROWTH * report.total:
        yield Remark(
            f"the program's {report.sample_type} has grown by {report.amount(net)} since the base",
            "Take a third profile: a leak grows again by as much, a cache does not"
            + (": conduit pprof -leaks first second third." if _is_memory(report) else "."),
        )
    else:
        yield Remark(
            f"the program's {report.sample_type} has not grown: the net change is {report.amount(net)}",
            "Parts of it have, and others have shrunk." if grown or lines else "Nothing needs doing.",
        )
    for node in grown[:3]:
        yield Remark(
            f"the function {node.name} has {report.amount(node.flat)} more than in the base",
            f"See where: -list='{_quoted(node)}'.",
        )
    for line, value in lines:
        yield Remark(
            f"the line {_place(line)} in {line.function}, with what it calls in libraries, has "
            f"{report.amount(value)} more than in the base",
            f"See the line: conduit pprof -list='^{quote_pattern(line.function)}$'.",
        )


def _share(report: Report, value: int) -> str:
    return report.share(value).strip()


def print_advice(report: Report) -> Iterator[str]:
    """Yield the remarks, each followed by its suggestion."""
    if report.output_unit == "minimum":
        report = report.in_unit("auto")
    for remark in compute_advice(report):
        yield f"- {remark.finding[0].upper()}{remark.finding[1:]}."
        yield f"  {remark.suggestion}"
