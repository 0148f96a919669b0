"""Samples chosen by their labels ("tags" on the command line), labels left out, and labels made frames."""

from __future__ import annotations

from typing import TYPE_CHECKING

from conduit.profile import loops
from conduit.profile.columns import LabelSet, runs_of
from conduit.profile.measurement import scale, scaled_label
from conduit.profile.model import Function, Line, Location
from conduit.regexps import PatternError, compile_pattern

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from conduit.profile.model import Profile
    from conduit.regexps import Pattern

_LETTERS = frozenset("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")
_DIGITS = frozenset("0123456789")
_BYTE_KEYS = ("alignment", "request")  # numeric labels that count bytes wherever no unit is given


def numeric_label_units(profile: Profile) -> tuple[dict[str, str], dict[str, list[str]]]:
    """Return the unit of each numeric label, and the other units that occur with it, sorted.

    The first unit given with a key counts; a key without any counts bytes if it is `alignment` or `request`, else
    its name is its unit.
    """
    units: dict[str, str] = {}
    others: dict[str, set[str]] = {}
    keys: dict[str, None] = {}
    for key, unit in profile.columns.number_labels():
        keys[key] = None
        if unit and units.setdefault(key, unit) != unit:
            others.setdefault(key, set()).add(unit)
    for key in keys:
        units.setdefault(key, "bytes" if key in _BYTE_KEYS else key)
    return units, {key: sorted(found) for key, found in others.items()}


class TagFilter:
    """What `tagfocus` or `tagignore` asks for; `range_text` is the value when it was read as a range of numbers."""

    __slots__ = ("matches", "range_text")

    def __init__(self, matches: Callable[[LabelSet], bool], range_text: str | None = None) -> None:
        self.matches: Callable[[LabelSet], bool] = matches
        self.range_text: str | None = range_text


def parse_tag_filter(option: str, text: str, units: dict[str, str]) -> TagFilter:
    """Read `[key=]value`, where the value is a range (`7`, `1kb:`, `:64kb`, `1kb:2mb`) or patterns with commas.

    A range is of numeric labels, in `units` from `numeric_label_units`. Without a key every pattern must match one of
    the sample's `key:value` texts; with one, some pattern must match one of its values. Raises `PatternError`.
    """
    key, equals, value = text.partition("=")
    if not equals:
        key, value = "", text  # As does an empty key before the sign, this means any.
    within = _parse_range(value)
    if within is not None:
        return TagFilter(_number_matcher(key, within, units), value)
    patterns = [compile_pattern(part, option) for part in value.split(",")]
    return TagFilter(_value_matcher(key, patterns) if key else _text_matcher(patterns))


def _text_matcher(patterns: list[Pattern]) -> Callable[[LabelSet], bool]:
    def matches(labels: LabelSet) -> bool:
        texts = [f"{key}:{value}" for key, values in labels.labels.items() for value in values]
        return all(any(pattern.matches(text) for text in texts) for pattern in patterns)

    return matches


def _value_matcher(key: str, patterns: list[Pattern]) -> Callable[[LabelSet], bool]:
    def matches(labels: LabelSet) -> bool:
        values = labels.labels.get(key, ())
        return any(pattern.matches(value) for pattern in patterns for value in values)

    return matches


def _number_matcher(
    key: str, within: Callable[[int, str], bool], units: dict[str, str]
) -> Callable[[LabelSet], bool]:
    def matches(labels: LabelSet) -> bool:
        keys = [key] if key else list(labels.numeric_labels)
        return any(
            within(number, units.get(name, ""))
            for name in keys
            for number in labels.numeric_labels.get(name, ())
        )

    return matches


def _parse_range(text: str) -> Callable[[int, str], bool] | None:
    """Read a range of numbers with units; return a test of whether a number lies in it, or None if it is no range."""
    low_text, colon, high_text = text.partition(":")
    low, high = _parse_amount(low_text), _parse_amount(high_text)
    if not colon:
        return _between(low, low) if low is not None else None
    if (low is None and low_text) or (high is None and high_text) or (low is None and high is None):
        return None
    return _between(low, high)


def _between(low: tuple[int, str] | None, high: tuple[int, str] | None) -> Callable[[int, str], bool] | None:
    number, spelling = low or high or (0, "")
    edge, unit = scale(number, spelling, spelling)
    least = edge if low is not None else float("-inf")
    most = edge if high is not None else float("inf")
    if low is not None and high is not None:
        most, other_unit = scale(high[0], high[1], unit)
        if other_unit != unit:
            return None

    def within(value: int, value_unit: str) -> bool:
        scaled, scaled_unit = scale(value, value_unit, unit)
        return scaled_unit == unit and least <= scaled <= most

    return within


def _parse_amount(text: str) -> tuple[int, str] | None:
    """Split `-12kb` into its number and its unit; None for anything else."""
    position = 1 if text[:1] in ("+", "-") else 0
    start = position
    while text[position : position + 1] in _DIGITS and position < len(text):
        position += 1
    number, unit = text[:position], text[position:]
    if position == start or not _LETTERS.issuperset(unit):
        return None
    value = int(number)
    if not -(1 << 63) <= value < 1 << 63:
        raise PatternError(f"failed to parse int {number}: it does not fit into 64 bits")
    return value, unit


