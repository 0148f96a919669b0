"""Conduit: what a running Python web application is made of, and where its time and memory go.

The names below are the package's face; each is loaded from its wing on first use, so that
`import conduit` costs next to nothing and no wing loads another.
"""

from __future__ import annotations

from conduit._version import __version__
from conduit.errors import ConduitError

TYPE_CHECKING = (
    False  # importing `typing` for it would be most of what `import conduit` costs; type checkers know it
)
if TYPE_CHECKING:
    from typing import Any

    from conduit import bench, debug, metadata, profile, record, sources
    from conduit.metadata.registry import Registry, get_registry, load, register
    from conduit.record import region
    from conduit.record.labels import carry_labels, label

_HOME_OF_NAME: dict[str, str] = {
    "carry_labels": "conduit.record.labels",
    "label": "conduit.record.labels",
    "Registry": "conduit.metadata.registry",
    "get_registry": "conduit.metadata.registry",
    "load": "conduit.metadata.registry",
    "load_ipython_extension": "conduit.notebook",
    "region": "conduit.record",
    "register": "conduit.metadata.registry",
}

# Packages that are there as attributes after `import conduit`, as `conduit.record.cpu(...)` in the documentation.
_PACKAGES = ("bench", "debug", "metadata", "profile", "record", "sources")

__all__ = [
    "ConduitError",
    "Registry",
    "__version__",
    "bench",
    "carry_labels",
    "debug",
    "get_registry",
    "label",
    "load",
    "metadata",
    "profile",
    "record",
    "region",
    "register",
    "sources",
]


def __getattr__(name: str) -> Any:
    home = _HOME_OF_NAME.get(name)
    if home is None and name not in _PACKAGES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    if home is None:
        return import_module(f"{__name__}.{name}")
    value = getattr(import_module(home), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOME_OF_NAME, *_PACKAGES})
