"""Small profiles, written by hand in the tests that need them."""

from __future__ import annotations

from conduit.profile.model import Function, Line, Location, Mapping, Profile, Sample, ValueType

CPU = [ValueType("samples", "count"), ValueType("cpu", "nanoseconds")]
HEAP = [
    ValueType("alloc_objects", "count"),
    ValueType("alloc_space", "bytes"),
    ValueType("inuse_objects", "count"),
    ValueType("inuse_space", "bytes"),
]
MILLISECOND = 1_000_000

Frame = tuple[str, str, int]  # function, file, line


def profile_of(
    stacks: list[tuple[list[Frame], list[int]]], types: list[ValueType] = CPU, **header: object
) -> Profile:
    """A profile of stacks (root first) with their values; every function starts at line 1."""
    mapping = Mapping(1, 0x1000, 0x2000, 0, "/srv/app/main.py", "", True, True, True)
    functions: dict[tuple[str, str], Function] = {}
    locations: dict[Frame, Location] = {}
    samples = []
    for stack, values in stacks:
        for name, file, line in stack:
            function = functions.setdefault((name, file), Function(len(functions) + 1, name, name, file, 1))
            place = Location(len(locations) + 1, mapping, 0x1000 + len(locations), [Line(function, line)])
            locations.setdefault((name, file, line), place)
        samples.append(Sample([locations[frame] for frame in reversed(stack)], values))
    return Profile(
        list(types), samples, [mapping], list(locations.values()), list(functions.values()), **header  # type: ignore[arg-type]
    )  # fmt: skip
