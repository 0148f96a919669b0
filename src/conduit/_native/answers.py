"""The C part of `conduit introspect`'s answers: JSON as YAML, and with indentation.

`conduit.cli.introspect.yaml_text` and `conduit.cli.introspect.data` document them, and do the same without it.
Importing this raises ImportError where the extension is not loaded; see `conduit._native.reason`.
"""

from conduit._native._core import indented_json, yaml_of_json

__all__ = ["indented_json", "yaml_of_json"]
