"""Generated profiles: small, valid, and with the features that reports and algebra must not confuse.

Stacks recurse and inline, locations share functions, labels of both kinds occur with and without units, values
are negative at times (differences have such), and some tables hold entries that nothing refers to.
"""

from __future__ import annotations

from typing import Any

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
SMALL = st.integers(-1000, 1000)
ANY_INT64 = st.integers(-(2**63), 2**63 - 1)
TEXT = st.text(st.characters(codec="utf-8"), max_size=8)


@st.composite
def profiles(
    draw: st.DrawFn,
    values: st.SearchStrategy[int] = SMALL,
    sample_types: list[ValueType] | None = None,
    most_samples: int = 8,
) -> Profile:
    """A valid profile; `sample_types` fixes the columns, so that two of them can be merged."""
    kinds = draw(st.lists(st.sampled_from(TYPES), min_size=1, max_size=3, unique=True))
    kinds = kinds if sample_types is None else list(sample_types)
    mappings = [
        Mapping(
            id,
            id << 20,
            (id + 1) << 20,
            draw(st.sampled_from([0, 4096])),
            draw(st.sampled_from(["", "/usr/bin/python3", "main.py"])),
            draw(st.sampled_from(["", "abc", "def"])),
            *draw(st.tuples(*[st.booleans()] * 4)),
        )
        for id in range(1, draw(st.integers(0, 2)) + 1)
    ]
    functions = [
        Function(
            id,
            draw(st.sampled_from(NAMES)),
            draw(st.sampled_from(["", "sys"])),
            draw(st.sampled_from(FILES)),
            draw(st.integers(0, 3)),
        )
        for id in range(1, draw(st.integers(1, 5)) + 1)
    ]
    locations = [draw(_location(id, mappings, functions)) for id in range(1, draw(st.integers(1, 6)) + 1)]
    samples = draw(st.lists(_sample(locations, len(kinds), values), max_size=most_samples))
    return Profile(
        kinds,
        samples,
        mappings,
        locations,
        functions,
        default_sample_type=draw(st.sampled_from(["", kinds[0].type])),
        drop_frames="",
        keep_frames="",
        time_nanos=draw(st.integers(0, 2**40)),
        duration_nanos=draw(st.integers(0, 2**40)),
        period_type=ValueType("cpu", "nanoseconds"),
        period=draw(st.integers(0, 10)),
        comments=draw(st.lists(TEXT, max_size=2)),
        doc_url=draw(st.sampled_from(["", "https://example.com/doc"])),
    )


@st.composite
def _location(draw: st.DrawFn, id: int, mappings: list[Mapping], functions: list[Function]) -> Location:
    lines = draw(
        st.lists(
            st.builds(Line, st.sampled_from(functions), st.integers(0, 3), st.integers(0, 1)), max_size=3
        )
    )
    mapping = draw(st.sampled_from([*mappings, None]))
    address = draw(st.integers(0, 15)) + (mapping.start if mapping else 0)
    return Location(id, mapping, address, lines, draw(st.booleans()))


@st.composite
def _sample(
    draw: st.DrawFn, locations: list[Location], columns: int, values: st.SearchStrategy[int]
) -> Sample:
    sample = Sample(
        draw(st.lists(st.sampled_from(locations), max_size=6)),
        draw(st.lists(values, min_size=columns, max_size=columns)),
        draw(
            st.dictionaries(
                st.sampled_from(["task", "lang"]),
                st.lists(st.sampled_from(["a", "b", "é"]), min_size=1, max_size=2),
                max_size=2,
            )
        ),
    )
    for key in draw(st.sets(st.sampled_from(["bytes", "rows"]))):
        # A 0 without a unit is nothing on the wire, so it is not generated here.
        numbers = draw(st.lists(st.integers(1, 5000), min_size=1, max_size=2))
        sample.numeric_labels[key] = numbers
        unit = draw(st.sampled_from(["", "bytes"]))
        if unit:
            sample.numeric_units[key] = [unit] * len(numbers)
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
