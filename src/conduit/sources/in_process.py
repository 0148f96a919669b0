"""Collecting in the process of the application itself: one line at start-up, for whoever wants the registry at hand."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from conduit.metadata.schema import Metadata


def collect(app: Any = None, *, models: Any = None, root: str | os.PathLike[str] | None = None) -> Metadata:
    """What the running application is made of.

    `app` is a FastAPI, Starlette or Flask application, something that wraps one, or a Pydantic model class; without one,
    the models (and Django's routes) that the process has loaded are collected. Django is read whenever it was set up.
    `models` limits SQLAlchemy to one base class, registry or MetaData; otherwise every mapped class is taken. Files are
    shown relative to `root` (default: the working directory). A part that fails becomes an entry of the document's
    `errors`. Nothing is called that the application defines: no default, no query, no view. Costs milliseconds for each
    thing there is; raises nothing of its own.
    """
    from conduit.metadata.codec import decode
    from conduit.sources.collector.session import Session

    session = Session(os.fspath(root if root is not None else Path.cwd()), [])
    session.collect_objects(app, models)
    return decode(json.dumps(session.document.finish(), separators=(",", ":")).encode())
