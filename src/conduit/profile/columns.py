"""A profile's samples as columns: stacks as one array of location indices, values as one array a type, labels as sets.

A large profile has millions of frames and few distinct locations and labels; as arrays they are read from the wire
without an object a sample, filtered by masks and maps, and summed in C. A decoded profile has columns until its
`samples` are asked for; from then on the objects are the truth. Where the C extension is not loaded there are no
columns, and the same functions work on the objects.
"""

from __future__ import annotations

from array import array
from itertools import compress
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

    from _typeshed import ReadableBuffer as Buffer


class LabelSet:
    """The labels of all samples that have the same ones; shared, so never changed in place. See `Sample`."""

    __slots__ = ("labels", "numeric_labels", "numeric_units")

    def __init__(
        self,
        labels: dict[str, list[str]],
        numeric_labels: dict[str, list[int]],
        numeric_units: dict[str, list[str]],
    ) -> None:
        self.labels: dict[str, list[str]] = labels
        self.numeric_labels: dict[str, list[int]] = numeric_labels
        self.numeric_units: dict[str, list[str]] = numeric_units


class Columns:
    """`frames[starts[i]:starts[i + 1]]` are the indices in `locations` of sample i's stack, leaf first.

    `values[type][i]` is its value, `label_sets[label_of[i]]` its labels. Never changed in place. The locations
    are those of `conduit.profile.model`, which knows this module, so that they are nameless here.
    """

    __slots__ = ("frames", "label_of", "label_sets", "locations", "starts", "values")

    def __init__(
        self,
        locations: list[Any],
        starts: Buffer,
        frames: Buffer,
        values: tuple[Buffer, ...],
        label_of: Buffer,
        label_sets: list[LabelSet],
    ) -> None:
        self.locations: list[Any] = locations
        self.starts = memoryview(starts).cast("B").cast("q")
        self.frames = memoryview(frames).cast("B").cast("I")
        self.values = tuple(memoryview(column).cast("B").cast("q") for column in values)
        self.label_of = memoryview(label_of).cast("B").cast("I")
        self.label_sets: list[LabelSet] = label_sets

    def __len__(self) -> int:
        return len(self.label_of)

    def stacks(self) -> list[list[Any]]:
        """Return every stack as a list of locations."""
        from conduit._native.columns import list_stacks

        return list_stacks(self.starts, self.frames, self.locations)

    def selected(self, mask: bytes, locations: list[Any], new_of: Buffer) -> Columns:
        """Return the samples whose byte in `mask` is set; frames become `new_of[frame]` in `locations`, -1 goes."""
        from conduit._native.columns import select_stacks

        starts, frames = select_stacks(self.starts, self.frames, mask, new_of)
        values = tuple(array("q", compress(column, mask)) for column in self.values)
        return Columns(
            locations, starts, frames, values, array("I", compress(self.label_of, mask)), self.label_sets
        )

    def picked(self, mask: bytes) -> Columns:
        """Return the samples whose byte in `mask` is set."""
        if all(mask):
            return self
        return self.selected(mask, self.locations, array("i", range(len(self.locations))))

    def used_sets(self) -> Iterable[LabelSet]:
        """Return the label sets of the samples that are left, each once, in order of first use."""
        return (self.label_sets[number] for number in dict.fromkeys(self.label_of))
