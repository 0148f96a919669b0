"""Profiles in Go's legacy text form (`?debug=1`), which people read in a terminal and old tools parse.

Stacks are addresses; below each stack, `#` lines give the function and the location of every address, in columns
aligned by tabs as by Go's tabwriter (cells padded to a multiple of eight).
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from conduit.record.threads import labels_text

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from conduit.profile.model import Profile, Sample

_TAB = 8


def counts(profile: Profile) -> str:
    """Return `goroutine profile: total 9`, then each distinct stack with its count, the most frequent first."""
    total = sum(sample.values[0] for sample in profile.samples)
    parts = [f"{profile.sample_types[0].type} profile: total {total}\n"]
    for sample in sorted(profile.samples, key=lambda sample: -sample.values[0]):
        parts.append(f"{sample.values[0]} @{_addresses(sample)}\n{_labels(sample)}{_locations(sample)}\n")
    return "".join(parts)


def heap(profile: Profile) -> str:
    """Return `heap profile: objects: bytes [objects: bytes] @ heap/RATE`: in use, and in brackets ever allocated."""
    totals = [sum(column) for column in zip(*(sample.values for sample in profile.samples), strict=True)] or [
        0
    ] * 4
    samples = sorted(profile.samples, key=lambda sample: -sample.values[3])
    return f"heap profile: {_heap_values(totals)} @ heap/{profile.period}\n" + "".join(
        f"{_heap_values(sample.values)} @{_addresses(sample)}\n{_locations(sample)}\n" for sample in samples
    )


def _heap_values(values: Sequence[int]) -> str:
    allocated, allocated_bytes, live, live_bytes = values
    return f"{live}: {live_bytes} [{allocated}: {allocated_bytes}]"


def contentions(profile: Profile, *, mutex: bool) -> str:
    """Return `--- mutex:` or `--- contention:`, then delay and count of each stack, the longest delay first.

    Go counts processor cycles and says how many there are in a second; here a cycle is a nanosecond.
    """
    head = "--- mutex:\n" if mutex else "--- contention:\n"
    head += "cycles/second=1000000000\n" + (f"sampling period={profile.period or 1}\n" if mutex else "")
    rows = sorted(profile.samples, key=lambda sample: -sample.values[1])
    return head + "".join(
        f"{sample.values[1]} {sample.values[0]} @{_addresses(sample)}\n{_locations(sample)}\n"
        for sample in rows
    )


def symbols(query: str) -> str:
    """Return the answer to `symbol?0x1+0x2`: a line for each address.

    Profiles here carry their names, so no address is known.
    """
    addresses = [part for part in query.split("+") if part]
    numbers = [number for part in addresses if (number := _address(part))]
    return "num_symbols: 1\n" + "".join(f"{number:#x} \n" for number in numbers)


def _address(text: str) -> int:
    try:
        return int(text, 16) if text.lower().startswith("0x") else int(text)
    except ValueError:
        return 0


def _addresses(sample: Sample) -> str:
    return "".join(f" {location.address:#x}" for location in sample.locations)


def _labels(sample: Sample) -> str:
    return labels_text((key, ",".join(values)) for key, values in sorted(sample.labels.items()))


def _locations(sample: Sample) -> str:
    rows = []
    for location in sample.locations:
        for line in location.lines:
            function = line.function
            name, file = (function.name, function.filename) if function else ("", "")
            rows.append(("#", f"{location.address:#x}", name, f"{file}:{line.line}"))
    return "".join(f"{row}\n" for row in _tabbed(rows))


def _tabbed(rows: Sequence[Sequence[str]]) -> Iterable[str]:
    """Yield the cells, each followed by as many tabs as bring the next cell to its column."""
    columns = len(rows[0]) - 1 if rows else 0
    widths = [-(-(max(len(row[n]) for row in rows) + 1) // _TAB) * _TAB for n in range(columns)]
    for row in rows:
        cells = [
            cell + "\t" * -(-(width - len(cell)) // _TAB) for cell, width in zip(row, widths, strict=False)
        ]
        yield "".join(cells) + row[-1]
