"""The C part of `conduit introspect`'s answers: JSON as YAML.

`conduit.cli.introspect.yaml_text` documents it, and does the same in Python. Importing this raises ImportError where
the extension is not loaded; see `conduit._native.reason`.
"""

from conduit._native._core import yaml_of_json

__all__ = ["yaml_of_json"]
