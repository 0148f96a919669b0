"""The part of collecting that runs inside the application's own interpreter.

Law: nothing here imports more than the standard library and, each in the one file `*_api.py` that is named after it,
the frameworks the application has already chosen; nothing of Conduit outside this package is imported either, and
inside it every import is relative. That is why the package can be loaded by path, under a name of its own, by any
Python from 3.9 on that has never heard of Conduit: in a project that is itself called `conduit`, for example. It
answers with plain dictionaries in the shape of the metadata document; `conduit.sources` turns them into records.

What is written is what the application declares. A fact that was seen in running objects rather than declared is
marked `observed`, one that was concluded is marked `inferred`, and one that cannot be known is `unknown`; defaults,
querysets and views are never called.
"""
