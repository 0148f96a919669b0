"""The records of a metadata document, frozen, in the order in which their keys are written.

An attribute has the name of its JSON key; `from` and `async`, which Python reserves, are `from_` and `async_`.
Lists are tuples, maps are `FrozenDict`s, so a record can be shared by every reader. Each record's keys come in two
groups: first the keys of the Go format, then our own (from `line_number` or `id` on), which a Go reader skips. A
key is written

- always, when its default is given by a factory (`text`, `flag`, `number`, `rows` below), as Go does without
`omitempty`;
- only when it differs from its default, when the default is a plain value.

The most frequent records keep their rarer own keys in one `details` record, which costs one slot
where it is absent: an application of 5,000 resources has 20,000 fields and 25,000 routes.

Certainty, where a record carries it: `""` declared by the application, `observed` seen while it ran, `inferred`
concluded from other facts, `unknown` not found. `origin` is `project`, `third_party` or `framework`; `""` is
unknown.

Struct instances are made with `gc=False`: they form a tree of immutable values, so there is no cycle for the
collector to find, and a registry of a million records adds nothing to its work.
"""

# No `from __future__ import annotations` here: msgspec would compile each of 230 annotations when a program starts.

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING, Annotated, Any, NoReturn, TypeVar

from msgspec import Meta, Struct, field
from msgspec.structs import force_setattr

T = TypeVar("T")
K = TypeVar("K")
V = TypeVar("V")

if TYPE_CHECKING:
    from typing import TypeAlias

    Rows: TypeAlias = tuple[T, ...]
    Map: TypeAlias = Mapping[str, T]
    Count: TypeAlias = int
else:
    # Go writes `null` for a list or map that its program left nil. The decoder takes it; the codec makes it empty.
    Rows = tuple[T, ...] | None
    Map = Mapping[str, T] | None
    # Go reads these into int64 and refuses anything wider, so a wider number must not get into a document.
    Count = Annotated[int, Meta(ge=-(2**63), le=2**63 - 1)]

ZERO_TIME = "0001-01-01T00:00:00Z"
"""What Go writes for a time that was never set."""

READ_METHODS = frozenset(("GET", "HEAD", "OPTIONS", "QUERY"))
"""The HTTP methods of routes that change nothing."""

_TIMESTAMP = re.compile(
    r"(\d{4})-(\d\d)-(\d\d)T(\d\d?):(\d\d):(\d\d)(?:[.,](\d+))?(Z|[+-]\d\d:\d\d)", re.ASCII
)


class FrozenDict(dict[K, V]):
    """A dict that cannot be changed after it was made; equal to a dict with the same items."""

    __slots__ = ()

    def _refuse(self, *_: object, **__: object) -> NoReturn:
        raise TypeError("metadata is shared and cannot be changed; make a dict(…) of it first")

    __setitem__: Any = _refuse
    __delitem__: Any = _refuse
    __ior__: Any = _refuse
    clear: Any = _refuse
    pop: Any = _refuse
    popitem: Any = _refuse
    setdefault: Any = _refuse
    update: Any = _refuse

    def __reduce__(self) -> tuple[Any, ...]:
        return FrozenDict, (dict(self),)

    def __copy__(self) -> "FrozenDict[K, V]":
        return self


EMPTY: FrozenDict[Any, Any] = FrozenDict()


def text() -> str:
    """Return a text key that is written also when it is empty."""
    return field(default_factory=str)


def flag() -> bool:
    """Return a boolean key that is written also when it is false."""
    return field(default_factory=bool)


def number() -> int:
    """Return an integer key that is written also when it is 0."""
    return field(default_factory=int)


def _no_rows() -> tuple[Any, ...]:
    return ()


def rows() -> tuple[Any, ...]:
    """Return a list key that is written also when it is empty."""
    return field(default_factory=_no_rows)  # msgspec would leave out what `tuple` makes


class Record(Struct, frozen=True, gc=False, omit_defaults=True):
    """The base of every record."""


