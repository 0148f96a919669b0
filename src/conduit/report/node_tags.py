r"""Labels collected on the nodes of a drawing: how much of a node's value has which labels.

The text labels of a sample together make one tag (`task:ingest\nthread:worker-1`); its `bytes` label makes a numeric
tag below it. Each node is drawn with at most four tags of each kind, as boxes attached to it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

from conduit.profile.measurement import label, quotient, scale

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from conduit.profile.columns import LabelSet

MAX_NODELETS = 4

# The label that marks samples of the base in a comparison; it is bookkeeping and never shown.
BASE_LABEL = "pprof::base"


class Tag:
    """A label or combination of labels, with the values of its samples; numeric tags have a number and a unit."""

    __slots__ = ("cum", "cum_divisor", "flat", "flat_divisor", "name", "unit", "value")

    def __init__(self, name: str, unit: str = "", value: int = 0) -> None:
        self.name = name
        self.unit = unit
        self.value = value
        self.flat = self.flat_divisor = self.cum = self.cum_divisor = 0

    @property
    def flat_value(self) -> int:
        """`flat`, divided if the report shows means."""
        return quotient(self.flat, self.flat_divisor)

    @property
    def cum_value(self) -> int:
        """`cum`, divided if the report shows means."""
        return quotient(self.cum, self.cum_divisor)

    def add(self, flat: int, flat_divisor: int, cum: int, cum_divisor: int) -> None:
        """Add samples that have this tag once."""
        self.flat += flat
        self.flat_divisor += flat_divisor
        self.cum += cum
        self.cum_divisor += cum_divisor


class NumericTag(NamedTuple):
    """A number of a sample: as text, and with its unit."""

    name: str
    value: int
    unit: str


class SampleTags(NamedTuple):
    """The tags of a sample: its text labels as one name (empty for none), and its numbers, including repeated ones."""

    text: str
    numbers: list[NumericTag]


class NodeTags:
    """The tags of a node: text tags by name, and numeric tags by name below the text tag they came with."""

    __slots__ = ("numeric", "text")

    def __init__(self) -> None:
        self.text: dict[str, Tag] = {}
        self.numeric: dict[str, dict[str, Tag]] = {}

    def add(self, tags: SampleTags, flat: int, flat_divisor: int, cum: int, cum_divisor: int) -> None:
        """Add the values of samples to each of their tags; to a number that they have twice, twice."""
        text = tags.text
        if text:
            self.text.setdefault(text, Tag(text)).add(flat, flat_divisor, cum, cum_divisor)
        if tags.numbers:
            held = self.numeric.setdefault(text, {})
            for name, number, unit in tags.numbers:
                held.setdefault(name, Tag(name, unit, number)).add(flat, flat_divisor, cum, cum_divisor)

    def trim(self, cutoff: int) -> None:
        """Remove tags that weigh less than the cutoff."""
        self.text = _heavy(self.text, cutoff)
        self.numeric = {name: _heavy(tags, cutoff) for name, tags in self.numeric.items()}

    def count_flat(self) -> int:
        """Return the number of tags of the node itself, without those of what it calls."""
        everything = [self.text, *self.numeric.values()]
        return sum(1 for tags in everything for tag in tags.values() if tag.flat)


def _heavy(tags: dict[str, Tag], cutoff: int) -> dict[str, Tag]:
    return {name: tag for name, tag in tags.items() if abs(tag.flat) >= cutoff or abs(tag.cum) >= cutoff}


def tags_of_labels(unit: str, format_tag: Callable[[int, str], str]) -> Callable[[LabelSet], SampleTags]:
    """Return the function that reads a sample's tags; `unit` is that of the `bytes` label."""

    def tags_of(labels: LabelSet) -> SampleTags:
        texts = [
            f"{key}:{value}" for key, values in labels.labels.items() if key != BASE_LABEL for value in values
        ]
        sizes = labels.numeric_labels.get("bytes", ())
        numbers = [NumericTag(format_tag(size, unit), size, unit) for size in sizes]
        return SampleTags("\\n".join(sorted(texts)), numbers)

    return tags_of


def sort_tags(tags: Iterable[Tag], flat: bool) -> list[Tag]:
    """Return tags by decreasing weight, flat or cum first, equal ones by name."""
    if flat:
        return sorted(tags, key=lambda tag: (-abs(tag.flat), tag.name))
    return sorted(tags, key=lambda tag: (-abs(tag.cum), -abs(tag.flat), tag.name))


def collapse_tags(tags: Iterable[Tag], count: int, flat: bool) -> list[Tag]:
    """Return at most `count` numeric tags: the heaviest, with the lighter ones nearest to each as ranges."""
    ordered = sort_tags(tags, flat)
    if len(ordered) <= count:
        return ordered
    groups = [[tag] for tag in ordered[:count]]
    for tag in ordered[count:]:
        min(groups, key=lambda group: _distance(tag, group[0])).append(tag)
    return sort_tags((_range_tag(group) for group in groups), flat)


def _distance(tag: Tag, other: Tag) -> float:
    value, _ = scale(other.value, other.unit, tag.unit)
    return abs(value - tag.value)


def _range_tag(group: list[Tag]) -> Tag:
    lowest = highest = group[0]
    if len(group) == 1:
        merged = Tag(label(lowest.value, lowest.unit))
        merged.flat, merged.cum = lowest.flat_value, lowest.cum_value
        return merged
    for tag in group[1:]:
        if int(scale(tag.value, tag.unit, lowest.unit)[0]) < lowest.value:
            lowest = tag
        if int(scale(tag.value, tag.unit, highest.unit)[0]) > highest.value:
            highest = tag
    # In their own best units: scaled to the report's, small sizes would all read 0..0.
    merged = Tag(f"{label(lowest.value, lowest.unit)}..{label(highest.value, highest.unit)}")
    merged.flat = quotient(sum(tag.flat for tag in group), sum(tag.flat_divisor for tag in group))
    merged.cum = quotient(sum(tag.cum for tag in group), sum(tag.cum_divisor for tag in group))
    return merged
