"""The C part of the registry.

It has queries with cached answers, the loops over records that build the indexes, and the search for repeated
keys.

`conduit.metadata.questions`, `tables` and `warnings` document each function, and do the same in Python.
Importing this raises ImportError where the extension is not loaded; see `conduit._native.reason`.
"""

from conduit._native._core import Questions, Tables, group_by, has_distinct_keys, index_by, replace_none

__all__ = ["Questions", "Tables", "group_by", "has_distinct_keys", "index_by", "replace_none"]
