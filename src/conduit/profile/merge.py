"""The algebra of profiles: sum, difference, scale, normalise, and making unlike profiles comparable.

Every function returns a new profile and leaves its arguments as they are; records that do not change may be shared
between the two, so a profile is not changed in place after it was handed out.

Two samples are one when their stacks and labels are equal; two locations when they have the same place in the same
mapping and the same lines; two functions when name, system name, file and start line agree; two mappings when they
have the same size (in 4 KiB pages), offset and build id, or file where there is no build id. Merging numbers all of
them 1, 2, 3, … in order of first use, which is also what strict readers ask for, and drops what nothing refers to.
Only the first profile's first mapping is kept in any case: it stands for the main program.
"""

from __future__ import annotations

from array import array
from typing import TYPE_CHECKING

from conduit.errors import ConduitError
from conduit.profile import loops
from conduit.profile.columns import ColumnsSum, LabelSet
from conduit.profile.measurement import find_unit, scale
from conduit.profile.model import Function, Line, Location, Mapping, Profile, ValueType

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable, Sequence

BASE_LABEL = "pprof::base"  # marks the samples that a comparison subtracted; totals count only these

_PAGE = 0x1000
_MASK64 = (1 << 64) - 1
_SIGN_BIT = 1 << 63


class IncompatibleProfilesError(ConduitError):
    """Profiles that do not measure the same things, so that their sum or difference means nothing."""


def merge(profiles: Sequence[Profile]) -> Profile:
    """Add profiles with the same sample types and period type up, stack by stack; see `combine` for unlike ones.

    Values are added as 64-bit numbers; samples that come to nothing but zeros disappear. Time is the earliest,
    duration the sum, period the longest; comments are united. Raises `IncompatibleProfilesError`.
    """
    if not profiles:
        raise ValueError("no profiles to merge")
    merged = _combine_headers(profiles)
    merger = _Merger(merged)
    for profile in profiles:
        merger.add(profile)
    merged = merger.result()
    if len(merged.columns.nonzero()) < merged.sample_count:
        # Some sums are zero: a second pass leaves out what only their stacks referred to.
        return merge([merged])
    return merged


def compact(profile: Profile) -> Profile:
    """Drop zero samples and everything that nothing refers to, add equal samples up, and number ids from 1."""
    return merge([profile])


def combine(profiles: Sequence[Profile]) -> Profile:
    """Add up profiles that may differ in their columns and units: keep common sample types in the finest unit.

    The order of the columns is that of the first profile. One profile alone stays as it is. Raises
    `IncompatibleProfilesError` where nothing is in common or units cannot be converted into each other.
    """
    common = align(profiles)
    return common[0] if len(common) == 1 else merge(common)


def align(profiles: Sequence[Profile]) -> list[Profile]:
    """Return the profiles with the sample types that all of them have, in the finest unit; see `combine`."""
    return _scale_to_finest(_keep_common_types(profiles))


def difference(
    profile: Profile, base: Profile, *, mark_base: bool = False, normalize: bool = False
) -> Profile:
    """Subtract a base profile (`-base`); with `mark_base` percentages are of the base (`-diff_base`).

    `normalize` first scales `profile` so that the totals of both are the same in every column.
    """
    if mark_base:
        base = set_label(base, BASE_LABEL, ["true"])
    if normalize:
        profile = normalise(profile, base)
    return combine([profile, scale_values(base, -1)])


def normalise(profile: Profile, base: Profile) -> Profile:
    """Scale each column of `profile` so that it adds up to what the same column of `base` does (0 if it is empty)."""
    _check_compatible(profile, base)
    targets, sums = column_sums(base), column_sums(profile)
    ratios = [target / total if total else 0.0 for target, total in zip(targets, sums, strict=True)]
    return scale_columns(profile, ratios)


def column_sums(profile: Profile) -> list[int]:
    """Return the sum of every column of values."""
    return [sum(column) for column in profile.columns.values]


def scale_values(profile: Profile, ratio: float) -> Profile:
    """Multiply all values, rounding halves away from zero; see `scale_columns`."""
    return scale_columns(profile, [ratio] * len(profile.sample_types))


def scale_columns(profile: Profile, ratios: Sequence[float]) -> Profile:
    """Multiply each column by its ratio, rounding halves away from zero, within the range of 64 bits.

    As in the original, a sample stays only if a column whose ratio is not 1 is not 0 in it afterwards.
    """
    if len(ratios) != len(profile.sample_types):
        raise ValueError(f"mismatched scale ratios, got {len(ratios)}, want {len(profile.sample_types)}")
    scaled = [(column, ratio) for column, ratio in enumerate(ratios) if ratio != 1]
    if not scaled:
        return profile
    columns = profile.columns
    values = list(columns.values)
    for column, ratio in scaled:
        values[column] = memoryview(array("q", [_times(value, ratio) for value in columns.values[column]]))
    mask = bytes(map(any, zip(*(values[column] for column, _ in scaled), strict=True)))
    return profile.replaced(columns=columns.revalued(values).selected(mask))


