"""Saving profiles that were fetched: under the next free number in the first folder that takes them."""

# pathlib would slow the start of a small report.
# ruff: noqa: PTH103, PTH118

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from conduit.files import name_new_file, new_file, remove_new_file
from conduit.report.errors import FetchError

if TYPE_CHECKING:
    from collections.abc import Callable

    from conduit.profile.model import Profile

    Say = Callable[[str], None]


_HEAP_TYPES = frozenset({"alloc_objects", "alloc_space", "inuse_objects", "inuse_space"})


def save_profile(profile: Profile, say: Say) -> str:
    """Write the profile to `pprof.PROGRAM.TYPES.001.pb.gz` in the folder for saved profiles.

    The folder is $PPROF_TMPDIR, $HOME/pprof or the system's own. The four types of a heap profile are `heap`, which can
    be read and typed. Return the path, empty where the profile could not be saved.
    """
    from conduit.profile.codec import encode

    parts = ["pprof"]
    if profile.program:
        parts.append(profile.program)
    types = [kind.type.replace("/", "_") for kind in profile.sample_types]
    parts.extend(["heap"] if set(types) == _HEAP_TYPES else types)
    prefix = ".".join(parts) + "."
    folder = _folder(say)
    try:
        path = write_numbered(folder, prefix, ".pb.gz", encode(profile))
    except OSError as error:
        say(f"Could not save profile: {error.strerror or error}")
        return ""
    say(f"Saved profile in {path}")
    return path


def _folder(say: Say) -> str:
    import tempfile

    home = os.environ.get("HOME", "")
    candidates = [os.environ.get("PPROF_TMPDIR", ""), os.path.join(home, "pprof") if home else ""]
    for folder in (*filter(None, candidates), tempfile.gettempdir()):
        try:
            os.makedirs(folder, exist_ok=True)
        except OSError as error:
            say(f"Could not use temp dir {folder}: mkdir {folder}: {(error.strerror or str(error)).lower()}")
            continue
        return folder
    raise FetchError("failed to identify temp dir")


def write_numbered(folder: str, prefix: str, suffix: str, data: bytes) -> str:
    """Write a new file named by the first free number from 001 and return its path; raise `OSError`.

    The file has its name only once it is whole.
    """
    temporary = new_file(folder, data)
    try:
        for number in range(1, 10_000):
            path = os.path.join(folder, f"{prefix}{number:03d}{suffix}")
            try:
                name_new_file(temporary, path)
            except FileExistsError:
                continue
            return path
    finally:
        remove_new_file(temporary)
    raise FileExistsError(f"could not create file of the form {prefix}001{suffix}")
