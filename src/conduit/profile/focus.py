"""Looking at a part of a profile: samples kept or dropped by the frames they go through, frames hidden or shown.

A pattern matches a frame when it occurs in the function's name, its file name, or the file name of the location's
mapping. Functions here return a new profile and say which patterns matched nothing at all, by the name that the
original's warnings use; `apply_filters` is all of them in the original's order.
"""

from __future__ import annotations

from array import array
from typing import TYPE_CHECKING

from conduit.interruption import interruptible
from conduit.profile import loops
from conduit.profile.module_hint import modules_hint
from conduit.profile.prune import prune_from
from conduit.profile.tags import filter_samples_by_tag, numeric_label_units, parse_tag_filter, select_tags
from conduit.regexps import PatternError, compile_pattern

if TYPE_CHECKING:
    from collections.abc import Callable

    from conduit.profile.model import Line, Location, Profile
    from conduit.profile.tags import TagFilter
    from conduit.regexps import Pattern


class Filters:
    """The texts of all filters; an empty one filters nothing. Tag filters: see `tags.parse_tag_filter`."""

    __slots__ = (
        "focus",
        "hide",
        "ignore",
        "prune_from",
        "show",
        "show_from",
        "tagfocus",
        "taghide",
        "tagignore",
        "tagshow",
    )

    def __init__(
        self,
        focus: str = "",
        ignore: str = "",
        hide: str = "",
        show: str = "",
        show_from: str = "",
        tagfocus: str = "",
        tagignore: str = "",
        tagshow: str = "",
        taghide: str = "",
        prune_from: str = "",
    ) -> None:
        self.focus: str = focus
        self.ignore: str = ignore
        self.hide: str = hide
        self.show: str = show
        self.show_from: str = show_from
        self.tagfocus: str = tagfocus
        self.tagignore: str = tagignore
        self.tagshow: str = tagshow
        self.taghide: str = taghide
        self.prune_from: str = prune_from


def apply_filters(
    profile: Profile,
    filters: Filters,
    warn: Callable[[str], None],
    units: dict[str, str] | None = None,
) -> Profile:
    """Filter a profile; `warn` gets a line for each filter that matched nothing or was read as a range.

    `units` are those of numeric labels, by default the profile's own (`numeric_label_units`). Raises `PatternError`
    with the name of the option whose text is no regular expression.
    """
    focus = _compile("focus", filters.focus)
    ignore = _compile("ignore", filters.ignore)
    hide = _compile("hide", filters.hide)
    show = _compile("show", filters.show)
    highest = _compile("show_from", filters.show_from)
    if units is None:
        units = numeric_label_units(profile)[0]
    tagfocus = _compile_tags("tagfocus", filters.tagfocus, units, warn)
    tagignore = _compile_tags("tagignore", filters.tagignore, units, warn)
    lowest = _compile("prune_from", filters.prune_from)

    def warn_unmatched(names: list[str], hint: str = "") -> None:
        for name in names:
            warn(f"{name} expression matched no samples{hint if name == 'Focus' else ''}")

    if focus or ignore or hide or show:
        whole = profile
        profile, unmatched = filter_by_name(profile, focus, ignore, hide, show)
        warn_unmatched(
            unmatched, modules_hint(whole, focus.matches) if focus and "Focus" in unmatched else ""
        )
    if highest:
        profile, matched = show_from(profile, highest)
        warn_unmatched([] if matched else ["ShowFrom"])
    if tagfocus or tagignore:
        profile, unmatched = filter_samples_by_tag(profile, tagfocus, tagignore)
        warn_unmatched(unmatched)
    profile = _select_tags(profile, filters, warn_unmatched)
    return prune_from(profile, lowest) if lowest else profile


def _select_tags(profile: Profile, filters: Filters, warn_unmatched: Callable[[list[str]], None]) -> Profile:
    """Show and hide labels. As in the original, a bad pattern is reported only after the other has been applied."""
    tagshow = _compile("tagshow", filters.tagshow)
    fault: PatternError | None = None
    taghide: Pattern | None = None
    try:
        taghide = _compile("taghide", filters.taghide)
    except PatternError as error:
        fault = error
    if tagshow or taghide:
        profile, unmatched = select_tags(profile, tagshow, taghide)
        warn_unmatched(unmatched)
    if fault is not None:
        raise fault
    return profile


def _compile(option: str, text: str) -> Pattern | None:
    return compile_pattern(text, option) if text else None


def _compile_tags(
    option: str, text: str, units: dict[str, str], warn: Callable[[str], None]
) -> TagFilter | None:
    if not text:
        return None
    tag_filter = parse_tag_filter(option, text, units)
    if tag_filter.range_text is not None:
        warn(f"{option}:Interpreted '{tag_filter.range_text}' as range, not regexp")
    return tag_filter


