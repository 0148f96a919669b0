"""The output files that the flags of a command line name: no two flags may name the same file."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from conduit.errors import UsageError
from conduit.files import descriptor_of

if TYPE_CHECKING:
    from collections.abc import Mapping

_STANDARD_OUTPUT = 1


def is_standard_output(path: str) -> bool:
    """Return whether a path names the standard output of this process: `/dev/stdout`, `/dev/fd/1`, or a link to one."""
    return descriptor_of(path) == _STANDARD_OUTPUT


def refuse_shared_outputs(outputs: Mapping[str, str]) -> None:
    """Raise `UsageError` if two flags (flag → path) name the same file, in which one output would overwrite the other.

    `/dev/null` may be named several times.
    """
    flags: dict[object, str] = {}
    for flag, path in outputs.items():
        descriptor = descriptor_of(path)
        file = os.path.realpath(path) if descriptor is None else descriptor
        if file == os.devnull:
            continue
        if file in flags:
            raise UsageError(
                f"-{flags[file]} and -{flag} both write to {path}: an output needs a file of its own; "
                "name another file for one of them"
            )
        flags[file] = flag
