"""The one reader of `pyproject.toml`: tables of `[tool.conduit]`."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from conduit.errors import ConfigurationError

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path


def read_project_file(path: Path) -> dict[str, Any]:
    """Return the whole document; empty if there is no such file. Raises `ConfigurationError` if it is not TOML."""
    import tomllib

    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}
    except OSError as error:
        raise ConfigurationError(f"{path}: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{path}: not TOML: {error}") from None


def read_conduit_table(path: Path, name: str) -> Mapping[str, Any]:
    """Return the table `[tool.conduit.NAME]`; empty if it, or the file, does not exist.

    Raises `ConfigurationError` if the file is not TOML or the entry is not a table.
    """
    found: dict[str, Any] = read_project_file(path)
    reached = []
    for key in ("tool", "conduit", name):
        reached.append(key)
        found = found.get(key, {})
        if not isinstance(found, dict):
            raise ConfigurationError(f"{path}: {'.'.join(reached)}: expected a table, found {found!r}")
    return found
