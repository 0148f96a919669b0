"""The C extension `conduit._native._core`, and whether it is loaded.

It counts allocations, samples stacks and memory, records waits, and answers the registry's queries. The ordinary
installation builds it for CPython 3.11 to 3.15 on Linux; without a compiler the installation succeeds without it.
The other modules of this package give its functions types and documentation. `CONDUIT_NATIVE=off` in the environment
prevents it from being loaded. Used by `conduit.bench`, `conduit.record`, `conduit.profile`, `conduit.metadata` and
`conduit.debug`.
"""

from __future__ import annotations

import os
import sys

_OLDEST, _NEWEST = (3, 11), (3, 15)  # tests/native compare them with python_layout.h


def _find_reason() -> str:
    if sys.implementation.name != "cpython":
        return f"the C extension is for CPython; this is {sys.implementation.name}"
    if not _OLDEST <= sys.version_info[:2] <= _NEWEST:
        return (
            f"the C extension is for CPython {_OLDEST[0]}.{_OLDEST[1]} to {_NEWEST[0]}.{_NEWEST[1]}; this is "
            f"{sys.version_info[0]}.{sys.version_info[1]}, whose frames and locks it does not know"
        )
    if "t" in sys.abiflags:
        return (
            "the C extension is not for free-threaded builds, whose frames, locks and memory it does not know; this is "
            f"{sys.version_info[0]}.{sys.version_info[1]} without the GIL"
        )
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
    """Return whether the C extension is loaded."""
    return not _REASON


def reason() -> str:
    """Return why the C extension is not loaded and what to do about it, or an empty string."""
    return _REASON
