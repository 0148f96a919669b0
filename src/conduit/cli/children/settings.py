"""What a run says to the processes that it starts, through their environment."""

from __future__ import annotations

import json
import os
import sys
from typing import Any, NamedTuple

VARIABLE = "CONDUIT_RUN"
PACKAGE = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))  # noqa: PTH100, PTH120
HOOK_FOLDER = os.path.join(PACKAGE, "cli", "children", "hook")  # noqa: PTH118


class RunSettings(NamedTuple):
    """One run: its folder for the journal, its own process, its flags, and its outputs (flag → absolute path)."""

    folder: str
    main: int
    follows: bool
    outputs: dict[str, str]
    rates: list[str]

    def dump(self) -> dict[str, Any]:
        """Return the settings as JSON's values."""
        return {**self._asdict(), "package": PACKAGE, "python": list(sys.version_info[:2])}

    def flags(self) -> list[str]:
        """Return the command line's profile flags."""
        return [*self.rates, *(f"-{flag}={path}" for flag, path in self.outputs.items())]

    def put_into_environment(self) -> None:
        """Let programs that are started from now on inherit the settings, and their interpreters the start hook."""
        os.environ[VARIABLE] = json.dumps(self.dump())
        if self.follows:
            os.environ["PYTHONPATH"] = with_hook(os.environ.get("PYTHONPATH", ""))


def load(settings: dict[str, Any]) -> RunSettings:
    """Return the settings that `dump` made."""
    return RunSettings(**{name: settings[name] for name in RunSettings._fields})


def of_environment() -> RunSettings | None:
    """Return the settings of the run that this process was started in, or None."""
    text = os.environ.get(VARIABLE)
    if not text:
        return None
    try:
        return load(json.loads(text))
    except (ValueError, KeyError, TypeError):  # of another version of this package
        return None


def with_hook(python_path: str) -> str:
    """Return a value of PYTHONPATH with the folder of the start hook at its head."""
    folders = [folder for folder in python_path.split(os.pathsep) if folder and folder != HOOK_FOLDER]
    return os.pathsep.join([HOOK_FOLDER, *folders])
