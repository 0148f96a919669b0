"""The part of collecting that runs inside the application's own interpreter.

It imports the standard library and the frameworks that the application has already loaded, each of them in one module
(`tests/house/test_imports.py`). It imports nothing else of Conduit, and its own modules only relatively. So it can be
loaded by path, under a name of its own, by Python 3.9 and later without an installation of Conduit, even in a project
named `conduit`. It returns plain dictionaries in the shape of the metadata document; `conduit.sources` turns them into
records.

Facts come from the application's declarations. A fact that was found in running objects is marked `observed`, a
conclusion `inferred`, and one that cannot be known `unknown`. Defaults, querysets and views are never called. Used by
`conduit.sources.application` and `conduit.sources.collect`.
"""
