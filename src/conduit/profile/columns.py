"""A profile's samples as columns: an array of location indices for all stacks, an array for each type of value, labels.

A large profile has millions of frames, but few distinct locations. Because the samples are stored in arrays, no object
is created for each of them. The loops of `conduit.profile.loops` read the arrays from the encoded bytes, filter them by
masks and maps, sum them and write them. A profile may have as many distinct sets of labels as samples: when it is
decoded, they stay rows of numbers, and a set is made only when it is used. Most reports use few sets or none, and
writing a profile needs only the rows.
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from itertools import compress
from typing import TYPE_CHECKING

from conduit.profile import loops
from conduit.profile.measurement import quotient
from conduit.profile.wire import to_bits, to_signed

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterable, Iterator
    from typing import overload

    from _typeshed import ReadableBuffer as Buffer

EVERY_SAMPLE = b"\1"


class Columns:
    """`frames[starts[i]:stops[i]]` are the indices in the profile's locations of sample i's stack, leaf first.

    Equal stacks share their frames: samples with the same stack start and stop at the same places. `bounds` is all of
    `starts`, then all of `stops`. `values[type][i]` is a sample's value, `label_sets[label_of[i]]` its labels. Never
    changed in place: a filter makes new columns, which share what it does not change.
    """

    __slots__ = ("bounds", "frames", "label_of", "label_sets", "values")

    def __init__(
        self,
        bounds: Buffer,
        frames: Buffer,
        values: Sequence[Buffer],
        label_of: Buffer,
        label_sets: Sequence[LabelSet],
    ) -> None:
        self.bounds: memoryview[int] = memoryview(bounds).cast("B").cast("q")
        self.frames: memoryview[int] = memoryview(frames).cast("B").cast("I")
        self.values: tuple[memoryview[int], ...] = tuple(
            memoryview(column).cast("B").cast("q") for column in values
        )
        self.label_of: memoryview[int] = memoryview(label_of).cast("B").cast("I")
        self.label_sets: Sequence[LabelSet] = label_sets  # a list, or a `LabelTable`, which makes them

    def __len__(self) -> int:
        return len(self.label_of)

    @property
    def starts(self) -> memoryview[int]:
        """Where each stack starts in the frames."""
        return self.bounds[: len(self)]

    @property
    def stops(self) -> memoryview[int]:
        """Where each stack stops in the frames."""
        return self.bounds[len(self) :]

    def selected(self, mask: Buffer, new_of: Buffer | None = None) -> Columns:
        """Return the samples whose byte in `mask` is set; frames become `new_of[frame]`, and -1 goes."""
        keep = memoryview(mask).cast("B")
        bounds: Buffer
        frames: Buffer
        if new_of is None:
            if all(keep):
                return self
            bounds = array("q", compress(self.starts, keep)) + array("q", compress(self.stops, keep))
            frames = self.frames
        else:
            bounds, frames = loops.select_stacks(self.bounds, self.frames, keep, new_of)
        values = tuple(array("q", compress(column, keep)) for column in self.values)
        return Columns(bounds, frames, values, array("I", compress(self.label_of, keep)), self.label_sets)

    def mapped(self, new_of: Buffer) -> Columns:
        """Return all samples, with `new_of[frame]` in place of every frame; -1 goes."""
        return self.restacked(
            *loops.select_stacks(self.bounds, self.frames, EVERY_SAMPLE * len(self), new_of)
        )

    def restacked(self, bounds: Buffer, frames: Buffer) -> Columns:
        """Return the same samples with other stacks."""
        return Columns(bounds, frames, self.values, self.label_of, self.label_sets)

    def with_sets(self, change: Callable[[LabelSet], LabelSet]) -> Columns:
        """Return the same samples with `change(labels)` in place of each set of labels that one of them has."""
        label_sets = list(self.label_sets)
        for number in dict.fromkeys(self.label_of.tolist()):
            label_sets[number] = change(label_sets[number])
        return Columns(self.bounds, self.frames, self.values, self.label_of, label_sets)

    def revalued(self, values: Sequence[Buffer]) -> Columns:
        """Return the same samples with other values."""
        return Columns(self.bounds, self.frames, values, self.label_of, self.label_sets)

    def with_stack(self) -> Columns:
        """Return the samples that have frames."""
        return self.selected(bytes(map(int.__lt__, self.starts.tolist(), self.stops.tolist())))

    def nonzero(self) -> Columns:
        """Return the samples with a value that is not 0."""
        if any(0 not in column.tolist() for column in self.values):
            return self
        return self.selected(bytes(map(any, zip(*self.values, strict=True))))

    def used_sets(self) -> list[LabelSet]:
        """Return the label sets that samples have, each once, in order of first use."""
        return [self.label_sets[number] for number in dict.fromkeys(self.label_of.tolist())]

    def mask_of(self, keeps: Callable[[LabelSet], object]) -> bytes:
        """Return a byte a sample: whether `keeps` says so of its labels; it is asked once a set."""
        known = {
            number: bool(keeps(self.label_sets[number])) for number in dict.fromkeys(self.label_of.tolist())
        }
        return bytes(map(known.__getitem__, self.label_of.tolist()))

    def mask_with_text(self, key: str, text: str) -> bytes:
        """Return a byte a sample: whether it has this label."""
        table = self.label_sets
        if isinstance(table, LabelTable) and key not in table.strings:
            return bytes(len(self))
        return self.mask_of(lambda labels: text in labels.labels.get(key, ()))

    def number_labels(self) -> Iterable[tuple[str, str]]:
        """Return key and unit ("" for none) of the labels that are numbers, each pair once, in order of first use."""
        table = self.label_sets
        if isinstance(table, LabelTable):
            return table.number_labels(self.label_of)
        return dict.fromkeys(
            (key, unit)
            for labels in self.used_sets()
            for key in labels.numeric_labels
            for unit in labels.numeric_units.get(key) or [""]
        )

    def stack(self, sample: int) -> list[int]:
        """Return a sample's indices, leaf first."""
        return self.frames[self.starts[sample] : self.stops[sample]].tolist()

    def stacks(self) -> Iterator[list[int]]:
        """Return every stack's indices, leaf first."""
        frames = self.frames
        for start, stop in zip(self.starts, self.stops, strict=True):
            yield frames[start:stop].tolist()


