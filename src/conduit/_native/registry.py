"""The C part of the registry: queries with cached answers, and the loops over records that build the indexes.

`conduit.metadata.questions` and `conduit.metadata.tables` document each function, and do the same in Python.
Importing this raises ImportError where the extension is not loaded; see `conduit._native.reason`.
"""

from conduit._native._core import Questions, Tables, group_by, index_by, replace_none

__all__ = ["Questions", "Tables", "group_by", "index_by", "replace_none"]
