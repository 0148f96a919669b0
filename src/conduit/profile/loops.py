"""The loops over a profile's columns: those in C where the extension is loaded, else their twins in Python.

All take and return buffers: `bounds` (int64: where each stack starts in the frames, then where each stops), `frames`
(uint32, indices of locations, leaf first), columns of values (int64). Stacks may share frames, and so do those that are
made of them. Both forms give the same answers. A position or an index that does not lie within its table
raises `ValueError` or `IndexError`.

    scan_profile(data, limit)
        The top level of a document: (spans of the messages 1, 3, 4, 5, 11), strings, (field, start, value) of the
        numbers, those of time, duration and period with a sign, and the spans of the samples (int64). None for anything
        that is not in the form that writers use; the twin always returns None. The decoder then reads it.
    read_columns(data, spans, index_of, types, strings, max_frames, max_labels)
        (bounds, frames, values by type, label set of each sample, and the runs and rows of a `LabelTable`) of a
        document with so many strings. `index_of[id]` is one more than the index of the location with that id (uint32),
        0 where there is none. None as above.
    read_messages(data, spans, fields, signed)
        The fields 1 to `fields` of the messages of numbers in these spans, each as 64 bits; field `signed` has a sign.
        None as above.
    read_locations(data, spans, lines)
        (id, mapping, address, is folded, [(function, line, column)]) of each location in these spans, all together with
        at most so many lines. None as above.
    join_texts(bounds, frames, first, rest, before, after)
        For each stack its text of `before`, the texts of its frames (lists of bytes by location, `first` for the leaf)
        and its text of `after`, all joined.
    sort_calls(keys, weights, ranks)
        For the callers, then for the callees: where the calls of each frame begin (one more than there are frames), and
        their numbers, largest absolute weight first, then by the rank (uint32) of the other frame.
    list_stacks(bounds, frames, table)      lists of the members of `table`
    match_stacks(bounds, frames, any, none) a byte a stack: whether a frame is flagged in `any`, and no frame in `none`
    select_stacks(bounds, frames, mask, new_of)
        (bounds, frames) of the stacks in the mask, frames replaced by `new_of[frame]` (int32), those with -1 left out
    cut_stacks(bounds, frames, flags, how)
        (bounds, frames) of all stacks cut at a frame with a flag (a byte a location): FROM_ROOT keeps what the frame
        nearest to the root called, and nothing where there is none; FROM_LEAF what called the frame nearest to the
        leaf; BELOW_WANTED what called the first frame with a flag after one without, from the root on, and that frame
        too if its flag is 1; TO_HARNESS what the frame with flag 1 nearest to the leaf called, or all where there is
        none, without the frames with flag 2 at the end of that, unless it has no others.
    wrap_stacks(bounds, frames, label_of, leaf_runs, leaves, root_runs, roots)
        (bounds, frames) with frames (uint32) put before and behind each stack, `leaves[leaf_runs[set]:...]` of its set
    first_uses(bounds, frames, locations, from_root)
        The locations that occur, in order of first use (uint32), each stack read from its leaf or from its root.
    group_stacks(bounds, frames, label_of)  (group of each stack, first stack of each group); equal stacks are a group
    sum_groups(values, group_of, groups)    sums by group (int64), modulo 2**64
    write_columns(bounds, frames, ids, columns, label_of, label_fields)
        The samples as fields of a document; `ids` (uint64) by location, `label_fields` the encoded labels of each set.
    write_messages(field, records, names, strings)
        Records as messages: the attributes with these names as the fields 1, 2, 3, …, numbers as they are, texts as
        their index in `strings`, where they are added; then their unknown fields.
    write_locations(locations)              locations as fields of a document
    write_labels(runs, rows, texts, label_of, strings)
        The labels of each set that a sample has (nothing for others), encoded: texts before numbers, each by key. The
        rows are those of a `LabelTable` with these texts; those that are used are added to `strings`.
    write_strings(strings)                  the keys of a table of strings as fields of a document
    join_labels(runs, rows, strings, marks, head_of, number_text)
        Each set of labels of a `LabelTable` as text (bytes). The marks are start, before, between, close and after: the
        start, then of the labels that are texts, and of those that are numbers, if there are any: before, the groups of
        equal keys, sorted, with between between them, and after. A group is `head_of(key)`, its values with spaces
        between them, and close. A number's text is `number_text(key, number, unit)`; the unit is None where no number
        of the group has one.
    number_labels(runs, rows, label_of)
        (key, unit) of the rows that are numbers, as indices of strings (uint64), each pair once, in order of first use
    sum_stacks(bounds, frames, values, others, runs, numbers, count)
        (flat, cum) by frame number below `count`. Location i has the frames `numbers[runs[i]:runs[i + 1]]` (int32),
        innermost first. Samples with 0 in both `values` and `others` are passed over.
    sum_calls(bounds, frames, values, others, runs, numbers, count)
        (flat, cum, keys, weights, flags): the same, and for each call in order of first use caller * count + callee
        (uint64), its sum (int64), and a byte: 1 where it ever was a real call, 2 where a frame between the two was
        ever left out. Here the numbers are ordered from the caller inwards: -1 for a frame that is left out, else
        twice its number, plus 1 if inlined.
    sum_labels(bounds, frames, values, others, runs, numbers, count, label_of, sets)
        (keys, flat, cum): for each frame and set of labels that occur together, frame * sets + set (uint64) and the
        sums (int64), in order of first use; the numbers are those of `sum_calls`.
    join_stacks(bounds, frames, values, runs, numbers, cutoff)
        A call tree, level by level from the root: (parents, numbers, positive, negative) of its nodes, and (node,
        nodes left out below it, their size) (int64 each). A node whose samples' absolute values add up to less than
        `cutoff` is left out, and its value ends at its parent. Numbers are ordered from the caller inwards.

The sums of the loops in C must fit into 64 bits; where one does not, the twin is asked.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from conduit._native import available

if TYPE_CHECKING:
    from array import array
    from collections.abc import Sequence

    from _typeshed import ReadableBuffer as Buffer

    StackTree = tuple[
        Sequence[int],
        Sequence[int],
        Sequence[int],
        Sequence[int],
        tuple[Sequence[int], Sequence[int], Sequence[int]],
    ]

FROM_ROOT, FROM_LEAF, BELOW_WANTED, TO_HARNESS = 0, 1, 2, 3
REAL_CALL, RESIDUAL = 1, 2
_MAX_COLUMNS = 64  # that the extension writes

if available():
    from conduit._native import columns as _native
    from conduit._native.columns import (
        cut_stacks,
        first_uses,
        group_stacks,
        join_labels,
        join_texts,
        list_stacks,
        match_stacks,
        number_labels,
        read_columns,
        read_locations,
        read_messages,
        scan_profile,
        select_stacks,
        sum_groups,
        wrap_stacks,
        write_labels,
        write_locations,
        write_messages,
        write_strings,
    )

    def write_columns(
        bounds: Buffer,
        frames: Buffer,
        ids: Buffer,
        columns: tuple[Buffer, ...],
        label_of: Buffer,
        label_fields: list[bytes],
    ) -> bytes:
        """Write the samples as fields of a document."""
        if len(columns) > _MAX_COLUMNS:
            from conduit.profile import python_loops

            return python_loops.write_columns(bounds, frames, ids, columns, label_of, label_fields)
        return _native.write_columns(bounds, frames, ids, columns, label_of, label_fields)

    def _column(sums: bytes) -> Sequence[int]:
        return memoryview(sums).cast("q")

    def sum_stacks(*arguments: Any) -> tuple[list[int], list[int]]:
        """Return flat and cum by frame number."""
        sums = _native.sum_stacks(*arguments)
        if sums is None:
            from conduit.profile import python_loops

            return python_loops.sum_stacks(*arguments)
        return sums

    def sum_calls(
        *arguments: Any,
    ) -> tuple[list[int], list[int], Sequence[int], Sequence[int], Sequence[int]]:
        """Return flat and cum by frame number, and the calls."""
        sums = _native.sum_calls(*arguments)
        if sums is None:
            from conduit.profile import python_loops

            return python_loops.sum_calls(*arguments)
        flat, cum, keys, weights, flags = sums
        return flat, cum, _column(keys), _column(weights), flags

    def sum_labels(*arguments: Any) -> tuple[Sequence[int], Sequence[int], Sequence[int]]:
        """Return the sums of each frame's samples by their set of labels."""
        sums = _native.sum_labels(*arguments)
        if sums is None:
            from conduit.profile import python_loops

            return python_loops.sum_labels(*arguments)
        keys, flat, cum = sums
        return _column(keys), _column(flat), _column(cum)

    def sort_calls(
        keys: Sequence[int], weights: Sequence[int], ranks: array[int]
    ) -> tuple[tuple[Sequence[int], Sequence[int]], tuple[Sequence[int], Sequence[int]]]:
        """Return the calls of each caller and of each callee, heaviest first."""
        if not isinstance(keys, memoryview) or not isinstance(weights, memoryview):
            from conduit.profile import python_loops

            return python_loops.sort_calls(keys, weights, ranks)  # sums of the twin
        (callers, outgoing), (callees, incoming) = _native.sort_calls(keys, weights, ranks)
        return (_numbers(callers), _numbers(outgoing)), (_numbers(callees), _numbers(incoming))

    def _numbers(numbers: bytes) -> Sequence[int]:
        return memoryview(numbers).cast("I")

    def join_stacks(*arguments: Any) -> StackTree:
        """Join stacks to a tree, level by level."""
        tree = _native.join_stacks(*arguments)
        if tree is None:
            from conduit.profile import python_loops

            return python_loops.join_stacks(*arguments)
        parents, numbers, positive, negative, (nodes, counts, sizes) = tree
        hidden = _column(nodes), _column(counts), _column(sizes)
        return _column(parents), _column(numbers), _column(positive), _column(negative), hidden

