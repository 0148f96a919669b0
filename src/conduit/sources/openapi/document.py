"""One OpenAPI document in memory: read from JSON or YAML, its version checked, its references followed.

References are followed one step at a time and never copied into place, so schemas may contain themselves. A reference
that cannot be followed gives `None` and a warning with its location (a JSON pointer); nothing is printed here.
"""

from __future__ import annotations

import json
from collections import Counter
from pathlib import PurePath
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import unquote

from conduit.sources.openapi.errors import OpenAPIError

if TYPE_CHECKING:
    from collections.abc import Callable

SCHEMAS = "#/components/schemas/"
_READ_VERSIONS = ("3.0", "3.1", "3.2")


class OpenAPIWarning(NamedTuple):
    """A part of the document that could not be read as it is; `pointer` is a JSON pointer."""

    pointer: str
    message: str


class OpenAPIDocument:
    """The parsed document: `root` is its JSON object; `warnings` are added while it is read.

    `types` and `nullable` cache the results for references.
    """

    __slots__ = ("_kept", "nullable", "root", "source", "types", "warnings")

    def __init__(self, root: dict[str, Any], source: str) -> None:
        self.root = root
        self.source = source
        self.warnings: list[OpenAPIWarning] = []
        self._kept: set[OpenAPIWarning] = set()
        self.types: dict[str, str] = {}
        self.nullable: dict[str, bool] = {}

    def warn(self, pointer: str, message: str) -> None:
        """Add a warning, unless it is there already; `pointer` is a JSON pointer into the document."""
        warning = OpenAPIWarning(pointer, message)
        if warning not in self._kept:
            self._kept.add(warning)
            self.warnings.append(warning)

    def section(self, *keys: str) -> dict[str, Any]:
        """Return the object at a chain of keys; empty, with a warning unless it is missing, if it is not an object."""
        node: Any = self.root
        for depth, key in enumerate(keys):
            node = node.get(key)
            if node is None:
                return {}
            if not isinstance(node, dict):
                self.warn(
                    "#/" + "/".join(keys[: depth + 1]),
                    f"expected an object, found {json_type(node)}; left out",
                )
                return {}
        return node  # type: ignore[no-any-return]

    def schema_name(self, reference: str) -> str | None:
        """Return NAME of `#/components/schemas/NAME`; None for any other reference."""
        pointer = self._local(reference)
        if pointer is None or not pointer.startswith(SCHEMAS[1:]):
            return None
        name = unescape(pointer[len(SCHEMAS) - 1 :])
        return name if "/" not in pointer[len(SCHEMAS) - 1 :] else None

    def dynamic_target(self, reference: str) -> str:
        """Return the plain reference that a `$dynamicRef` stands for: the named schema with that `$dynamicAnchor`."""
        anchor = reference.removeprefix("#")
        if anchor.startswith("/") or not anchor:
            return reference
        for name, schema in self.section("components", "schemas").items():
            if isinstance(schema, dict) and anchor in (schema.get("$dynamicAnchor"), schema.get("$anchor")):
                return SCHEMAS + escape(name)
        return reference

    def has_schema(self, name: str) -> bool:
        """Return whether there is a valid schema of this name: an object, or a boolean (3.1)."""
        return bool(name) and isinstance(self.section("components", "schemas").get(name), (dict, bool))

    def resolve(self, reference: str, pointer: str) -> Any | None:
        """Return the target of one reference; None, with a warning, if there is none or it is in another document."""
        target = self._local(reference)
        if target is None:
            self.warn(
                pointer,
                f"the reference {reference!r} leads out of this document and is not followed; bundle it first",
            )
            return None
        node: Any = self.root
        for part in target.split("/")[1:] if target else ():
            node = _step(node, unescape(part))
            if node is None:
                self.warn(pointer, f"the reference {reference!r} leads nowhere")
                return None
        if target and not target.startswith("/"):
            self.warn(pointer, f"the reference {reference!r} names an anchor, which is not followed")
            return None
        return node

    def follow(self, node: Any, pointer: str) -> Any | None:
        """Return the object at the end of all references; None, with a warning, for a cycle or a missing target."""
        seen: set[str] = set()
        while isinstance(node, dict) and isinstance(reference := node.get("$ref"), str):
            if reference in seen:
                self.warn(pointer, f"the reference {reference!r} leads back to itself")
                return None
            seen.add(reference)
            node = self.resolve(reference, pointer)
        return node

    def _local(self, reference: str) -> str | None:
        """Return the JSON pointer of a reference into this document, percent-decoded; None for another document."""
        file, _, fragment = reference.partition("#")
        if file and file.removeprefix("./") != PurePath(self.source).name:
            return None
        return unquote(fragment)


