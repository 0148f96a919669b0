"""SQLAlchemy's mapped classes, in every registry of the process, and the tables without a class.

Registries are found through the loaded classes: each mapped class refers to its registry, which refers to all of its
mappers. Nothing is imported to find more, so a class that is not imported is not found.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..document import mark, put, resource, with_details
from ..pydantic.models import own_doc
from ..static_access import class_dict, is_a, is_class, modules
from .columns import Columns, index_record, sql_text
from .configuring import configured, mapped_and_unmapped
from .events import add_events, add_validators
from .relationships import Relationships

if TYPE_CHECKING:
    from ..document import Document
    from ..pydantic.models import PydanticModels


_REGISTRY_NAMES = ("registry", "_sa_registry")
_CLASS_MARKS = frozenset(("__mapper__", *_REGISTRY_NAMES))


def collect_sqlalchemy(api: Any, document: Document, models: PydanticModels, given: Any = None) -> None:
    """Add every mapped class and table to the document.

    `given` limits them to a base class, registry, mapped class or MetaData.
    """
    registries = _registries(api, given)
    mappers, unmapped = mapped_and_unmapped(registries)
    for cls in unmapped:
        document.add_error(
            f"sqlalchemy class {cls.__module__}:{cls.__qualname__}",
            "the class is not mapped yet (reflected at start-up?); use --lifespan, or prepare it before collecting",
        )
    mappers.sort(key=lambda mapper: (mapper.class_.__module__, mapper.class_.__qualname__))
    identities = {mapper: _identity(mapper, mappers) for mapper in mappers}
    collector = Mappers(api, document, models, identities)
    with configured(api, document, mappers):
        collector.collect(
            _metadatas(api, registries, given), {class_dict(cls).get("__table__") for cls in unmapped}
        )


def _registries(api: Any, given: Any) -> list[Any]:
    seeds = [given] if given is not None else _loaded_classes()
    found: dict[Any, None] = {}
    for seed in seeds:
        registry = seed if isinstance(seed, api.registry) else _registry_of(api, seed)
        if registry is not None:
            found[registry] = None
    return list(found)


def _registry_of(api: Any, seed: Any) -> Any:
    if not is_class(seed):
        return None
    own = class_dict(seed)
    mapper = own.get("__mapper__")
    if is_a(mapper, api.Mapper):
        return mapper.registry
    return next((own[name] for name in _REGISTRY_NAMES if is_a(own.get(name), api.registry)), None)


def _loaded_classes() -> list[Any]:
    found: dict[int, Any] = {}
    for _, members in modules():
        for thing in members.values():
            if is_class(thing) and not _CLASS_MARKS.isdisjoint(class_dict(thing)):
                found[id(thing)] = thing
    return list(found.values())


def _identity(mapper: Any, mappers: list[Any]) -> str:
    cls = mapper.class_
    twins = [
        m
        for m in mappers
        if (m.class_.__module__, m.class_.__qualname__) == (cls.__module__, cls.__qualname__)
    ]
    identity = f"{cls.__module__}:{cls.__qualname__}"
    if len(twins) == 1:
        return identity
    ordered = sorted(twins, key=lambda m: str(m.local_table))
    number = ordered.index(mapper)
    return identity if number == 0 else f"{identity}#{number + 1}"


def _metadatas(api: Any, registries: list[Any], given: Any) -> list[Any]:
    found = {id(registry.metadata): registry.metadata for registry in registries}
    if isinstance(given, api.MetaData):
        found[id(given)] = given
    return list(found.values())


class Mappers:
    """Turns mappers into resources; `identities` gives each its id."""

    def __init__(
        self, api: Any, document: Document, models: PydanticModels, identities: dict[Any, str]
    ) -> None:
        self.api = api
        self.document = document
        self.identities = identities
        self.columns = Columns(api, document, models)
        self.relationships = Relationships(api, document, identities)

    def collect(self, metadatas: list[Any], unread: set[Any]) -> None:
        """Add the mapped classes, then their relationships (which name one another), then the tables without a class.

        `unread` are tables of classes that are not mapped yet, whose columns are not known.
        """
        for mapper, identity in self.identities.items():
            with self.document.attempt(f"sqlalchemy mapper {identity}"):
                self._add(mapper, identity)
        for mapper, identity in self.identities.items():
            record = self.document.resources.get(identity)
            if record is not None:
                with self.document.attempt(f"sqlalchemy relationships of {identity}"):
                    self.relationships.add(record, mapper)
                with self.document.attempt(f"sqlalchemy events of {identity}"):
                    add_validators(record, mapper, self.document)
                    add_events(record, mapper, self.document)
        mapped = unread | {table for mapper in self.identities for table in mapper.tables}
        for metadata in metadatas:
            for key in sorted(metadata.tables):
                if metadata.tables[key] not in mapped:
                    with self.document.attempt(f"sqlalchemy table {key}"):
                        self._add_table(metadata.tables[key])

    def _add(self, mapper: Any, identity: str) -> None:
        cls = mapper.class_
        record = resource(identity, cls.__name__, "sqlalchemy_mapper")
        path, line = self.document.locations.of_class(cls)
        record["file_path"] = path
        put(record, documentation=self.document.redactor.text(own_doc(cls)), line_number=line)
        put(record, origin=self.document.locations.origin(cls.__module__))
        self.document.add_resource(record, cls)
        table = mapper.local_table
        with_details(
            record,
            module=cls.__module__,
            qualname=cls.__qualname__,
            role="table",
            table=getattr(table, "name", None) or "",
            table_schema=getattr(table, "schema", None) or "",
            bases=[self.identities[m] for m in [mapper.inherits] if m in self.identities],
            indexes=[index_record(index) for index in _sorted(getattr(table, "indexes", ()))],
            polymorphic_on=getattr(mapper.polymorphic_on, "name", None) or "",
            polymorphic_identity=_identity_text(mapper, self.document),
        )
        record["fields"] = [self.columns.field(mapper, attribute) for attribute in mapper.column_attrs]
        record["constraints"] = self.columns.constraints(table)
        self.columns.add_model_side(record, cls)
        self._add_computed(record, mapper)

    def _add_computed(self, record: dict[str, Any], mapper: Any) -> None:
        for name, descriptor in sorted(mapper.all_orm_descriptors.items()):
            if isinstance(descriptor, self.api.hybrid_property):
                line = self.document.locations.of_function(descriptor.fget)[1]
                computed = {"name": name, "type": "", "expression": "hybrid_property", "line_number": line}
            elif isinstance(descriptor, self.api.AssociationProxy):
                line = self.document.locations.of_attribute(mapper.class_, name)[1]
                target = f"{descriptor.target_collection}.{descriptor.value_attr}"
                computed = {
                    "name": name,
                    "type": "",
                    "expression": f"association_proxy({target})",
                    "line_number": line,
                }
            else:
                continue
            record.setdefault("computed_fields", []).append(computed)

    def _add_table(self, table: Any) -> None:
        identity = f"table:{table.fullname}"
        record = resource(identity, table.name, "table")
        with_details(record, role="table", table=table.name, table_schema=table.schema or "")
        with_details(record, indexes=[index_record(index) for index in _sorted(table.indexes)])
        put(record, documentation=self.document.redactor.text(table.comment or ""))
        record["fields"] = [self.columns.plain_field(column) for column in table.columns]
        record["constraints"] = self.columns.constraints(table)
        self.document.add_resource(record)
        self.relationships.add_keys(record, table, {})
        mark(record, "unknown", "file_path")


def _sorted(indexes: Any) -> list[Any]:
    return sorted(indexes, key=lambda index: (str(index.name), [sql_text(c) for c in index.expressions]))


def _identity_text(mapper: Any, document: Document) -> str:
    identity = mapper.polymorphic_identity
    if identity is None:
        return ""
    return identity if isinstance(identity, str) else document.redactor.value(identity)
