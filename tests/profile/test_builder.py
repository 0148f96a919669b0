"""Built profiles are what the strictest readers ask for: Parca's ids and labels, Alloy's addresses, pprof's mapping."""

from __future__ import annotations

import json
import subprocess
import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conduit.profile.builder import ProfileBuilder
from conduit.profile.codec import decode, encode, encode_uncompressed
from conduit.profile.columns import Columns
from conduit.profile.merge import column_sums
from conduit.profile.model import Profile, ValueType
from conduit.profile.wire import read_fields
from tests.profile.strategies import plain

CPU = [ValueType("samples", "count"), ValueType("cpu", "nanoseconds")]
frames = st.tuples(
    st.sampled_from(["f", "<module>", "g.<lambda>", "é"]),
    st.sampled_from(["a.py", ""]),
    st.integers(0, 4),
    st.integers(0, 2),
)
additions = st.lists(
    st.tuples(
        st.lists(frames, max_size=5),
        st.integers(0, 99),
        st.dictionaries(st.sampled_from(["task", "thread"]), st.sampled_from(["a", "b", ""])),
        st.dictionaries(st.just("bytes"), st.integers(0, 3)),
    ),
    max_size=8,
)


def _built(
    rows: list[tuple[list[tuple[str, str, int, int]], int, dict[str, str], dict[str, int]]],
) -> Profile:
    builder = ProfileBuilder(CPU, CPU[1], 10_000_000, mapping_file="/srv/app.py")
    for stack, value, labels, numbers in rows:
        builder.add(stack, [1, value], labels, numbers)
    return builder.build(time_nanos=5, duration_nanos=7, comments=["c"])


@given(additions)
def test_a_built_profile_satisfies_the_strictest_readers(rows: list) -> None:  # type: ignore[type-arg]
    profile = _built(rows)
    profile.check_valid()
    for table in (profile.mappings, profile.locations, profile.functions):
        assert [entry.id for entry in table] == list(range(1, len(table) + 1))
    (mapping,) = profile.mappings
    assert mapping.filename == "/srv/app.py"
    assert mapping.has_functions and mapping.has_filenames and mapping.has_line_numbers
    addresses = [location.address for location in profile.locations]
    assert len({*addresses, 0}) == len(addresses) + 1
    assert all(mapping.start <= address < mapping.limit for address in addresses)
    assert all(location.mapping is mapping for location in profile.locations)
    assert all(key for sample in profile.samples for key in (*sample.labels, *sample.numeric_labels))
    assert column_sums(profile) == [len(rows), sum(row[1] for row in rows)]
    stacks = [
        (tuple(place.id for place in s.locations), str(sorted(s.labels.items())), str(s.numeric_labels))
        for s in profile.samples
    ]
    assert len(set(stacks)) == len(stacks)


@given(additions)
def test_a_built_profile_survives_encoding(rows: list) -> None:  # type: ignore[type-arg]
    profile = _built(rows)
    assert plain(decode(encode(profile))) == plain(profile)


@given(additions)
def test_the_string_table_starts_with_the_empty_string_and_holds_nothing_twice(rows: list) -> None:  # type: ignore[type-arg]
    document = encode_uncompressed(_built(rows))
    strings = [
        document[v:stop] for number, _, v, stop, _ in read_fields(document, 0, len(document)) if number == 6
    ]
    assert strings[0] == b""
    assert len(set(strings)) == len(strings)


def test_addresses_are_the_same_in_every_process_and_whatever_comes_first() -> None:
    program = """if True:
        from conduit.profile.builder import ProfileBuilder
        from conduit.profile.model import ValueType
        builder = ProfileBuilder([ValueType("n", "count")])
        for stack in ([("g", "b.py", 1, 1)], [("f", "a.py", 3, 1)], [("f", "a.py", 4, 1)]):
            builder.add(stack, [1])
        print([location.address for location in builder.build().locations])
    """
    outputs = {
        subprocess.run(
            [sys.executable, "-c", program],
            env={"PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2")
    }
    assert len(outputs) == 1
    builder = ProfileBuilder(CPU)
    builder.add([("f", "a.py", 4, 1), ("g", "b.py", 1, 1)], [1, 1])
    last, first = (location.address for location in builder.build().locations)
    addresses = json.loads(outputs.pop())
    assert addresses[0] == first
    assert addresses[2] == last
    assert len(set(addresses)) == 3


def test_two_places_whose_digests_meet_get_two_addresses(monkeypatch: pytest.MonkeyPatch) -> None:
    class Digest:
        def __init__(self, *_: object, **__: object) -> None: ...

        def digest(self) -> bytes:
            return b"\xff" * 8

    monkeypatch.setattr("conduit.profile.builder.blake2b", Digest)
    builder = ProfileBuilder(CPU)
    builder.add([("f", "a.py", line, 1) for line in range(5)], [1, 1])
    assert len({location.address for location in builder.build().locations} - {0}) == 5


def test_equal_stacks_are_added_up_and_labels_keep_them_apart() -> None:
    builder = ProfileBuilder(CPU)
    stack = [("f", "a.py", 1, 1)]
    builder.add(stack, [1, 10])
    builder.add(stack, [2, 20])
    builder.add(stack, [4, 40], {"task": "x"}, {"bytes": 512}, {"bytes": "bytes"})
    first, second = builder.build().samples
    assert (first.values, first.labels) == ([3, 30], {})
    assert (second.values, second.labels) == ([4, 40], {"task": ["x"]})
    assert (second.numeric_labels, second.numeric_units) == ({"bytes": [512]}, {"bytes": ["bytes"]})


def test_a_profile_once_built_does_not_change_when_more_is_added() -> None:
    builder = ProfileBuilder(CPU)
    builder.add([("f", "a.py", 1, 1)], [1, 10])
    profile = builder.build()
    before = plain(profile)
    builder.add([("f", "a.py", 1, 1)], [1, 10])
    builder.add([("g", "a.py", 2, 2)], [1, 10])
    assert plain(profile) == before


def test_a_name_that_is_no_text_does_not_cost_the_profile() -> None:
    builder = ProfileBuilder(CPU)
    builder.add([("f\ud800", "a\udcff.py", 1, 1)], [1, 1])
    (function,) = decode(encode(builder.build())).functions
    assert (function.name, function.filename) == ("f?", "a\udcff.py")


def test_labels_that_hold_nothing_do_not_part_equal_stacks() -> None:
    builder = ProfileBuilder(CPU)
    builder.add([], [1, 10])
    builder.add([], [1, 10], {"task": ""}, {"bytes": 0})
    assert [sample.values for sample in builder.build().samples] == [[2, 20]]


def test_wrong_additions_are_the_callers_fault() -> None:
    builder = ProfileBuilder(CPU)
    with pytest.raises(ValueError, match="1 values for 2 sample types"):
        builder.add([], [1])
    with pytest.raises(ValueError, match="label without a key"):
        builder.add([], [1, 1], {"": "x"})


def test_columns_have_a_column_for_each_sample_type() -> None:
    other = Columns(b"", b"", [b"", b""], b"", [])
    with pytest.raises(ValueError, match="2 columns for 1 sample types"):
        ProfileBuilder([ValueType("cpu", "nanoseconds")]).add_columns([], other)
