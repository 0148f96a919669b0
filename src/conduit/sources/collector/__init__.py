"""The part of collecting that runs inside the application's own interpreter.

It imports the standard library and, each in the one file that the tests name, the frameworks that the application
has already loaded; nothing else of Conduit, and within the package only relatively. So it can be loaded by path,
under a name of its own, by any Python from 3.9 on where Conduit is not installed, also in a project called
`conduit`. It answers with plain dictionaries in the shape of the metadata document; `conduit.sources` turns them
into records.

Facts are the application's declarations. A fact seen in running objects is marked `observed`, a conclusion
`inferred`, one that cannot be known `unknown`; defaults, querysets and views are never called.
"""
