"""Which result belongs in which table, row and column: extractors, filters and projections.

A key names a part of a result: `.name` (up to the first `/`), `.fullname`, `/sub` (a `/sub=value` part of the
name; `/gomaxprocs` also reads the `-8` at its end), `.file`, `.config` (all configuration lines, one field
each), `.unit`, or a configuration key. A projection takes a tuple of keys from a result and says how such tuples
are ordered; keys that one projection names are left out of the groups `.config` and `.fullname` of the others,
and what no projection names is the residue, in which the results of one cell had better agree.
"""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING

from conduit.bench.compare.query import Match, parse_filter, parse_projection
from conduit.bench.text.numbers import parse_float
from conduit.errors import QuerySyntaxError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from conduit.bench.compare.query import Field as FieldSyntax
    from conduit.bench.compare.query import Filter
    from conduit.bench.text.reader import Result

    Extractor = Callable[[Result], str]
    # Whether the whole result passes, or which of its columns do.
    Verdict = bool | list[bool]
    Key = tuple[str, ...]

_GOMAXPROCS = re.compile(r"-[0-9]+\Z")


def split_name(name: str) -> list[str]:
    """Split a name into base, `/parts` and `-8`; joined, they are the name again."""
    match = _GOMAXPROCS.search(name)
    body, suffix = (name[: match.start()], [match[0]]) if match else (name, [])
    base, *parts = body.split("/")
    return [base, *["/" + part for part in parts], *suffix]


def extractor_of(key: str) -> Extractor:
    """Give the function that reads `key` from a result; empty text where a result has no such part."""
    if not key:
        raise ValueError("key must not be empty")
    if key == ".name":
        return _base_name
    if key == ".fullname":
        return lambda result: result.name
    if key.startswith("/"):
        return _part_extractor(key)
    return lambda result: result.configuration.get(key)


def _base_name(result: Result) -> str:
    name = result.name
    slash = name.find("/")
    return name[:slash] if slash >= 0 else split_name(name)[0]


def _part_extractor(key: str) -> Extractor:
    prefix = key + "="

    def part(result: Result) -> str:
        parts = split_name(result.name)[1:]
        if key == "/gomaxprocs" and parts and parts[-1][0] == "-":
            return parts[-1][1:]
        return next((text[len(prefix) :] for text in parts if text.startswith(prefix)), "")

    return part


def _full_name_without(keys: Sequence[str]) -> Extractor:
    """Return the full name with some of its parts deleted; without its base, that becomes `*`."""
    prefixes = tuple(key + "=" for key in keys if key.startswith("/"))
    without_base = ".name" in keys
    without_suffix = "/gomaxprocs" in keys
    if not prefixes and not without_base:
        return lambda result: result.name

    def name(result: Result) -> str:
        base, *parts = split_name(result.name)
        kept = [
            part
            for part in parts
            if not (part.startswith(prefixes) or (without_suffix and part.startswith("-")))
        ]
        return "".join(["*" if without_base else base, *kept])

    return name


class ResultFilter:
    """Decides which results, and which of their columns, are used."""

    def __init__(self, query: str) -> None:
        """Compile a filter expression; raises `QuerySyntaxError`."""
        self._match = _compile(parse_filter(query), query)

    def restrict(self, conditions: list[Callable[[Result], Verdict]]) -> None:
        """Narrow the filter, as a projection with a fixed list of values does."""
        if conditions:
            self._match = _all_of([*conditions, self._match])

    def columns(self, result: Result) -> list[bool]:
        """Return for each column of a result whether it passes."""
        verdict = self._match(result)
        return [verdict] * len(result.columns) if isinstance(verdict, bool) else verdict


def _compile(tree: Filter, query: str) -> Callable[[Result], Verdict]:
    if isinstance(tree, Match):
        return _compile_match(tree, query)
    terms = [_compile(term, query) for term in tree.terms]
    if tree.operator == "not":
        return _negation(terms[0])
    return _all_of(terms) if tree.operator == "and" else _any_of(terms)


def _compile_match(leaf: Match, query: str) -> Callable[[Result], Verdict]:
    accepts = leaf.accepts
    if leaf.key == ".unit":
        return lambda result: [accepts(column.unit) or accepts(column.written) for column in result.columns]
    if leaf.key == ".config":
        raise QuerySyntaxError(query, leaf.offset, ".config is only allowed in projections")
    try:
        extract = extractor_of(leaf.key)
    except ValueError as error:
        raise QuerySyntaxError(query, leaf.offset, str(error)) from None
    return lambda result: accepts(extract(result))


def _negation(term: Callable[[Result], Verdict]) -> Callable[[Result], Verdict]:
    def match(result: Result) -> Verdict:
        verdict = term(result)
        return not verdict if isinstance(verdict, bool) else [not column for column in verdict]

    return match


