"""Counts the trip of a profile from its file to the lines of `-top`: the functions, modules and calls on its way.

    python -m benchmarks.pprof_trip [FILE]

The command runs twice in one process, so that imports are done; in the second run every call of a function of ours is
counted from `fetch_repeated` on, when the arguments have been read. A crossing is a function that was called from
another module, each pair of module and function once: a large profile has no more of them than a small one. A step is
a pair of modules with a crossing. Without FILE, the profile of 7 kB of `profile_large.py` is used.
"""

from __future__ import annotations

import contextlib
import io
import sys
import tempfile
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
        self.begun = False
        self.pairs: dict[tuple[str, str, str], None] = {}

    def note(self, frame: FrameType, event: str, _: object) -> None:
        """Note one event of `sys.setprofile`."""
        code = frame.f_code
        self.begun = self.begun or code.co_name == "fetch_repeated"
        if event == "call" and self.begun and code.co_filename.startswith(SOURCES):
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
    functions = {(file, name) for _, file, name in trip.pairs}
    crossings = [(before, file, name) for before, file, name in trip.pairs if before != file]
    modules, steps = {file for file, _ in functions}, {(before, file) for before, file, _ in crossings}
    print(
        f"{len(functions)} functions in {len(modules)} modules, {len(crossings)} crossings, {len(steps)} steps"
    )
    for before, file, name in crossings:
        origin, target = (Path(one).relative_to(SOURCES) if one else "" for one in (before, file))
        print(f"  {origin} -> {target} {name}")


if __name__ == "__main__":
    with tempfile.TemporaryDirectory(prefix="pprof-trip-") as folder:
        print_counts(count(Path(sys.argv[1]) if len(sys.argv) > 1 else write_small(Path(folder))))
