"""Configures the mappers individually, so that a mapper that cannot be configured does not affect the others.

SQLAlchemy refuses every mapper of a registry after one relationship has failed to resolve. Here the mapper that failed
is skipped by the `before_mapper_configured` event, and its other relationships are resolved one by one; those that
cannot be resolved are errors of the document. The listener is removed and the failure restored afterwards, so the
application fails exactly as it would have failed without Conduit.
"""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

    from ..document import Document

_FAILED = "_configure_failed"


def mapped_and_unmapped(registries: list[Any]) -> tuple[list[Any], list[type]]:
    """Return the registries' mappers, and the classes that are declared but not mapped yet (`DeferredReflection`)."""
    mappers: list[Any] = []
    unmapped: list[type] = []
    for registry in registries:
        managers = list(getattr(registry, "_managers", ()))
        if not managers:
            mappers += registry.mappers
        for manager in managers:
            if manager.is_mapped:
                mappers.append(manager.mapper)
            else:
                unmapped.append(manager.class_)
    return mappers, sorted(unmapped, key=lambda cls: (cls.__module__, cls.__qualname__))


def is_resolved(relationship: Any) -> bool:
    """Return whether the relationship's target and keys are known."""
    return bool(getattr(relationship, "_configure_finished", True))


@contextmanager
def configured(api: Any, document: Document, mappers: list[Any]) -> Iterator[None]:
    """Configure all mappers that can be; within the context, reading any of them raises nothing."""
    failed: dict[Any, BaseException] = {}

    def skip(mapper: Any, _: type) -> Any:
        return api.EXT_SKIP if mapper in failed else None

    api.event.listen(api.Mapper, "before_mapper_configured", skip, retval=True)
    try:
        while not _try(api, document, mappers, failed):
            pass
        for mapper, error in failed.items():
            _resolve_each(api, document, mapper, error)
        yield
    finally:
        api.event.remove(api.Mapper, "before_mapper_configured", skip)
        for mapper, error in failed.items():
            setattr(mapper, _FAILED, error)


def _try(api: Any, document: Document, mappers: list[Any], failed: dict[Any, BaseException]) -> bool:
    try:
        api.configure_mappers()
    except Exception as error:  # of many kinds, also the application's own from a listener
        culprits = [mapper for mapper in mappers if mapper.__dict__.get(_FAILED) is not None]
        for mapper in culprits:
            failed[mapper] = mapper.__dict__.pop(_FAILED)
        if not culprits:
            document.add_error("sqlalchemy: configuring the mappers", error)
        return not culprits
    return True


def _resolve_each(api: Any, document: Document, mapper: Any, error: BaseException) -> None:
    name = f"{mapper.class_.__module__}:{mapper.class_.__qualname__}"
    for key, attribute in list(mapper._props.items()):
        if not isinstance(attribute, api.RelationshipProperty) or is_resolved(attribute):
            continue
        found: BaseException = error  # it was tried: this is the one that failed
        if not getattr(attribute, "_configure_started", True):
            try:
                attribute.init()
            except Exception as other:
                found = other
            else:
                continue
        document.add_error(f"sqlalchemy relationship {name}.{key}", found)
