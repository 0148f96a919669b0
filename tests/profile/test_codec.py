"""Profiles survive their bytes, and bytes that are no profile are refused with a place and the original's words."""

from __future__ import annotations

import gzip
import json
import zlib
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conduit.errors import MalformedProfileError
from conduit.profile import samples
from conduit.profile.codec import decode, encode, encode_uncompressed
from conduit.profile.limits import Limits
from conduit.profile.model import Profile, Sample, ValueType
from conduit.profile.wire import write_delimited, write_number, write_numbers
from tests.profile.strategies import ANY_INT64, plain, profiles

STRINGS = write_delimited(6, b"") + write_delimited(6, b"cpu") + write_delimited(6, b"\xff\xfe")
CPU = write_delimited(1, write_number(1, 1))


@given(profiles(values=ANY_INT64))
def test_what_is_encoded_and_decoded_is_the_same_profile(profile: Profile) -> None:
    assert plain(decode(encode(profile))) == plain(profile)
    assert plain(decode(encode_uncompressed(profile))) == plain(profile)


@given(profiles())
def test_the_same_profile_gives_the_same_bytes(profile: Profile) -> None:
    once = encode(profile)
    assert encode(decode(once)) == once


def test_fields_that_are_not_known_are_written_back() -> None:
    extra = write_number(99, 7) + write_delimited(100, b"new")
    function = write_delimited(5, write_number(1, 1) + extra)
    line = write_delimited(4, write_number(1, 1) + extra)
    location = write_delimited(4, write_number(1, 1) + line + extra)
    mapping = write_delimited(3, write_number(1, 1) + extra)
    sample = write_delimited(2, write_number(1, 1) + write_number(2, 5) + extra)
    document = CPU + sample + mapping + location + function + STRINGS + extra
    assert encode_uncompressed(decode(document)).count(extra) == 6


def test_numbers_are_read_packed_and_one_by_one() -> None:
    locations = b"".join(write_delimited(4, write_number(1, id)) for id in (1, 300))
    packed = write_delimited(2, write_numbers(1, [300, 1, 1]) + write_numbers(2, [-1]))
    singly = write_delimited(
        2, write_number(1, 300) + write_number(1, 1) + write_number(1, 1) + write_number(2, -1)
    )
    first, second = decode(CPU + packed + singly + locations + STRINGS).samples
    assert [location.id for location in first.locations] == [300, 1, 1]
    assert first.locations == second.locations
    assert first.values == second.values == [-1]


def test_text_that_is_not_utf8_keeps_its_bytes() -> None:
    document = write_delimited(1, write_number(1, 2)) + STRINGS
    assert b"\xff\xfe" in encode_uncompressed(decode(document))


def test_several_gzip_members_are_one_document() -> None:
    document = CPU + STRINGS
    assert len(decode(gzip.compress(document[:3]) + gzip.compress(document[3:])).sample_types) == 1


@pytest.mark.parametrize(
    ("document", "message", "offset"),
    [
        (b"", "parsing profile: empty input file", 0),
        (gzip.compress(b"", mtime=0), "parsing profile: empty input file", 0),
        (b"\x1f\x8b\x08", "decompressing profile: unexpected EOF", 3),
        (gzip.compress(STRINGS, mtime=0)[:-9], "decompressing profile: unexpected EOF", None),
        (gzip.compress(STRINGS, mtime=0) + b"xyz", "decompressing profile: gzip: invalid header", None),
        (CPU, "parsing profile: unrecognized profile format", 2),
        (STRINGS + b"\x0a", "parsing profile: unrecognized profile format", None),
        (STRINGS + b"\x0b", "parsing profile: unrecognized profile format", len(STRINGS)),
        (STRINGS + b"\x48\x01\x48\x01", "parsing profile: concatenated profiles detected", len(STRINGS) + 2),
        (STRINGS + write_number(14, 3), "parsing profile: unrecognized profile format", len(STRINGS)),
        (STRINGS + write_number(14, -1), "parsing profile: unrecognized profile format", len(STRINGS)),
        (STRINGS + b"\x10\x01", "parsing profile: unrecognized profile format", len(STRINGS)),
        (STRINGS + b"\x12\x02\x0a\xff", "parsing profile: unrecognized profile format", None),
        (CPU + STRINGS + b"\x12\x00", "malformed profile: mismatch: sample has 0 values vs. 1 types", None),
        (STRINGS + b"\x12\x00", "malformed profile: missing sample type information", None),
    ],
)
def test_bad_bytes_are_refused_with_their_place(document: bytes, message: str, offset: int | None) -> None:
    with pytest.raises(MalformedProfileError) as caught:
        decode(document)
    assert str(caught.value) == message
    assert caught.value.offset is not None
    assert offset is None or caught.value.offset == offset