def filter_by_name(
    profile: Profile,
    focus: Pattern | None = None,
    ignore: Pattern | None = None,
    hide: Pattern | None = None,
    show: Pattern | None = None,
) -> tuple[Profile, list[str]]:
    """Keep samples with a frame that matches `focus` and none that matches `ignore`; cut frames out of them.

    Frames that match `hide` go, and so do those that do not match `show`; a sample left without frames goes too.
    Returns also the names of the patterns that matched no location of the profile.
    """
    selection = _Selection(focus, ignore, hide, show)
    for location in interruptible(profile.locations):
        selection.judge(location)
    return selection.apply(profile), selection.unmatched()


class _Selection:
    """What `filter_by_name` finds out about each location: a flag for each pattern, and the lines that are left."""

    def __init__(
        self, focus: Pattern | None, ignore: Pattern | None, hide: Pattern | None, show: Pattern | None
    ) -> None:
        self._patterns = {"Focus": focus, "Ignore": ignore, "Hide": hide, "Show": show}
        self._matched = {name for name, pattern in self._patterns.items() if pattern is None}
        self._focused = bytearray()
        self._ignored = bytearray()
        self._hidden = bytearray()
        self._locations: list[Location] = []

    def judge(self, location: Location) -> None:
        focus, ignore = self._patterns["Focus"], self._patterns["Ignore"]
        ignored = ignore is not None and _matches(location, ignore)
        focused = not ignored and (focus is None or _matches(location, focus))
        if ignored:
            self._matched.add("Ignore")
        elif focused:
            self._matched.add("Focus")
        self._ignored.append(ignored)
        self._focused.append(focused)
        self._hidden.append(0)
        lines = self._shown(location, self._unhidden(location))
        self._locations.append(location if lines == location.lines else location.with_lines(lines))

    def _unhidden(self, location: Location) -> list[Line]:
        hide, lines = self._patterns["Hide"], location.lines
        if hide is None or not _matches(location, hide):
            return lines
        self._matched.add("Hide")
        lines = (
            []
            if _mapping_matches(location, hide)
            else [line for line in lines if not _line_matches(line, hide)]
        )
        if not lines:
            self._hidden[-1] = 1
        return lines

    def _shown(self, location: Location, lines: list[Line]) -> list[Line]:
        show = self._patterns["Show"]
        if show is None:
            return lines
        if not _mapping_matches(location, show):
            lines = [line for line in lines if line.function is None or _line_matches(line, show)]
        if lines:
            self._matched.add("Show")
        else:
            self._hidden[-1] = 1
        return lines

    def apply(self, profile: Profile) -> Profile:
        columns = profile.columns
        mask = loops.match_stacks(columns.bounds, columns.frames, self._focused, self._ignored)
        if any(self._hidden):
            new_of = array("i", [-1 if hidden else number for number, hidden in enumerate(self._hidden)])
            columns = columns.selected(mask, new_of).with_stack()
        else:
            columns = columns.selected(mask)
        return profile.replaced(columns=columns, locations=self._locations)

    def unmatched(self) -> list[str]:
        return [name for name in self._patterns if name not in self._matched]


def show_from(profile: Profile, pattern: Pattern) -> tuple[Profile, bool]:
    """Cut from every stack what lies above the highest frame that matches; samples without such a frame go.

    Returns also whether any location of the profile matches.
    """
    locations: list[Location] = []
    flags = bytearray()
    for location in interruptible(profile.locations):
        count = len(location.lines)
        last = next((i for i in range(count, 0, -1) if _line_matches(location.lines[i - 1], pattern)), 0)
        whole = _mapping_matches(location, pattern)
        flags.append(whole or bool(last))
        is_cut = not whole and 0 < last < count
        locations.append(location.with_lines(location.lines[:last]) if is_cut else location)
    columns = profile.columns
    stacks = loops.cut_stacks(columns.bounds, columns.frames, flags, loops.FROM_ROOT)
    columns = columns.restacked(*stacks).with_stack()
    return profile.replaced(columns=columns, locations=locations), any(flags)


def _matches(location: Location, pattern: Pattern) -> bool:
    return any(_line_matches(line, pattern) for line in location.lines) or _mapping_matches(location, pattern)


def _mapping_matches(location: Location, pattern: Pattern) -> bool:
    return location.mapping is not None and pattern.matches(location.mapping.filename)


def _line_matches(line: Line, pattern: Pattern) -> bool:
    function = line.function
    return function is not None and (pattern.matches(function.name) or pattern.matches(function.filename))
