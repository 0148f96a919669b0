"""Profiles made of stacks of Python frames, in the form that the strictest readers accept.

Parca wants ids that count 1, 2, 3, … in the order of their tables and labels with keys; Alloy computes differences of
cumulative profiles by the addresses of locations, so each place in the code needs an address that is its own, not 0,
and the same in every profile and process: here it is a digest of file, name and line. pprof wants a mapping that
says that its locations carry names, files and lines, or it looks for symbols in binaries.

A system name never equals the name: pprof would take it for C++ and cut `<module>` and `<lambda>` out of it.
"""

from __future__ import annotations

import sys
from array import array
from hashlib import blake2b
from typing import TYPE_CHECKING

from conduit.interruption import checkpoint
from conduit.profile import loops
from conduit.profile.columns import Columns, ColumnsBuilder, ColumnsSum, LabelSet
from conduit.profile.model import Function, Line, Location, Mapping, Profile

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable, Iterable, Sequence
    from collections.abc import Mapping as Dictionary

    from conduit.profile.model import ValueType

    Frame = tuple[str, str, int, int]

_ADDRESS_BITS = 47  # as much as a user's program has on x86-64, and exact in JavaScript's numbers
_LOWEST_ADDRESS = 0x1000
_ADDRESS_SPAN = (1 << _ADDRESS_BITS) - _LOWEST_ADDRESS


class ProfileBuilder:
    """Collects stacks with values; equal stacks with equal labels are added up. Not for several threads at once."""

    def __init__(
        self,
        sample_types: Sequence[ValueType],
        period_type: ValueType | None = None,
        period: int = 0,
        default_sample_type: str = "",
        mapping_file: str = "",
        name_function: Callable[[Frame], tuple[str, str]] | None = None,
    ) -> None:
        """Start an empty profile; `mapping_file` is the program's file, by default the interpreter.

        `name_function(frame)` returns the name and the system name of a frame's function, asked once for each function;
        without it the frame's own name is the name. Addresses and equality go by the frame's own name.
        """
        self._mapping = Mapping(
            1,
            _LOWEST_ADDRESS,
            1 << _ADDRESS_BITS,
            filename=mapping_file or sys.executable or "python",
            has_functions=True,
            has_filenames=True,
            has_line_numbers=True,
            has_inline_frames=True,
        )
        self._name_function = name_function
        self._sample_types = list(sample_types)
        self._period_type = period_type
        self._period = period
        self._default_sample_type = default_sample_type
        self._locations: list[Location] = []
        self._id_of: dict[Frame, int] = {}
        self._functions: dict[tuple[str, str, int], Function] = {}
        self._addresses: set[int] = set()
        # Ids of the locations, and the labels → the values; the labels' sets by the same key.
        self._samples: dict[tuple[tuple[int, ...], Hashable], list[int]] = {}
        self._label_sets: dict[Hashable, LabelSet] = {}
        self._columns: list[Columns] = []

    def add(
        self,
        stack: Iterable[Frame],
        values: Sequence[int],
        labels: Dictionary[str, str] | None = None,
        numeric_labels: Dictionary[str, int] | None = None,
        numeric_units: Dictionary[str, str] | None = None,
    ) -> None:
        """Add a stack, leaf first, of frames (function name, file name, line, first line of the function).

        `values` has one number for each sample type; for the labels see `make_labels`.
        """
        if len(values) != len(self._sample_types):
            raise ValueError(f"{len(values)} values for {len(self._sample_types)} sample types")
        label_set = make_labels(labels or {}, numeric_labels, numeric_units)
        known = self._id_of
        ids = tuple([known.get(frame) or self._location(frame) for frame in stack])
        label_key = label_set.key
        self._label_sets.setdefault(label_key, label_set)
        held = self._samples.get((ids, label_key))
        if held is None:
            self._samples[ids, label_key] = list(values)
        else:
            held[:] = [a + b for a, b in zip(held, values, strict=True)]

    def add_columns(self, places: Sequence[Frame], columns: Columns) -> None:
        """Add samples whose stacks are indices in `places`; they come before those of `add`."""
        if len(columns.values) != len(self._sample_types):
            raise ValueError(f"{len(columns.values)} columns for {len(self._sample_types)} sample types")
        new_of = array("i", bytes(4 * len(places)))
        used = loops.first_uses(columns.bounds, columns.frames, len(places), False)
        for number in memoryview(used).cast("I"):
            frame = places[number]
            new_of[number] = (self._id_of.get(frame) or self._location(frame)) - 1
        self._columns.append(columns.mapped(new_of))

    def _location(self, frame: Frame) -> int:
        """Make the location of a new frame; return its id."""
        checkpoint()
        name, filename, line, first_line = frame
        function = self._functions.get((name, filename, first_line))
        if function is None:
            shown, system_name = self._name_function(frame) if self._name_function else (name, "")
            function = Function(len(self._functions) + 1, shown, system_name, filename, first_line)
            self._functions[name, filename, first_line] = function
        id = self._id_of[frame] = len(self._locations) + 1
        self._locations.append(Location(id, self._mapping, self._address(frame), [Line(function, line)]))
        return id

    def _address(self, frame: Frame) -> int:
        name, filename, line, first_line = frame
        place = f"{filename}\0{name}\0{line}\0{first_line}".encode("utf-8", "surrogatepass")
        digest = int.from_bytes(blake2b(place, digest_size=8).digest(), "little")
        address = _LOWEST_ADDRESS + digest % _ADDRESS_SPAN
        while address in self._addresses:  # Among 100,000 places, two share a digest once in 28,000 profiles.
            address = _LOWEST_ADDRESS + (address + 1 - _LOWEST_ADDRESS) % _ADDRESS_SPAN
        self._addresses.add(address)
        return address

    def build(
        self, time_nanos: int = 0, duration_nanos: int = 0, comments: Sequence[str] = (), doc_url: str = ""
    ) -> Profile:
        """Return the profile of all that was added; later additions go to the builder's next profile too.

        `time_nanos` is when it was taken (since 1970), `duration_nanos` how long that took.
        """
        profile = Profile(
            list(self._sample_types),
            mappings=[self._mapping],
            locations=list(self._locations),
            functions=list(self._functions.values()),
            default_sample_type=self._default_sample_type,
            time_nanos=time_nanos,
            duration_nanos=duration_nanos,
            period_type=self._period_type,
            period=self._period,
            comments=list(comments),
            doc_url=doc_url,
        )
        added = ColumnsBuilder(len(self._sample_types))
        for (ids, labels), values in self._samples.items():
            added.add([id - 1 for id in ids], values, labels, self._label_sets[labels].copy)
        if not self._columns:
            return profile.replaced(columns=added.build())
        total = ColumnsSum(len(self._sample_types))
        for columns in self._columns:
            total.add(columns.with_sets(LabelSet.copy))
        total.add(added.build())
        return profile.replaced(columns=total.result())


def make_labels(
    labels: Dictionary[str, str],
    numeric_labels: Dictionary[str, int] | None = None,
    numeric_units: Dictionary[str, str] | None = None,
) -> LabelSet:
    """Return the labels of a sample.

    A label whose text is empty, or whose number is 0 without a unit, is left out, as the format cannot hold it. One
    without a key raises `ValueError`.
    """
    units = numeric_units or {}
    texts = {name: [text] for name, text in labels.items() if text}
    numbers = {name: [number] for name, number in (numeric_labels or {}).items() if number or units.get(name)}
    if "" in texts or "" in numbers:
        raise ValueError("a label without a key: readers refuse the whole profile for one")
    return LabelSet(texts, numbers, {name: [units[name]] for name in numbers if units.get(name)})
