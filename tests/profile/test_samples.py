"""The fast readers of samples, in Python and in C, say what the general reader says, or leave the sample to it."""

from __future__ import annotations

import sys
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conduit._native import available, stacks
from conduit.errors import MalformedProfileError
from conduit.profile import samples as samples_module
from conduit.profile.codec import decode, encode_uncompressed
from conduit.profile.model import Location, Profile
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
                patch.setattr(samples_module, "_WORTH_IMPORTING", 0 if name == "native" else sys.maxsize)
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
    table = [Location(id) for id in (1, 2, 300)]
    reader = SampleReader(
        b"\x0a\x04\xac\x02\x01\x02\x12\x0b\x05" + b"\xff" * 9 + b"\x01\x1a\x02\x08\x01", table
    )
    stack, values, labels = reader.read(0, 23)
    assert [location.id for location in stack] == [300, 1, 2]
    assert values == [5, -1]
    assert labels == [b"\x08\x01"]


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
        SampleReader(content, [Location(1)]).read(0, len(content))
    if stacks.read_sample is not None:
        assert stacks.read_sample(content, 0, len(content), [None, Location(1)]) is None


@needs_native
def test_the_c_reader_refuses_to_read_beyond_its_data() -> None:
    assert stacks.read_sample is not None
    for start, stop in ((0, 4), (-1, 2), (2, 1)):
        with pytest.raises(ValueError, match="does not lie within the data"):
            stacks.read_sample(b"abc", start, stop, [])
    with pytest.raises(TypeError):
        stacks.read_sample("abc", 0, 1, [])  # type: ignore[arg-type]


@needs_native
def test_sums_that_do_not_fit_and_wrong_frames_are_told_apart() -> None:
    assert stacks.sum_stacks is not None
    place = Location(1)
    assert stacks.sum_stacks([[place, place], []], [3, 4], {place: (1, 0)}, 2) == ([0, 3], [3, 3])
    assert stacks.sum_stacks([[place], [place]], [2**62, 2**62], {place: (0,)}, 1) is None
    assert stacks.sum_stacks([[place]], [2**64], {place: (0,)}, 1) is None
    with pytest.raises(KeyError):
        stacks.sum_stacks([[place]], [1], {}, 1)
    with pytest.raises(IndexError, match="beyond the last frame"):
        stacks.sum_stacks([[place]], [1], {place: (1,)}, 1)
    with pytest.raises(TypeError, match="tuple of numbers"):
        stacks.sum_stacks([[place]], [1], {place: [0]}, 1)  # type: ignore[dict-item]
    with pytest.raises(TypeError, match="list of locations"):
        stacks.sum_stacks([(place,)], [1], {place: (0,)}, 1)


@needs_native
def test_calls_are_summed_with_their_flags_and_wrong_steps_are_told_apart() -> None:
    assert stacks.sum_calls is not None
    leaf, middle, root = Location(1), Location(2), Location(3)
    steps = {leaf: (5,), middle: (-1,), root: (0, 3)}
    flat, cum, calls = stacks.sum_calls([[leaf, middle, root], [leaf, root]], [3, 4], steps, 3) or (
        [],
        [],
        [],
    )
    assert (flat, cum) == ([0, 0, 7], [7, 7, 7])
    assert calls == [(0 * 3 + 1, 7, False, False), (1 * 3 + 2, 7, False, True)]
    many = {Location(id): (2 * id,) for id in range(5000)}
    _, _, calls = stacks.sum_calls([list(many)], [1], many, 5000) or ([], [], [])
    assert [key for key, _, _, _ in calls] == [id * 5000 + id - 1 for id in range(4999, 0, -1)]
    assert stacks.sum_calls([[leaf], [leaf]], [2**62, 2**62], steps, 3) is None
    with pytest.raises(KeyError):
        stacks.sum_calls([[leaf]], [1], {}, 1)
    with pytest.raises(IndexError, match="beyond the last frame"):
        stacks.sum_calls([[leaf]], [1], {leaf: (2,)}, 1)
    with pytest.raises(IndexError, match="beyond the last frame"):
        stacks.sum_calls([[leaf]], [1], {leaf: (-3,)}, 1)
    with pytest.raises(TypeError, match="tuple of numbers"):
        stacks.sum_calls([[leaf]], [1], {leaf: 0}, 1)  # type: ignore[dict-item]
    with pytest.raises(ValueError, match="31 bits"):
        stacks.sum_calls([], [], {}, -1)
