"""`-save` of `conduit bench`: stores the run for `conduit history`."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import TYPE_CHECKING

from conduit.cli.flags import Flag

if TYPE_CHECKING:
    from conduit.cli.flags import FlagSet


def declare_save(flags: FlagSet) -> None:
    """Declare `-save`, which may stand alone or name a folder or `notes`; its value is the store, or ""."""
    help = (
        "keep the run for `conduit history`, in .conduit/bench; -save=DIR: in this folder; "
        "-save=notes: as a git note"
    )
    flags.flags["save"] = Flag("save", _parse_save, "", help, is_switch=True)


def _parse_save(text: str) -> str:
    if text == "true":
        from conduit.history.store import DEFAULT_FOLDER

        return DEFAULT_FOLDER
    return "" if text == "false" else text


def save_run(where: str, output: bytes) -> None:
    """Keep the output of a run under the lines that say what was measured; say where on standard error."""
    from conduit.history.store import context_lines, open_store

    here = Path.cwd()
    commit, lines = context_lines(here)
    text = "".join(f"{line}\n" for line in lines) + output.decode()
    name = open_store(where, here).save(text, commit)
    print(f"conduit bench: kept as {name}", file=sys.stderr)
    if not commit:
        print("conduit bench: no commit here, so `conduit history show` leaves this run out", file=sys.stderr)
