"""Labels of a profile as facets: each label's values with what they took, to filter by, and functions by one label."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from conduit.profile.measurement import percentage, scaled_label
from conduit.report.node_tags import BASE_LABEL

if TYPE_CHECKING:
    from collections.abc import Mapping

    from conduit.profile.model import Sample
    from conduit.report.report import Report

MAX_VALUES = 30  # of one label
MAX_FUNCTIONS = 40
MAX_COLUMNS = 6  # values of the label that functions are listed by
_NONE = "(none)"


def labels_document(report: Report, by: str) -> dict[str, Any]:
    """The facets, heaviest values first, and below them the functions that took most for each value of the label `by`.

    `by` empty or unknown is the first text label that has more than one value. A sample that carries a label twice
    counts for both of its values. `count` is the sum of the profile's first type of values that is a count.
    """
    counted = next((n for n, kind in enumerate(report.profile.sample_types) if kind.unit == "count"), None)
    sums: dict[str, dict[str, list[int]]] = {}
    numeric: set[str] = set()
    for sample in report.profile.samples:
        weight, _ = report.values.of(sample)
        count = 1 if counted is None else sample.values[counted]
        for key, texts in _texts(report, sample, numeric).items():
            for text in texts:
                held = sums.setdefault(key, {}).setdefault(text, [0, 0])
                held[0] += weight
                held[1] += count
    facets = [_facet(report, key, values, key in numeric) for key, values in sorted(sums.items())]
    keys = [facet["key"] for facet in facets if not facet["numeric"]]
    several = [facet["key"] for facet in facets if not facet["numeric"] and facet["count"] > 1]
    chosen = by if by in keys else next(iter(several or keys), "")
    return {
        "facets": facets,
        "counted": "stacks" if counted is None else report.profile.sample_types[counted].type,
        "by": chosen,
        "keys": keys,
        "type": report.sample_type,
        "top": _top(report, chosen, sums[chosen]) if chosen else None,
    }


def _texts(report: Report, sample: Sample, numeric: set[str]) -> dict[str, list[str]]:
    texts = {key: values for key, values in sample.labels.items() if key != BASE_LABEL}
    for key, numbers in sample.numeric_labels.items():
        if key not in texts:
            numeric.add(key)
            unit = report.label_units.get(key, "")
            texts[key] = [scaled_label(number, unit, "auto") for number in numbers]
    return texts


def _facet(report: Report, key: str, values: Mapping[str, list[int]], numeric: bool) -> dict[str, Any]:
    ordered = sorted(values.items(), key=lambda item: (-abs(item[1][0]), item[0]))
    return {
        "key": key,
        "numeric": numeric,
        "count": len(ordered),
        "values": [
            {
                "text": text,
                "amount": report.amount(weight),
                "share": percentage(weight, report.total).strip(),
                "part": min(1.0, abs(weight) / (abs(report.total) or 1)),
                "count": f"{count:,}",
                "filter": f"{key}={text}" if numeric else _expression(key, text),
            }
            for text, (weight, count) in ordered[:MAX_VALUES]
        ],
    }


def _expression(key: str, text: str) -> str:
    """A tag filter for one value. Several of this form, joined with commas, must all match."""
    return f"^{re.escape(f'{key}:{text}')}$".replace("=", r"\x3d").replace(",", r"\x2c")


def _top(report: Report, key: str, values: Mapping[str, list[int]]) -> dict[str, Any]:
    """The functions by their own amount, with a column for each of the label's heaviest values."""
    ordered = sorted(values, key=lambda text: (-abs(values[text][0]), text))
    columns = ordered[:MAX_COLUMNS]
    flat: dict[int, dict[str, int]] = {}
    of_location = report.table.of_location
    for sample, value, _ in report.values.weighted(report.profile.samples):
        if not sample.locations:
            continue
        leaf = flat.setdefault(of_location[sample.locations[0]][0], {})
        for text in sample.labels.get(key) or [_NONE]:
            leaf[text] = leaf.get(text, 0) + value
    frames = report.table.frames
    rows = sorted(
        ((frames[number].printable_name, by_value) for number, by_value in flat.items()),
        key=lambda row: (-abs(sum(row[1].values())), row[0]),
    )
    rest = len(ordered) > MAX_COLUMNS
    unlabelled = any(_NONE in by_value for by_value in flat.values())
    return {
        "columns": [*columns, *(["other values"] if rest else []), *([_NONE] if unlabelled else [])],
        "rows": [
            {
                "name": name,
                "total": report.amount(sum(by.values())),
                "cells": _cells(report, by, columns, rest, unlabelled),
            }
            for name, by in rows[:MAX_FUNCTIONS]
        ],
    }


def _cells(
    report: Report, by: Mapping[str, int], columns: list[str], rest: bool, unlabelled: bool
) -> list[str]:
    cells = [report.amount_or_dot(by.get(text, 0)) for text in columns]
    if rest:
        cells.append(
            report.amount_or_dot(sum(v for text, v in by.items() if text not in columns and text != _NONE))
        )
    if unlabelled:
        cells.append(report.amount_or_dot(by.get(_NONE, 0)))
    return cells
