"""Saved configurations of the page, in the original's file and form, so that both programs share them.

`$XDG_CONFIG_HOME/pprof/settings.json` (or `~/.config/…`): `{"configs": [{"name": …, "unit": …, …}]}`. Options that
belong to one profile (sample type, source paths, output) are not kept. The file is written whole or not at all.
"""

from __future__ import annotations

import json
import os
from typing import TYPE_CHECKING, Any

from conduit.errors import ConduitError
from conduit.report.options import OPTIONS, Options
from conduit.user_folders import user_folder

if TYPE_CHECKING:
    from pathlib import Path

_NOT_KEPT = frozenset({"output", "sample_index", "source_path", "trim_path", "divide_by"})
_KEPT = tuple(name for name in OPTIONS if name not in _NOT_KEPT)


def settings_path() -> Path:
    """Return where the configurations are."""
    return user_folder("XDG_CONFIG_HOME") / "pprof" / "settings.json"


class SavedConfigs:
    """The configurations of one settings file, read anew for every question: another page may have changed it."""

    def __init__(self, path: Path | None = None) -> None:
        self._path = path or settings_path()

    def all(self) -> dict[str, dict[str, Any]]:
        """Each configuration's options by name, in the file's order."""
        return {
            str(entry.get("name", "")): {name: entry[name] for name in _KEPT if name in entry}
            for entry in self._read()
        }

    def get(self, name: str) -> dict[str, Any] | None:
        """One configuration's options."""
        return self.all().get(name)

    def save(self, name: str, options: Options) -> None:
        """Keeps the options under a name, in place of what had it."""
        entry = {"name": name, **{key: getattr(options, key) for key in _KEPT}}
        others = [other for other in self._read() if other.get("name") != name]
        self._write([*others, entry])

    def delete(self, name: str) -> bool:
        """Forgets a name; tells whether it was there."""
        before = self._read()
        after = [entry for entry in before if entry.get("name") != name]
        if len(after) != len(before):
            self._write(after)
        return len(after) != len(before)

    def _read(self) -> list[dict[str, Any]]:
        try:
            entries = json.loads(self._path.read_text(encoding="utf-8"))["configs"]
        except FileNotFoundError:
            return []
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise ConduitError(f"cannot read the saved configurations in {self._path}: {error}") from None
        return [entry for entry in entries if isinstance(entry, dict)] if isinstance(entries, list) else []

    def _write(self, entries: list[dict[str, Any]]) -> None:
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        unfinished = self._path.with_name(f".settings.{os.getpid()}.json")
        try:
            unfinished.write_text(json.dumps({"configs": entries}, indent=2) + "\n", encoding="utf-8")
            unfinished.replace(self._path)
        finally:
            unfinished.unlink(missing_ok=True)
