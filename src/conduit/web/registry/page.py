"""The registry's page as one HTML document: its template, scripts and style."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from conduit.web.page import FRAME_SCRIPTS, FRAME_STYLES, document

if TYPE_CHECKING:
    from collections.abc import Mapping

STYLES = (*FRAME_STYLES, "registry.css", "registry_graph.css")
SCRIPTS = (
    *FRAME_SCRIPTS,
    "registry_model.js",
    "registry_find.js",
    "registry_page.js",
    "registry_find_view.js",
    "registry_resource.js",
    "registry_routes.js",
    "registry_guards.js",
    "registry_difference.js",
    "registry_costs.js",
    "registry_source.js",
    "exporting.js",
    "registry_graph_model.js",
    "registry_graph_layout.js",
    "registry_graph_picture.js",
    "registry_graph_export.js",
    "registry_graph.js",
    "start_registry.js",
)


def registry_document(data: Mapping[str, Any]) -> bytes:
    """Return the page of `page_data` as one document that opens from disk; a served one asks its server for files."""
    return document("registry.html", dict(data), STYLES, SCRIPTS, asks_server=bool(data["served"]))
