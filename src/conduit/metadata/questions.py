"""The questions that a registry answers on a hot path, and the tables that it answers from.

Their form is measured, not taste. Where the C extension is loaded, the classes of the same names there are used in their
place, which take half the time; these say what both do. Here it is one hop to the snapshot, nested plain dicts, `try`
around the hit, and everything else in a method of the snapshot's (a closure in the same method would cost every call).
Parameters are positional or by keyword; on 3.11 keyword-only defaults cost 8 ns each.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from conduit.metadata.impact import Impact
    from conduit.metadata.patterns import PatternOptions
    from conduit.metadata.schema import DependencyGraph, Metadata, Pattern, Resource, Route
    from conduit.metadata.snapshot import FieldReference, RelationshipReference, Snapshot


class Tables:
    """Where a snapshot keeps its answers. What stands in no table is found by the snapshot's `find_…`."""

    __slots__ = (
        "_backward",
        "_backward_of_types",
        "_conventions",
        "_fields_by_type",
        "_forward",
        "_forward_of_types",
        "_impacts",
        "_matching",
        "_pattern_by_name",
        "_patterns",
        "_relationships_to",
        "_routes_at",
        "_routes_like",
        "_routes_of",
        "_routes_of_at",
        "by_name",
        "resources",
        "schema",
    )

    schema: Metadata
    resources: tuple[Resource, ...]
    by_name: Mapping[str, Resource]
    """Name → resource; the last one where names are repeated. Not to be changed."""
    _routes_at: dict[str | None, dict[str | None, tuple[Route, ...]]]
    _routes_of: dict[str, dict[str | None, tuple[Route, ...]]]
    _routes_of_at: dict[str, dict[str, tuple[Route, ...]]]
    _routes_like: dict[str, dict[str, dict[str, tuple[Route, ...]]]]
    _patterns: dict[str | None, tuple[Pattern, ...]]
    _pattern_by_name: dict[str, Pattern]
    _conventions: dict[Any, tuple[Pattern, ...]]
    _relationships_to: dict[str, tuple[RelationshipReference, ...]]
    _fields_by_type: dict[str, tuple[FieldReference, ...]]
    _matching: dict[str, tuple[Resource, ...]]
    _impacts: dict[str, Impact]
    _forward: dict[str, dict[int, DependencyGraph]]
    _backward: dict[str, dict[int, DependencyGraph]]
    _forward_of_types: dict[Any, dict[str, dict[int, DependencyGraph]]]
    _backward_of_types: dict[Any, dict[str, dict[int, DependencyGraph]]]


class Questions:
    """Asks the tables of a snapshot; which one may be changed between two questions, never during one."""

    __slots__ = ("snapshot",)

    snapshot: Snapshot
    """What answers now. Whoever loops takes it once and reads `snapshot.by_name[name]` and `snapshot.schema`."""

    def _point_at(self, snapshot: Snapshot) -> None:
        """Answers from another snapshot from now on."""
        self.snapshot = snapshot

    def schema(self) -> Metadata:
        """The whole document."""
        return self.snapshot.schema

    def resources(self) -> tuple[Resource, ...]:
        """All resources in document order, also those whose name is repeated."""
        return self.snapshot.resources

    def resource(self, name: str) -> Resource:
        """The resource of exactly this name, the last one where it is repeated; `NotFoundError` with near names."""
        try:
            return self.snapshot.by_name[name]
        except KeyError:
            pass  # raised below, since an error raised while another is handled takes a tenth longer
        raise self.snapshot.not_found("resource", name)

    def get(self, name: str) -> Resource | None:
        """The resource of exactly this name, or None: ten times cheaper than an error where misses are common."""
        return self.snapshot.by_name.get(name)

    def routes(
        self, method: str | None = "", path: str | None = "", resource: str | None = None
    ) -> tuple[Route, ...]:
        """The routes that meet all that is given, in document order; neither `""` nor None is given.

        `method` is compared without case, `path` and `resource` exactly.
        """
        # The defaults are keys of the indexes: a dict whose keys are all text is quicker than one that also has None.
        try:
            if resource is None:
                return self.snapshot._routes_at[path][method]
            if path == "" or path is None:
                return self.snapshot._routes_of[resource][method]
            if method == "" or method is None:
                return self.snapshot._routes_of_at[resource][path]
            return self.snapshot._routes_like[resource][path][method]
        except KeyError:
            pass
        return self.snapshot.find_routes(method, path, resource)

    def patterns(self, category: str | None = None) -> tuple[Pattern, ...]:
        """The document's own patterns of exactly this category, or all of them; what `conventions` finds is apart."""
        try:
            return self.snapshot._patterns[category]
        except KeyError:
            pass
        return self.snapshot.find_patterns(category)

    def pattern(self, name: str) -> Pattern:
        """The document's pattern of exactly this name, the last one where it is repeated; `NotFoundError` if none."""
        try:
            return self.snapshot._pattern_by_name[name]
        except KeyError:
            pass
        return self.snapshot.find_pattern(name)

    def conventions(self, options: PatternOptions | None = None) -> tuple[Pattern, ...]:
        """What the application does again and again: middleware, validation, hook and field conventions with outliers."""
        try:
            return self.snapshot._conventions[options]
        except KeyError:
            pass
        return self.snapshot.find_conventions(options)

    def relationships_to(self, name: str) -> tuple[RelationshipReference, ...]:
        """Every relationship whose target is `name`, in document order; none for a name that nobody points at."""
        try:
            return self.snapshot._relationships_to[name]
        except KeyError:
            pass
        return self.snapshot.find_relationships_to(name)

    def resources_matching(self, pattern: str) -> tuple[Resource, ...]:
        """The resources whose name is `pattern` or matches it as a glob, in document order.

        `*` is any text, also none; `?` is one character; `[abc]`, `[a-z]` and `[!a]` are one character of a set. Case
        matters, and the whole name has to match.
        """
        try:
            return self.snapshot._matching[pattern]
        except KeyError:
            pass
        return self.snapshot.find_matching(pattern)

    def fields_by_type(self, type: str) -> tuple[FieldReference, ...]:
        """The fields whose type begins with `type` (`string` finds `string!`), with their resources, in document order."""
        try:
            return self.snapshot._fields_by_type[type]
        except KeyError:
            pass
        return self.snapshot.find_fields_by_type(type)

    def dependencies(
        self,
        name: str,
        depth: int = 0,
        reverse: bool = False,
        types: str | Iterable[str] | None = None,
    ) -> DependencyGraph:
        """What a resource depends on, or with `reverse` what depends on it, breadth first.

        `depth` 1 gives its own edges and their ends, `d` the edges of everything nearer than `d`, 0 all that can be
        reached. Edges keep their own direction also in reverse. `types` keeps to relationship types, `uses`
        (middleware) and `calls` (functions); a tuple is found fastest. Raises `NotFoundError` for an unknown resource,
        `ValueError` for a negative depth or a type that neither the format nor the document knows.
        """
        try:
            if types is None:
                return (self.snapshot._backward if reverse else self.snapshot._forward)[name][depth]
            if reverse:
                return self.snapshot._backward_of_types[types][name][depth]
            return self.snapshot._forward_of_types[types][name][depth]
        except (KeyError, TypeError):  # a list of types is no key
            pass
        return self.snapshot.find_dependencies(name, depth, reverse, types)

    def impact(self, name: str) -> Impact:
        """What breaks when a row of the resource is deleted, transitively, each effect with its chain."""
        try:
            return self.snapshot._impacts[name]
        except KeyError:
            pass
        return self.snapshot.find_impact(name)
