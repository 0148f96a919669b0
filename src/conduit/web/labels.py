"""Labels of a profile as facets: the total of each value, to filter by, and functions by one label."""

from __future__ import annotations

import re
from itertools import repeat
from typing import TYPE_CHECKING, Any

from conduit.interruption import interruptible
from conduit.profile.columns import LabelSet
from conduit.profile.measurement import percentage, scaled_label
from conduit.report.node_tags import BASE_LABEL

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping, Sequence

    from conduit.profile.columns import Columns
    from conduit.profile.model import Profile
    from conduit.report.report import Report

MAX_VALUES = 30  # of one label
MANY_VALUES = 30
MAX_FUNCTIONS = 40
MAX_COLUMNS = 6  # values of the label that functions are listed by
_ALWAYS_RECORDED = ("process", "thread", "task")


def without_label(key: str) -> str:
    """Return what the page calls the samples that have no label `key`."""
    return f"without {key}"


def name_missing_labels(profile: Profile, keys: Sequence[str]) -> Profile:
    """Return a profile whose samples without one of the labels `keys` have it, with the value `without_label`.

    The reports name a box of such samples by the key alone (`-tagroot`, as in pprof). A key that no sample has is left.
    """
    profile = profile.in_columns()
    sets = profile.columns.used_sets()
    present = [key for key in keys if any(key in one.labels or key in one.numeric_labels for one in sets)]

    def named(labels: LabelSet) -> LabelSet:
        missing = [key for key in present if key not in labels.labels and key not in labels.numeric_labels]
        texts = {**labels.labels, **{key: [without_label(key)] for key in missing}}
        return LabelSet(texts, labels.numeric_labels, labels.numeric_units, labels.unknown)

    return profile.replaced(columns=profile.columns.with_sets(named))


def labels_document(
    report: Report, by: str, bases: tuple[int, int] | None = None, unfiltered: Columns | None = None
) -> dict[str, Any]:
    """Return the facets, and the functions that took most for each value of the label `by`.

    The heaviest values come first; the labels `process`, `thread` and `task` come after others. Samples that lack a
    label are its `without`, where `having` is the tag filter of all others. `by` empty or unknown is the first text
    label that has more than one value. A sample that carries a label twice counts for both of its values. `count` is
    the sum of the profile's first type of values that is a count.

    The order of the labels and the default of `by` go by the values in `unfiltered`, the samples before the filters: a
    label that is filtered by keeps its place. They are the report's samples if None.

    `bases`, in a comparison, are the totals before and after; each value then has the amounts of both, as shares of
    their own total.
    """
    columns = report.columns
    counted = next((n for n, kind in enumerate(report.profile.sample_types) if kind.unit == "count"), None)
    weights = _by_labels(columns, columns.values[report.values.index])
    counts = _by_labels(columns, repeat(1, len(columns)) if counted is None else columns.values[counted])
    sums: dict[str, dict[str, list[int]]] = {}
    labelled: dict[str, list[int]] = {}
    everything = [0, 0, 0, 0]
    numeric: set[str] = set()
    for number, weight in weights.items():
        is_base = "true" in columns.label_sets[number].labels.get(BASE_LABEL, ())
        amounts = (weight, counts[number], -weight * is_base, -counts[number] * is_base)
        _add(everything, amounts)
        for key, texts in _texts(report, columns.label_sets[number], numeric).items():
            _add(labelled.setdefault(key, [0, 0, 0, 0]), amounts)
            for text in texts:
                _add(sums.setdefault(key, {}).setdefault(text, [0, 0, 0, 0]), amounts)
    facets = [
        _facet(report, key, values, _difference(everything, labelled[key]), key in numeric, bases)
        for key, values in sorted(sums.items())
    ]
    counted_values = _count_values(report, unfiltered or columns)

    # A label that the program set says more than those of every recording; one with a value for each request least.
    def order(facet: Mapping[str, Any]) -> tuple[bool, bool, int]:
        count = counted_values[facet["key"]]
        return count == 1, count > MANY_VALUES, _rank(facet["key"])

    facets.sort(key=order)
    keys = [facet["key"] for facet in facets if not facet["numeric"]]
    several = [key for key in keys if counted_values[key] > 1]
    chosen = by if by in keys else next(iter(several or keys), "")
    return {
        "facets": facets,
        "counted": "stacks" if counted is None else report.profile.sample_types[counted].type,
        "by": chosen,
        "keys": keys,
        "compared": bases is not None,
        "type": report.sample_type,
        "top": _top(report, chosen, sums[chosen]) if chosen else None,
    }


def _add(held: list[int], amounts: Sequence[int]) -> None:
    for at, amount in enumerate(amounts):
        held[at] += amount


def _difference(more: Sequence[int], less: Sequence[int]) -> list[int]:
    return [a - b for a, b in zip(more, less, strict=True)]


def _rank(key: str) -> int:
    return _ALWAYS_RECORDED.index(key) + 1 if key in _ALWAYS_RECORDED else 0


def _count_values(report: Report, columns: Columns) -> dict[str, int]:
    """Return how many values each label has in the samples."""
    values: dict[str, set[str]] = {}
    for labels in interruptible(columns.used_sets()):
        for key, texts in _texts(report, labels, set()).items():
            values.setdefault(key, set()).update(texts)
    return {key: len(texts) for key, texts in values.items()}