def _all_of(terms: Sequence[Callable[[Result], Verdict]]) -> Callable[[Result], Verdict]:
    def match(result: Result) -> Verdict:
        columns: Verdict = True
        for term in terms:
            verdict = term(result)
            if verdict is False:
                return False
            if verdict is not True:
                columns = verdict if columns is True else _both(columns, verdict)
        return columns

    return match


def _any_of(terms: Sequence[Callable[[Result], Verdict]]) -> Callable[[Result], Verdict]:
    def match(result: Result) -> Verdict:
        columns: Verdict = False
        for term in terms:
            verdict = term(result)
            if verdict is True:
                return True
            if verdict is not False:
                columns = verdict if columns is False else _either(columns, verdict)
        return columns

    return match


def _both(one: Verdict, other: Verdict) -> Verdict:
    if isinstance(one, bool) or isinstance(other, bool):
        return one if other is True else other
    return [a and b for a, b in zip(one, other, strict=True)]


def _either(one: Verdict, other: Verdict) -> Verdict:
    if isinstance(one, bool) or isinstance(other, bool):
        return one if other is False else other
    return [a or b for a, b in zip(one, other, strict=True)]


class Field:
    """One field of a projection: its name, its index in keys, and the order of its values."""

    __slots__ = ("_first", "_fixed", "_order", "index", "name")

    def __init__(self, name: str, index: int, order: str, fixed: Sequence[str] = ()) -> None:
        self.name: str = name
        self.index: int = index
        self._order = order
        self._fixed = {value: index for index, value in enumerate(fixed)}
        self._first: dict[str, int] = {}

    def value(self, key: Key) -> str:
        """This field's value in a key; empty where the key is older than the field."""
        return key[self.index] if self.index < len(key) else ""

    def saw(self, value: str) -> None:
        """Note that a value appeared, for the order of first appearance."""
        self._first.setdefault(value, len(self._first))

    def rank(self, value: str) -> tuple[object, ...]:
        """Return the sort key of a value of this field; equal only for equal values."""
        if self._order == "num":
            return (*_numeric_rank(value), value)
        if self._order == "fixed":
            return (self._fixed.get(value, 0), value)
        if self._order == "first":
            return (self._first.get(value, 0), value)
        return (value,)


_NUMBER_WITH_PREFIX = re.compile(r"([0-9.]+)([kKMGTPEZY]i?)?[bB]?")


def _numeric_rank(value: str) -> tuple[int, float]:
    """Return a sort key that orders numbers first, then NaN, then other text."""
    number = _fuzzy_number(value)
    if number is None:
        return 2, 0.0
    return (1, 0.0) if math.isnan(number) else (0, number)


def _fuzzy_number(text: str) -> float | None:
    """Read a number, or the first one in a text with an SI or binary prefix: `4k`, `1MiB`, `size 10`."""
    try:
        return parse_float(text)
    except ValueError:
        match = _NUMBER_WITH_PREFIX.search(text)
    if match is None:
        return None
    try:
        number = parse_float(match[1])
    except ValueError:
        return None
    prefix = match[2] or ""
    exponent = 1 + "KMGTPEZY".index(prefix[0].upper()) if prefix else 0
    return number * (1024.0 if prefix.endswith("i") else 1000.0) ** exponent


class Projection:
    """A tuple of fields taken from results. New configuration keys become new fields as they turn up."""

    def __init__(self) -> None:
        self.groups: list[
            list[Field]
        ] = []  # one list for each key of the expression; `.config` has many or none
        self._project: list[Callable[[Result, list[str]], None]] = []
        self._size = 0
        self._keys: set[Key] = set()

    @property
    def fields(self) -> list[Field]:
        """All fields in order, `.config` spread out."""
        return [field for group in self.groups for field in group]

    def add_group(self, project: Callable[[Result, list[str]], None] | None) -> list[Field]:
        """Add a key of the expression, for now without fields."""
        group: list[Field] = []
        self.groups.append(group)
        if project:
            self._project.append(project)
        return group

    def add_field(self, group: list[Field], name: str, order: str, fixed: Sequence[str] = ()) -> Field:
        """Add a field to a group; keys that exist already are taken to hold the empty text in it."""
        field = Field(name, self._size, order, fixed)
        if self._keys:
            field.saw("")
        self._size += 1
        group.append(field)
        return field

    def project(self, result: Result) -> list[str]:
        """Take the fields from a result, as a row that `key` makes a key of."""
        row = [""] * self._size
        for project in self._project:
            project(result, row)
        return row

    def key(self, row: list[str]) -> Key:
        """Make a key of a row: a tuple by field index, without the empty texts at its end."""
        end = len(row)
        while end and not row[end - 1]:
            end -= 1
        key = tuple(row[:end])
        if key not in self._keys:
            self._keys.add(key)
            for field in self.fields:
                field.saw(field.value(key))
        return key

    def sorted(self, keys: set[Key] | dict[Key, object]) -> list[Key]:
        """Sort keys by their fields, the first field first."""
        fields = self.fields
        if len(keys) < 2:
            return list(keys)
        ranks: list[dict[str, tuple[object, ...]]] = [{} for _ in fields]
        return sorted(keys, key=lambda key: _rank(key, fields, ranks))

    def text(self, key: Key) -> str:
        """Return the key's values that are not empty, with blanks between."""
        return " ".join(value for field in self.fields if (value := field.value(key)))


