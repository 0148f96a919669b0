"""Columns: read in C they say what the general reader says, or leave the profile to it; loops in C check what they get."""

from __future__ import annotations

from array import array
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conduit._native import available, columns
from conduit.errors import MalformedProfileError
from conduit.profile import loops
from conduit.profile import samples as samples_module
from conduit.profile.codec import decode, encode_uncompressed
from conduit.profile.focus import Filters, apply_filters
from conduit.profile.merge import merge
from conduit.profile.model import Function, Line, Location, Profile, Sample, ValueType
from conduit.profile.samples import SampleReader, UnusualError
from conduit.profile.wire import read_fields
from tests.profile.strategies import ANY_INT64, plain, profiles

needs_native = pytest.mark.skipif(not available(), reason="the C extension is not built here")


def _spans(document: bytes) -> list[tuple[int, int]]:
    return [
        (value, stop) for number, _, value, stop, _ in read_fields(document, 0, len(document)) if number == 2
    ]


def _outcome(document: bytes) -> object:
    try:
        return plain(decode(document))
    except MalformedProfileError as error:
        return str(error), error.offset, error.detail


@pytest.fixture
def readers(monkeypatch: pytest.MonkeyPatch) -> Any:
    """Decodes with each of the three readers in turn; the C extension's also for small documents."""

    def run(document: bytes) -> list[object]:
        outcomes = []
        for name in ("general", "python", "native"):
            with monkeypatch.context() as patch:
                if name == "general":
                    patch.setattr(samples_module, "_LONGEST_USUAL", -1)
                if name != "native":
                    patch.setattr(loops, "scan_profile", lambda data, limit: None)
                outcomes.append(_outcome(document))
        return outcomes

    return run


@needs_native
def test_all_readers_agree_on_every_profile(readers: Any) -> None:
    @given(profiles(values=ANY_INT64))
    def agree(profile: Profile) -> None:
        general, python, native = readers(encode_uncompressed(profile))
        assert general == python == native

    agree()


@needs_native
def test_all_readers_agree_on_damaged_profiles(readers: Any) -> None:
    @settings(max_examples=300)
    @given(profiles(values=ANY_INT64), st.data())
    def agree(profile: Profile, data: st.DataObject) -> None:
        document = bytearray(encode_uncompressed(profile))
        spans = _spans(bytes(document))
        start, stop = data.draw(st.sampled_from(spans)) if spans else (0, len(document))
        for _ in range(data.draw(st.integers(1, 3))):
            if start < stop:
                document[data.draw(st.integers(start, stop - 1))] = data.draw(st.integers(0, 255))
        general, python, native = readers(bytes(document))
        assert general == python == native

    agree()


def test_the_usual_form_is_read_without_the_general_reader() -> None:
    reader = SampleReader(
        b"\x0a\x04\xac\x02\x01\x02\x12\x0b\x05" + b"\xff" * 9 + b"\x01\x1a\x02\x08\x01", [1, 2, 300]
    )
    assert reader.read(0, 23) == ([2, 0, 1], [5, -1], [b"\x08\x01"])


@pytest.mark.parametrize(
    "content",
    [
        b"\x08\x01",
        b"\x0a",
        b"\x0a\x05\x01",
        b"\x0a\x01\x09",
        b"\x0a\x01\x80",
        b"\x0a\x01\x00",
        b"\x12\x01\x80",
        b"\x22\x00",
        b"\x0a\x01\x01\x0a\x01\x01",
    ],
)
def test_any_other_form_is_left_to_the_general_reader(content: bytes) -> None:
    with pytest.raises(UnusualError):
        SampleReader(content, [1]).read(0, len(content))


@needs_native
@settings(max_examples=300)
@given(st.binary(max_size=200))
def test_any_bytes_are_read_into_columns_only_if_the_general_reader_takes_them(data: bytes) -> None:
    scanned = columns.scan_profile(data, 1000)
    if scanned is not None:
        spans, strings, _, samples = scanned
        assert all(0 <= start <= stop <= len(data) for found in spans for start, stop in found)
        assert len(samples) % 16 == 0
        assert all(isinstance(text, str) for text in strings)