def unescape(part: str) -> str:
    """Return the key for one part of a JSON pointer (RFC 6901)."""
    return part.replace("~1", "/").replace("~0", "~")


def escape(key: str) -> str:
    """Return a key as one part of a JSON pointer (RFC 6901)."""
    return key.replace("~", "~0").replace("/", "~1")


def _step(node: Any, key: str) -> Any | None:
    if isinstance(node, dict):
        return node.get(key)
    if isinstance(node, list) and key.isascii() and key.isdigit() and int(key) < len(node):
        return node[int(key)]
    return None


def json_type(value: Any) -> str:
    """Return JSON's name for the type of a value: `object`, `array`, `string`, `number`, `boolean`, `null`."""
    if value is None:
        return "null"
    names: tuple[tuple[type, str], ...] = (
        (bool, "boolean"),
        (dict, "object"),
        (list, "array"),
        (str, "string"),
        (int, "number"),
        (float, "number"),
    )
    return next((name for type_, name in names if isinstance(value, type_)), type(value).__name__)


def parse_document(data: bytes, source: str) -> OpenAPIDocument:
    """Parse the bytes of an OpenAPI 3.0, 3.1 or 3.2 document, JSON or YAML; a byte order mark is allowed.

    Raise `OpenAPIError` for anything else: another version, Swagger 2.0, text that is not a document or not UTF-8, or
    YAML if PyYAML is not installed.
    """
    text = _decode(data, source)
    repeated: list[str] = []
    root = _parse(text, source, repeated.append)
    if "\\u" in text:
        _refuse_lone_surrogates(root, source)
    if not isinstance(root, dict):
        raise OpenAPIError(source, f"expected an OpenAPI document (an object), found {json_type(root)}")
    _check_version(root, source)
    document = OpenAPIDocument(root, source)
    for key in repeated:
        document.warn("#", f"the key {key!r} is given twice in one object; the last one counts")
    if str(root["openapi"])[:3] not in _READ_VERSIONS:
        document.warn("#/openapi", f"version {root['openapi']} is newer than 3.2 and is read as 3.2")
    return document


def _decode(data: bytes, source: str) -> str:
    try:
        return data.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise OpenAPIError(
            source, f"is not UTF-8: byte {data[error.start]:#04x} at offset {error.start}"
        ) from None


def _parse(text: str, source: str, repeated: Callable[[str], None]) -> Any:
    if not text.strip():
        raise OpenAPIError(source, "is empty")
    looks_like_json = text.lstrip()[:1] in "{["
    if looks_like_json or source.endswith(".json"):
        try:
            return _parse_json(text, repeated)
        except json.JSONDecodeError as error:
            # YAML in flow style also begins with a brace.
            if not source.endswith((".yaml", ".yml")):
                raise OpenAPIError(
                    source, f"is not JSON: {error.msg} at line {error.lineno}, column {error.colno}"
                ) from None
        except RecursionError:
            raise OpenAPIError(source, "is nested too deeply to be read") from None
        except ValueError as error:
            raise OpenAPIError(source, f"is not readable: {error}") from None
    from conduit.sources.openapi.yaml import parse_yaml

    return parse_yaml(text, source, repeated)


def _parse_json(text: str, repeated: Callable[[str], None]) -> Any:
    def keep(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
        members = dict(pairs)
        if len(members) != len(pairs):
            for key, count in Counter(key for key, _ in pairs).items():
                if count > 1:
                    repeated(key)
        return members

    def refuse(constant: str) -> Any:
        raise json.JSONDecodeError(f"{constant} is no JSON value", text, max(text.find(constant), 0))

    return json.loads(text, object_pairs_hook=keep, parse_constant=refuse)


def _refuse_lone_surrogates(root: Any, source: str) -> None:
    """Half of a surrogate pair can be written as an escape, but no UTF-8 can hold it."""
    try:
        json.dumps(root, ensure_ascii=False, default=str).encode()
    except UnicodeEncodeError as error:
        found = ascii(error.object[error.start])
        raise OpenAPIError(source, f"has a text with half a surrogate pair, {found}") from None


def _check_version(root: dict[str, Any], source: str) -> None:
    if "swagger" in root:
        raise OpenAPIError(
            source,
            f"is Swagger {root['swagger']}; expected OpenAPI 3.0 to 3.2."
            " Convert it first, for example with `npx swagger2openapi`",
        )
    version = root.get("openapi")
    if version is None:
        raise OpenAPIError(source, "has no key 'openapi', so it is no OpenAPI document")
    if not str(version).startswith("3."):
        raise OpenAPIError(source, f"is OpenAPI {version}; expected 3.0 to 3.2")
