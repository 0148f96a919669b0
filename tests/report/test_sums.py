"""Summing in C, summing in Python and the whole graph give every frame the same values."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conduit._native import available
from conduit.profile.columns import Values
from conduit.profile.model import Profile
from conduit.report.frames import Frame, FrameTable, detail_of
from conduit.report.graph import Node, build_graph, sum_frames
from tests.profile.strategies import ANY_INT64, SMALL, profiles
from tests.profile.twins import use_twins

GRANULARITIES = st.sampled_from(["", "functions", "filefunctions", "files", "lines", "addresses"])


def _sums(nodes: list[Node]) -> dict[Frame, tuple[int, ...]]:
    return {node.frame: (node.flat, node.cum, node.flat_divisor, node.cum_divisor) for node in nodes}


@pytest.mark.skipif(not available(), reason="the C extension is not built here")
@pytest.mark.parametrize("values", [SMALL, ANY_INT64])
def test_every_way_to_sum_agrees(values: str, monkeypatch: pytest.MonkeyPatch) -> None:
    @given(profiles(values=values), GRANULARITIES, st.booleans(), st.booleans())
    def agree(profile: Profile, granularity: str, inlined: bool, mean: bool) -> None:
        detail = detail_of(granularity, inlined=inlined, columns=False, object_files=False)
        table, column = (
            FrameTable(profile, detail),
            Values(profile.columns, len(profile.sample_types) - 1, mean),
        )
        sums = []
        for in_python in (False, True):
            with monkeypatch.context() as patch:
                if in_python:
                    use_twins(patch)
                sums.append(_sums(sum_frames(table, column)))
        assert sums[0] == sums[1] == _sums(build_graph(table, column))

    agree()


def _calls(nodes: list[Node]) -> dict[tuple[Frame, Frame], tuple[object, ...]]:
    return {
        (edge.caller.frame, edge.callee.frame): (edge.weight, edge.divisor, edge.inline, edge.residual)
        for node in nodes
        for edge in node.incoming.values()
    }


@pytest.mark.skipif(not available(), reason="the C extension is not built here")
@pytest.mark.parametrize("values", [SMALL, ANY_INT64])
def test_every_way_to_make_edges_agrees(values: str, monkeypatch: pytest.MonkeyPatch) -> None:
    @given(profiles(values=values), GRANULARITIES, st.booleans(), st.integers(0, 2**8))
    def agree(profile: Profile, granularity: str, mean: bool, choice: int) -> None:
        detail = detail_of(granularity, inlined=True, columns=False, object_files=False)
        table, column = (
            FrameTable(profile, detail),
            Values(profile.columns, len(profile.sample_types) - 1, mean),
        )
        kept = {frame for number, frame in enumerate(table.frames) if not choice >> number % 8 & 1}
        found = []
        for in_python in (False, True):
            with monkeypatch.context() as patch:
                if in_python:
                    use_twins(patch)
                nodes = build_graph(table, column, kept)
                found.append((_sums(nodes), _calls(nodes), [node.frame for node in nodes]))
        assert found[0] == found[1]

    agree()


@given(profiles(), GRANULARITIES)
def test_flat_adds_up_to_the_total_and_cum_is_at_least_flat(profile: Profile, granularity: str) -> None:
    for sample in profile.samples:
        sample.values = [abs(value) for value in sample.values]
    detail = detail_of(granularity, inlined=True, columns=False, object_files=False)
    nodes = sum_frames(FrameTable(profile, detail), Values(profile.columns, 0))
    assert sum(node.flat for node in nodes) == sum(s.values[0] for s in profile.samples if s.locations)
    assert all(node.cum >= node.flat >= 0 for node in nodes)
