"""A profile that contradicts itself is refused in the words of the original."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from conduit.errors import MalformedProfileError
from conduit.profile.model import Function, Line, Location, Mapping, Profile, Sample, ValueType


def _small_profile() -> Profile:
    function = Function(1, "f", "f", "a.py", 1)
    mapping = Mapping(1, filename="python")
    location = Location(1, mapping, 0x10, [Line(function, 3)])
    return Profile(
        [ValueType("cpu", "nanoseconds")], [Sample([location], [7])], [mapping], [location], [function]
    )


def test_a_consistent_profile_is_valid() -> None:
    _small_profile().check_valid()


def _no_types(profile: Profile) -> None:
    profile.sample_types = []


def _two_values(profile: Profile) -> None:
    profile.samples[0].values.append(1)


def _zero_mapping(profile: Profile) -> None:
    profile.mappings[0].id = 0


def _zero_function(profile: Profile) -> None:
    profile.functions[0].id = 0


def _zero_location(profile: Profile) -> None:
    profile.locations[0].id = 0


def _two_functions(profile: Profile) -> None:
    profile.functions.append(Function(1, "g"))


def _foreign_mapping(profile: Profile) -> None:
    profile.locations[0].mapping = Mapping(1)


def _foreign_function(profile: Profile) -> None:
    profile.locations[0].lines[0].function = Function(9, "g")


def _no_function(profile: Profile) -> None:
    profile.locations[0].lines[0].function = None


def _no_location(profile: Profile) -> None:
    profile.samples[0].locations.append(None)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (_no_location, "sample has nil location"),
        (_no_types, "missing sample type information"),
        (_two_values, "mismatch: sample has 2 values vs. 1 types"),
        (_zero_mapping, "found mapping with reserved ID=0"),
        (_zero_function, "found function with reserved ID=0"),
        (_zero_location, "found location with reserved id=0"),
        (_two_functions, "multiple functions with same id: 1"),
        (_foreign_mapping, "inconsistent mapping: 1"),
        (_foreign_function, "inconsistent function: 9"),
        (_no_function, "location id: 1 has a line with nil function"),
    ],
)
def test_a_contradiction_is_named(spoil: Callable[[Profile], None], message: str) -> None:
    profile = _small_profile()
    spoil(profile)
    with pytest.raises(MalformedProfileError) as caught:
        profile.check_valid()
    assert str(caught.value) == f"malformed profile: {message}"


def test_value_types_are_values_and_everything_else_is_itself() -> None:
    assert ValueType("cpu", "ns") == ValueType("cpu", "ns")
    assert len({ValueType("cpu", "ns"), ValueType("cpu", "ns"), ValueType("cpu", "s")}) == 2
    assert Location(1) != Location(1)