@given(profiles(values=ANY_INT64))
def test_samples_and_columns_are_made_of_each_other_and_written_alike(profile: Profile) -> None:
    document = encode_uncompressed(profile)
    read = decode(document)
    assert read.sample_count == len(read.columns) == len(profile.samples)
    assert encode_uncompressed(read) == document
    assert plain(read) == plain(profile)
    assert encode_uncompressed(read.in_columns()) == document


def test_a_profile_whose_samples_were_changed_is_written_as_changed() -> None:
    profile = Profile([ValueType("cpu", "ns")], [Sample([], [1]) for _ in range(3)])
    read = decode(encode_uncompressed(profile))
    read.samples[0].values[0] = 7
    assert decode(encode_uncompressed(read)).samples[0].values == [7]


def test_what_columns_cannot_hold_is_the_callers_fault() -> None:
    kinds = [ValueType("cpu", "ns")]
    with pytest.raises(ValueError, match="64 bits"):
        encode_uncompressed(Profile(kinds, [Sample([], [2**63])]))
    with pytest.raises(ValueError, match="not among the profile's locations"):
        encode_uncompressed(Profile(kinds, [Sample([Location(1)], [1])]))


def test_a_sample_keeps_fields_that_are_not_known_and_more_types_than_the_loops_in_c_take() -> None:
    sample = Sample([], list(range(70)))
    sample.unknown = b"\x22\x00"
    profile = Profile([ValueType(f"t{number}", "n") for number in range(70)], [sample, Sample([], [1] * 70)])
    first, second = decode(encode_uncompressed(profile)).samples
    assert (first.values, first.unknown, second.unknown) == (list(range(70)), b"\x22\x00", b"")


