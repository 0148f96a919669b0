"""What the registry has in C: the questions whose answers are kept, and the loops over records that build its indexes.

What each means, and the same in Python, is in `conduit.metadata.questions` and `conduit.metadata.tables`. Importing
this raises ImportError where the extension is not loaded; see `conduit._native.reason`.
"""

from conduit._native._core import Questions, Tables, group_by, index_by, replace_none

__all__ = ["Questions", "Tables", "group_by", "index_by", "replace_none"]