class Values:
    """What a report shows of samples: `amounts`, one of their columns of values, and `divisors`.

    The latter are the first column if the report shows means (`mean`), else zeros: nothing is divided.
    """

    __slots__ = ("amounts", "columns", "divisors", "index", "mean")

    def __init__(self, columns: Columns, index: int, mean: bool = False) -> None:
        self.columns = columns
        self.index = index
        self.mean = mean
        self.amounts = amounts = columns.values[index]
        self.divisors = columns.values[0] if mean else memoryview(bytes(amounts.nbytes)).cast("q")

    def of(self, columns: Columns) -> Values:
        """Return the same values of other samples."""
        return self if columns is self.columns else Values(columns, self.index, self.mean)

    def total(self, is_base: bytes) -> int:
        """Return the sum of the samples' absolute values, divided if the report shows means.

        `is_base` marks the samples of a comparison's base: if their sum is not 0, it is the total.
        """
        if any(is_base):
            total = sum(map(abs, compress(self.amounts, is_base)))
            if total > 0:
                return quotient(total, sum(compress(self.divisors, is_base)))
        total = sum(map(abs, self.amounts))
        return quotient(total, sum(self.divisors)) if self.mean else total


def runs_of(rows: Iterable[Sequence[int]], kind: str = "i") -> tuple[array[int], array[int]]:
    """Return where each row's numbers begin (int32), one more than there are rows, and the numbers one by one."""
    runs, numbers = array("i", [0]), array(kind)
    for row in rows:
        numbers.extend(row)
        runs.append(len(numbers))
    return runs, numbers