def _rank(key: Key, fields: list[Field], known: list[dict[str, tuple[object, ...]]]) -> tuple[object, ...]:
    ranks = []
    for field, memory in zip(fields, known, strict=True):
        value = field.value(key)
        rank = memory.get(value)
        if rank is None:
            rank = memory[value] = field.rank(value)
        ranks.append(rank)
    return tuple(ranks)


class Projections:
    """Projections that exclude each other's keys from their groups. Parse all, then project."""

    def __init__(self, filter: ResultFilter) -> None:
        self._filter = filter
        self._named_config: set[str] = set()
        self._named_parts: list[str] = []
        self._has_config = self._has_full_name = False
        self._full_name: Extractor | None = None

    def parse(self, query: str) -> Projection:
        """Compile an expression; fixed lists of values narrow the filter. Raises `QuerySyntaxError`."""
        projection = Projection()
        conditions: list[Callable[[Result], Verdict]] = []
        for syntax in parse_projection(query):
            extract = self._add(projection, query, syntax)
            if syntax.order == "fixed":
                conditions.append(_is_one_of(frozenset(syntax.fixed), extract))
        self._filter.restrict(conditions)
        return projection

    def residue(self) -> Projection:
        """Everything that the projections parsed before do not hold."""
        projection = Projection()
        if not self._has_config:
            self._add_config(projection, "first")
        if not self._has_full_name:
            self._add_full_name(projection, "first", [])
        return projection

    def _add(self, projection: Projection, query: str, syntax: FieldSyntax) -> Extractor:
        if syntax.order not in ("first", "fixed", "alpha", "num"):
            raise QuerySyntaxError(query, syntax.order_offset, f'unknown order "{syntax.order}"')
        if syntax.key == ".config":
            if syntax.order == "fixed":
                raise QuerySyntaxError(query, syntax.order_offset, "fixed order not allowed for .config")
            self._add_config(projection, syntax.order)
            return lambda result: ""
        if syntax.key == ".fullname":
            self._add_full_name(projection, syntax.order, syntax.fixed)
            return extractor_of(".fullname")
        if syntax.key == ".unit":
            raise QuerySyntaxError(query, syntax.key_offset, ".unit is only allowed in filters")
        return self._add_key(projection, query, syntax)

    def _add_config(self, projection: Projection, order: str) -> None:
        self._has_config = True
        known: dict[str, Field] = {}

        def project(result: Result, row: list[str]) -> None:
            for key, value in result.configuration.values.items():
                field = known.get(key)
                if field is None:
                    if key in self._named_config:
                        continue
                    field = known[key] = projection.add_field(group, key, order)
                    row.append("")
                row[field.index] = value

        group = projection.add_group(project)

    def _add_full_name(self, projection: Projection, order: str, fixed: Sequence[str]) -> None:
        self._has_full_name = True

        def project(result: Result, row: list[str]) -> None:
            # The parts to leave out are known only when all projections have been parsed.
            if self._full_name is None:
                self._full_name = _full_name_without(self._named_parts)
            row[field.index] = self._full_name(result)

        field = projection.add_field(projection.add_group(project), ".fullname", order, fixed)

    def _add_key(self, projection: Projection, query: str, syntax: FieldSyntax) -> Extractor:
        key = syntax.key
        if key == ".name" or key.startswith("/"):
            self._named_parts.append(key)
        else:
            self._named_config.add(key)
        try:
            extract = extractor_of(key)
        except ValueError as error:
            raise QuerySyntaxError(query, syntax.key_offset, str(error)) from None

        def project(result: Result, row: list[str]) -> None:
            row[field.index] = extract(result)

        field = projection.add_field(projection.add_group(project), key, syntax.order, syntax.fixed)
        return extract


def _is_one_of(values: frozenset[str], extract: Extractor) -> Callable[[Result], bool]:
    return lambda result: extract(result) in values


def differing_fields(projection: Projection, keys: set[Key]) -> list[str]:
    """Return the names of the fields in which the keys are not all equal."""
    if len(keys) < 2:
        return []
    return [field.name for field in projection.fields if len({field.value(key) for key in keys}) > 1]