class FieldDetails(Record, frozen=True):
    """Facts that only some sources know about a field."""

    origin: str = ""
    certainty: str = ""
    observed: tuple[str, ...] = ()
    """Keys of the field whose certainty is not the record's; so `inferred` and `unknown`, here and elsewhere."""
    inferred: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()
    column: str = ""
    """The database column, when it is not the field's name."""
    alias: str = ""
    """The name in requests and responses, when it is not the field's name."""
    format: str = ""
    primary_key: bool = False
    unique: bool = False
    indexed: bool = False
    read_only: bool = False
    write_only: bool = False
    deprecated: bool = False
    max_length: Count = 0
    choices: tuple[str, ...] = ()
    expression: str = ""
    """How the database computes the field."""
    inherited_from: str = ""
    """The resource or class that declares the field, when it is not this one."""
    server_default: str = ""
    """The default that the database gives, as the source writes it."""
    file_path: str = ""
    references: str = ""
    """What a foreign key points to: a resource, or `table.column`; `*` when a row's content decides."""
    on_delete: str = ""
    """As in a relationship, where the field is a foreign key."""


class Field(Record, frozen=True):
    """One field of a resource."""

    name: str
    type: str
    nullable: bool = flag()
    required: bool = flag()
    default_value: str = ""
    constraints: tuple[str, ...] = ()
    """Such as `@min(5)`, in the order of declaration."""
    documentation: str = ""
    tags: tuple[str, ...] = ()
    line_number: Count = 0
    """From 1, in the resource's file or in `details.file_path`; 0 is not known."""
    details: FieldDetails | None = None

    @property
    def certainty(self) -> str:
        """How the field is known; see the module's text."""
        return self.details.certainty if self.details else ""


class RelationshipDetails(Record, frozen=True):
    """Facts that only some sources know about a relationship."""

    origin: str = ""
    observed: tuple[str, ...] = ()
    inferred: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()
    through: str = ""
    """The resource that a many-to-many goes through; `through_table` names its table."""
    inverse: bool = False
    """True for the side that does not hold the key: a view of an edge that the other side declares."""
    inverse_name: str = ""
    """The name of the same edge on the other side."""
    generic: bool = False
    """True when the target is chosen by a row's content; `target_resource` is then `*`."""
    nullable: bool = False
    unique: bool = False
    target_field: str = ""
    cascade: tuple[str, ...] = ()
    """What the object mapper does with the related objects, such as `delete-orphan`."""
    passive_deletes: str = ""
    """`true` or `all` where the object mapper leaves related rows to the database."""
    view_only: bool = False
    """True where the object mapper only reads through the relationship, and leaves these rows alone."""
    database_on_delete: str = ""
    """What the database does, where that differs from `on_delete`."""
    documentation: str = ""
    inherited_from: str = ""
    file_path: str = ""


class Relationship(Record, frozen=True):
    """One relationship of a resource to another, as the resource declares it."""

    name: str
    type: str
    """belongs_to, has_one, has_many, has_many_through; sources add inherits, proxies, generic, union."""
    target_resource: str
    foreign_key: str = ""
    through_table: str = ""
    on_delete: str = ""
    """cascade, restrict, set_null, set_default, none, or `custom:…`; empty is not declared."""
    on_update: str = ""
    line_number: Count = 0
    certainty: str = ""
    details: RelationshipDetails | None = None


class Hook(Record, frozen=True, rename={"async_": "async"}):
    """Code that runs around an operation of a resource."""

    type: str
    """before_create, after_update, …: moment and operation."""
    transaction: bool = flag()
    async_: bool = flag()
    source_code: str = ""
    line_number: Count = number()
    handler: str = ""
    """The qualified name of the function, where the source is a live application."""
    file_path: str = ""
    sender: str = ""
    """`*` when the hook listens to every resource."""
    origin: str = ""
    certainty: str = ""


class Validation(Record, frozen=True):
    """A check of one field's value."""

    field: str
    type: str
    value: str = ""
    message: str = ""
    line_number: Count = number()
    handler: str = ""
    file_path: str = ""
    certainty: str = ""