def _by_labels(columns: Columns, values: Iterable[int]) -> dict[int, int]:
    """Return the sum over the samples with each set of labels, by the set's number."""
    sums: dict[int, int] = {}
    for number, value in interruptible(zip(columns.label_of, values, strict=True)):
        sums[number] = sums.get(number, 0) + value
    return sums


def _texts(report: Report, labels: LabelSet, numeric: set[str]) -> dict[str, list[str]]:
    texts = {key: values for key, values in labels.labels.items() if key != BASE_LABEL}
    for key, numbers in labels.numeric_labels.items():
        if key not in texts:
            numeric.add(key)
            unit = report.label_units.get(key, "")
            texts[key] = [scaled_label(number, unit, "auto") for number in numbers]
    return texts


def _facet(
    report: Report,
    key: str,
    values: Mapping[str, list[int]],
    missing: Sequence[int],
    numeric: bool,
    bases: tuple[int, int] | None,
) -> dict[str, Any]:
    """Return one label; `missing` are the amounts of the samples without it, which have a row if there are any."""
    without = {
        "text": without_label(key),
        **_numbers(report, missing, bases),
        "having": _beginning(f"{key}:"),
    }
    ordered = sorted(values.items(), key=lambda item: (-abs(item[1][0]), item[0]))
    return {
        "key": key,
        "numeric": numeric,
        "count": len(ordered),
        "without": without if any(missing) and not numeric else None,
        "values": [
            {
                "text": text,
                **_numbers(report, held, bases),
                "filter": f"{key}={text}" if numeric else _expression(key, text),
            }
            for text, held in ordered[:MAX_VALUES]
        ],
    }


def _numbers(report: Report, held: Sequence[int], bases: tuple[int, int] | None) -> dict[str, Any]:
    """Return the amount of one value of a label, its share, and its count; of a comparison, each before and after."""
    weight, count, before, count_before = held
    if bases is None:
        return {
            "amount": report.amount(weight),
            "share": report.share(weight).strip(),
            "part": min(1.0, abs(weight) / (abs(report.total) or 1)),
            "count": f"{count:,}",
        }
    after, count_after = weight + before, count + count_before
    return {
        "before": report.amount(before),
        "shareBefore": percentage(before, bases[0]).strip(),
        "amount": report.amount(after),
        "share": percentage(after, bases[1]).strip(),
        "part": min(1.0, abs(after) / (abs(bases[1]) or 1)),
        "count": f"{count_before:,} → {count_after:,}",
    }


def _expression(key: str, text: str) -> str:
    """Return a tag filter for one value. Several of this form, joined with commas, must all match."""
    return f"{_beginning(f'{key}:{text}')}$"


def _beginning(text: str) -> str:
    """Return an expression for what begins with a text, without the signs that a tag filter reads otherwise."""
    return f"^{re.escape(text)}".replace("=", r"\x3d").replace(",", r"\x2c")


def _top(report: Report, key: str, values: Mapping[str, list[int]]) -> dict[str, Any]:
    """Return the functions by their own amount, with a column for each of the label's heaviest values."""
    ordered = sorted(values, key=lambda text: (-abs(values[text][0]), text))
    shown = ordered[:MAX_COLUMNS]
    flat = _by_leaf(report, key)
    frames, names = report.table.frames, report.table.names
    rows = sorted(
        ((names[number], frames[number].name, by_value) for number, by_value in flat.items()),
        key=lambda row: (-abs(sum(row[2].values())), row[0]),
    )
    rest = len(ordered) > MAX_COLUMNS
    unlabelled = any(None in by_value for by_value in flat.values())
    return {
        "columns": [
            *shown,
            *(["other values"] if rest else []),
            *([without_label(key)] if unlabelled else []),
        ],
        "rows": [
            {
                "name": name,
                "function": function,
                "total": report.amount(sum(by.values())),
                "cells": _cells(report, by, shown, rest, unlabelled),
            }
            for name, function, by in rows[:MAX_FUNCTIONS]
        ],
    }


def _by_leaf(report: Report, key: str) -> dict[int, dict[str | None, int]]:
    """Return what each frame took itself, by the values of a label; None is that of samples without it."""
    columns, of_location = report.columns, report.table.of_location
    leaves = [of_location[location][0] for location in report.profile.locations]
    texts: list[Sequence[str | None]] = [labels.labels.get(key) or [None] for labels in columns.label_sets]
    starts, stops, frames = columns.starts, columns.stops, columns.frames
    flat: dict[int, dict[str | None, int]] = {}
    for sample, (value, number) in enumerate(
        zip(columns.values[report.values.index], columns.label_of, strict=True)
    ):
        if not value or starts[sample] == stops[sample]:
            continue
        leaf = flat.setdefault(leaves[frames[starts[sample]]], {})
        for text in texts[number]:
            leaf[text] = leaf.get(text, 0) + value
    return flat


def _cells(
    report: Report, by: Mapping[str | None, int], columns: list[str], rest: bool, unlabelled: bool
) -> list[str]:
    cells = [report.amount_or_dot(by.get(text, 0)) for text in columns]
    if rest:
        cells.append(
            report.amount_or_dot(sum(v for text, v in by.items() if text not in columns and text is not None))
        )
    if unlabelled:
        cells.append(report.amount_or_dot(by.get(None, 0)))
    return cells
