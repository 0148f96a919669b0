"""Output files of commands: `conduit.files`, under the name by which commands know it."""

from __future__ import annotations

from conduit.files import write_file_whole

__all__ = ["write_file_whole"]
