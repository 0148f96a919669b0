"""Cached application documents, valid until one of their inputs changes.

Loading an application takes seconds, answering from its document milliseconds. A cached document has stamps: the
modification time and size of each loaded project file, of the files that pin the project's dependencies, and of the
interpreter; and the names that can be imported from the folders of these files, since a framework finds files by name
(`models.py`, `admin.py`) that no loaded file mentions. A document is used if all its stamps still hold; otherwise the
application is collected again. A file in a folder from which nothing was loaded is not noticed. The file name is
determined by the request (application, interpreter, version of Conduit). A document with errors is not cached.

The files are in `$XDG_CACHE_HOME/conduit` (`~/.cache/conduit`), never in the project.
"""

from __future__ import annotations

import os
import zlib
from pathlib import Path

import msgspec

from conduit._version import __version__
from conduit.sources.application import TIME_LIMIT_S, Application
from conduit.user_folders import user_folder

PINS = (
    "pyproject.toml",
    "uv.lock",
    "poetry.lock",
    "pdm.lock",
    "Pipfile.lock",
    "requirements.txt",
    "setup.py",
    "setup.cfg",
)

_MAGIC = b"conduit document 1\n"

Stamp = tuple[int, int]
"""Modification time in nanoseconds, size in bytes; (0, 0) for a file that is not there."""


class _Listing(msgspec.Struct, frozen=True):
    """The names that can be imported from a folder."""

    modified_ns: int
    """The folder's own modification time, before it was listed: while it is the same, so are the names."""
    names: tuple[str, ...]
    """Its Python files, and its folders with Python files in them, sorted."""


class CachedDocument(msgspec.Struct, frozen=True):
    """A document and the file that caches it."""

    path: Path
    data: bytes
    is_fresh: bool
    """True when the application was loaded just now."""
    changed: str = ""
    """The file or folder whose change made an older document invalid."""


class _Stamps(msgspec.Struct, frozen=True):
    """The request that a cached document answers, and the state of its inputs."""

    asked: str
    files: dict[str, Stamp]
    folders: dict[str, _Listing]


class CollectedWithErrorsError(Exception):
    """The document has errors, so it is not cached; it is in `data`."""

    def __init__(self, data: bytes) -> None:
        super().__init__("the document has errors")
        self.data = data


def folder() -> Path:
    """Return the folder of cached documents."""
    return user_folder("XDG_CACHE_HOME") / "conduit" / "documents"


def find_cached(application: Application) -> tuple[CachedDocument | None, str]:
    """Return the cached document if no input has changed; otherwise `None` and the path that has changed."""
    path = _path(application)
    try:
        stamps, data = _split(path.read_bytes())
    except (OSError, ValueError, msgspec.DecodeError):
        return None, ""
    if stamps.asked != _asked(application):
        return None, ""
    changed = next((name for name, stamp in stamps.files.items() if _stamp(name) != stamp), "")
    changed = changed or next(filter(None, (_came_or_went(*listed) for listed in stamps.folders.items())), "")
    return (None, changed) if changed else (CachedDocument(path, data, False), "")


def collect_and_cache(
    application: Application, time_limit_s: float = TIME_LIMIT_S, changed: str = ""
) -> CachedDocument:
    """Collect the application and cache its document.

    Raise `CollectingError` as `collect_application` does, and `CollectedWithErrorsError` if parts failed.
    """
    from conduit.files import write_file_whole
    from conduit.metadata.codec import encode
    from conduit.sources.application import collect_application

    collected = collect_application(application, time_limit_s)
    data = encode(collected.metadata)
    if collected.metadata.errors:
        raise CollectedWithErrorsError(data)
    path = _path(application)
    beside = [str(Path(application.root) / name) for name in PINS]
    files = {name: _stamp(name) for name in [*beside, application.python] if name}
    own = {application.root, *map(os.path.dirname, collected.files)}
    folders = {name: _listing(name) for name in sorted(own)}
    stamps = msgspec.json.encode(_Stamps(_asked(application), files | collected.files, folders))
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    # One file, so that stamps and document are always of one collection, whatever else is being written.
    write_file_whole(str(path), b"".join((_MAGIC, len(stamps).to_bytes(8, "big"), stamps, data)))
    return CachedDocument(path, data, True, changed)


def _split(content: bytes) -> tuple[_Stamps, bytes]:
    start = len(_MAGIC) + 8
    if not content.startswith(_MAGIC) or len(content) < start:
        raise ValueError("not a cached document")
    end = start + int.from_bytes(content[len(_MAGIC) : start], "big")
    return msgspec.json.decode(content[start:end], type=_Stamps), content[end:]


def _path(application: Application) -> Path:
    # A check sum will do, and spares the start of a cryptographic library: what was asked for is compared too.
    asked = _asked(application).encode()
    return folder() / f"{zlib.crc32(asked):08x}{zlib.adler32(asked):08x}.document"


def _asked(application: Application) -> str:
    return msgspec.json.encode([__version__, application]).decode()


def _stamp(name: str) -> Stamp:
    try:
        status = os.stat(name)  # noqa: PTH116 (hundreds of files, within the time of one answer)
    except OSError:
        return 0, 0
    return status.st_mtime_ns, status.st_size


def _listing(folder: str) -> _Listing:
    modified_ns, _ = _stamp(folder)
    try:
        with os.scandir(folder) as entries:
            names = [entry.name for entry in entries if _is_importable(entry)]
    except OSError:
        names = []
    return _Listing(modified_ns, tuple(sorted(names)))


def _is_importable(entry: os.DirEntry[str]) -> bool:
    if entry.name.endswith(".py"):
        return True
    if not entry.name.isidentifier() or entry.name == "__pycache__" or not entry.is_dir():
        return False
    try:
        with os.scandir(entry) as inside:
            return any(each.name.endswith(".py") for each in inside)
    except OSError:
        return False


def _came_or_went(folder: str, listed: _Listing) -> str:
    """Return a name that was added to or removed from a folder's importable names; `""` if they are unchanged.

    The folder's own modification time is not enough, since databases and editors create other files next to the
    modules.
    """
    modified_ns, _ = _stamp(folder)
    if modified_ns == listed.modified_ns:
        return ""
    different = set(_listing(folder).names).symmetric_difference(listed.names)
    return os.path.join(folder, min(different)) if different else ""  # noqa: PTH118