else:
    from conduit.profile.python_loops import (  # type: ignore[assignment]
        cut_stacks,
        first_uses,
        group_stacks,
        join_labels,
        join_stacks,
        join_texts,
        list_stacks,
        match_stacks,
        number_labels,
        read_columns,
        read_locations,
        read_messages,
        scan_profile,
        select_stacks,
        sort_calls,
        sum_calls,
        sum_groups,
        sum_labels,
        sum_stacks,
        wrap_stacks,
        write_columns,
        write_labels,
        write_locations,
        write_messages,
        write_strings,
    )


__all__ = [
    "BELOW_WANTED",
    "FROM_LEAF",
    "FROM_ROOT",
    "REAL_CALL",
    "RESIDUAL",
    "TO_HARNESS",
    "cut_stacks",
    "first_uses",
    "group_stacks",
    "join_labels",
    "join_stacks",
    "join_texts",
    "list_stacks",
    "match_stacks",
    "number_labels",
    "read_columns",
    "read_locations",
    "read_messages",
    "scan_profile",
    "select_stacks",
    "sort_calls",
    "sum_calls",
    "sum_groups",
    "sum_labels",
    "sum_stacks",
    "wrap_stacks",
    "write_columns",
    "write_labels",
    "write_locations",
    "write_messages",
    "write_strings",
]
