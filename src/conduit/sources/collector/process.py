"""The collecting process: loads the application, collects, and sends the document to the process that started it.

The request is a JSON object: `root`, `app`, `factory`, `django`, `urlconf`, `sqlalchemy`, `lifespan`, `result_fd`; with
`migrations`, the answer has the differences between models and migrations, and no document. The answer is one JSON
object after its length (8 bytes, big-endian) on the descriptor `result_fd`: `document`, `files` (the project's own
files that were loaded, with modification time in nanoseconds and size in bytes) and `notes`. What the application
prints goes to standard error. The process exits immediately after its answer, so threads and exit handlers of the
application cannot delay it.
"""

from __future__ import annotations

import faulthandler
import gc
import json
import os
import signal
import sys
import traceback
from typing import Any


def main(text: str) -> None:
    """Answer the request and exit: status 0 if there is an answer, 1 if there is none."""
    request = json.loads(text)
    result = request["result_fd"]
    os.set_inheritable(result, False)
    if "stack_fd" in request:  # on this signal the stack is reported
        os.set_inheritable(request["stack_fd"], False)
        faulthandler.register(signal.SIGUSR2, file=request["stack_fd"], all_threads=False)
    sys.stdout.flush()
    os.dup2(2, 1)
    sys.argv[:] = ["conduit"]
    os.environ["CONDUIT"] = "1"
    status = 1
    try:
        _send(result, json.dumps(answer(request), ensure_ascii=True, separators=(",", ":")).encode())
        status = 0
    except BaseException:  # also SystemExit and KeyboardInterrupt: whatever ends the process must be seen
        traceback.print_exc()
    finally:
        for stream in (sys.stdout, sys.stderr):
            try:
                stream.flush()
            except (OSError, ValueError):
                status = status or 1
        os._exit(status)


def _send(descriptor: int, body: bytes) -> None:
    with os.fdopen(os.dup(descriptor), "wb") as pipe:
        pipe.write(len(body).to_bytes(8, "big"))
        pipe.write(body)
    os.close(descriptor)


def answer(request: dict[str, Any]) -> dict[str, Any]:
    """Collect what the request names, in this process; the module's docstring describes the answer."""
    from .loading import prepare_path
    from .session import Session

    # An application's start and a document of it leave hardly any garbage behind; looking for it at every 700 objects
    # takes up to a fifth of the time.
    gc.set_threshold(200_000, 100, 100)
    prepare_path(request["root"])
    session = Session(request["root"], _entry_modules(request), request.get("allow", ()))
    if request.get("migrations"):
        return {"migrations": session.compare_migrations(request), "errors": session.document.errors}
    session.collect(request)
    files = session.project_files()
    document = session.document.finish(session.source_hash(files, request))
    return {"document": document, "files": files, "notes": session.notes}


def _entry_modules(request: dict[str, Any]) -> list[str]:
    named = [
        str(request.get(key) or "").partition(":")[0] for key in ("app", "django", "sqlalchemy", "urlconf")
    ]
    return [name for name in named if name]
