"""What Flask knows of a request: its rule, once it has been matched and before any function of the application runs."""

from __future__ import annotations

from typing import Any

from conduit.middleware.request import current_request

_watches = False


def watch_routing() -> None:
    """Have the labels of each request know its rule; once for the process."""
    global _watches
    if not _watches:
        from flask import request_started

        request_started.connect(_note_rule)
        _watches = True


def _note_rule(_: Any, **__: Any) -> None:
    labels = current_request.get()
    if labels is None:
        return
    from flask import request

    if request.url_rule is None:
        return
    outer = request.environ.get("conduit.script_name", request.root_path)
    mounted = request.root_path.removeprefix(outer).rstrip("/")
    labels.set_route(mounted + request.url_rule.rule)
