"""Where a user's files go, by the XDG base directory specification."""

from __future__ import annotations

import os
from pathlib import Path

from conduit.errors import ConduitError

_DEFAULTS = {"XDG_CACHE_HOME": ".cache", "XDG_CONFIG_HOME": ".config", "XDG_STATE_HOME": ".local/state"}


def user_folder(variable: str) -> Path:
    """Return the folder that a variable such as `XDG_CACHE_HOME` names, or its default below the home folder.

    Raise `ConduitError` where there is neither: HOME is not set, and the user has no entry in the password file.
    """
    named = os.environ.get(variable, "")
    if named and Path(named).is_absolute():  # the specification says to ignore others
        return Path(named)
    try:
        return Path.home() / _DEFAULTS[variable]
    except RuntimeError:
        raise ConduitError(
            f"this user has no home folder: HOME is not set and the password file has no entry; set HOME or {variable}"
        ) from None
