"""The flame graph in order of time, for profiles whose samples say when they were taken.

pprof has no field for it; several profilers write the numeric label `end_timestamp_ns` (Datadog's among them). Each
thread has a row of its own. Widths are the samples' values, so that what took longer is wider; a wait that no sample
stands for leaves no gap.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from conduit.profile.model import TIME_LABEL

if TYPE_CHECKING:
    from collections.abc import Callable

    from conduit.profile.columns import LabelSet
    from conduit.profile.model import Profile
    from conduit.report.formats.flame import Flame
    from conduit.report.report import Report

_THREADS = ("thread", "thread name", "thread id")
MAX_NODES = 200_000


def has_times(profile: Profile) -> bool:
    """Return whether any sample says when it was taken."""
    return any(TIME_LABEL in labels.numeric_labels for labels in profile.columns.used_sets())


def time_tree(
    report: Report, flame: Flame, visit: Callable[[int, int, int], None] | None = None
) -> dict[str, Any]:
    """Return the columns of the tree: below the root a node for each thread, below it the stacks one after the other.

    Its sources are those of `flame` and, after them, the threads'.

    A call goes on from one sample to the next as long as the stacks begin alike. Samples without a time are left out
    and counted in `untimed`. `visit(time, node, value)` is called for each sample, with the node at its leaf.
    """
    columns = report.columns
    values = columns.values[report.values.index]
    threads: dict[str, list[tuple[int, int]]] = {}
    untimed = 0
    for sample, number in enumerate(columns.label_of):
        labels = columns.label_sets[number]
        times = labels.numeric_labels.get(TIME_LABEL)
        if not times:
            untimed += 1
        elif values[sample]:
            threads.setdefault(thread_of(labels), []).append((times[0], sample))
    names: list[str] = []
    parents, sources, sums = [0], [0], [0]
    for thread, samples in sorted(threads.items(), key=lambda item: min(item[1])):
        names.append(thread)
        parents.append(0)
        sources.append(-len(names))  # no source of the flame's own
        sums.append(0)
        open_nodes, open_path = [len(parents) - 1], list[int]()
        for time, sample in sorted(samples):
            path = [
                source
                for location in reversed(columns.stack(sample))
                for source in flame.sources_of[location]
            ]
            same = _common(open_path, path)
            del open_nodes[same + 1 :]
            for source in path[same:]:
                if len(parents) >= MAX_NODES:
                    break
                parents.append(open_nodes[-1])
                sources.append(source)
                sums.append(0)
                open_nodes.append(len(parents) - 1)
            open_path = path[: len(open_nodes) - 1]
            sums[open_nodes[-1]] += abs(values[sample])
            if visit is not None:
                visit(time, open_nodes[-1], abs(values[sample]))
    first = len(flame.sources)
    return {
        "parents": parents,
        "sources": [source if source >= 0 else first - source - 1 for source in sources],
        "values": sums,
        "negatives": None,
        "hidden": [],
        "pruned": None,
        "difference": False,
        "inOrder": True,
        "untimed": untimed,
        "threads": names,
    }


def tree_by_parts(report: Report, flame: Flame, span: tuple[int, int], parts: int) -> dict[str, Any]:
    """Return `time_tree` with `samples`, by which a page without a server draws a part of the time.

    `span`, two times, has `parts` equal parts; `samples` holds part, node and value, one after the other.
    """
    start, end = span
    found: list[tuple[int, int, int]] = []
    tree = time_tree(report, flame, lambda *sample: found.append(sample))
    sums: dict[tuple[int, int], int] = {}
    for time, node, value in found:
        key = min(parts - 1, (time - start) * parts // (end - start)), node
        sums[key] = sums.get(key, 0) + value
    samples = [number for (part, node), value in sums.items() for number in (part, node, value)]
    kept = ("parents", "sources", "values", "untimed", "threads")
    return {**{name: tree[name] for name in kept}, "samples": samples, "parts": parts}


def thread_of(labels: LabelSet) -> str:
    """Return the name of a sample's thread as a row has it."""
    for key in _THREADS:
        if labels.labels.get(key):
            return f"thread {labels.labels[key][0]}"
        if labels.numeric_labels.get(key):
            return f"thread {labels.numeric_labels[key][0]}"
    return "all threads"


def _common(one: list[int], other: list[int]) -> int:
    """Return how many sources two paths have in common at their beginning."""
    count = 0
    for first, second in zip(one, other, strict=False):
        if first != second:
            break
        count += 1
    return count
