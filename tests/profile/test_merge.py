"""The algebra of profiles: its laws on generated profiles, and the original's rules where laws say nothing."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conduit.profile.merge import (
    BASE_LABEL,
    IncompatibleProfilesError,
    column_sums,
    combine,
    compact,
    difference,
    merge,
    normalise,
    scale_columns,
    scale_values,
)
from conduit.profile.model import Function, Line, Location, Mapping, Profile, Sample, ValueType
from tests.profile.strategies import POSITIVE, TYPES, plain, profiles

COLUMNS = TYPES[:2]
same_columns = profiles(sample_types=COLUMNS)


def _weights(profile: Profile) -> dict[object, list[int]]:
    """Stacks, written out, with their values: what a profile says, whatever its ids and the order of its samples."""
    weights: dict[object, list[int]] = {}
    for sample in profile.samples:
        stack = tuple(_place(location) for location in sample.locations)
        numbers = {
            key: (tuple(values), tuple(sample.numeric_units.get(key, ())))
            for key, values in sample.numeric_labels.items()
        }
        labels = repr((sorted(sample.labels.items()), sorted(numbers.items())))
        held = weights.setdefault((stack, labels), [0] * len(sample.values))
        weights[stack, labels] = [a + b for a, b in zip(held, sample.values, strict=True)]
    return {key: values for key, values in weights.items() if any(values)}


def _place(location: Location) -> object:
    mapping = location.mapping
    binary = mapping and (mapping.limit - mapping.start, mapping.offset, mapping.build_id or mapping.filename)
    lines = tuple(
        (f.name, f.system_name, f.filename, f.start_line, line.line, line.column)
        for line in location.lines
        if (f := line.function)
    )
    address = location.address - (mapping.start if mapping else 0)
    return binary, address, lines, location.is_folded


@given(same_columns, same_columns)
def test_merging_commutes(first: Profile, second: Profile) -> None:
    assert _weights(merge([first, second])) == _weights(merge([second, first]))


@given(same_columns, same_columns, same_columns)
def test_merging_associates(first: Profile, second: Profile, third: Profile) -> None:
    left = merge([merge([first, second]), third])
    right = merge([first, merge([second, third])])
    assert _weights(left) == _weights(right) == _weights(merge([first, second, third]))


@given(same_columns, same_columns)
def test_a_merge_adds_every_column_up(first: Profile, second: Profile) -> None:
    sums = [a + b for a, b in zip(column_sums(first), column_sums(second), strict=True)]
    assert column_sums(merge([first, second])) == sums


@given(profiles())
def test_a_profile_minus_itself_is_empty(profile: Profile) -> None:
    nothing = difference(profile, profile)
    assert nothing.samples == nothing.locations == nothing.functions == []


@given(profiles())
def test_compacting_keeps_what_the_profile_says_and_doing_it_again_changes_nothing(profile: Profile) -> None:
    small = compact(profile)
    assert _weights(small) == _weights(profile)
    assert plain(compact(small)) == plain(small)


@given(same_columns, same_columns)
def test_a_merge_numbers_its_tables_from_one(first: Profile, second: Profile) -> None:
    merged = merge([first, second])
    merged.check_valid()
    for table in (merged.mappings, merged.locations, merged.functions):
        assert [entry.id for entry in table] == list(range(1, len(table) + 1))


@given(same_columns, same_columns)
def test_algebra_leaves_its_arguments_alone(first: Profile, second: Profile) -> None:
    before = plain(first), plain(second)
    difference(first, second, mark_base=True, normalize=True)
    merge([first, second])
    scale_values(first, 0.5)
    assert (plain(first), plain(second)) == before


@given(profiles(), st.integers(-3, 3))
def test_scaling_by_a_whole_number_scales_every_sum(profile: Profile, ratio: int) -> None:
    scaled = scale_values(profile, ratio)
    assert column_sums(scaled) == [value * ratio for value in column_sums(profile)]


@given(
    profiles(values=POSITIVE, sample_types=COLUMNS),
    profiles(values=POSITIVE, sample_types=COLUMNS),
)
def test_normalising_makes_the_totals_meet(profile: Profile, base: Profile) -> None:
    reached = column_sums(normalise(profile, base))
    for total, wanted in zip(reached, column_sums(base), strict=True):
        # Each sample is rounded by itself.
        assert abs(total - wanted) <= len(profile.samples) / 2 if profile.samples else total == 0


def _single(value: int, address: int = 0x1010, mapping: Mapping | None = None, **header: int) -> Profile:
    mapping = mapping or Mapping(1, 0x1000, 0x2000, 0, "prog")
    function = Function(1, "f")
    location = Location(1, mapping, address, [Line(function, 1)])
    profile = Profile(
        [ValueType("cpu", "ns")], [Sample([location], [value])], [mapping], [location], [function]
    )
    for name, number in header.items():
        setattr(profile, name, number)
    return profile


def test_a_location_that_moved_with_its_mapping_is_the_same_one() -> None:
    moved = _single(2, 0x7010, Mapping(5, 0x7000, 0x8000, 0, "prog"))
    merged = merge([_single(1), moved])
    assert [sample.values for sample in merged.samples] == [[3]]
    assert [location.address for location in merged.locations] == [0x1010]


def test_mappings_with_the_same_build_id_and_size_are_one_and_others_are_not() -> None:
    page_more = Mapping(1, 0x1000, 0x2001, 0, "prog")
    assert len(merge([_single(1), _single(1, mapping=page_more)]).mappings) == 2
    same_page = Mapping(1, 0x1000, 0x1FFF, 0, "prog")
    assert len(merge([_single(1), _single(1, mapping=same_page)]).mappings) == 1


def test_headers_are_combined_as_the_original_does() -> None:
    first = _single(1, time_nanos=7, duration_nanos=10, period=3)
    second = _single(1, time_nanos=5, duration_nanos=20, period=9)
    first.comments, second.comments = ["a", "b"], ["b", "c"]
    second.doc_url, second.default_sample_type = "https://example.com", "cpu"
    merged = merge([first, second])
    assert (merged.time_nanos, merged.duration_nanos, merged.period) == (5, 30, 9)
    assert merged.comments == ["a", "b", "c"]
    assert (merged.doc_url, merged.default_sample_type) == ("https://example.com", "cpu")


def test_sums_beyond_64_bits_wrap_as_the_originals_do() -> None:
    merged = merge([_single(2**63 - 1), _single(1)])
    assert merged.samples[0].values == [-(2**63)]


@pytest.mark.parametrize(
    ("value", "ratio", "expected"),
    [(5, 0.5, 3), (-5, 0.5, -3), (1, 0.49, 0), (2**62, -1, -(2**62)), (2**62, 4, 2**63 - 1), (3, 0, 0)],
)
def test_scaling_rounds_halves_away_from_zero_within_64_bits(value: int, ratio: float, expected: int) -> None:
    scaled = scale_values(_single(value), ratio)
    assert [sample.values for sample in scaled.samples] == ([[expected]] if expected else [])


def test_as_many_ratios_are_given_as_there_are_columns() -> None:
    with pytest.raises(ValueError, match="mismatched scale ratios, got 2, want 1"):
        scale_columns(Profile([ValueType("cpu", "ns")]), [1, 2])


def test_only_scaled_columns_decide_whether_a_sample_stays() -> None:
    profile = Profile(COLUMNS, [Sample([], [1, 0]), Sample([], [0, 1])])
    assert [sample.values for sample in scale_columns(profile, [1, 2]).samples] == [[0, 2]]


def test_profiles_with_other_columns_are_cut_to_what_is_common_in_the_finest_unit() -> None:
    first = Profile([ValueType("cpu", "ms"), ValueType("samples", "count")], [Sample([], [2, 3])])
    second = Profile([ValueType("wall", "s"), ValueType("cpu", "us")], [Sample([], [9, 500])])
    both = combine([first, second])
    assert both.sample_types == [ValueType("cpu", "us")]
    assert [sample.values for sample in both.samples] == [[2500]]
    assert both.default_sample_type == "cpu"


def test_what_cannot_be_compared_is_refused_in_the_words_of_the_original() -> None:
    cpu, space = Profile([ValueType("cpu", "ns")]), Profile([ValueType("space", "bytes")])
    with pytest.raises(IncompatibleProfilesError, match="profiles have empty common sample type list"):
        combine([cpu, space])
    cpu.period_type, space.period_type = ValueType("cpu", "nanoseconds"), ValueType("space", "bytes")
    with pytest.raises(IncompatibleProfilesError) as caught:
        difference(cpu, space, normalize=True)
    assert str(caught.value) == "incompatible period types &{cpu nanoseconds 0 0} and &{space bytes 0 0}"
    with pytest.raises(IncompatibleProfilesError, match=r"sample types: incompatible types: \{cpu ns 0 0\}"):
        combine([Profile([ValueType("cpu", "ns")]), Profile([ValueType("cpu", "bytes")])])
    with pytest.raises(ValueError, match="no profiles to merge"):
        merge([])
    # A type that one has twice is counted as if both had it.
    with pytest.raises(IncompatibleProfilesError, match='"cpu" sample type is not found in profile'):
        combine([Profile([ValueType("cpu", "ns")] * 2), Profile([ValueType("space", "bytes")])])
    with pytest.raises(IncompatibleProfilesError) as caught:
        merge(
            [
                Profile([ValueType("cpu", "ns")]),
                Profile([ValueType("space", "bytes"), ValueType("cpu", "ns")]),
            ]
        )
    assert str(caught.value) == "incompatible sample types [cpu/ns] and [space/bytes cpu/ns]"
    with pytest.raises(
        IncompatibleProfilesError, match=r"period type: incompatible types: \{cpu ns 0 0\} \{space ns"
    ):
        combine([_of_period("cpu"), _of_period("space")])


def _of_period(kind: str) -> Profile:
    return Profile([ValueType("cpu", "ns")], period_type=ValueType(kind, "ns"))


def test_a_comparison_marks_the_samples_of_its_base() -> None:
    compared = difference(_single(5), _single(2), mark_base=True)
    assert sorted((sample.values, sample.labels) for sample in compared.samples) == [
        ([-2], {BASE_LABEL: ["true"]}),
        ([5], {}),
    ]
