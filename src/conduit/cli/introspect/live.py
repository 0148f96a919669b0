"""Questions to an application rather than to a document: it is collected, or its kept snapshot answers."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from conduit.cli.flags import FlagSet, Parsed
    from conduit.metadata.registry import Registry


def declare_live(flags: FlagSet) -> None:
    """The flags that name an application, and the one that asks for a new snapshot."""
    from conduit.cli.collect_application import declare_application

    declare_application(flags)
    flags.switch("fresh", "collect the application again, whatever was kept of it")


def live_registry(parsed: Parsed) -> Registry:
    """The registry of the application that the flags name; collected again when one of its files has changed."""
    from conduit.cli.collect_application import application_of, time_limit_s
    from conduit.metadata.registry import Registry, load
    from conduit.sources.document_cache import CollectedWithErrorsError, find_snapshot, take_snapshot

    application = application_of(parsed)
    kept, changed = (None, "") if parsed["fresh"] else find_snapshot(application)
    if kept is not None:
        return load(kept.path)
    if changed:
        print(f"conduit: {changed} has changed; collecting the application again", file=sys.stderr)
    try:
        return load(take_snapshot(application, time_limit_s(parsed)).path)
    except CollectedWithErrorsError as partial:
        registry = Registry.from_json(partial.data)
        for error in registry.schema().errors:
            print(f"conduit: warning: {error.source}: {error.message}", file=sys.stderr)
        return registry
