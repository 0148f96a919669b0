"""Sets of labels; those of a decoded profile are rows of numbers until they are used.

A profile may have as many sets of labels as samples. Most reports need a few of them or none, and writing a profile
needs only the rows.
"""

from __future__ import annotations

from array import array
from collections.abc import Sequence
from typing import TYPE_CHECKING

from conduit.profile import loops
from conduit.profile.wire import to_bits, to_signed

if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import overload

    from _typeshed import ReadableBuffer as Buffer


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
