"""The page that `profiling.sampling --flamegraph` writes: its data is a JSON tree in a script of the page.

The tree leaves out branches under 0.1 % of the samples; what a node lacks is shown below it as `[under 0.1%]`.
"""

from __future__ import annotations

import json
from typing import Any

from conduit.fetch.foreign.result import MAX_VALUE, ForeignProfile, SampledStacks, malformed
from conduit.fetch.foreign.sampling_modes import build_sampled, describe_sampling

_FORMAT = "profiling.sampling's flame graph"
_MARK = b"EMBEDDED_DATA = {"
_LEFT_OUT = ("[under 0.1%]", "", 0, 0)
_CAVEAT = "the page has no threads' stacks apart, and branches under 0.1% are summed up"

_Frame = tuple[str, str, int, int]


def decode(data: bytes) -> ForeignProfile | None:
    """Return the page's samples and their time; None if the bytes are no such page.

    Raise `MalformedProfileError` if the data in it is damaged, or is a comparison of two profiles.
    """
    start = data.find(_MARK)
    if start < 0 or b"<html" not in data[:1000].lower():
        return None
    try:
        tree, _ = json.JSONDecoder().raw_decode(data[start + len(_MARK) - 1 :].decode("utf-8"))
        statistics = tree.get("stats") or {}
        if statistics.get("is_differential"):
            raise malformed(_FORMAT, "a comparison of two profiles; take the two themselves with -diff_base")
        stacks = _Tree(tree["strings"]).read(tree)
        interval, mode, error = (
            statistics.get(name) for name in ("sample_interval_usec", "mode", "error_rate")
        )
        interval = interval if isinstance(interval, int) and 0 <= interval < 10**9 else 0
        builder = build_sampled(stacks, mode if isinstance(mode, int) else None, interval)
        error = error if isinstance(error, (int, float)) and 0 <= error <= 100 else None
    except (ValueError, RecursionError) as problem:
        raise malformed(_FORMAT, str(problem)) from None
    except (KeyError, TypeError, IndexError, AttributeError) as problem:
        raise malformed(_FORMAT, f"a field is missing or of another type: {problem}") from None
    described = describe_sampling(interval, error)
    return ForeignProfile(builder.build(), "; ".join(part for part in (_CAVEAT, described) if part))


class _Tree:
    def __init__(self, strings: list[str]) -> None:
        self._strings = strings
        self._stacks: SampledStacks = {}

    def read(self, root: dict[str, Any]) -> SampledStacks:
        """Return the samples of each stack, leaf first; their sum is the root's value."""
        waiting: list[tuple[dict[str, Any], tuple[_Frame, ...]]] = [(root, ())]
        while waiting:
            node, above = waiting.pop()
            stack = (self._frame(node), *above) if "funcname" in node else above
            children = node["children"]
            own = _count(node.get("self", 0))
            left_out = _count(node["value"]) - own - sum(_count(child["value"]) for child in children)
            if left_out < 0:
                raise malformed(_FORMAT, "a branch with fewer samples than its parts")
            self._add(stack, own)
            self._add((_LEFT_OUT, *stack), left_out)
            waiting.extend((child, stack) for child in children)
        return self._stacks

    def _frame(self, node: dict[str, Any]) -> _Frame:
        file = str(self._strings[node["filename"]])
        return str(self._strings[node["funcname"]]), "" if file == "~" else file, _count(node["lineno"]), 0

    def _add(self, stack: tuple[_Frame, ...], count: int) -> None:
        if count:
            self._stacks["", stack] = self._stacks.get(("", stack), 0) + count


def _count(number: Any) -> int:
    if not isinstance(number, int) or not 0 <= number <= MAX_VALUE // 10**12:
        raise ValueError(f"{str(number)[:40]} is not a number of samples")
    return number
