"""The queries of a registry, each answered from one to four dict lookups when the answer is cached.

The C extension has a class of the same name, which is used where it is loaded and takes half the time. Measured on
3.11: one attribute access to the document, nested plain dicts, and `try` around the hit are fastest; everything
else is in a method of the document, because a closure would slow down every call. Parameters are positional or
keyword, since keyword-only defaults cost 8 ns each.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

    from conduit.metadata.impact import Impact
    from conduit.metadata.loaded_document import LoadedDocument
    from conduit.metadata.patterns import PatternOptions
    from conduit.metadata.schema import (
        DependencyGraph,
        FieldReference,
        Metadata,
        Pattern,
        RelationshipReference,
        Resource,
        Route,
    )


class Questions:
    """Query methods over the current document. The document may be replaced between calls, never during one."""

    __slots__ = ("document",)

    document: LoadedDocument
    """The current document. In a loop, read it once and use `document.by_name[name]` and `document.schema`."""

    def _point_at(self, document: LoadedDocument) -> None:
        """Switch to another document."""
        self.document = document

    def schema(self) -> Metadata:
        """Return the whole document."""
        return self.document.schema

    def resources(self) -> tuple[Resource, ...]:
        """Return all resources in document order, including those with repeated names."""
        return self.document.resources

    def resource(self, name: str) -> Resource:
        """Return the resource with this exact name, the last one if it is repeated; raise `NotFoundError` if none."""
        try:
            return self.document.by_name[name]
        except KeyError:
            pass  # raised below, since an error raised while another is handled takes a tenth longer
        raise self.document.not_found("resource", name)

    def get(self, name: str) -> Resource | None:
        """Return the resource with this exact name, or None; ten times cheaper than `resource` when it is missing."""
        return self.document.by_name.get(name)

    def routes(
        self, method: str | None = "", path: str | None = "", resource: str | None = None
    ) -> tuple[Route, ...]:
        """Return the routes that match every given filter, in document order; `""` and None mean no filter.

        `method` is compared case-insensitively, `path` and `resource` exactly.
        """
        # The defaults are keys of the indexes: a dict whose keys are all text is quicker than one that also has None.
        try:
            if resource is None:
                return self.document._by_path_method[path][method]
            if path == "" or path is None:
                return self.document._by_resource_method[resource][method]
            if method == "" or method is None:
                return self.document._by_resource_path[resource][path]
            return self.document._by_resource_path_method[resource][path][method]
        except KeyError:
            pass
        return self.document.compute_routes(method, path, resource)

    def patterns(self, category: str | None = None) -> tuple[Pattern, ...]:
        """Return the patterns written in the document, all or of one exact category; see also `conventions`."""
        try:
            return self.document._patterns[category]
        except KeyError:
            pass
        return self.document.compute_patterns(category)

    def pattern(self, name: str) -> Pattern:
        """Return the pattern with this exact name, the last one if it is repeated; raise `NotFoundError` if none."""
        try:
            return self.document._pattern_by_name[name]
        except KeyError:
            pass
        return self.document.compute_pattern(name)

    def conventions(self, options: PatternOptions | None = None) -> tuple[Pattern, ...]:
        """Return the conventions found in the application, each with its outliers.

        They are those of middleware, validations, hooks and fields.
        """
        try:
            return self.document._conventions[options]
        except KeyError:
            pass
        return self.document.compute_conventions(options)

    def relationships_to(self, name: str) -> tuple[RelationshipReference, ...]:
        """Return every relationship whose target is `name`, in document order; empty if there are none."""
        try:
            return self.document._relationships_to[name]
        except KeyError:
            pass
        return self.document.compute_relationships_to(name)

    def resources_matching(self, pattern: str) -> tuple[Resource, ...]:
        """Return the resources whose name equals `pattern` or matches it as a glob, in document order.

        `*` matches any text, including none; `?` one character; `[abc]`, `[a-z]` and `[!a]` one character of a set. The
        match is case-sensitive and covers the whole name.
        """
        try:
            return self.document._matching[pattern]
        except KeyError:
            pass
        return self.document.compute_matching(pattern)

    def fields_by_type(self, type: str) -> tuple[FieldReference, ...]:
        """Return the fields whose type starts with `type` (`string` finds `string!`), in document order."""
        try:
            return self.document._fields_by_type[type]
        except KeyError:
            pass
        return self.document.compute_fields_by_type(type)

    def dependencies(
        self,
        name: str,
        depth: int = 0,
        reverse: bool = False,
        types: str | Iterable[str] | None = None,
    ) -> DependencyGraph:
        """Return the dependencies of a resource, or with `reverse` its dependents, breadth first.

        `depth` 1 gives its own edges and their ends, `d` the edges of all nodes nearer than `d`, 0 everything
        reachable. Edges keep their direction in reverse. `types` selects relationship types, `uses` (middleware) and
        `calls` (functions); pass a tuple for the fastest lookup. Raises `NotFoundError` for an unknown resource,
        `ValueError` for a negative depth or a type that neither the format nor the document has.
        """
        try:
            if types is None:
                return (self.document._backward if reverse else self.document._forward)[name][depth]
            if reverse:
                return self.document._backward_of_types[types][name][depth]
            return self.document._forward_of_types[types][name][depth]
        except (KeyError, TypeError):  # a list of types is no key
            pass
        return self.document.compute_dependencies(name, depth, reverse, types)

    def impact(self, name: str) -> Impact:
        """Return what deleting a row of the resource affects, transitively; each effect has its chain."""
        try:
            return self.document._impacts[name]
        except KeyError:
            pass
        return self.document.compute_impact(name)