class Constraint(Record, frozen=True):
    """A condition that a whole row must meet."""

    name: str
    operations: tuple[str, ...] = rows()
    condition: str = text()
    when: str = ""
    error: str = text()
    line_number: Count = number()
    kind: str = ""
    """check, unique, exclude, primary_key, …"""
    fields: tuple[str, ...] = ()
    certainty: str = ""


class Scope(Record, frozen=True):
    """A named query of a resource."""

    name: str
    query: str = text()
    parameters: tuple[str, ...] = ()
    line_number: Count = number()
    handler: str = ""
    documentation: str = ""
    certainty: str = ""


class ComputedField(Record, frozen=True):
    """A value computed from a row."""

    name: str
    type: str = text()
    expression: str = text()
    line_number: Count = number()
    handler: str = ""
    documentation: str = ""
    certainty: str = ""


class Index(Record, frozen=True):
    """A database index."""

    name: str = ""
    fields: tuple[str, ...] = ()
    unique: bool = False
    condition: str = ""
    certainty: str = ""


class ResourceDetails(Record, frozen=True):
    """Facts that only some sources know about a resource."""

    module: str = ""
    qualname: str = ""
    certainty: str = ""
    observed: tuple[str, ...] = ()
    inferred: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()
    role: str = ""
    """table, schema (a request or response body), view, …"""
    table: str = ""
    table_schema: str = ""
    database: str = ""
    abstract: bool = False
    proxy: bool = False
    managed: bool = True
    swapped: str = ""
    """The resource that stands in for this one."""
    deprecated: bool = False
    bases: tuple[str, ...] = ()
    indexes: tuple[Index, ...] = ()
    tags: tuple[str, ...] = ()
    polymorphic_on: str = ""
    polymorphic_identity: str = ""


class Resource(Record, frozen=True):
    """One thing that the application keeps or exchanges, with all that is declared on it."""

    name: str
    documentation: str = ""
    file_path: str = text()
    fields: Rows[Field] = rows()
    relationships: Rows[Relationship] = rows()
    hooks: Rows[Hook] = rows()
    validations: Rows[Validation] = rows()
    constraints: Rows[Constraint] = rows()
    middleware: Mapping[str, tuple[str, ...]] = EMPTY
    """Operation → its chain, in the order of execution; written sorted by operation."""
    scopes: tuple[Scope, ...] = ()
    computed_fields: tuple[ComputedField, ...] = ()
    id: str = ""
    """Qualified and unique (`app_label.Model`, `module:Class`), where names are not."""
    kind: str = ""
    """django_model, sqlalchemy_mapper, pydantic_model, openapi_schema, table, …"""
    line_number: Count = 0
    origin: str = ""
    details: ResourceDetails | None = None

    @property
    def certainty(self) -> str:
        """How the resource is known; see the module's text."""
        return self.details.certainty if self.details else ""


class Step(Record, frozen=True):
    """One link of a route's chain."""

    name: str
    kind: str = ""
    """middleware, permission, authentication, throttle, dependency, decorator, security, mixin."""
    parameters: str = ""
    scopes: tuple[str, ...] = ()
    origin: str = ""
    certainty: str = ""
    file_path: str = ""
    line_number: Count = 0


class Parameter(Record, frozen=True):
    """One parameter of a route."""

    name: str
    location: str = ""
    """path, query, header, cookie."""
    type: str = ""
    required: bool = False
    default_value: str = ""
    documentation: str = ""


class Response(Record, frozen=True):
    """One answer that a route may give."""

    status: str
    """`200`, `4XX` or `default`."""
    body: str = ""
    """The resource in it (`[]Name` for a list of them), empty for none."""
    documentation: str = ""


