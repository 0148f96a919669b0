"""The one C extension, `conduit._native._core`, and whether it is here: counts allocations, samples stacks and
heap, answers a registry's questions.

Built by the ordinary installation for CPython 3.11 to 3.13 on Linux; where there is no compiler the
installation succeeds without it. Nothing else in the package imports `_core` directly: the modules beside this
file give it types and say what each function counts or samples. `CONDUIT_NATIVE=off` in the environment
leaves it unloaded.
"""

from __future__ import annotations

import os
import sys


def _find_reason() -> str:
    if sys.implementation.name != "cpython":
        return f"the C extension is for CPython; this is {sys.implementation.name}"
    if not sys.platform.startswith("linux"):
        return f"the C extension is built for Linux only; this is {sys.platform}"
    if os.environ.get("CONDUIT_NATIVE") == "off":
        return "the C extension is turned off by CONDUIT_NATIVE=off in the environment"
    try:
        import conduit._native._core  # noqa: F401
    except ModuleNotFoundError:
        return (
            "the C extension conduit._native._core was not built when conduit was installed: "
            "install a C compiler and the headers of this Python, then install conduit again"
        )
    except ImportError as error:
        return f"the C extension conduit._native._core could not be loaded: {error}"
    return ""


_REASON = _find_reason()


def available() -> bool:
    """Whether the C extension is loaded."""
    return not _REASON


def reason() -> str:
    """Why the C extension is not loaded, and what to do about it; empty where it is."""
    return _REASON
