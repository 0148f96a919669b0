"""The document under construction: plain dictionaries with the keys of the metadata format.

Empty values are omitted by `put`, so the document has a key only if it has a value. While the document is being built,
resources refer to each other by id. `finish` gives every resource its name (the name of its class if no other resource
has that name, otherwise the id) and replaces references by names.
"""

from __future__ import annotations

import os
import re
import traceback
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

    from .locations import Locations
    from .redaction import Redactor

_ADDRESS = re.compile(r"\b0x[0-9a-fA-F]{6,}\b")


_TEXTS = frozenset(
    "documentation default_value server_default condition when query expression value message error source_code".split()  # noqa: SIM905
)
_TEXT_LISTS = frozenset(("constraints", "choices"))


def put(record: dict[str, Any], **values: Any) -> dict[str, Any]:
    """Add the values that are not empty (`None`, `""`, `0`, `False`, an empty list) and return the record."""
    for key, value in values.items():
        if value:
            record[key] = value
    return record


def with_details(record: dict[str, Any], **values: Any) -> dict[str, Any]:
    """Add the values that are not empty to the record's `details`, which exists only if it holds something."""
    filled = put(record.get("details", {}), **values)
    if filled:
        record["details"] = filled
    return record


def mark(record: dict[str, Any], certainty: str, *keys: str) -> None:
    """Mark these keys of the record as `observed`, `inferred` or `unknown`; unmarked ones are declared."""
    details = record.setdefault("details", {})
    details[certainty] = sorted({*details.get(certainty, ()), *keys})


def constraint_record(name: str, kind: str, condition: str, fields: list[str]) -> dict[str, Any]:
    """Return a rule that the database enforces for every row, whichever operation writes it."""
    record = {
        "name": name,
        "operations": ["create", "update"],
        "condition": condition,
        "error": "",
        "line_number": 0,
    }
    return put(record, kind=kind, fields=fields)


class Document:
    """The items found so far, and the parts that could not be collected."""

    def __init__(self, locations: Locations, redactor: Redactor) -> None:
        self.locations = locations
        self.redactor = redactor
        self.resources: dict[str, dict[str, Any]] = {}
        self.routes: list[dict[str, Any]] = []
        self.mounts: list[dict[str, Any]] = []
        self.sources: list[dict[str, Any]] = []
        self.middleware: list[str] = []
        self.hooks: list[dict[str, Any]] = []
        self.tasks: list[dict[str, Any]] = []
        self.errors: list[dict[str, Any]] = []
        self._id_of_class: dict[int, tuple[type, str]] = {}  # by identity: a metaclass may define `__eq__`

    def add_resource(self, record: dict[str, Any], cls: type | None = None) -> None:
        """Add a resource under its id; `id_of` then finds it by the class that it stands for."""
        self.resources[record["id"]] = record
        if cls is not None:
            self._id_of_class[id(cls)] = cls, record["id"]

    def id_of(self, cls: Any) -> str:
        """Return the id of the resource that stands for the class, or an empty text."""
        return self._id_of_class.get(id(cls), (None, ""))[1]

    @contextmanager
    def attempt(self, source: str) -> Iterator[None]:
        """Run a part of the collecting; an exception becomes an entry of `errors`, and the rest continues."""
        try:
            yield
        except BaseException as error:
            if isinstance(error, (KeyboardInterrupt, MemoryError)):
                raise
            self.add_error(source, error)

    def add_error(self, source: str, error: BaseException | str) -> None:
        """Note a part that could not be collected, with the last line of project code in its traceback."""
        if isinstance(error, str):
            self.errors.append({"source": source, "message": self.redactor.text(error)})
            return
        text = self.redactor.text(f"{type(error).__name__}: {error}".rstrip(": "))
        text = _ADDRESS.sub("0x…", text)  # addresses differ from run to run
        message = text if len(text) <= 1000 else text[:999] + "…"
        self.errors.append(put({"source": source, "message": message}, location=self._location_of(error)))

    def _location_of(self, error: BaseException) -> str:
        here = os.path.dirname(os.path.abspath(__file__))
        frames = [
            f for f in traceback.extract_tb(error.__traceback__) if not f.filename.startswith((here, "<"))
        ]
        shown = [(self.locations.shown(frame.filename), frame.lineno) for frame in frames]
        own = [location for location in shown if not os.path.isabs(location[0])]
        path, line = (own or shown or [("", 0)])[-1]
        return f"{path}:{line}" if path else ""

    def finish(self, source_hash: str = "") -> dict[str, Any]:
        """Return the whole document, in an order that does not depend on the run."""
        names = _names(self.resources)
        ordered = [self.resources[identity] for identity in sorted(self.resources)]
        for record in ordered:
            record["name"] = names[record["id"]]
            for relationship in record["relationships"]:
                _rename(relationship, names, "target_resource")
                _rename(relationship.get("details", {}), names, "through", "inherited_from")
            for field in record["fields"]:
                _rename(field.get("details", {}), names, "inherited_from", "references")
            _rename(record.get("details", {}), names, "swapped")
        for record in (*ordered, *self.routes, *self.hooks, *self.mounts, *self.tasks):
            self._redact(record)
        for route in self.routes:
            _rename(route, names, "resource", "request_body", "response_body")
            _rename(route.get("details", {}), names, "resources")
            for response in route.get("details", {}).get("responses", ()):
                _rename(response, names, "body")
        return put(
            {
                "version": "1.0",
                "generated": "0001-01-01T00:00:00Z",  # unset: a time would make every run's bytes different
                "source_hash": source_hash,
                "resources": ordered,
                "routes": self.routes,
            },
            sources=self.sources,
            middleware=self.middleware,
            hooks=self.hooks,
            mounts=self.mounts,
            tasks=self.tasks,
            errors=self.errors,
            redacted=self.redactor.count,
        )

    def _redact(self, record: dict[str, Any]) -> None:
        """Redact every text of the record that a person wrote."""
        waiting: list[Any] = [record]
        while waiting:
            node = waiting.pop()
            for key, value in node.items():
                if type(value) is str and key in _TEXTS:
                    node[key] = self.redactor.text(value)
                elif type(value) is dict:
                    waiting.append(value)
                elif type(value) is list and value:
                    if type(value[0]) is dict:
                        waiting += value
                    elif key in _TEXT_LISTS:
                        node[key] = [self.redactor.text(item) for item in value]


