"""Saved configurations of the page, in google/pprof's file and format, so that both programs share them.

`$XDG_CONFIG_HOME/pprof/settings.json` (or `~/.config/…`): `{"configs": [{"name": …, "unit": …, …}]}`. Options that
belong to one profile (sample type, source paths, output) are not saved. A change reads the file, replaces it whole
and only then returns, under a lock that other threads and other processes of Conduit respect.
"""

from __future__ import annotations

import json
import os
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from conduit.errors import ConduitError
from conduit.files import write_file_whole
from conduit.report.options import OPTIONS, Options, show_value
from conduit.user_folders import user_folder

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_NOT_SAVED = frozenset({"output", "sample_index", "source_path", "source_anywhere", "trim_path", "divide_by"})
_SAVED = tuple(name for name in OPTIONS if name not in _NOT_SAVED)
_MAX_BYTES = 4 << 20
_MAX_NAME_LENGTH = 200

_threads = threading.Lock()


def settings_path() -> Path:
    """Return the path of the settings file."""
    return user_folder("XDG_CONFIG_HOME") / "pprof" / "settings.json"


class SavedConfigs:
    """The configurations of one settings file, read again on every use: another page may have changed it."""

    def __init__(self, path: Path | None = None) -> None:
        self._path = path

    def all(self) -> dict[str, dict[str, Any]]:
        """Return the options of each configuration by name, in the file's order.

        Raises `ConduitError` for a damaged file.
        """
        return {entry["name"]: _options_of(entry, self._file()) for entry in self._read()}

    def get(self, name: str) -> dict[str, Any] | None:
        """Return the options of one configuration; None if there is none of that name."""
        return self.all().get(name)

    def save(self, name: str, options: Options) -> None:
        """Save the options under a name, replacing an earlier configuration of that name."""
        if len(name) > _MAX_NAME_LENGTH or not name.isprintable():
            raise ConduitError(
                f"invalid configuration name: expected at most {_MAX_NAME_LENGTH} printable characters"
            )
        entry = {"name": name, **{key: getattr(options, key) for key in _SAVED}}
        with self._locked():
            self._write([*(other for other in self._read() if other["name"] != name), entry])

    def delete(self, name: str) -> bool:
        """Delete a configuration; return whether it existed."""
        with self._locked():
            before = self._read()
            after = [entry for entry in before if entry["name"] != name]
            if len(after) != len(before):
                self._write(after)
        return len(after) != len(before)

    def _file(self) -> Path:
        return self._path or settings_path()

    def _read(self) -> list[dict[str, Any]]:
        path = self._file()
        try:
            with path.open("rb") as file:
                data = file.read(_MAX_BYTES + 1)
            if len(data) > _MAX_BYTES:
                raise ValueError(f"larger than {_MAX_BYTES >> 20} MB")
            return _entries(json.loads(data))
        except FileNotFoundError:
            return []
        except (OSError, ValueError, RecursionError) as error:
            raise ConduitError(
                f"cannot read the saved configurations in {path}: {error}; correct or delete the file"
            ) from None

    def _write(self, entries: list[dict[str, Any]]) -> None:
        write_file_whole(str(self._file()), (json.dumps({"configs": entries}, indent=2) + "\n").encode())

    @contextmanager
    def _locked(self) -> Iterator[None]:
        """One change at a time: among the threads by a lock, among processes by one on a file beside the settings."""
        path = self._file()
        with _threads:
            try:
                path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
                file = os.open(path.with_name(".settings.lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
            except OSError as error:
                raise ConduitError(f"cannot write {path}: {error.strerror or error}") from None
            try:
                _lock_file(file)
                yield
            finally:
                os.close(file)  # and with it the lock


def _lock_file(file: int) -> None:
    try:
        import fcntl
    except ImportError:  # Windows: only threads of one process are kept apart
        return
    fcntl.flock(file, fcntl.LOCK_EX)


def _entries(document: Any) -> list[dict[str, Any]]:
    configs = document.get("configs") if isinstance(document, dict) else None
    if not isinstance(configs, list):
        raise ValueError('expected {"configs": [...]}')
    for entry in configs:
        if not isinstance(entry, dict) or not isinstance(entry.get("name"), str):
            raise ValueError("expected an object with a name in configs")
    return configs


def _options_of(entry: dict[str, Any], path: Path) -> dict[str, Any]:
    """Return the saved values, each parsed as the text of a parameter would be.

    A wrong type is refused, not passed on.
    """
    options = Options()
    for key in _SAVED:
        value = entry.get(key)
        if value is None or value == getattr(options, key):
            continue
        try:
            if not isinstance(value, str | int | float):
                raise ValueError(f"expected text or a number, found {type(value).__name__}")
            options.assign(key, show_value(value))
        except ValueError as error:
            raise ConduitError(
                f"cannot read configuration {entry['name']!r} in {path}: {key}: {error}; correct or delete it"
            ) from None
    return {key: getattr(options, key) for key in _SAVED if key in entry}