class RouteDetails(Record, frozen=True):
    """Facts that only some sources know about a route."""

    id: str = ""
    name: str = ""
    kind: str = ""
    """Empty for a plain HTTP route; websocket, webhook, callback, static, redirect, unbound (no view)."""
    origin: str = ""
    certainty: str = ""
    observed: tuple[str, ...] = ()
    inferred: tuple[str, ...] = ()
    unknown: tuple[str, ...] = ()
    module: str = ""
    file_path: str = ""
    documentation: str = ""
    tags: tuple[str, ...] = ()
    deprecated: bool = False
    host: str = ""
    chain: tuple[Step, ...] = ()
    """What `middleware` names, with kind and location, in the order of execution."""
    parameters: tuple[Parameter, ...] = ()
    responses: tuple[Response, ...] = ()
    resources: tuple[str, ...] = ()
    """Further resources that the handler touches."""
    pattern: str = ""
    """The framework's own spelling of the path, where `path` is a readable form of it."""
    position: Count = 0
    """From 1: where the framework comes to it when it looks for a match; routes of one entry share it."""


class Route(Record, frozen=True):
    """One method on one path."""

    method: str
    """As the source writes it, upper case by custom; ANY where the source does not limit it."""
    path: str
    handler: str = text()
    resource: str = text()
    operation: str = text()
    middleware: tuple[str, ...] = ()
    """In the order of execution."""
    request_body: str = ""
    response_body: str = ""
    line_number: Count = 0
    details: RouteDetails | None = None

    @property
    def origin(self) -> str:
        """Whose route it is; see the module's text."""
        return self.details.origin if self.details else ""

    @property
    def certainty(self) -> str:
        """How the route is known; see the module's text."""
        return self.details.certainty if self.details else ""


class RelationshipReference(Record, frozen=True):
    """A relationship and the resource that declares it."""

    source_resource: str
    relationship: Relationship


class FieldReference(Record, frozen=True):
    """A field and the resource that has it."""

    resource: str
    field: Field


class PatternExample(Record, frozen=True):
    """One occurrence of a pattern, or, among the outliers, of its absence."""

    resource: str = text()
    file_path: str = text()
    line_number: Count = 0
    code: str = text()


class Pattern(Record, frozen=True):
    """Something that the application does again and again."""

    id: str = text()
    name: str = text()
    category: str = text()
    description: str = text()
    template: str = text()
    examples: Rows[PatternExample] = rows()
    frequency: Count = number()
    """How many times it is followed."""
    confidence: float = field(default_factory=float)
    """From 0 to 1."""
    population: Count = 0
    """The number of occurrences that could follow it; 0 if not counted."""
    outliers: tuple[PatternExample, ...] = ()
    """Occurrences that could follow the pattern and do not."""

    @property
    def coverage(self) -> float:
        """The share, 0 to 1, of the population that follows the pattern; 0 if it was not counted."""
        return self.frequency / self.population if self.population > 0 else 0.0


class DependencyNode(Record, frozen=True):
    """A resource, a middleware or a function in the dependency graph."""

    id: str = text()
    type: str = text()
    name: str = text()
    file_path: str = text()


class DependencyEdge(Record, frozen=True, rename={"from_": "from"}):
    """`from_` depends on `to`."""

    from_: str = text()
    to: str = text()
    relationship: str = text()
    """A relationship's type, `uses` (a middleware) or `calls` (a function)."""
    weight: Count = number()
    """How many times, for `uses` and `calls`; 1 for a relationship."""


class DependencyGraph(Record, frozen=True):
    """Who depends on whom: node id → node, and the edges."""

    nodes: Map[DependencyNode] = field(default_factory=FrozenDict)
    edges: Rows[DependencyEdge] = rows()


class Source(Record, frozen=True):
    """Where (a part of) the document was collected from."""

    kind: str
    """openapi, django, sqlalchemy, fastapi, flask, …"""
    name: str = ""
    """What was given: a file, `module:attr`, a settings module."""
    version: str = ""
    """The version of the framework or of the format."""
    title: str = ""


class Mount(Record, frozen=True):
    """Another application, or a folder of files, below a path."""

    path: str
    kind: str = ""
    """application (its routes are among the document's), static, or foreign (it cannot be looked into)."""
    application: str = ""
    """The qualified name of the mounted application, or of its class."""
    name: str = ""
    host: str = ""


