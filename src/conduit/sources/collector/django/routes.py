"""Django's URL patterns in the order in which they are tried, one route for each method that the view answers."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ..document import mark, put, with_details
from ..handlers import step_text
from ..url_patterns import readable
from .api import open_rest
from .ninja import operation_records, path_view
from .views import Views

if TYPE_CHECKING:
    from ..document import Document


class Routes:
    """Walks a URLconf."""

    def __init__(self, api: Any, document: Document) -> None:
        self.api = api
        self.document = document
        self.views = Views(api, None, document)
        self._position = 0
        self._ninja: set[tuple[int, str]] = set()

    def collect(self, urlconf: str) -> None:
        """Add every pattern of the URLconf; one that cannot be imported is an error, the others are kept."""
        with self.document.attempt(f"django urlconf {urlconf}"):
            resolver = self.api.get_resolver(urlconf)
            resolver.url_patterns  # noqa: B018 (imports the views; one of them may be the first to import REST framework)
            rest = open_rest()
            if rest is not None:
                self.document.sources.append({"kind": "rest_framework", "version": rest.version})
            self.views = Views(self.api, rest, self.document)
            self._walk(resolver, "", "", [])

    def _walk(self, resolver: Any, pattern: str, path: str, namespaces: list[str]) -> None:
        for entry in resolver.url_patterns:
            written = str(entry.pattern)
            shown = readable(written) if hasattr(entry.pattern, "_regex") else written
            with self.document.attempt(f"django url {pattern}{written}"):
                if isinstance(entry, self.api.URLResolver):
                    inner = [*namespaces, entry.namespace] if entry.namespace else namespaces
                    self._walk(entry, pattern + written, path + shown, inner)
                elif isinstance(entry, self.api.URLPattern):
                    self._position += 1
                    self._add(entry, pattern + written, path + shown, namespaces)

    def _add_ninja(self, view: Any, entry: Any, path: str, namespaces: list[str]) -> None:
        """Add the operations of one path once: Ninja has a URL pattern with the same view for each operation name."""
        if (id(view), path) in self._ninja:
            return
        self._ninja.add((id(view), path))
        for record in operation_records(self.document, view, "/" + path):
            name = ":".join([*namespaces, entry.name]) if isinstance(entry.name, str) else ""
            with_details(record, name=name, position=self._position)
            self.document.routes.append(record)

    def _add(self, entry: Any, pattern: str, path: str, namespaces: list[str]) -> None:
        ninja = path_view(entry.callback)
        if ninja is not None:
            self._add_ninja(ninja, entry, path, namespaces)
            return
        view = self.views.view(entry.callback)
        full_name = ":".join([*namespaces, entry.name]) if isinstance(entry.name, str) else ""
        for method, action in view.methods:
            record: dict[str, Any] = {
                "method": method,
                "path": "/" + path,
                "handler": view.handler(action),
                "operation": action or (entry.name if isinstance(entry.name, str) else ""),
            }
            chain = view.chain(method, action)
            file_path, line = view.location(action)
            put(record, middleware=[step_text(found) for found in chain], line_number=line)
            with_details(
                record,
                name=full_name,
                origin=self.document.locations.origin(view.module),
                module=view.module,
                file_path=file_path,
                chain=chain,
                pattern=pattern if pattern != path else "",
                position=self._position,
            )
            if method == "ANY":
                mark(record, "unknown", "method")
            if any(found.get("certainty") == "observed" for found in chain):
                mark(record, "observed", "middleware")
            if any(found.get("certainty") == "unknown" for found in chain):
                mark(record, "unknown", "middleware")
            view.add_resources(record, method, action)
            self.document.routes.append(record)
