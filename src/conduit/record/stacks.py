"""Recorded stacks as columns: frames are named once, stacks are cut and added up without an object for each of them."""

from __future__ import annotations

from array import array
from typing import TYPE_CHECKING, TypeVar

from conduit.profile import loops
from conduit.profile.columns import EVERY_SAMPLE, Columns, runs_of
from conduit.record.naming import MODULE_RUNNER, OWN_FOLDER, WRAPPERS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from _typeshed import ReadableBuffer as Buffer

    from conduit._native.stacks import RawStacks
    from conduit.profile.builder import ProfileBuilder
    from conduit.profile.columns import LabelSet
    from conduit.record.naming import Frame

_Key = TypeVar("_Key")


class RecordedStacks:
    """Stacks whose frames are indices in `places`, leaf first; see `Columns` for `bounds` and `frames`.

    No two places are equal, so equal stacks have equal indices.
    """

    __slots__ = ("bounds", "frames", "places")

    def __init__(self, places: Iterable[Frame], bounds: Buffer, frames: Buffer) -> None:
        index_of: dict[Frame, int] = {}
        new_of = array("i", [index_of.setdefault(place, len(index_of)) for place in places])
        self.places = list(index_of)
        if len(self.places) < len(new_of):
            every = EVERY_SAMPLE * (memoryview(bounds).nbytes // 16)
            bounds, frames = loops.select_stacks(bounds, frames, every, new_of)
        self.bounds: memoryview[int] = memoryview(bounds).cast("B").cast("q")
        self.frames: memoryview[int] = memoryview(frames).cast("B").cast("I")

    @classmethod
    def of(cls, raw: RawStacks) -> RecordedStacks:
        """Name the frames: each code object once, and each line of it."""
        names = [(code.co_qualname, code.co_filename, code.co_firstlineno) for code in raw.codes]
        rows = iter(memoryview(raw.places).cast("i"))
        places = []
        for number, line in zip(rows, rows, strict=True):
            name, file, first_line = names[number]
            places.append((name, file, line if line > 0 else first_line, first_line))
        return cls(places, raw.bounds, raw.frames)

    def __len__(self) -> int:
        return len(self.bounds) // 2

    def drop_harness_frames(
        self, is_harness: Callable[[str], bool] | None, *, keeps_empty: bool = False
    ) -> bytes:
        """Cut each stack as `naming.drop_harness_frames` does; return a byte for each: whether it still counts.

        One that had no frames before does; one that has lost all of them does with `keeps_empty`, if none of them was
        of a recording.
        """
        had_frames = self.have_frames()
        files = [place[1] for place in self.places]
        own = bytes(file.startswith(OWN_FOLDER) for file in files)
        counts = EVERY_SAMPLE * len(self)
        if any(own):
            new_of = array("i", [-1 if file in WRAPPERS else number for number, file in enumerate(files)])
            self._restack(*loops.select_stacks(self.bounds, self.frames, counts, new_of))
            counts = loops.match_stacks(self.bounds, self.frames, EVERY_SAMPLE * len(own), own)
        if is_harness is not None:
            known = {file: 1 if is_harness(file) else 2 if file == MODULE_RUNNER else 0 for file in files}
            flags = bytes(map(known.__getitem__, files))
            self._restack(*loops.cut_stacks(self.bounds, self.frames, flags, loops.TO_HARNESS))
        kept = zip(had_frames, counts, self.have_frames(), strict=True)
        return bytes(not had or (count and (has or keeps_empty)) for had, count, has in kept)

    def have_frames(self) -> list[bool]:
        """Return for each stack whether it has frames."""
        return list(map(int.__lt__, self.bounds[: len(self)].tolist(), self.bounds[len(self) :].tolist()))

    def add_leaves(self, leaves: Sequence[Frame | None], numbers: Sequence[int]) -> None:
        """Put `leaves[number]` before each stack, if it is not None; `numbers` has one number for each stack."""
        index_of = {place: number for number, place in enumerate(self.places)}
        rows = [[] if leaf is None else [index_of.setdefault(leaf, len(index_of))] for leaf in leaves]
        self.places = list(index_of)
        roots = runs_of([[]] * len(rows), "I")
        leaf_runs = runs_of(rows, "I")
        self._restack(*loops.wrap_stacks(self.bounds, self.frames, array("I", numbers), *leaf_runs, *roots))

    def choose(self, samples: Sequence[int]) -> None:
        """Keep the stacks of these samples, in this order."""
        bounds = self.bounds.tolist()
        stops = bounds[len(self) :]
        chosen = array("q", [bounds[number] for number in samples] + [stops[number] for number in samples])
        self._restack(chosen, self.frames)

    def add_up(
        self, label_of: Buffer, columns: Sequence[Iterable[float]]
    ) -> tuple[array[int], list[list[float]]]:
        """Keep the first of equal stacks with equal labels; return the labels and the sums of those that are kept."""
        groups, firsts = loops.group_stacks(self.bounds, self.frames, label_of)
        samples = memoryview(firsts).cast("B").cast("I").tolist()
        sums = [[0.0] * len(samples) for _ in columns]
        for column, values in zip(sums, columns, strict=True):
            for group, value in zip(memoryview(groups).cast("B").cast("I"), values, strict=True):
                column[group] += value
        self.choose(samples)
        labels = memoryview(label_of).cast("B").cast("I")
        return array("I", [labels[number] for number in samples]), sums

    def add_to(
        self,
        builder: ProfileBuilder,
        values: Sequence[Buffer],
        label_of: Buffer,
        label_sets: Sequence[LabelSet],
    ) -> None:
        """Add the stacks to a profile; `values` has one column for each sample type, `label_of` indices of the sets."""
        builder.add_columns(self.places, Columns(self.bounds, self.frames, values, label_of, label_sets))

    def _restack(self, bounds: Buffer, frames: Buffer) -> None:
        self.bounds = memoryview(bounds).cast("B").cast("q")
        self.frames = memoryview(frames).cast("B").cast("I")


def number_keys(keys: Iterable[_Key]) -> tuple[array[int], list[_Key]]:
    """Return the number of each key (uint32), equal ones being numbered once, and the keys by number."""
    number_of: dict[_Key, int] = {}
    return array("I", [number_of.setdefault(key, len(number_of)) for key in keys]), list(number_of)
