"""The questions of a registry whose answers are kept, in C: base classes for `conduit.metadata`'s snapshot and registry.

What each question means, and the same in Python, is in `conduit.metadata.questions`. Importing this raises ImportError
where the extension is not loaded; see `conduit._native.reason`.
"""

from conduit._native._core import Questions, Tables

__all__ = ["Questions", "Tables"]
