"""Beanie: every document class that is loaded; a Pydantic model with a collection, links and actions around events."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from ..annotations import classes_in, is_many
from ..callables import innermost, qualified_name
from ..document import put, resource, with_details
from ..pydantic.models import own_doc
from ..static_access import class_dict, static
from .subclasses import subclasses_of

if TYPE_CHECKING:
    from ..document import Document
    from ..pydantic.models import PydanticModels


def collect_beanie(document: Document, models: PydanticModels) -> None:
    """Add every document class of the application, if Beanie is loaded."""
    beanie = sys.modules.get("beanie")
    if beanie is None:
        return
    classes = [cls for cls in subclasses_of(beanie.Document) if not cls.__module__.startswith("beanie.")]
    for cls in classes:
        document.add_resource(_empty(document, cls), cls)
    for cls in classes:
        with document.attempt(f"beanie document {document.id_of(cls)}"):
            _fill(document, models, beanie, cls)
    if classes:
        document.sources.append(put({"kind": "beanie"}, version=str(getattr(beanie, "__version__", ""))))


def _empty(document: Document, cls: Any) -> dict[str, Any]:
    record = resource(f"{cls.__module__}:{cls.__qualname__}", cls.__name__, "beanie_document")
    path, line = document.locations.of_class(cls)
    record["file_path"] = path
    put(
        record, documentation=own_doc(cls), line_number=line, origin=document.locations.origin(cls.__module__)
    )
    settings = static(cls, "Settings")
    collection = static(settings, "name") if settings is not None else None
    return with_details(
        record,
        module=cls.__module__,
        qualname=cls.__qualname__,
        role="table",
        table=collection if isinstance(collection, str) else cls.__name__,
    )


def _fill(document: Document, models: PydanticModels, beanie: Any, cls: Any) -> None:
    record = document.resources[document.id_of(cls)]
    links = (beanie.Link, beanie.BackLink)
    for name, info in models.fields(cls).items():
        field = models.field(cls, name, info)
        options = _index_options(info)
        with_details(
            field,
            primary_key=name == "id",
            unique=bool(options and options.get("unique")),
            indexed=options is not None and not options.get("unique"),
        )
        record["fields"].append(field)
        annotation = info.annotation
        named = classes_in(annotation)
        targets = [one for one in named if models.is_model(one)]
        backwards = _mentions(annotation, links[1])
        linked = backwards or _mentions(annotation, links[0])
        if not linked:
            for target in targets:
                models.add_from(target)
        for target in targets:
            kind = "has_many" if is_many(annotation) else "belongs_to"
            if backwards:
                kind = "has_many" if is_many(annotation) else "has_one"
            entry = {"name": name, "type": kind, "target_resource": document.id_of(target)}
            put(entry, line_number=document.locations.of_attribute(cls, name)[1])
            record["relationships"].append(
                with_details(
                    entry, inverse=backwards, nullable=not field["required"] and kind == "belongs_to"
                )
            )
    models.add_checks(record, cls)
    record["validations"] = [
        one for one in record["validations"] if not one.get("handler", "").startswith("beanie.")
    ]
    for base in cls.__mro__:
        if not base.__module__.startswith(("beanie.", "pydantic.", "builtins", "typing")):
            _add_actions(document, record, base)


def _index_options(info: Any) -> dict[str, Any] | None:
    for part in getattr(info, "metadata", ()):
        indexed = static(part, "_indexed")
        if indexed is not None:
            return dict(indexed[1])
    return None


def _mentions(annotation: Any, cls: type) -> bool:
    import typing

    waiting = [annotation]
    while waiting:
        one = waiting.pop()
        if one is cls or typing.get_origin(one) is cls:
            return True
        waiting += typing.get_args(one)
    return False


def _add_actions(document: Document, record: dict[str, Any], cls: Any) -> None:
    """Add the methods that run before or after an event (`@before_event(Insert)`)."""
    for value in class_dict(cls).values():
        events = static(value, "event_types")
        if not static(value, "has_action") or not events:
            continue
        function = innermost(value)
        line = document.locations.of_function(function)[1]
        moment = str(getattr(static(value, "action_direction"), "value", "")).lower()
        for event in events:
            hook = {
                "type": f"{moment}_{str(getattr(event, 'value', event)).lower()}",
                "transaction": False,
                "async": bool(static(function, "__code__").co_flags & 0x80),
                "line_number": line,
            }
            record["hooks"].append(put(hook, handler=qualified_name(function)))
