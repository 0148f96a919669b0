"""What holds for the numbers of every profile, and that every format prints every profile."""

from __future__ import annotations

import json

from hypothesis import given, settings
from hypothesis import strategies as st

from conduit.profile.codec import decode
from conduit.profile.columns import Values
from conduit.profile.model import Profile
from conduit.report.commands import FORMATS
from conduit.report.errors import ReportError
from conduit.report.formats.collapsed import compute_collapsed
from conduit.report.formats.flame_tree import KEEP_ALL_BELOW, build_flame_tree
from conduit.report.graph import Node, build_graph, build_tree, sum_frames
from conduit.report.options import GRANULARITIES, Options
from conduit.report.pipeline import prepare_report, print_report
from conduit.report.trimming import trimmed_graph
from tests.profile.strategies import POSITIVE, profiles

granularities = st.sampled_from(["", *GRANULARITIES])


def _ignore(_: str) -> None:
    """Warnings are not what these tests are about."""


def _values_of(nodes: list[Node]) -> dict[object, tuple[int, int, int, int]]:
    return {
        node.frame: (node.flat, node.cum, node.flat_divisor, node.cum_divisor)
        for node in nodes
        if node.flat or node.cum
    }


def _edges_of(nodes: list[Node]) -> dict[object, tuple[int, bool, bool]]:
    return {
        (edge.caller.frame, edge.callee.frame): (edge.weight, edge.inline, edge.residual)
        for node in nodes
        for edge in node.outgoing.values()
    }


@settings(deadline=None)
@given(profiles(), granularities, st.booleans())
def test_a_sum_without_edges_has_the_values_of_the_graph(
    profile: Profile, granularity: str, mean: bool
) -> None:
    report = prepare_report(profile, "tree", Options(granularity=granularity), _ignore)
    values = Values(profile.columns, 0, mean)
    flat = sum_frames(report.table, values)
    assert _values_of(flat) == _values_of(build_graph(report.table, values))


@settings(deadline=None)
@given(profiles(), granularities)
def test_summing_sets_of_edges_gives_what_summing_one_by_one_gives(
    profile: Profile, granularity: str
) -> None:
    options = Options(granularity=granularity, noinlines=True)
    report = prepare_report(profile, "tree", options, _ignore)
    table, values = report.table, report.values
    quick = build_graph(table, values)
    every_frame = {node.frame for node in quick} | set(table.frames)
    slow = build_graph(table, values, every_frame)
    assert _values_of(quick) == _values_of(slow)
    assert _edges_of(quick) == _edges_of(slow)


@settings(deadline=None)
@given(profiles(POSITIVE), granularities)
def test_flat_values_add_up_to_the_total_and_cum_is_never_below_flat(
    profile: Profile, granularity: str
) -> None:
    report = prepare_report(profile, "tree", Options(granularity=granularity), _ignore)
    nodes = build_graph(report.table, report.values)
    on_stacks = sum(sample.values[report.values.index] for sample in profile.samples if sample.locations)
    assert sum(node.flat for node in nodes) == on_stacks
    assert report.total == sum(sample.values[report.values.index] for sample in profile.samples)
    assert all(node.cum >= node.flat >= 0 for node in nodes)
    for node in nodes:
        # A caller cannot take less than one of its calls, nor can the callee.
        assert all(edge.weight <= node.cum for edge in node.outgoing.values())
        assert all(edge.weight <= node.cum for edge in node.incoming.values())


@settings(deadline=None)
@given(profiles(POSITIVE), st.integers(1, 4))
def test_what_is_kept_keeps_its_values_and_its_edges_are_joined_over_what_is_not(
    profile: Profile, count: int
) -> None:
    report = prepare_report(profile, "tree", Options(trim=False), _ignore)
    table, values = report.table, report.values
    nodes = build_graph(table, values)
    kept = {node.frame for node in nodes[:count]}
    trimmed = build_graph(table, values, kept)
    before, after = _values_of(nodes), _values_of(trimmed)
    assert after == {frame: before[frame] for frame in kept}
    direct = _edges_of(nodes)
    for key, (weight, _, residual) in _edges_of(trimmed).items():
        assert residual or weight >= direct[key][0]


