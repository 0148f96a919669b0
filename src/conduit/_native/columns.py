"""Loops over the columns of a profile, in C; `conduit.profile.loops` says what each takes and returns.

The functions whose sums may not fit into 64 bits (`sum_stacks`, `sum_calls`, `sum_labels`, `join_stacks`) return None
then; their sums come as bytes (int64).
"""

from __future__ import annotations

from conduit._native import available

if available():
    from conduit._native._core import (
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
    "available",
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