class Task(Record, frozen=True):
    """Work outside requests: a task of a queue, a command, a receiver of a signal, a hook of the application's life."""

    name: str
    kind: str = ""
    """celery_task, dramatiq_actor, rq_job, django_command, django_signal, lifespan_hook, startup_hook, shutdown_hook,
    background_task."""
    handler: str = ""
    """`module:qualname` of the function or class."""
    queue: str = ""
    schedule: str = ""
    """`every 30 s` or `cron MINUTE HOUR DAY MONTH WEEKDAY`; several are separated by `; `."""
    retries: Count = 0
    """How many times a failed run is repeated."""
    file_path: str = ""
    line_number: Count = 0
    origin: str = ""
    documentation: str = ""
    trigger: str = ""
    """What starts it where that is no queue: signals with their senders, a moment of the application's life, routes."""
    certainty: str = ""


class SourceError(Record, frozen=True):
    """A part that could not be collected, while the rest was kept."""

    source: str
    message: str
    location: str = ""
    """`file:line` in the source, or a JSON pointer into an OpenAPI document."""


class Metadata(Record, frozen=True):
    """A whole document."""

    version: str = text()
    """Of the format: `1.0` or `1.0.0`."""
    generated: str = field(default_factory=lambda: ZERO_TIME)
    """RFC 3339 with up to nine digits of a second, as Go prints it; kept as text, so no digit is lost."""
    source_hash: str = text()
    resources: Rows[Resource] = rows()
    routes: Rows[Route] = rows()
    patterns: Rows[Pattern] = rows()
    dependencies: DependencyGraph = field(default_factory=DependencyGraph)
    sources: tuple[Source, ...] = ()
    middleware: tuple[str, ...] = ()
    """What every request passes through, in the order of execution."""
    hooks: tuple[Hook, ...] = ()
    """Code that runs around every request or for the whole application, not for one resource."""
    errors: tuple[SourceError, ...] = ()
    mounts: tuple[Mount, ...] = ()
    tasks: tuple[Task, ...] = ()
    redacted: Count = 0
    """How many values were written as `<redacted>`."""

    def __post_init__(self) -> None:
        if self.generated == ZERO_TIME:
            return
        generated = canonical_timestamp(self.generated)
        if generated is not self.generated:
            force_setattr(self, "generated", generated)


def canonical_timestamp(value: str) -> str:
    """Return the timestamp as Go writes it: `Z` for a zero offset, no trailing zeros, at most nine digits of a second.

    Accepts what Go's reader accepts beyond RFC 3339 (a comma, an hour of one digit, more digits, which are cut).
    Raises `ValueError` for anything else.
    """
    match = _TIMESTAMP.fullmatch(value)
    if match is None:
        raise ValueError(f"expected an RFC 3339 time such as 2025-10-25T12:00:00Z, got {value!r}")
    year, month, day, hour, minute, second, fraction, zone = match.groups()
    _check_calendar(value, int(year), int(month), int(day))
    if int(hour) > 23 or int(minute) > 59 or int(second) > 59:
        raise ValueError(f"expected an RFC 3339 time, got {value!r}: there is no such time of day")
    if zone != "Z" and (int(zone[1:3]) > 24 or int(zone[4:]) > 60):
        raise ValueError(f"expected an RFC 3339 time, got {value!r}: its offset is more than a day")
    fraction = (fraction or "")[:9].rstrip("0")
    zone = "Z" if zone[1:] == "00:00" else zone
    canonical = f"{year}-{month}-{day}T{hour:0>2}:{minute}:{second}{'.' if fraction else ''}{fraction}{zone}"
    return value if canonical == value else canonical


def _check_calendar(value: str, year: int, month: int, day: int) -> None:
    leap = year % 4 == 0 and (year % 100 != 0 or year % 400 == 0)
    lengths = (31, 29 if leap else 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31)
    if not 1 <= month <= 12 or not 1 <= day <= lengths[month - 1]:
        raise ValueError(f"expected an RFC 3339 time, got {value!r}: there is no such day")