@settings(deadline=None)
@given(profiles(POSITIVE))
def test_in_a_tree_no_node_has_two_callers_and_its_values_are_those_of_its_paths(profile: Profile) -> None:
    report = prepare_report(profile, "dot", Options(call_tree=True, trim=False), _ignore)
    nodes = build_tree(report.table, report.values)
    assert all(len(node.incoming) <= 1 for node in nodes)
    for node in nodes:
        assert node.cum == node.flat + sum(edge.weight for edge in node.outgoing.values())


@settings(deadline=None)
@given(profiles(POSITIVE), st.integers(1, 5))
def test_no_more_nodes_are_shown_than_asked_for_and_the_heaviest_are(profile: Profile, count: int) -> None:
    options = Options(nodecount=count, nodefraction=0.0)
    graph = trimmed_graph(prepare_report(profile, "top", options, _ignore))
    everything = trimmed_graph(prepare_report(profile, "top", options.copy(nodecount=0), _ignore))
    assert len(graph.nodes) == min(count, graph.original_count)
    assert [node.frame for node in graph.nodes] == [node.frame for node in everything.nodes[:count]]


@settings(deadline=None)
@given(profiles(POSITIVE))
def test_collapsed_stacks_and_flames_weigh_what_the_samples_weigh(profile: Profile) -> None:
    report = prepare_report(profile, "collapsed", Options(), _ignore)
    index = report.values.index
    total = sum(sample.values[index] for sample in profile.samples)
    assert sum(compute_collapsed(report).values()) == report.total == total
    for least in (0, KEEP_ALL_BELOW):
        _, tree = build_flame_tree(report, keep_all_below=least, smallest_share=0.2)
        assert sum(tree.positive) - sum(tree.negative) == total


@settings(deadline=None, max_examples=40)
@given(profiles(), st.sampled_from(["top", "tree", "peek", "list", "traces", "tags", "raw", "dot", "callgrind",
       "comments", "proto", "topproto", "collapsed", "speedscope", "json", "advice", "weblist"]),
       granularities, st.booleans(), st.booleans())  # fmt: skip
def test_every_format_prints_every_valid_profile(
    profile: Profile, name: str, granularity: str, noinlines: bool, call_tree: bool
) -> None:
    from conduit.report.formats.weblist import print_weblist

    options = Options(granularity=granularity, noinlines=noinlines, call_tree=call_tree, nodecount=3)
    argument = "a" if FORMATS[name].parameter else ""
    try:
        report = prepare_report(profile, name, options, _ignore, argument)
        printed = print_weblist(report) if name == "weblist" else print_report(report)
    except ReportError as error:
        assert str(error) == "no matches found for regexp: a"
        return
    if name in ("proto", "topproto"):
        decode(printed).check_valid()
    elif name in ("speedscope", "json"):
        json.loads(printed.decode("utf-8", "surrogateescape"))
    else:
        assert isinstance(printed, bytes)


def test_a_frame_that_recurs_counts_once_a_sample_in_cum_and_in_its_edges() -> None:
    from conduit.profile.model import Function, Line, Location, Sample, ValueType

    functions = [Function(1, "main"), Function(2, "fib")]
    main, fib = (Location(function.id, None, 0, [Line(function)]) for function in functions)
    profile = Profile(
        [ValueType("cpu", "nanoseconds")],
        [Sample([fib, fib, fib, main], [10]), Sample([main, fib, main, fib, main], [1])],
        [], [main, fib], functions,
    )  # fmt: skip
    report = prepare_report(profile, "tree", Options(), _ignore)
    nodes = {node.name: node for node in build_graph(report.table, report.values)}
    assert (nodes["fib"].flat, nodes["fib"].cum) == (10, 11)
    assert (nodes["main"].flat, nodes["main"].cum) == (1, 11)
    assert {(edge.caller.name, edge.callee.name): edge.weight for node in nodes.values() for edge in node.outgoing.values()} == {
        ("main", "fib"): 11,
        ("fib", "main"): 1,
    }  # fmt: skip