class ColumnsSum:
    """Columns being added up: equal stacks with equal labels become one sample, whose sums are cut to 64 bits."""

    def __init__(self, types: int) -> None:
        self._starts, self._stops = array("q"), array("q")
        self._frames = array("I")
        self._values = [array("q") for _ in range(types)]
        self._label_of = array("I")
        self._label_sets: list[LabelSet] = []
        # Sets with the same labels are one for `group_stacks`: the number of the first of them, by number.
        self._first_set: list[int] = []
        self._set_of: dict[Hashable, int] = {}

    def add(self, columns: Columns) -> None:
        """Add the samples behind those that are there."""
        before = len(self._frames)
        self._frames.frombytes(columns.frames.cast("B"))
        self._starts.extend([before + start for start in columns.starts])
        self._stops.extend([before + stop for stop in columns.stops])
        for column, more in zip(self._values, columns.values, strict=True):
            column.frombytes(more.cast("B"))
        sets = {}
        for number in dict.fromkeys(columns.label_of.tolist()):
            labels = columns.label_sets[number]
            sets[number] = len(self._label_sets)
            self._first_set.append(self._set_of.setdefault(labels.key, len(self._label_sets)))
            self._label_sets.append(labels)
        self._label_of.extend(map(sets.__getitem__, columns.label_of.tolist()))

    def result(self) -> Columns:
        """Return the samples in order of first use; nothing is added afterwards."""
        labels = array("I", map(self._first_set.__getitem__, self._label_of))
        bounds = self._starts + self._stops
        groups, firsts = loops.group_stacks(bounds, self._frames, labels)
        is_first = bytearray(len(labels))
        for number in memoryview(firsts).cast("B").cast("I"):
            is_first[number] = 1
        columns = Columns(bounds, self._frames, self._values, self._label_of, self._label_sets)
        count = is_first.count(1)
        sums = [loops.sum_groups(column, groups, count) for column in self._values]
        return columns.selected(is_first).revalued(sums)


class ColumnsBuilder:
    """Columns being made sample by sample; equal sets of labels are told by a key of the caller's."""

    def __init__(self, types: int) -> None:
        self.starts: array[int] = array("q")
        self.stops: array[int] = array("q")
        self.frames: array[int] = array("I")
        self._place_of: dict[bytes, tuple[int, int]] = {}
        self.values: tuple[array[int], ...] = tuple(array("q") for _ in range(types))
        self.label_of: array[int] = array("I")
        self.label_sets: list[LabelSet] = []
        self._number_of: dict[object, int] = {}

    def add(
        self, stack: Sequence[int], values: Sequence[int], key: object, make: Callable[[], LabelSet]
    ) -> None:
        """Add a sample; `make` is called for the first sample with this key.

        Raises `OverflowError` where a value does not fit into 64 bits.
        """
        for column, value in zip(self.values, values, strict=True):
            column.append(value)
        number = self._number_of.get(key)
        if number is None:
            self.label_sets.append(make())
            number = self._number_of[key] = len(self.label_sets) - 1
        self.label_of.append(number)
        packed = array("I", stack).tobytes()
        place = self._place_of.get(packed)
        if place is None:
            start = len(self.frames)
            self.frames.frombytes(packed)
            place = self._place_of[packed] = start, len(self.frames)
        self.starts.append(place[0])
        self.stops.append(place[1])

    def knows(self, key: object) -> bool:
        """Say whether a sample with this key was added."""
        return key in self._number_of

    def build(self) -> Columns:
        """Return the columns; nothing is added afterwards."""
        bounds = self.starts + self.stops
        return Columns(bounds, self.frames, self.values, self.label_of, self.label_sets)


class LabelSet:
    """The labels of all samples that have the same ones, and their unknown fields; never changed in place.

    See `Sample` for the meaning of the attributes.
    """

    __slots__ = ("labels", "numeric_labels", "numeric_units", "unknown")

    def __init__(
        self,
        labels: dict[str, list[str]],
        numeric_labels: dict[str, list[int]],
        numeric_units: dict[str, list[str]],
        unknown: bytes = b"",
    ) -> None:
        self.labels: dict[str, list[str]] = labels
        self.numeric_labels: dict[str, list[int]] = numeric_labels
        self.numeric_units: dict[str, list[str]] = numeric_units
        self.unknown: bytes = unknown

    def copy(self) -> LabelSet:
        """Return a set with lists of its own."""
        return LabelSet(
            {key: list(texts) for key, texts in self.labels.items()},
            {key: list(numbers) for key, numbers in self.numeric_labels.items()},
            {key: list(units) for key, units in self.numeric_units.items()},
            self.unknown,
        )

    @property
    def key(self) -> tuple[object, ...]:
        """Return a key that two sets with the same labels share; unknown fields do not count."""
        if not self.labels and not self.numeric_labels:
            return ()
        texts = sorted((name, tuple(values)) for name, values in self.labels.items())
        numbers = sorted(
            (name, tuple(values), tuple(self.numeric_units.get(name, ())))
            for name, values in self.numeric_labels.items()
        )
        return tuple(texts), tuple(numbers)


