"""Quart: Flask's rules, read as Flask's are, with the functions around websockets and around serving."""

from __future__ import annotations

import types
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from ..flask.routes import FlaskRoutes
from ..route_records import add_hook
from ..static_access import is_a, static

if TYPE_CHECKING:
    from ..document import Document
    from ..pydantic.models import PydanticModels

_AROUND_WEBSOCKETS = ("before_websocket_funcs", "after_websocket_funcs", "teardown_websocket_funcs")
_AROUND_SERVING = ("before_serving_funcs", "after_serving_funcs", "while_serving_gens")


class Routes(FlaskRoutes):
    """Reads one Quart application; the application itself is no Flask, its map of rules is the same."""

    def __init__(self, document: Document, models: PydanticModels) -> None:
        super().__init__(SimpleNamespace(), document)

    def _add_hooks(self, app: Any) -> None:
        super()._add_hooks(app)
        for group in _AROUND_WEBSOCKETS:
            for blueprint, functions in getattr(app, group, {}).items():
                for function in functions:
                    add_hook(self.document, function, group.removesuffix("_funcs"), blueprint or "")
        for group in _AROUND_SERVING:
            for function in getattr(app, group, ()):
                kind = group.removesuffix("_funcs").removesuffix("_gens")
                if is_a(function, types.AsyncGeneratorType):
                    self._add_generator(function, kind)
                else:
                    add_hook(self.document, function, kind)

    def _add_generator(self, generator: Any, kind: str) -> None:
        """Add a generator that runs while serving; Quart keeps it instead of its function."""
        code = static(generator, "ag_code")
        path = self.document.locations.shown(code.co_filename)
        hook = {"type": kind, "transaction": False, "async": True, "line_number": code.co_firstlineno}
        self.document.hooks.append({**hook, "handler": generator.__qualname__, "file_path": path})
