"""A folder for PYTHONPATH: its `sitecustomize` is run when an interpreter starts."""