_EMPTY_TEXT = 1  # in a table made of sets: a text or a unit that is there, and empty; 0 is none


class LabelTable(Sequence[LabelSet]):
    """The sets of labels of a document with these strings, each made once.

    The labels of set i are the rows from `runs[i]` to `runs[i + 1]` (int64). A row has four numbers (uint64): the
    indices of key and text, the number's bits, and the index of its unit. A row with a text has no number.
    """

    __slots__ = ("_sets", "rows", "runs", "strings")

    def __init__(self, strings: list[str], runs: Buffer, rows: Buffer) -> None:
        self.strings: list[str] = strings
        self.runs: memoryview[int] = memoryview(runs).cast("B").cast("q")
        self.rows: memoryview[int] = memoryview(rows).cast("B").cast("Q")
        self._sets: dict[int, LabelSet] = {}

    @classmethod
    def of(cls, sets: Sequence[LabelSet]) -> LabelTable:
        """Return sets of labels as a table, without their unknown fields; a table stays as it is.

        Raises `ValueError` for a number that does not fit into 64 bits.
        """
        if isinstance(sets, LabelTable):
            return sets
        index_of = {"": 0}

        def index(text: str) -> int:
            return index_of.setdefault(text, len(index_of) + 1)

        runs, rows = array("q", [0]), array("Q")
        for labels in sets:
            for key, texts in labels.labels.items():
                for text in texts:
                    rows.extend((index(key), index(text) if text else _EMPTY_TEXT, 0, 0))
            for key, numbers in labels.numeric_labels.items():
                units = [index(unit) if unit else _EMPTY_TEXT for unit in labels.numeric_units.get(key, ())]
                for number, unit in zip(numbers, units or [0] * len(numbers), strict=True):
                    rows.extend((index(key), 0, to_bits(number), unit))
            runs.append(len(rows) // 4)
        nothing, *texts = index_of
        return cls([nothing, "", *texts], runs, rows)

    def __len__(self) -> int:
        return len(self.runs) - 1

    if (
        TYPE_CHECKING
    ):  # `typing` keeps overloads for ever, also where a recording inside a process has removed us

        @overload
        def __getitem__(self, number: int) -> LabelSet: ...
        @overload
        def __getitem__(self, number: slice) -> list[LabelSet]: ...

    def __getitem__(self, number: int | slice) -> LabelSet | list[LabelSet]:
        if isinstance(number, slice):
            return [self[one] for one in range(*number.indices(len(self)))]
        found = self._sets.get(number)
        if found is None:
            found = self._sets[number] = self._make(number)
        return found

    def number_labels(self, label_of: Buffer) -> list[tuple[str, str]]:
        """Return key and unit ("" for none) of the numbers in the sets of these samples; see `Columns`."""
        pairs = iter(memoryview(loops.number_labels(self.runs, self.rows, label_of)).cast("Q"))
        return [(self.strings[key], self.strings[unit]) for key, unit in zip(pairs, pairs, strict=True)]

    def _make(self, number: int) -> LabelSet:
        if not 0 <= number < len(self):
            raise IndexError(f"set {number} of {len(self)} sets of labels")
        strings, start, stop = self.strings, self.runs[number], self.runs[number + 1]
        numbers = iter(self.rows[4 * start : 4 * stop].tolist())
        labels = [
            (strings[key], strings[text] if text else None, value, strings[unit] if unit else None)
            for key, text, value, unit in zip(numbers, numbers, numbers, numbers, strict=True)
        ]
        return make_label_set(labels)


def make_label_set(
    labels: Iterable[tuple[str, str | None, int, str | None]], unknown: bytes = b""
) -> LabelSet:
    """Sort labels (key, text or None, bits of the number, unit or None) into texts and numbers, in their order.

    A number 0 without a unit cannot be told from nothing.
    """
    found = LabelSet({}, {}, {}, unknown)
    for key, text, number, unit in labels:
        if text is not None:
            found.labels.setdefault(key, []).append(text)
        elif number or unit is not None:
            numbers = found.numeric_labels.setdefault(key, [])
            if unit is not None or key in found.numeric_units:
                units = found.numeric_units.setdefault(key, [])
                units.extend([""] * (len(numbers) - len(units)))
                units.append(unit or "")
            numbers.append(to_signed(number))
    return found
