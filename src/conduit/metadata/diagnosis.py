"""The slow decoder: normalises a document that the fast one refused, or reports every fault with its path.

Decodes the text untyped, converts the compiler's format to the registry's, then walks the values along the record
types. `null` and missing keys become empty values, as in Go; every wrong type is reported with its path. Costs
several times the fast decoder, and runs only for documents that need it.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import inspect

from conduit.errors import MetadataError
from conduit.metadata.compiler_format import is_compiler_shape, registry_shape
from conduit.metadata.schema import Metadata, Resource, canonical_timestamp

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SHOWN_PROBLEMS = 20

_SAFE_DEPTH = 64
"""Deeper than any record; only values under unknown keys can be nested deeper."""

_IDENTIFIER = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
_TOKEN = re.compile(rb'"(?:[^"\\]|\\.)*"?|[\[{]|[\]}]', re.DOTALL)
_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F][0-9a-fA-F]{2}")


def decode_slowly(data: bytes, *, strict: bool, depth: int) -> Metadata:
    """Decode `data`; raise a `MetadataError` that lists every fault."""
    tree = _untyped(data, depth)
    if not isinstance(tree, dict):
        raise MetadataError(f"expected an object, got {_json_name(tree)}")
    if is_compiler_shape(tree):
        tree = registry_shape(tree)
    examination = _Examination(strict)
    cleaned = examination.examine(tree, inspect.type_info(Metadata), "")
    if examination.problems:
        raise _refusal(examination.problems)
    try:
        return msgspec.convert(cleaned, Metadata)
    except msgspec.ValidationError as error:
        raise _from_msgspec(error) from error


def _refusal(problems: list[tuple[str, str]]) -> MetadataError:
    lines = [f"{path}: {problem}" if path else problem for path, problem in problems[:SHOWN_PROBLEMS]]
    if len(problems) > SHOWN_PROBLEMS:
        lines.append(f"… and {len(problems) - SHOWN_PROBLEMS} more")
    return MetadataError(*lines, path=problems[0][0])


def _from_msgspec(error: msgspec.ValidationError) -> MetadataError:
    message, _, path = str(error).partition(" - at `$")
    path = path.strip("`.")
    return MetadataError(f"{path}: {message}" if path else message, path=path)


# --- text → values without types


def _untyped(data: bytes, depth: int) -> Any:
    _check_encoding(data)
    text = shallow(data, depth)
    try:
        return msgspec.json.decode(text)
    except msgspec.ValidationError as error:  # a number beyond all bounds; only the typed decoder says where
        raise _from_msgspec(_typed_error(text) or error) from error
    except msgspec.DecodeError as error:
        raise _not_json(data, str(error)) from error


def _typed_error(text: bytes) -> msgspec.ValidationError | None:
    try:
        msgspec.json.decode(text, type=Metadata)
    except msgspec.ValidationError as error:
        return error
    except msgspec.DecodeError:  # the document is also broken behind that number
        return None
    return None


def _check_encoding(data: bytes) -> None:
    if data.startswith(b"\xef\xbb\xbf"):
        raise MetadataError(
            "the document begins with a byte order mark; save it as UTF-8 without one", offset=0
        )
    if data.startswith((b"\xff\xfe", b"\xfe\xff")) or b"\x00" in data[:4]:
        raise MetadataError("the document is not UTF-8 but UTF-16 or UTF-32; save it as UTF-8", offset=0)
    try:
        data.decode()
    except UnicodeDecodeError as error:
        raise MetadataError(
            f"the document is not UTF-8: byte {error.start} is 0x{data[error.start]:02x} "
            f"({_position(data, error.start)})",
            offset=error.start,
        ) from error


def _not_json(data: bytes, message: str) -> MetadataError:
    if not data.strip():
        return MetadataError("the document is empty", offset=0)
    match = re.search(r"\(byte (\d+)\)", message)
    if match:
        offset = int(match[1])
        reason = message.partition(": ")[2].partition(" (byte")[0]
        return MetadataError(
            f"not JSON: {reason} at byte {offset} ({_position(data, offset)})", offset=offset
        )
    surrogate = _lone_surrogate(data)
    if surrogate is not None:
        path = f"byte {surrogate} ({_position(data, surrogate)})"
        return MetadataError(f"not Unicode: half of a surrogate pair at {path}", offset=surrogate)
    return MetadataError(f"not JSON: the document ends early, after {len(data):,} bytes", offset=len(data))


def _lone_surrogate(data: bytes) -> int | None:
    position = 0
    while match := _SURROGATE.search(data, position):
        high = match[0][3:4] in b"89abAB"
        low = _SURROGATE.match(data, match.end())
        if not high or low is None or low[0][3:4] in b"89abAB":
            return match.start()
        position = low.end()
    return None


def _position(data: bytes, offset: int) -> str:
    line = data.count(b"\n", 0, offset) + 1
    column = offset - data.rfind(b"\n", 0, offset)
    return f"line {line}, column {column}"


def shallow(data: bytes, limit: int) -> bytes:
    """Return the text with values nested too deeply for the decoder, and for any record, replaced by `null`."""
    if data.count(b"[") + data.count(b"{") <= min(limit, _SAFE_DEPTH):
        return data
    pieces: list[bytes] = []
    copied = depth = 0
    for token in _TOKEN.finditer(data):
        first = token[0][:1]
        if first in b"[{":
            depth += 1
            if depth > limit:
                raise MetadataError(
                    f"the document is nested deeper than {limit:,} levels", offset=token.start()
                )
            if depth == _SAFE_DEPTH + 1:
                pieces.append(data[copied : token.start()])
        elif first in b"]}":
            if depth == _SAFE_DEPTH + 1:
                pieces.append(b"null")
                copied = token.end()
            depth -= 1
    if depth > _SAFE_DEPTH:
        raise MetadataError(f"not JSON: the document ends early, after {len(data):,} bytes", offset=len(data))
    return b"".join([*pieces, data[copied:]]) if pieces else data


# --- values beside their types


class _Examination:
    """Normalises a decoded document and collects its faults."""

    def __init__(self, strict: bool) -> None:
        self.strict = strict
        self.problems: list[tuple[str, str]] = []

    def examine(self, value: Any, expected: inspect.Type, path: str) -> Any:
        """Return the value with `null`s and missing keys made empty; append faults to `problems`."""
        if isinstance(expected, inspect.UnionType):
            return self._examine_optional(value, expected, path)
        if value is None:
            value = _empty(expected)
        if isinstance(expected, inspect.StructType):
            return self._examine_record(value, expected, path)
        if isinstance(expected, inspect.VarTupleType):
            return self._examine_list(value, expected, path)
        if isinstance(expected, inspect.DictType):
            return self._examine_map(value, expected, path)
        return self._examine_scalar(value, expected, path)

    def _examine_optional(self, value: Any, expected: inspect.UnionType, path: str) -> Any:
        some = next(kind for kind in expected.types if not isinstance(kind, inspect.NoneType))
        return (
            None
            if value is None and isinstance(some, inspect.StructType)
            else self.examine(value, some, path)
        )

    def _examine_record(self, value: Any, expected: inspect.StructType, path: str) -> Any:
        if not isinstance(value, dict):
            return self._wrong(path, "object", value)
        known = {field.encode_name: field for field in expected.fields}
        if self.strict:
            for key in value:
                if key not in known:
                    self.problems.append((at(path, key), "unknown key"))
        cleaned = {}
        for key, field in known.items():
            if value.get(key) is not None or field.required:
                cleaned[key] = self.examine(value.get(key), field.type, at(path, key))
        check = _CHECKS.get(expected.cls)
        if check is not None:
            self.problems += [(at(path, key), problem) for key, problem in check(cleaned)]
        return cleaned

    def _examine_list(self, value: Any, expected: inspect.VarTupleType, path: str) -> Any:
        if not isinstance(value, list):
            return self._wrong(path, "list", value)
        return [self.examine(item, expected.item_type, f"{path}[{i}]") for i, item in enumerate(value)]

    def _examine_map(self, value: Any, expected: inspect.DictType, path: str) -> Any:
        if not isinstance(value, dict):
            return self._wrong(path, "object", value)
        return {key: self.examine(item, expected.value_type, at(path, key)) for key, item in value.items()}

    def _examine_scalar(self, value: Any, expected: inspect.Type, path: str) -> Any:
        name, kinds = _SCALARS[type(expected)]
        if type(value) not in kinds:
            return self._wrong(path, name, value)
        if name == "int" and not -(2**63) <= value < 2**63:
            self.problems.append((path, "expected an int of 64 bits, got a larger one"))
        return value

    def _wrong(self, path: str, expected: str, value: Any) -> None:
        self.problems.append((path, f"expected {expected}, got {_json_name(value)}"))


def _check_resource(resource: dict[str, Any]) -> Iterator[tuple[str, str]]:
    if resource["name"] == "":
        yield "name", "every resource needs a name, and this one has none"


def _check_document(document: dict[str, Any]) -> Iterator[tuple[str, str]]:
    generated = document.get("generated")
    if isinstance(generated, str):
        try:
            canonical_timestamp(generated)
        except ValueError as error:
            yield "generated", str(error)


_CHECKS: dict[type, Callable[[dict[str, Any]], Iterator[tuple[str, str]]]] = {
    Resource: _check_resource,
    Metadata: _check_document,
}

_SCALARS: dict[type, tuple[str, tuple[type, ...]]] = {
    inspect.StrType: ("str", (str,)),
    inspect.IntType: ("int", (int,)),
    inspect.BoolType: ("bool", (bool,)),
    inspect.FloatType: ("number", (int, float)),
}

_JSON_NAME = {
    str: "str",
    int: "int",
    float: "float",
    bool: "bool",
    list: "list",
    dict: "object",
    type(None): "null",
}


def _json_name(value: Any) -> str:
    return _JSON_NAME.get(type(value), "number")


def _empty(expected: inspect.Type) -> Any:
    if isinstance(expected, inspect.StructType | inspect.DictType):
        return {}
    if isinstance(expected, inspect.VarTupleType):
        return []
    return _SCALARS[type(expected)][1][0]()


def at(path: str, key: str) -> str:
    """Return the path of a key of the object at `path`."""
    if _IDENTIFIER.fullmatch(key):
        return f"{path}.{key}" if path else key
    return f"{path}[{key!r}]"
