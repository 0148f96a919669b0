"""The loops over columns: those in C and their twins in Python give the same answers, and refuse the same arguments."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Sequence
from itertools import accumulate, chain
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conduit._native import available
from conduit.profile import loops, python_loops
from conduit.profile.codec import encode_uncompressed
from conduit.profile.columns import Columns, LabelTable, runs_of
from conduit.profile.model import Function, Location, Profile
from conduit.profile.tags import numeric_label_units
from tests.profile.strategies import ANY_INT64, profiles
from tests.profile.twins import LOOPS

pytestmark = pytest.mark.skipif(not available(), reason="the C extension is not built here")

CUTS = (loops.FROM_ROOT, loops.FROM_LEAF, loops.BELOW_WANTED, loops.TO_HARNESS)
SMALL_VALUES = profiles()
ANY_VALUES = st.one_of(SMALL_VALUES, profiles(values=ANY_INT64))


def _plain(answer: Any) -> Any:
    """Buffers and sequences as lists, so that answers of either kind can be compared."""
    if isinstance(answer, bytes | array | memoryview):
        view = memoryview(answer)
        return bytes(view) if view.format == "B" else view.tolist()
    if isinstance(answer, tuple | list):
        return [_plain(part) for part in answer]
    return answer


def _numbers(answer: Any, kinds: str) -> list[list[int]]:
    return [array(kind, bytes(part)).tolist() for part, kind in zip(answer, kinds, strict=True)]


def _locations(columns: Columns) -> int:
    return max(columns.frames, default=-1) + 1


def _chosen(count: int, data: st.DataObject, choices: Sequence[int]) -> list[int]:
    return data.draw(st.lists(st.sampled_from(choices), min_size=count, max_size=count))


def test_every_loop_has_a_twin() -> None:
    assert sorted(LOOPS) == sorted(
        name
        for name in vars(python_loops)
        if callable(getattr(python_loops, name))
        and getattr(python_loops, name).__module__ == python_loops.__name__
        and name.islower()
        and not name.startswith("_")
    )


@given(profiles(), st.data())
def test_stacks_are_matched_selected_cut_and_wrapped_alike(profile: Any, data: st.DataObject) -> None:
    columns = profile.columns
    stacks = columns.bounds, columns.frames
    count = _locations(columns)
    flags = [bytes(_chosen(count, data, (0, 1, 2))) for _ in range(2)]
    mask = bytes(_chosen(len(columns), data, (0, 1)))
    new_of = array("i", _chosen(count, data, (-1, 0, 5, 1)))
    sets = [_chosen(data.draw(st.integers(0, 2)), data, (7, 8)) for _ in range(2 * len(columns.label_sets))]
    leaves, roots = (runs_of(rows, "I") for rows in (sets[::2], sets[1::2]))
    for from_root in (False, True):
        uses = (*stacks, count, from_root)
        assert bytes(loops.first_uses(*uses)) == bytes(python_loops.first_uses(*uses))
    assert loops.match_stacks(*stacks, *flags) == python_loops.match_stacks(*stacks, *flags)
    for name, arguments in (
        ("select_stacks", (mask, new_of)),
        *(("cut_stacks", (flags[0], how)) for how in CUTS),
        ("wrap_stacks", (columns.label_of, *leaves, *roots)),
    ):
        native, twin = (getattr(room, name)(*stacks, *arguments) for room in (loops, python_loops))
        assert _numbers(native, "qI") == _numbers(twin, "qI"), name
    texts = [
        [b"%d" % number * (number % 3) for number in range(size)] for size in (count, count, len(columns))
    ]
    joined = [room.join_texts(*stacks, *texts, texts[2][::-1]) for room in (loops, python_loops)]
    assert joined[0] == joined[1]
    table = [object() for _ in range(count)]
    assert loops.list_stacks(*stacks, table) == python_loops.list_stacks(*stacks, table)


@given(profiles(values=ANY_INT64), st.data())
def test_stacks_are_grouped_and_written_alike(profile: Any, data: st.DataObject) -> None:
    columns = profile.columns
    grouped = [
        room.group_stacks(columns.bounds, columns.frames, columns.label_of) for room in (loops, python_loops)
    ]
    assert _numbers(grouped[0], "II") == _numbers(grouped[1], "II")
    groups, firsts = grouped[0]
    sums = [
        bytes(room.sum_groups(columns.values[0], groups, len(firsts) // 4)) for room in (loops, python_loops)
    ]
    assert sums[0] == sums[1]
    ids = array("Q", data.draw(st.lists(st.integers(0, 2**64 - 1), min_size=8, max_size=8)))
    fields = [b"\x1a\x02\x08\x01" * number for number in range(len(columns.label_sets))]
    row = (columns.bounds, columns.frames, ids, columns.values, columns.label_of, fields)
    assert loops.write_columns(*row) == python_loops.write_columns(*row)


def _spread(columns: Columns) -> tuple[array[int], array[int]]:
    """The same stacks, none of which lies where another does."""
    positions = array("q", accumulate(map(len, columns.stacks()), initial=0))
    return positions[:-1] + positions[1:], array("I", chain.from_iterable(columns.stacks()))


def _listed(stacks: tuple[Any, Any]) -> list[list[int]]:
    bounds, frames = (array(kind, bytes(part)) for part, kind in zip(stacks, "qI", strict=True))
    count = len(bounds) // 2
    return [frames[start:stop].tolist() for start, stop in zip(bounds[:count], bounds[count:], strict=True)]


@given(profiles(values=ANY_INT64), st.data())
def test_stacks_that_share_their_frames_give_the_same_answers_and_go_on_sharing(
    profile: Any, data: st.DataObject
) -> None:
    once = profile.columns
    order = [*range(len(once)), *range(len(once))]
    bounds = array("q", [column[i] for column in (once.starts, once.stops) for i in order])
    columns = Columns(bounds, once.frames, (), array("I", bytes(4 * len(order))), once.label_sets)
    stacks, spread, count = (columns.bounds, columns.frames), _spread(columns), _locations(once)
    flags, none = bytes(_chosen(count, data, (0, 1, 2))), bytes(count)
    new_of, mask = array("i", _chosen(count, data, (-1, 0, 5))), bytes(_chosen(len(order), data, (0, 1)))
    values = array("q", [value for _ in range(2) for value in once.values[0]])
    others = array("q", bytes(8 * len(order)))
    arguments: tuple[Any, ...]
    runs = runs_of([number] for number in range(count))
    for room in (loops, python_loops):
        for name, arguments in (
            ("select_stacks", (mask, new_of)),
            *(("cut_stacks", (flags, how)) for how in CUTS),
        ):
            loop = getattr(room, name)
            made = loop(*stacks, *arguments)
            assert _listed(made) == _listed(loop(*spread, *arguments)), name
            assert len(bytes(made[1])) <= len(bytes(loop(once.bounds, once.frames, *_first(arguments))[1]))
        for name, arguments in (
            ("match_stacks", (flags, none)),
            ("first_uses", (count, True)),
            ("group_stacks", (columns.label_of,)),
            ("list_stacks", (list(range(count)),)),
            ("sum_stacks", (values, others, *runs, count)),
            ("join_stacks", (values, *runs, 0)),
            ("write_columns", (array("Q", range(count)), (values,), columns.label_of, [b""])),
        ):
            loop = getattr(room, name)
            assert _plain(loop(*stacks, *arguments)) == _plain(loop(*spread, *arguments)), name


def _first(arguments: tuple[Any, ...]) -> tuple[Any, ...]:
    """The arguments of a loop over the stacks once: all of them are wanted."""
    return (b"\1" * (len(arguments[0]) // 2), arguments[1]) if isinstance(arguments[1], array) else arguments


@given(profiles(values=ANY_INT64))
def test_records_and_strings_are_written_alike(profile: Any) -> None:
    written = []
    for room in (loops, python_loops):
        strings = {"": 0}
        parts = [
            room.write_messages(3, profile.mappings, ("id", "start", "filename", "has_functions"), strings),
            room.write_messages(5, profile.functions, ("id", "name", "filename", "start_line"), strings),
            room.write_locations(profile.locations),
            room.write_strings({**strings, "\udc80": 0, "half \ud800": 0, "é" * 70: 0, "long" * 100: 0}),
        ]
        written.append((parts, list(strings.items())))
    assert written[0] == written[1]


TEXTS = ["", "b", "a", "é", "", "b"]  # writers may repeat a string
ROWS = st.tuples(st.integers(0, 5), st.integers(0, 5), st.integers(0, 2**64 - 1), st.integers(0, 5))


def _number_text(key: str, number: int, unit: str | None) -> bytes:
    return f"{key} {number} {unit}".encode()


def _rows_of(label: tuple[int, int, int, int]) -> tuple[int, int, int, int]:
    key, text, number, unit = label
    return (key, text, 0, 0) if text else (key, 0, number if number % 3 else int(not unit), unit)


@given(st.lists(st.lists(ROWS.map(_rows_of), max_size=6), min_size=1, max_size=5), st.data())
def test_labels_are_listed_and_written_alike_and_as_their_sets(
    sets: list[list[tuple[int, int, int, int]]], data: st.DataObject
) -> None:
    runs = array("q", [0, *accumulate(map(len, sets))])
    rows = array("Q", [number for labels in sets for label in labels for number in label])
    label_of = array("I", data.draw(st.lists(st.integers(0, len(sets) - 1), max_size=8)))
    assert loops.number_labels(runs, rows, label_of) == python_loops.number_labels(runs, rows, label_of)
    strings: list[dict[str, int]] = [{"": 0, "a": 1}, {"": 0, "a": 1}]
    fields = [
        room.write_labels(runs, rows, TEXTS, label_of, known)
        for room, known in zip((loops, python_loops), strings, strict=True)
    ]
    assert fields[0] == fields[1]
    assert list(strings[0].items()) == list(strings[1].items())

    marks = b"--", b"<", b"|", b"]", b">"
    joined = [
        room.join_labels(runs, rows, TEXTS, marks, lambda key: b"%d[" % len(key), _number_text)
        for room in (loops, python_loops)
    ]
    assert joined[0] == joined[1]

    table = LabelTable(TEXTS, runs, rows)
    again = LabelTable.of(list(table))
    assert joined[0] == loops.join_labels(
        again.runs, again.rows, again.strings, marks, lambda key: b"%d[" % len(key), _number_text
    )
    stacks = array("q", bytes(16 * len(label_of))), array("I")
    profiles = [Profile([]).replaced(columns=Columns(*stacks, (), label_of, s)) for s in (table, list(table))]
    assert encode_uncompressed(profiles[0]) == encode_uncompressed(profiles[1])
    units = [numeric_label_units(profile) for profile in profiles]
    assert units[0] == units[1]


def _steps(columns: Columns, data: st.DataObject) -> tuple[array[int], array[int]]:
    """Runs of steps for `sum_calls`, with frames left out and inlined ones, for up to four frames."""
    steps = st.lists(st.integers(-1, 7), max_size=3)
    count = _locations(columns)
    return runs_of(data.draw(st.lists(steps, min_size=count, max_size=count)))


@pytest.mark.parametrize("kind", ["small", "any"])
def test_sums_calls_labels_and_trees_are_made_alike(kind: str) -> None:
    @given(SMALL_VALUES if kind == "small" else ANY_VALUES, st.data(), st.integers(0, 400))
    def agree(profile: Any, data: st.DataObject, cutoff: int) -> None:
        columns = profile.columns
        value, other = columns.values[-1], columns.values[0]
        arguments = (columns.bounds, columns.frames, value, other)
        runs, numbers = _steps(columns, data)
        frames = array("i", [max(step, 0) // 2 for step in numbers])
        labels = columns.label_of, len(columns.label_sets)
        answers = [
            (
                room.sum_stacks(*arguments, runs, frames, 4),
                [list(part) for part in room.sum_calls(*arguments, runs, numbers, 4)],
                [list(part) for part in room.sum_labels(*arguments, runs, numbers, 4, *labels)],
                _plain(room.join_stacks(*arguments[:3], runs, frames, cutoff)),
            )
            for room in (loops, python_loops)
        ]
        for native, twin in zip(*answers, strict=True):
            assert native == twin
        keys, weights = loops.sum_calls(*arguments, runs, numbers, 4)[2:4]
        ranks = array("I", [1, 0, 2, 1])
        ordered = [_plain(room.sort_calls(keys, weights, ranks)) for room in (loops, python_loops)]
        assert ordered[0] == ordered[1]

    agree()


REFUSED: dict[str, Callable[[Any], object]] = {
    "positions beyond the frames": lambda room: room.match_stacks(
        array("q", [0, 3]), array("I", [0]), b"\0", b"\0"
    ),
    "positions out of order": lambda room: room.match_stacks(
        array("q", [0, 2, 1]), array("I", [0]), b"\0", b"\0"
    ),
    "flags too short": lambda room: room.match_stacks(array("q", [0, 1]), array("I", [1]), b"\0", b"\0"),
    "cut flags too short": lambda room: room.cut_stacks(array("q", [0, 1]), array("I", [1]), b"\0", 0),
    "a map too short": lambda room: room.select_stacks(
        array("q", [0, 1]), array("I", [1]), b"\1", array("i", [0])
    ),
    "a mask too short": lambda room: room.select_stacks(
        array("q", [0, 1]), array("I", [0]), b"", array("i", [0])
    ),
    "a table too short": lambda room: room.first_uses(array("q", [0, 1]), array("I", [3]), 2, False),
    "groups too few": lambda room: room.sum_groups(array("q", [1]), array("I", [3]), 2),
    "sets too few": lambda room: room.wrap_stacks(
        array("q", [0, 0]), array("I"), array("I", [1]), *runs_of([[]], "I"), *runs_of([[]], "I")
    ),
    "no such labels": lambda room: room.write_columns(
        array("q", [0, 0]), array("I"), array("Q"), (array("q", [1]),), array("I", [1]), [b""]
    ),
    "texts too few": lambda room: room.join_texts(
        array("q", [0, 1]), array("I", [1]), [b""], [b""], [b""], [b""]
    ),
    "ranks too few": lambda room: room.sort_calls(
        memoryview(array("Q", [5])), memoryview(array("q", [1])), array("I", [0])
    ),
    "a label's text beyond the strings": lambda room: room.write_labels(
        array("q", [0, 1]), array("Q", [0, 7, 0, 0]), ["", "a"], array("I", [0]), {"": 0}
    ),
    "a label's key beyond the strings": lambda room: room.write_labels(
        array("q", [0, 1]), array("Q", [7, 1, 0, 0]), ["", "a"], array("I", [0]), {"": 0}
    ),
    "no such set to write": lambda room: room.write_labels(
        array("q", [0, 0]), array("Q"), [""], array("I", [1]), {"": 0}
    ),
    "labels beyond the rows": lambda room: room.write_labels(
        array("q", [0, 2]), array("Q", [0, 1, 0, 0]), ["", "a"], array("I", [0]), {"": 0}
    ),
    "labels to join beyond the rows": lambda room: room.join_labels(
        array("q", [0, 2]), array("Q", [0, 1, 0, 0]), ["", "a"], (b"",) * 5, str.encode, _number_text
    ),
    "a text to join beyond the strings": lambda room: room.join_labels(
        array("q", [0, 1]), array("Q", [0, 2, 0, 0]), ["", "a"], (b"",) * 5, str.encode, _number_text
    ),
    "numbers beyond the rows": lambda room: room.number_labels(
        array("q", [0, 2]), array("Q", [0, 1, 0, 0]), array("I", [0])
    ),
    "no such set to list": lambda room: room.number_labels(array("q", [0, 0]), array("Q"), array("I", [1])),
    "a number of 65 bits": lambda room: room.write_messages(5, [Function(1 << 64)], ("id",), {}),
    "a number below 64 bits": lambda room: room.write_locations([Location(1, None, (-1 << 63) - 1)]),
    "runs too few": lambda room: room.join_stacks(
        array("q", [0, 1]), array("I", [1]), array("q", [1]), array("i", [0, 0]), array("i"), 0
    ),
}


@pytest.mark.parametrize("what", REFUSED)
@pytest.mark.parametrize("room", [loops, python_loops], ids=["native", "twin"])
def test_what_does_not_fit_is_refused_by_both(what: str, room: Any) -> None:
    with pytest.raises((ValueError, IndexError)):
        REFUSED[what](room)
