"""Generated profiles: small, valid, and with the features that reports and algebra must not confuse.

Stacks recurse and inline, locations share functions, labels of both kinds occur with and without units, values
are negative at times (differences have such), and some tables hold entries that nothing refers to.

A profile is made from a string of bytes, each choice taking the next one (0 when none are left). That is many times
faster than a Hypothesis strategy for every record, shrinks well (fewer and smaller bytes make a smaller profile), and
lets a fuzzer use the same generator.
"""

from __future__ import annotations

from typing import Any, TypeVar

from hypothesis import strategies as st

from conduit.profile.model import Function, Line, Location, Mapping, Profile, Sample, ValueType

NAMES = ["main", "app.run", "app.run.<locals>.<lambda>", "json.loads", "zlib.compress", "é.λ", "", "f(int)"]
FILES = ["/app/main.py", "/app/run.py", "/usr/lib/python3/json/__init__.py", "<frozen zipimport>", ""]
TYPES = [
    ValueType("samples", "count"),
    ValueType("cpu", "nanoseconds"),
    ValueType("inuse_space", "bytes"),
    ValueType("wall", "milliseconds"),
]
COMMENTS = ["", "a comment", "# hidden", "\u00fcber\n", "\udcff"]
SMALL, POSITIVE, ANY_INT64 = "small", "positive", "any"  # the range of a profile's values

Choice = TypeVar("Choice")


def profiles(values: str = SMALL, sample_types: list[ValueType] | None = None) -> st.SearchStrategy[Profile]:
    """Valid profiles; `sample_types` fixes the columns, so that two of them can be merged."""
    return st.binary(min_size=160, max_size=160).map(
        lambda data: profile_from_bytes(data, values, sample_types)
    )


def profile_from_bytes(
    data: bytes, values: str = SMALL, sample_types: list[ValueType] | None = None
) -> Profile:
    """The valid profile that these bytes choose."""
    return _Maker(data, values).profile(sample_types)


class _Maker:
    def __init__(self, data: bytes, values: str) -> None:
        self._choices = iter(data)
        self._values = values

    def _below(self, count: int) -> int:
        return next(self._choices, 0) % count

    def _one_of(self, choices: list[Choice]) -> Choice:
        return choices[self._below(len(choices))]

    def _value(self) -> int:
        if self._values == ANY_INT64 and self._below(4):
            content = bytes(next(self._choices, 0) for _ in range(8))
            return int.from_bytes(content, "little", signed=True)
        number = next(self._choices, 0) << self._below(4)
        if self._values == POSITIVE:
            return number + 1
        return number - 300 if self._below(3) == 2 else number

    def profile(self, sample_types: list[ValueType] | None) -> Profile:
        first = self._below(len(TYPES))
        kinds = (TYPES[first:] + TYPES[:first])[: self._below(3) + 1]
        kinds = kinds if sample_types is None else list(sample_types)
        mappings = [self._mapping(id) for id in range(1, self._below(3) + 1)]
        functions = [self._function(id) for id in range(1, self._below(5) + 2)]
        locations = [self._location(id, mappings, functions) for id in range(1, self._below(6) + 2)]
        return Profile(
            kinds,
            [self._sample(locations, len(kinds)) for _ in range(self._below(8))],
            mappings,
            locations,
            functions,
            default_sample_type=self._one_of(["", kinds[0].type]),
            drop_frames="",
            keep_frames="",
            time_nanos=self._below(256) << 32,
            duration_nanos=self._below(256) << 24,
            period_type=ValueType("cpu", "nanoseconds"),
            period=self._below(10),
            comments=[self._one_of(COMMENTS) for _ in range(self._below(3))],
            doc_url=self._one_of(["", "https://example.com/doc"]),
        )

    def _mapping(self, id: int) -> Mapping:
        return Mapping(
            id,
            id << 20,
            (id + 1) << 20,
            self._one_of([0, 4096]),
            self._one_of(["", "/usr/bin/python3", "main.py"]),
            self._one_of(["", "abc", "def"]),
            *(bool(self._below(2)) for _ in range(4)),
        )

    def _function(self, id: int) -> Function:
        return Function(
            id, self._one_of(NAMES), self._one_of(["", "sys"]), self._one_of(FILES), self._below(3)
        )

    def _location(self, id: int, mappings: list[Mapping], functions: list[Function]) -> Location:
        lines = [
            Line(self._one_of(functions), self._below(4), self._below(2))
            for _ in range(self._one_of([1, 0, 1, 2, 3]))
        ]
        mapping = self._one_of([None, *mappings])
        address = self._below(16) + (mapping.start if mapping else 0)
        return Location(id, mapping, address, lines, self._below(4) == 3)

    def _sample(self, locations: list[Location], columns: int) -> Sample:
        sample = Sample(
            [self._one_of(locations) for _ in range(self._below(7))], [self._value() for _ in range(columns)]
        )
        for key in ("task", "lang"):
            if self._below(4) == 3:
                sample.labels[key] = [self._one_of(["a", "b", "é"]) for _ in range(self._below(2) + 1)]
        for key in ("bytes", "rows"):
            if self._below(4) == 3:
                # A 0 without a unit is nothing on the wire, so there is none here.
                numbers = [self._below(200) + 1 for _ in range(self._below(2) + 1)]
                sample.numeric_labels[key] = numbers
                if self._below(2):
                    sample.numeric_units[key] = ["bytes"] * len(numbers)
        return sample


def plain(profile: Profile) -> dict[str, Any]:
    """Everything that a profile says, as plain data that can be compared; references become ids."""
    return {
        "sample_types": [(kind.type, kind.unit) for kind in profile.sample_types],
        "samples": [plain_sample(sample) for sample in profile.samples],
        "mappings": [_slots(mapping) for mapping in profile.mappings],
        "locations": [
            (
                location.id,
                location.mapping.id if location.mapping else 0,
                location.address,
                [
                    (line.function.id if line.function else 0, line.line, line.column)
                    for line in location.lines
                ],
                location.is_folded,
                location.unknown,
            )
            for location in profile.locations
        ],
        "functions": [_slots(function) for function in profile.functions],
        "period_type": profile.period_type or ValueType(),
        **{
            name: getattr(profile, name)
            for name in (
                "default_sample_type",
                "drop_frames",
                "keep_frames",
                "time_nanos",
                "duration_nanos",
                "period",
                "comments",
                "doc_url",
                "unknown",
            )
        },
    }


def plain_sample(sample: Sample) -> tuple[Any, ...]:
    ids = [location.id for location in sample.locations]
    return (
        ids,
        list(sample.values),
        sample.labels,
        sample.numeric_labels,
        {key: units for key, units in sample.numeric_units.items() if any(units)},
        sample.unknown,
    )


def _slots(record: Mapping | Function) -> dict[str, Any]:
    return {name: getattr(record, name) for name in type(record).__slots__}