def _names(resources: dict[str, dict[str, Any]]) -> dict[str, str]:
    bearers: dict[str, list[str]] = {}
    for identity, record in resources.items():
        bearers.setdefault(record["name"], []).append(identity)
    return {i: name if len(ids) == 1 else i for name, ids in bearers.items() for i in ids}


def _rename(record: dict[str, Any], names: dict[str, str], *keys: str) -> None:
    for key in keys:
        value = record.get(key)
        if isinstance(value, str):
            record[key] = " | ".join(_renamed(part, names) for part in value.split(" | "))
        elif isinstance(value, list):
            record[key] = [names.get(item, item) for item in value]


def _renamed(text: str, names: dict[str, str]) -> str:
    prefix = "[]" if text.startswith("[]") else ""
    return prefix + names.get(text[len(prefix) :], text[len(prefix) :])


def resource(identity: str, name: str, kind: str) -> dict[str, Any]:
    """Return an empty resource record with the keys that are always present."""
    return {
        "id": identity,
        "name": name,
        "kind": kind,
        "fields": [],
        "relationships": [],
        "hooks": [],
        "validations": [],
        "constraints": [],
        "file_path": "",
    }


def drop_implied_head(routes: list[dict[str, Any]]) -> None:
    """Remove HEAD from paths that answer GET, since it is the same response without its body."""

    def location(route: dict[str, Any]) -> tuple[str, str]:
        return route.get("details", {}).get("host", ""), route["path"]

    answered = {location(route) for route in routes if route["method"] == "GET"}
    routes[:] = [route for route in routes if route["method"] != "HEAD" or location(route) not in answered]


def unique_route_ids(routes: list[dict[str, Any]]) -> None:
    """Give every route the id `METHOD path`; repeated ones are numbered, since the framework serves only the first."""
    counts: dict[str, int] = {}
    for route in routes:
        host = route.get("details", {}).get("host", "")
        identity = f"{route['method']} {host}{route['path']}"
        counts[identity] = number = counts.get(identity, 0) + 1
        with_details(route, id=identity if number == 1 else f"{identity}#{number}")
