"""A folder instead of /proc, in which a test says what the kernel reports, and what it no longer does."""

from __future__ import annotations

from pathlib import Path


class FakeProc:
    """Stands for `pathlib.Path` in a module: what is below /proc is looked up in `folder`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __call__(self, path: str | Path) -> Path:
        text = str(path)
        return (
            self.folder / text.removeprefix("/proc").lstrip("/") if text.startswith("/proc") else Path(path)
        )

    def write(self, path: str, text: str) -> None:
        """Let the kernel report `text` at /proc/`path`."""
        file = self.folder / path
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(text)