def filter_samples_by_tag(
    profile: Profile, focus: TagFilter | None, ignore: TagFilter | None
) -> tuple[Profile, list[str]]:
    """Keep the samples that `focus` matches and `ignore` does not; return also which of the two matched nothing."""
    focused = ignored = False

    def keeps(labels: LabelSet) -> bool:
        nonlocal focused, ignored
        wanted = focus is None or focus.matches(labels)
        unwanted = ignore is not None and ignore.matches(labels)
        focused = focused or wanted
        ignored = ignored or unwanted
        return wanted and not unwanted

    columns = profile.columns
    kept = columns.selected(columns.mask_of(keeps))
    unmatched = []
    if focus is not None and not focused:
        unmatched.append("TagFocus")
    if ignore is not None and not ignored:
        unmatched.append("TagIgnore")
    return profile.replaced(columns=kept), unmatched


def select_tags(profile: Profile, show: Pattern | None, hide: Pattern | None) -> tuple[Profile, list[str]]:
    """Keep the labels whose key matches `show` and not `hide`; return also which of the two matched nothing."""
    shown = hidden = False

    def keeps(key: str) -> bool:
        nonlocal shown, hidden
        matches_show = show is None or show.matches(key)
        matches_hide = hide is not None and hide.matches(key)
        shown = shown or matches_show
        hidden = hidden or matches_hide
        return matches_show and not matches_hide

    def selected(labels: LabelSet) -> LabelSet:
        numbers = {key: values for key, values in labels.numeric_labels.items() if keeps(key)}
        return LabelSet(
            {key: values for key, values in labels.labels.items() if keeps(key)},
            numbers,
            {key: units for key, units in labels.numeric_units.items() if key in numbers},
            labels.unknown,
        )

    columns = profile.columns.with_sets(selected)
    unmatched = []
    if show is not None and not shown:
        unmatched.append("TagShow")
    if hide is not None and not hidden:
        unmatched.append("TagHide")
    return profile.replaced(columns=columns), unmatched


def add_tag_frames(
    profile: Profile, root_keys: Sequence[str], leaf_keys: Sequence[str], unit: str
) -> tuple[Profile, list[str]]:
    """Make labels frames: the first of `root_keys` the outermost one, the last of `leaf_keys` the innermost.

    Such a frame's function is named by the values (numbers in `unit`, joined by commas), its file by the key. A sample
    without the label gets one too, with no name. Returns also which of the two matched nothing.
    """
    columns = profile.columns
    frames = _TagFrames(profile, unit)
    roots: dict[int, list[int]] = {}
    leaves: dict[int, list[int]] = {}
    matched = [False, False]
    for number in dict.fromkeys(columns.label_of.tolist()):
        labels = columns.label_sets[number]
        roots[number] = [frames.of(labels, key) for key in reversed(root_keys)]
        leaves[number] = [frames.of(labels, key) for key in reversed(leaf_keys)]
        for side, keys in enumerate((root_keys, leaf_keys)):
            matched[side] = matched[side] or any(tag_texts(labels, key, unit) for key in keys)
    sets = range(len(columns.label_sets))
    stacks = loops.wrap_stacks(
        columns.bounds,
        columns.frames,
        columns.label_of,
        *runs_of([leaves.get(number, ()) for number in sets], "I"),
        *runs_of([roots.get(number, ()) for number in sets], "I"),
    )
    unmatched = []
    if root_keys and not matched[0]:
        unmatched.append("TagRoot")
    if leaf_keys and not matched[1]:
        unmatched.append("TagLeaf")
    with_frames = profile.replaced(
        columns=columns.restacked(*stacks),
        locations=[*profile.locations, *frames.locations],
        functions=[*profile.functions, *frames.functions],
    )
    return with_frames, unmatched


class _TagFrames:
    """The locations made of labels so far, each once."""

    def __init__(self, profile: Profile, unit: str) -> None:
        self._unit = unit
        self._first_index = len(profile.locations)
        self._next_location = max((location.id for location in profile.locations), default=0) + 1
        self._next_function = max((function.id for function in profile.functions), default=0) + 1
        self.locations: list[Location] = []
        self._index_of: dict[tuple[str, str], int] = {}
        self.functions: list[Function] = []

    def of(self, labels: LabelSet, key: str) -> int:
        """Return the index of the location of a label's values."""
        name = ",".join(tag_texts(labels, key, self._unit))
        index = self._index_of.get((name, key))
        if index is None:
            function = Function(self._next_function + len(self.functions), name, filename=key)
            location = Location(self._next_location + len(self.locations), lines=[Line(function)])
            index = self._index_of[name, key] = self._first_index + len(self.locations)
            self.functions.append(function)
            self.locations.append(location)
        return index


def tag_texts(labels: LabelSet, key: str, unit: str) -> list[str]:
    """Return a label's values as text: those that are text, then the numbers.

    Numbers that have a unit are scaled to `unit`.
    """
    texts = list(labels.labels.get(key, ()))
    numbers = labels.numeric_labels.get(key, [])
    units = labels.numeric_units.get(key, [])
    if not units:
        return texts + [scaled_label(number, "", "") for number in numbers]
    if len(units) != len(numbers):
        return texts
    return texts + [scaled_label(number, own, unit) for number, own in zip(numbers, units, strict=True)]