def test_a_decompression_bomb_is_refused_before_it_is_unpacked() -> None:
    bomb = gzip.compress(bytes(1 << 24))
    in_two = gzip.compress(bytes(1 << 19)) + gzip.compress(bytes(1 + (1 << 19)))
    for document in (bomb, in_two, bytes(1 + (1 << 20))):
        with pytest.raises(MalformedProfileError, match="more than 1048576 bytes, which is the limit"):
            decode(document, Limits(size_bytes=1 << 20))


@pytest.mark.parametrize(
    ("document", "what"),
    [
        (write_delimited(6, b"") * 4, "3 strings"),
        (STRINGS + CPU * 4, "3 sample types"),
        (STRINGS + CPU + write_delimited(2, write_number(2, 1)) * 4, "3 samples"),
        (STRINGS + write_delimited(5, b"") * 4, "3 functions"),
        (STRINGS + CPU + write_delimited(2, write_delimited(3, b"") * 4), "3 labels"),
        (STRINGS + CPU + write_delimited(2, write_numbers(1, [1] * 6)), "5 numbers in one field"),
        (
            STRINGS + CPU + write_delimited(2, write_numbers(1, [1] * 3) + write_numbers(2, [1] * 3)),
            "5 frames and values in its samples",
        ),
        (STRINGS + write_delimited(4, write_delimited(4, b"") * 4), "3 lines"),
        (STRINGS + write_delimited(13, bytes(4)), "3 comments"),
        (STRINGS + write_delimited(13, bytes(6)), "5 numbers in one field"),
    ],
)
def test_absurd_counts_are_refused_with_the_limit_named(document: bytes, what: str) -> None:
    with pytest.raises(MalformedProfileError, match=f"more than {what}, which is the limit") as caught:
        decode(document, Limits(records=3, frames=5))
    assert caught.value.offset is not None


