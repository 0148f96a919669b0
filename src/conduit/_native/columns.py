"""Loops over the columns of a profile, in C: reading them from the wire, filtering, grouping, summing and writing them.

All take and return buffers: `starts` (int64, one more than there are stacks), `frames` (uint32, indices of locations,
leaf first), columns of values (int64). They are optional: without the extension,
profiles are read into objects.

    scan_profile(data, limit)
        The top level of a document: (spans of the messages 1, 3, 4, 5, 11), strings, (field, value, start) of the
        numbers, and the spans of the samples (int64). None for anything that is not in the form that writers use.
    read_columns(data, spans, index_of, types, max_frames, max_labels)
        (starts, frames, values by type, label set of each sample, undecoded labels of each set). `index_of[id]` is one
        more than the index of the location with that id (uint32), 0 where there is none. None as above.
    list_stacks(starts, frames, table)      lists of the members of `table`
    match_stacks(starts, frames, any, none) a byte a stack: whether a frame is flagged in `any`, and no frame in `none`
    select_stacks(starts, frames, mask, new_of)
        (starts, frames) of the stacks in the mask, frames replaced by `new_of[frame]` (int32), those with -1 left out
    first_uses(frames, locations)           the locations that occur, in order of first use (uint32)
    group_stacks(starts, frames, label_of)  (group of each stack, first stack of each group); equal stacks are a group
    sum_groups(values, group_of, groups)    sums by group (int64), modulo 2**64
    write_columns(starts, frames, ids, columns, label_of, label_fields)
        The samples as fields of a document; `ids` (uint64) by location, `label_fields` the encoded labels of each set.
    sum_stacks(starts, frames, values, others, runs, numbers, count)
        (flat, cum) by frame number below `count`. Location i has the frames `numbers[runs[i]:runs[i + 1]]` (int32),
        innermost first. Samples with 0 in both `values` and `others` are passed over. None where a sum overflows.
    sum_calls(starts, frames, values, others, runs, numbers, count)
        (flat, cum, calls): the same, and a row for each call in order of first use: caller * count + callee, its sum,
        whether it ever was a real call, and whether a frame between the two was ever left out. Here the numbers are
        ordered from the caller inwards: -1 for a frame that is left out, else twice its number, plus 1 if inlined.
"""

from __future__ import annotations

from conduit._native import available

if available():
    from conduit._native._core import (
        first_uses,
        group_stacks,
        list_stacks,
        match_stacks,
        read_columns,
        scan_profile,
        select_stacks,
        sum_calls,
        sum_groups,
        sum_stacks,
        write_columns,
    )

__all__ = [
    "available",
    "first_uses",
    "group_stacks",
    "list_stacks",
    "match_stacks",
    "read_columns",
    "scan_profile",
    "select_stacks",
    "sum_calls",
    "sum_groups",
    "sum_stacks",
    "write_columns",
]