def _times(value: int, ratio: float) -> int:
    if ratio == -1:
        return _wrap(-value)  # Exact, where a float has 53 bits only.
    product = float(value) * ratio
    if not -9.2e18 < product < 9.2e18:
        return _SIGN_BIT - 1 if product > 0 else -_SIGN_BIT
    whole = int(product)
    rest = product - whole
    return whole + (1 if rest >= 0.5 else -1 if rest <= -0.5 else 0)


def set_label(profile: Profile, key: str, values: list[str]) -> Profile:
    """Give every sample a text label, in place of those it may have under the same key."""

    def labelled(labels: LabelSet) -> LabelSet:
        texts = {**labels.labels, key: values}
        return LabelSet(texts, labels.numeric_labels, labels.numeric_units, labels.unknown)

    return profile.replaced(columns=profile.columns.with_sets(labelled))


def _keep_common_types(profiles: Sequence[Profile]) -> list[Profile]:
    counts: dict[str, int] = {}
    for profile in profiles:
        for kind in profile.sample_types:
            counts[kind.type] = counts.get(kind.type, 0) + 1
    common = [kind.type for kind in profiles[0].sample_types if counts[kind.type] == len(profiles)]
    if not common:
        raise IncompatibleProfilesError("profiles have empty common sample type list")
    return [_select_types(profile, common) for profile in profiles]


def _select_types(profile: Profile, types: list[str]) -> Profile:
    present = [kind.type for kind in profile.sample_types]
    if present == types:
        return profile
    missing = [name for name in types if name not in present]
    if missing:
        raise IncompatibleProfilesError(f'"{missing[0]}" sample type is not found in profile')
    numbers = [present.index(name) for name in types]
    default = profile.default_sample_type
    columns = profile.columns
    return profile.replaced(
        sample_types=[profile.sample_types[number] for number in numbers],
        columns=columns.revalued([columns.values[number] for number in numbers]),
        default_sample_type=default if default in types else types[0],
    )


def _scale_to_finest(profiles: list[Profile]) -> list[Profile]:
    if len(profiles) == 1:
        return profiles
    periods = [profile.period_type for profile in profiles if profile.period_type is not None]
    period_unit = _finest_unit(periods, "period type") if periods else ""
    columns = range(len(profiles[0].sample_types))
    units = [_finest_unit([profile.sample_types[i] for profile in profiles], "sample types") for i in columns]
    return [_in_units(profile, units, period_unit) for profile in profiles]


def _in_units(profile: Profile, units: list[str], period_unit: str) -> Profile:
    ratios = [scale(1, kind.unit, unit)[0] for kind, unit in zip(profile.sample_types, units, strict=True)]
    kinds = [ValueType(kind.type, unit) for kind, unit in zip(profile.sample_types, units, strict=True)]
    scaled = scale_columns(profile, ratios).replaced(sample_types=kinds)
    period_type = profile.period_type
    if period_type is not None:
        scaled.period = int(scale(profile.period, period_type.unit, period_unit)[0])
        scaled.period_type = ValueType(period_type.type, period_unit)
    return scaled


def _finest_unit(kinds: Sequence[ValueType], what: str) -> str:
    finest = kinds[0]
    for kind in kinds[1:]:
        if not _convertible(finest, kind):
            raise IncompatibleProfilesError(f"{what}: incompatible types: {_braced(finest)} {_braced(kind)}")
        if scale(1, kind.unit, finest.unit)[0] < 1:
            finest = kind
    return finest.unit


def _convertible(first: ValueType, second: ValueType) -> bool:
    if first.type.removesuffix("s") != second.type.removesuffix("s"):
        return False
    if first.unit == second.unit:
        return True
    units = find_unit(first.unit), find_unit(second.unit)
    return units[0] is not None and units[1] is not None and units[0].family is units[1].family


def _braced(kind: ValueType | None) -> str:
    # The zeros are what the original prints behind a type.
    return f"{{{kind.type} {kind.unit} 0 0}}" if kind is not None else "<nil>"


def _check_compatible(first: Profile, second: Profile) -> None:
    periods = first.period_type or ValueType(), second.period_type or ValueType()
    if periods[0] != periods[1]:
        raise IncompatibleProfilesError(
            f"incompatible period types &{_braced(periods[0])} and &{_braced(periods[1])}"
        )
    if first.sample_types != second.sample_types:
        raise IncompatibleProfilesError(
            f"incompatible sample types {_listed(first.sample_types)} and {_listed(second.sample_types)}"
        )


def _listed(kinds: Iterable[ValueType]) -> str:
    return "[" + " ".join(f"{kind.type}/{kind.unit}" for kind in kinds) + "]"


