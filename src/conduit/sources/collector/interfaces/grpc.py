"""gRPC: the services and messages of the loaded protocol descriptors.

They are enumerated from the descriptors that `protoc` generates. A service's methods are routes with the method GRPC
and gRPC's path (`/package.Service/Method`); messages are resources. A route's handler is the method of the class that
implements the service, if one is loaded. Descriptors that another package brings, as a client or an exporter of traces
does, are left out unless a loaded class implements one of their services.
"""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from ..document import put, resource, with_details
from ..handlers import tie_to_resource
from ..static_access import class_dict, is_class, modules

if TYPE_CHECKING:
    from ..document import Document

_WELL_KNOWN = "google/protobuf/"
_TYPES = {
    1: "double", 2: "float", 3: "int64", 4: "uint64", 5: "int32", 6: "fixed64", 7: "fixed32", 8: "bool", 9: "string",
    10: "group", 11: "message", 12: "bytes", 13: "uint32", 14: "enum", 15: "sfixed32", 16: "sfixed64", 17: "sint32",
    18: "sint64",
}  # fmt: skip
"""Number of a field's type in descriptor.proto → its name in a .proto file."""


def collect_services(document: Document) -> None:
    """Add the services and messages of the generated modules that the application has or implements."""
    if "google.protobuf.descriptor" not in sys.modules or "grpc" not in sys.modules:
        return
    servicers = _servicers()
    files = _served(document, servicers)
    if not any(file.services_by_name for file, _ in files.values()):
        return
    for name in sorted(files):
        file, path = files[name]
        with document.attempt(f"messages of {name}"):
            for message in file.message_types_by_name.values():
                _add_message(document, message, path)
    for name in sorted(files):
        for service in files[name][0].services_by_name.values():
            with document.attempt(f"service {service.full_name}"):
                _add_service(document, service, files[name][1], servicers)
    document.sources.append(
        put({"kind": "grpc"}, version=str(getattr(sys.modules["grpc"], "__version__", "")))
    )


def _served(document: Document, servicers: dict[str, type]) -> dict[str, tuple[Any, str]]:
    """Return name → (descriptor, path of the module) of the application's files, and of those that they import."""
    loaded: dict[str, tuple[Any, str]] = {}
    chosen: list[Any] = []
    for name, members in modules():
        file: Any = members.get("DESCRIPTOR")
        # Several classes, one for each implementation of the runtime.
        if type(file).__name__ != "FileDescriptor" or file.name.startswith(_WELL_KNOWN):
            continue
        loaded[file.name] = file, members.get("__file__") or ""
        if document.locations.origin(name) == "project" or not servicers.keys().isdisjoint(
            file.services_by_name
        ):
            chosen.append(file)
    files = {}
    while chosen:
        file = chosen.pop()
        if file.name in loaded and file.name not in files:
            files[file.name] = loaded[file.name]
            chosen += file.dependencies
    return files


def _add_message(document: Document, message: Any, path: str) -> None:
    if message.GetOptions().map_entry:
        return
    record = resource(_id(message), message.name, "protobuf_message")
    record["file_path"] = document.locations.shown(path) if path else message.file.name
    with_details(record, role="schema", module=message.file.name, qualname=message.full_name)
    for field in message.fields:
        record["fields"].append(_field(field))
        record["relationships"] += _relationship(field)
    document.add_resource(record)
    for inner in message.nested_types:
        _add_message(document, inner, path)


def _id(message: Any) -> str:
    return f"protobuf:{message.full_name}"


def _field(field: Any) -> dict[str, Any]:
    oneof = field.containing_oneof
    synthetic = oneof is not None and oneof.name == f"_{field.name}"
    record = {
        "name": field.name,
        "type": _type_text(field),
        "nullable": field.has_presence,
        "required": False,
    }
    return put(record, constraints=[f"@oneof({oneof.name})"] if oneof is not None and not synthetic else [])


def _type_text(field: Any) -> str:
    entry = _map_entry(field)
    if entry is not None:
        key, value = entry.fields_by_name["key"], entry.fields_by_name["value"]
        return f"map[{_type_text(key)}]{_type_text(value)}"
    named = field.message_type or field.enum_type
    return ("[]" if _is_repeated(field) else "") + (
        named.full_name if named is not None else _TYPES[field.type]
    )


def _map_entry(field: Any) -> Any:
    message = field.message_type
    return message if message is not None and message.GetOptions().map_entry else None


def _is_repeated(field: Any) -> bool:
    found = getattr(field, "is_repeated", None)  # from protobuf 6.31 on; `label` before
    return bool(found) if found is not None else field.label == 3


def _relationship(field: Any) -> list[dict[str, Any]]:
    entry = _map_entry(field)
    target = (entry.fields_by_name["value"] if entry is not None else field).message_type
    if target is None:
        return []
    many = entry is not None or _is_repeated(field)
    return [
        {"name": field.name, "type": "has_many" if many else "belongs_to", "target_resource": _id(target)}
    ]


def _servicers() -> dict[str, type]:
    """Return the classes that implement a generated servicer, by the name of its service."""
    found: dict[str, type] = {}
    for _, members in modules():
        for value in members.values():
            if is_class(value):
                for base in value.__mro__[1:-1]:
                    if base.__name__.endswith("Servicer") and base.__module__.endswith("_pb2_grpc"):
                        found[base.__name__.removesuffix("Servicer")] = value
    return found


def _add_service(document: Document, service: Any, path: str, servicers: dict[str, type]) -> None:
    implementation = servicers.get(service.name)
    for method in service.methods:
        handler = _method_of(implementation, method.name)
        location, line = document.locations.of_function(handler) if handler is not None else ("", 0)
        origin = (
            document.locations.origin(implementation.__module__) if implementation is not None else "project"
        )
        cls = (
            f"{implementation.__module__}:{implementation.__qualname__}" if implementation is not None else ""
        )
        record: dict[str, Any] = {
            "method": "GRPC",
            "path": f"/{service.full_name}/{method.name}",
            "handler": f"{cls}.{method.name}" if handler is not None else "",
            "operation": method.name,
            "request_body": ("[]" if method.client_streaming else "") + _body(document, method.input_type),
            "response_body": ("[]" if method.server_streaming else "") + _body(document, method.output_type),
        }
        put(record, line_number=line)
        with_details(
            record,
            name=method.full_name,
            kind="grpc",
            origin=origin,
            module=implementation.__module__ if implementation is not None else "",
            file_path=location or (document.locations.shown(path) if path else ""),
            documentation="" if handler is not None else "no loaded class implements it",
            deprecated=bool(method.GetOptions().deprecated),
        )
        answer = _id(method.output_type)
        tie_to_resource(document, record, answer if answer in document.resources else "", handler)
        document.routes.append(record)


def _method_of(cls: type | None, name: str) -> Any:
    """Return the method that the project's classes define, not the generated one that refuses every call."""
    for base in cls.__mro__ if cls is not None else ():
        if name in class_dict(base):
            return None if base.__module__.endswith("_pb2_grpc") else class_dict(base)[name]
    return None


def _body(document: Document, message: Any) -> str:
    return _id(message) if _id(message) in document.resources else str(message.full_name)
