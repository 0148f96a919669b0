"""Counts the trip of a profile from its file to the lines of `-top`: the modules on its way, and how often it enters one.

    python -m benchmarks.pprof_trip [FILE]

The command runs twice in one process, so that imports are done; in the second run every call of a function of ours is
noted, from the reading of the arguments on. A crossing is a function that was called from another module, each pair of
module and function once: a large profile has no more of them than a small one. A stay is a run of crossings into one
module: in the order in which functions are entered first, each change of the module begins one. Without FILE, the
profile of 7 kB of `profile_large.py` is used.
"""

from __future__ import annotations

import contextlib
import io
import sys
import tempfile
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING

import conduit
from benchmarks.profile_large import write_small
from conduit.cli import main

if TYPE_CHECKING:
    from types import FrameType


SOURCES = str(Path(conduit.__file__).parent)


class Trip:
    """What was called, each pair of caller's module, module and function once."""

    def __init__(self) -> None:
        self.pairs: dict[tuple[str, str, str], None] = {}

    def note(self, frame: FrameType, event: str, _: object) -> None:
        """Note one event of `sys.setprofile`."""
        code = frame.f_code
        if event == "call" and code.co_filename.startswith(SOURCES):
            caller = frame.f_back
            while caller is not None and not caller.f_code.co_filename.startswith(SOURCES):
                caller = caller.f_back
            before = caller.f_code.co_filename if caller else ""
            self.pairs[before, code.co_filename, code.co_qualname] = None


def run(path: Path) -> None:
    with contextlib.redirect_stdout(io.TextIOWrapper(io.BytesIO())):
        main(["pprof", "-top", str(path)])


def count(path: Path) -> Trip:
    trip = Trip()
    run(path)
    sys.setprofile(trip.note)
    try:
        run(path)
    finally:
        sys.setprofile(None)
    return trip


def print_counts(trip: Trip) -> None:
    crossings = [(before, file, name) for before, file, name in trip.pairs if before != file]
    stays = [file for file, _ in groupby(file for _, file, _ in crossings)]
    functions = {(file, name) for _, file, name in trip.pairs}
    print(
        f"{len(stays)} stays in {len(set(stays))} modules: {len(crossings)} crossings, {len(functions)} functions"
    )
    for before, file, name in crossings:
        origin, target = (Path(one).relative_to(SOURCES) if one else "" for one in (before, file))
        print(f"  {origin} -> {target} {name}")


if __name__ == "__main__":
    with tempfile.TemporaryDirectory(prefix="pprof-trip-") as folder:
        print_counts(count(Path(sys.argv[1]) if len(sys.argv) > 1 else write_small(Path(folder))))