@pytest.mark.parametrize("reader", ["native", "python"])
def test_equal_stacks_of_a_document_share_their_frames_through_filters_and_merges(
    reader: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    if reader == "python":
        monkeypatch.setattr(loops, "scan_profile", lambda data, limit: None)
    kinds = [ValueType("cpu", "nanoseconds")]
    functions = [Function(id, f"f{id}", "", "f.py") for id in (1, 2, 3)]
    places = [Location(id, None, id, [Line(function, 1)]) for id, function in enumerate(functions, 1)]
    stacks = [[2, 1, 0], [1, 0], [2, 1, 0], [], [2, 1, 0]]
    samples = [
        Sample([places[place] for place in stack], [number], {"worker": [str(number)]})
        for number, stack in enumerate(stacks, 1)
    ]
    profile = decode(encode_uncompressed(Profile(kinds, samples, [], places, functions)))
    shown = apply_filters(profile, Filters(hide="f2"), lambda text: None)
    merged = merge([profile, profile])
    for found, expected in (
        (profile, stacks),
        (merged, stacks),
        (shown, [[place for place in stack if place != 1] for stack in stacks if stack]),
    ):
        columns = found.columns
        names = [[_name(found.locations[i]) for i in stack] for stack in columns.stacks()]
        assert names == [[f"f{place + 1}" for place in stack] for stack in expected]
        places_of: dict[tuple[int, ...], set[tuple[int, int]]] = {tuple(s): set() for s in expected if s}
        for stack, start, stop in zip(expected, columns.starts, columns.stops, strict=True):
            if stack:
                places_of[tuple(stack)].add((start, stop))
        assert [len(each) for each in places_of.values()] == [1] * len(places_of)
    assert len(profile.columns.frames) == 5


def _name(location: Location) -> str:
    function = location.lines[0].function
    return function.name if function else ""


def numbers(kind: str, *values: int) -> array[int]:
    return array(kind, values)


def bounds(*positions: int) -> array[int]:
    """Stacks that lie one behind the other between these positions."""
    return array("q", [*positions[:-1], *positions[1:]])


@needs_native
def test_sums_that_do_not_fit_and_wrong_arguments_are_told_apart() -> None:
    starts, frames = bounds(0, 2, 2), numbers("I", 0, 0)
    zeros, runs = numbers("q", 0, 0), numbers("i", 0, 2)
    both = numbers("i", 1, 0)
    assert columns.sum_stacks(starts, frames, numbers("q", 3, 4), zeros, runs, both, 2) == ([0, 3], [3, 3])
    one = (bounds(0, 1, 2), numbers("I", 0, 0), numbers("q", 2**62, 2**62), zeros)
    assert columns.sum_stacks(*one, numbers("i", 0, 1), numbers("i", 0), 1) is None
    for wrong, said in (
        ((numbers("q", 0, 2, 3, 2), frames, zeros, zeros, runs, both, 2), "do not lie within their frames"),
        ((numbers("q", 0, -1, 1, 1), frames, zeros, zeros, runs, both, 2), "do not lie within their frames"),
        ((numbers("q", 0, 1, 1), frames, zeros, zeros, runs, both, 2), "do not lie within their frames"),
        ((starts, numbers("I", 0, 1), zeros, zeros, runs, both, 2), "beyond the table"),
        ((starts, frames, numbers("q", 1), zeros, runs, both, 2), "not one value a stack"),
        ((starts, frames, zeros, zeros, numbers("i", 0, 3), both, 2), "runs do not fit"),
        ((starts, frames, numbers("q", 1, 1), zeros, runs, numbers("i", 2, 0), 2), "beyond the last frame"),
        ((starts, frames, zeros, zeros, runs, both, -1), "negative"),
    ):
        with pytest.raises(ValueError, match=said):
            columns.sum_stacks(*wrong)


@needs_native
def test_calls_are_summed_with_their_flags() -> None:
    # Location 0 is frame 2, inlined; 1 is left out; 2 is frame 0 with frame 1 inlined into it.
    runs, steps = numbers("i", 0, 1, 2, 4), numbers("i", 5, -1, 0, 3)
    stacks = bounds(0, 3, 5), numbers("I", 0, 1, 2, 0, 2)
    sums = loops.sum_calls(*stacks, numbers("q", 3, 4), numbers("q", 0, 0), runs, steps, 3)
    flat, cum, *calls = map(list, sums)
    assert (flat, cum) == ([0, 0, 7], [7, 7, 7])
    assert calls == [[0 * 3 + 1, 1 * 3 + 2], [7, 7], [0, loops.RESIDUAL]]
    many = numbers("i", *(2 * number for number in range(5000)))
    deep = bounds(0, 5000), numbers("I", *range(5000)), numbers("q", 1), numbers("q", 0)
    keys = loops.sum_calls(*deep, numbers("i", *range(5001)), many, 5000)[2]
    assert list(keys) == [id * 5000 + id - 1 for id in range(4999, 0, -1)]


@needs_native
def test_stacks_are_matched_selected_and_grouped() -> None:
    starts, frames = bounds(0, 2, 3, 3, 5), numbers("I", 0, 1, 2, 0, 1)
    assert columns.match_stacks(starts, frames, b"\1\0\1", b"\0\0\1") == b"\1\0\0\1"
    kept, mapped = columns.select_stacks(starts, frames, b"\1\1\1\0", numbers("i", -1, 5, 6))
    assert (array("q", kept).tolist(), array("I", mapped).tolist()) == ([0, 1, 2, 1, 2, 2], [5, 6])
    groups, firsts = columns.group_stacks(starts, frames, numbers("I", 0, 0, 0, 0))
    assert (array("I", groups).tolist(), array("I", firsts).tolist()) == ([0, 1, 2, 0], [0, 1, 2])
    groups, _ = columns.group_stacks(starts, frames, numbers("I", 0, 0, 0, 1))
    assert array("I", groups).tolist() == [0, 1, 2, 3]
    sums = columns.sum_groups(numbers("q", 2**63 - 1, 5, -7, 1), numbers("I", 0, 1, 1, 0), 2)
    assert array("q", sums).tolist() == [-(2**63), -2]
    stacks = bounds(0, 3, 5), numbers("I", 2, 0, 2, 1, 0)
    assert array("I", columns.first_uses(*stacks, 3, False)).tolist() == [2, 0, 1]
    assert array("I", columns.first_uses(*stacks, 3, True)).tolist() == [2, 0, 1]
    assert array("I", columns.first_uses(bounds(0, 3), numbers("I", 1, 0, 2), 3, True)).tolist() == [
        2,
        0,
        1,
    ]
    for call in (
        lambda: columns.match_stacks(starts, frames, b"\0", b"\0"),
        lambda: columns.select_stacks(starts, frames, b"\1\1\1\1", numbers("i", 0)),
        lambda: columns.first_uses(starts, frames, 2, False),
        lambda: columns.sum_groups(numbers("q", 1), numbers("I", 3), 2),
        lambda: columns.list_stacks(starts, frames, [None]),
    ):
        with pytest.raises(IndexError, match="beyond"):
            call()
