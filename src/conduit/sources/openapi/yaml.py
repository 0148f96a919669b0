"""YAML as used by OpenAPI: JSON's types only, so that `no` and dates stay text (YAML 1.2, JSON schema).

The parser shares aliases and does not copy them. Documents that would become excessively large if aliases were
expanded, or that contain themselves, are rejected.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from conduit.errors import ConduitError
from conduit.sources.openapi.errors import OpenAPIError

if TYPE_CHECKING:
    from collections.abc import Callable

MAX_NODES = 5_000_000
"""How many values a document may have with its aliases written out; the largest real ones have a million."""


class MissingExtraError(ConduitError):
    """YAML was given or requested, and PyYAML is not installed."""


def import_yaml(purpose: str) -> Any:
    """Return the `yaml` module. Raise `MissingExtraError`, which names the extra, if it is missing."""
    try:
        import yaml
    except ImportError:
        raise MissingExtraError(f"{purpose} needs PyYAML: install it with `pip install PyYAML`") from None
    return yaml


def parse_yaml(text: str, source: str, repeated: Callable[[str], None]) -> Any:
    """Return the values of a YAML document, with text keys. Raise `OpenAPIError` with line and column."""
    yaml = import_yaml(f"{source}: reading YAML")
    try:
        root = yaml.load(text, Loader=_loader(yaml, repeated))
        size = _count(root, {}, source)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark
        location = f" at line {mark.line + 1}, column {mark.column + 1}" if mark else ""
        raise OpenAPIError(source, f"is not YAML: {error.problem}{location}") from None
    except yaml.YAMLError as error:
        raise OpenAPIError(source, f"is not YAML: {str(error).splitlines()[0]}") from None
    except RecursionError:
        raise OpenAPIError(source, "is nested too deeply to be read") from None
    except ValueError as error:
        raise OpenAPIError(source, f"is not readable: {error}") from None
    if size > MAX_NODES:
        raise OpenAPIError(source, f"has more than {MAX_NODES:,} values when its aliases are written out")
    return root


def _loader(yaml: Any, repeated: Callable[[str], None]) -> Any:
    """Return a safe loader that reads null, booleans and numbers as JSON does, and makes every key a text."""
    import re

    base = getattr(yaml, "CSafeLoader", yaml.SafeLoader)

    class Loader(base):  # type: ignore[misc, valid-type]
        yaml_implicit_resolvers: dict[str, list[Any]] = {}  # noqa: RUF012 (PyYAML's own contract)

        def construct_mapping(self, node: Any, deep: bool = False) -> dict[str, Any]:
            if isinstance(node, yaml.MappingNode):
                self.flatten_mapping(node)
            members: dict[str, Any] = {}
            for key_node, value_node in node.value:
                if not isinstance(key_node, yaml.ScalarNode):
                    raise yaml.constructor.ConstructorError(
                        None, None, "a key must be a scalar", key_node.start_mark
                    )
                if key_node.value in members:
                    repeated(key_node.value)
                members[key_node.value] = self.construct_object(value_node, deep=True)
            return members

    for tag, pattern, first in (
        ("null", r"~|null|Null|NULL|", ["~", "n", "N", ""]),
        ("bool", r"true|True|TRUE|false|False|FALSE", list("tTfF")),
        ("int", r"[-+]?[0-9]+", list("-+0123456789")),
        ("float", r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?", list("-+.0123456789")),
        ("merge", r"<<", ["<"]),
    ):
        Loader.add_implicit_resolver(f"tag:yaml.org,2002:{tag}", re.compile(f"(?:{pattern})$"), first)
    Loader.add_constructor("tag:yaml.org,2002:int", lambda loader, node: int(loader.construct_scalar(node)))
    Loader.add_constructor(
        "tag:yaml.org,2002:float", lambda loader, node: float(loader.construct_scalar(node))
    )
    return Loader


def _count(node: Any, sizes: dict[int, int], source: str) -> int:
    """Return the number of values of a node with aliases expanded.

    0 marks a node that is being counted; if it is met again, it contains itself.
    """
    if not isinstance(node, (dict, list)):
        return 1
    known = sizes.get(id(node))
    if known == 0:
        raise OpenAPIError(source, "contains itself through an alias")
    if known is None:
        sizes[id(node)] = 0
        children = node.values() if isinstance(node, dict) else node
        known = sizes[id(node)] = 1 + sum(_count(child, sizes, source) for child in children)
    return known