@given(st.binary(max_size=60))
def test_any_bytes_are_a_profile_or_a_named_error(data: bytes) -> None:
    _decode_or_refuse(data)
    _decode_or_refuse(b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\x03" + data)
    _decode_or_refuse(gzip.compress(data))


@settings(max_examples=300)
@given(profiles(), st.data())
def test_a_damaged_profile_is_a_profile_or_a_named_error(profile: Profile, data: st.DataObject) -> None:
    document = bytearray(encode_uncompressed(profile))
    for _ in range(data.draw(st.integers(1, 3))):
        place = data.draw(st.integers(0, len(document) - 1))
        document[place] = data.draw(st.integers(0, 255))
    _decode_or_refuse(bytes(document[: data.draw(st.integers(0, len(document)))]))


def _decode_or_refuse(data: bytes) -> None:
    try:
        profile = decode(data)
    except MalformedProfileError as error:
        assert error.offset is not None
        assert error.offset >= 0
    else:
        profile.check_valid()
        assert plain(decode(encode(profile))) == plain(profile)


def _invalid_cases(folder: Path) -> list[tuple[str, str]]:
    """(file, message) of the originals' answers to malformed profiles."""
    found = {}
    for row in map(json.loads, (folder / "cases.jsonl").read_text().splitlines()):
        if row["group"] == "invalid" and row["rc"]:
            file, _, message = row["stderr"].splitlines()[0].partition(": ")
            found[file] = message
    return sorted(found.items())


def test_malformed_profiles_are_refused_in_the_words_of_the_original(shared_golden: Path) -> None:
    cases = _invalid_cases(shared_golden / "pprof")
    assert len(cases) >= 6
    for file, message in cases:
        with pytest.raises(MalformedProfileError) as caught:
            decode((shared_golden / "pprof" / file).read_bytes())
        assert str(caught.value) == message


def test_every_golden_profile_survives_encoding(shared_golden: Path) -> None:
    files = [
        path for path in (shared_golden / "pprof" / "profiles").iterdir() if not path.name.startswith("bad_")
    ]
    assert len(files) > 20
    for path in files:
        profile = decode(path.read_bytes())
        assert plain(decode(encode(profile))) == plain(profile), path.name


def test_the_compressed_form_is_gzip_with_no_date_in_it() -> None:
    document = encode(decode(CPU + STRINGS))
    assert document[:8] == b"\x1f\x8b\x08\x00" + bytes(4)
    assert zlib.decompress(document, 31) == encode_uncompressed(decode(CPU + STRINGS))


def test_labels_that_the_format_cannot_hold_leave_no_trace() -> None:
    sample = Sample(
        [], [1], {"task": ["", "a"], "none": [""]}, {"bytes": [0, 5], "rows": [0]}, {"rows": ["count"]}
    )
    written = encode_uncompressed(Profile([ValueType("n", "count")], [sample]))
    (read,) = decode(written).samples
    assert read.labels == {"task": ["a"]}
    assert read.numeric_labels == {"bytes": [5], "rows": [0]}
    assert encode_uncompressed(decode(written)) == written


def test_a_number_beyond_64_bits_is_the_callers_fault() -> None:
    with pytest.raises(ValueError, match="64 bits"):
        encode(Profile(time_nanos=2**64))


def test_a_location_with_a_field_that_is_not_known_has_its_other_fields() -> None:
    place = b"".join(
        write_number(number, value) for number, value in ((1, 7), (2, 5), (3, 0x1234), (5, 1), (9, 1))
    )
    document = STRINGS + write_delimited(3, write_number(1, 5)) + write_delimited(4, place)
    [location] = decode(document).locations
    assert location.mapping is not None
    assert (location.id, location.mapping.id, location.address, location.is_folded) == (7, 5, 0x1234, True)
    assert location.unknown == write_number(9, 1)


def test_a_broken_label_is_refused_with_its_place() -> None:
    sample = write_numbers(2, [1]) + write_delimited(3, b"\x08\xff")
    document = STRINGS + CPU + write_delimited(2, sample)
    with pytest.raises(MalformedProfileError, match="unrecognized profile format") as caught:
        decode(document)
    assert len(STRINGS + CPU) < (caught.value.offset or 0) <= len(document)


@pytest.mark.parametrize("packed", [b"\x80" * 10 + b"\x01", b"\x01\x80"])
def test_numbers_that_are_longer_than_64_bits_or_cut_off_are_refused(packed: bytes) -> None:
    document = STRINGS + CPU + write_delimited(2, write_delimited(1, packed) + write_number(2, 1))
    with pytest.raises(MalformedProfileError, match="unrecognized profile format"):
        decode(document)


def test_a_sample_beyond_the_length_that_writers_use_is_read_all_the_same(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(samples, "_LONGEST_USUAL", 64)
    stack = [1, 2] * 40
    tables = b"".join(write_delimited(4, write_number(1, id)) for id in (1, 2))
    document = STRINGS + CPU + tables + write_delimited(2, write_numbers(1, stack) + write_numbers(2, [7]))
    for unusual in (b"", write_number(99, 1)):  # the second is not read in C
        [sample] = decode(document + unusual).samples
        assert [location.id for location in sample.locations] == stack
        assert sample.values == [7]