def _combine_headers(profiles: Sequence[Profile]) -> Profile:
    first = profiles[0]
    merged = Profile(
        list(first.sample_types),
        drop_frames=first.drop_frames,
        keep_frames=first.keep_frames,
        period_type=first.period_type,
    )
    for profile in profiles:
        _check_compatible(first, profile)
        if merged.time_nanos == 0 or profile.time_nanos < merged.time_nanos:
            merged.time_nanos = profile.time_nanos
        merged.duration_nanos = _wrap(merged.duration_nanos + profile.duration_nanos)
        if merged.period == 0 or merged.period < profile.period:
            merged.period = profile.period
        merged.default_sample_type = merged.default_sample_type or profile.default_sample_type
        merged.doc_url = merged.doc_url or profile.doc_url
    merged.comments = list(dict.fromkeys(comment for profile in profiles for comment in profile.comments))
    return merged


def _wrap(value: int) -> int:
    """Cut a sum to 64 bits, as adding such numbers does."""
    if -_SIGN_BIT <= value < _SIGN_BIT:
        return value
    value &= _MASK64
    return value - (1 << 64) if value & _SIGN_BIT else value


class _Merger:
    """Profiles being added to `merged`: its records by what makes them equal, and by the source's own records."""

    def __init__(self, merged: Profile) -> None:
        self._merged = merged
        self._sum = ColumnsSum(len(merged.sample_types))
        self._location_keys: dict[Hashable, int] = {}
        self._function_keys: dict[Hashable, Function] = {}
        self._mapping_keys: dict[Hashable, Mapping] = {}
        # Of all sources: records compare by identity, so none of one profile is taken for one of another.
        self._functions: dict[Function, Function] = {}
        self._mappings: dict[Mapping, Mapping] = {}
        self._places: dict[Mapping | None, tuple[Mapping | None, int]] = {}

    def add(self, profile: Profile) -> None:
        if profile.mappings and not self._merged.mappings:
            self._mapping(profile.mappings[0])
        columns = profile.columns
        columns = columns.nonzero()
        locations = profile.locations
        new_of = array("i", bytes(4 * len(locations)))
        used = loops.first_uses(columns.bounds, columns.frames, len(locations), False)
        for number in memoryview(used).cast("I"):
            new_of[number] = self._location(locations[number])
        self._sum.add(columns.mapped(new_of))

    def result(self) -> Profile:
        return self._merged.replaced(columns=self._sum.result())

    def _location(self, source: Location) -> int:
        """Return the index of a location in the merged table."""
        # Where the mapping's twin lies elsewhere in memory, so does the location.
        mapping, moved = self._places.get(source.mapping) or self._place(source.mapping)
        key: list[object] = [(source.address + moved) & _MASK64, mapping, source.is_folded]
        for line in source.lines:
            function = line.function and (self._functions.get(line.function) or self._function(line.function))
            key += function, line.line, line.column
        known = tuple(key)
        index = self._location_keys.get(known)
        if index is None:
            index = self._location_keys[known] = len(self._merged.locations)
            lines = [_line(line, line.function and self._functions[line.function]) for line in source.lines]
            location = Location(
                index + 1, mapping, (source.address + moved) & _MASK64, lines, source.is_folded
            )
            location.unknown = source.unknown
            self._merged.locations.append(location)
        return index

    def _place(self, source: Mapping | None) -> tuple[Mapping | None, int]:
        """Return the merged mapping, and how far it is from where it was."""
        mapping = None if source is None else self._mapping(source)
        moved = 0 if source is None or mapping is None else mapping.start - source.start
        self._places[source] = mapping, moved
        return mapping, moved

    def _function(self, source: Function) -> Function:
        known = self._functions.get(source)
        if known is not None:
            return known
        key = (source.start_line, source.name, source.system_name, source.filename)
        function = self._function_keys.get(key)
        if function is None:
            id = len(self._merged.functions) + 1
            function = Function(id, source.name, source.system_name, source.filename, source.start_line)
            function.unknown = source.unknown
            self._function_keys[key] = function
            self._merged.functions.append(function)
        self._functions[source] = function
        return function

    def _mapping(self, source: Mapping) -> Mapping:
        known = self._mappings.get(source)
        if known is not None:
            return known
        size = (source.limit - source.start + _PAGE - 1) & _MASK64 & -_PAGE
        key = (size, source.offset, source.build_id or source.filename)
        mapping = self._mapping_keys.get(key)
        if mapping is None:
            mapping = _copy_mapping(source, len(self._merged.mappings) + 1)
            self._mapping_keys[key] = mapping
            self._merged.mappings.append(mapping)
        self._mappings[source] = mapping
        return mapping


def _line(source: Line, function: Function | None) -> Line:
    line = Line(function, source.line, source.column)
    line.unknown = source.unknown
    return line


def _copy_mapping(source: Mapping, id: int) -> Mapping:
    mapping = Mapping()
    for name in Mapping.__slots__:
        setattr(mapping, name, getattr(source, name))
    mapping.id = id
    return mapping
