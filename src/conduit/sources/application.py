"""Collecting in the application's own interpreter: starts a process, sends the request and reads the document.

The collector is loaded by path under a name of its own, so Conduit does not have to be installed there, and a project
that is itself named `conduit` is not shadowed. The document comes through a separate pipe; what the application prints
goes to this process's standard error. The process is the leader of a session and is ended with all its children.
"""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING, Any

import msgspec

from conduit.errors import ConduitError
from conduit.sources.progress import Progress

if TYPE_CHECKING:
    import subprocess

    from conduit.metadata.schema import Metadata, SourceError

TIME_LIMIT_S = 60.0
"""How long loading may go on without using a CPU before it is given up; ten times as long in all."""

_BOOTSTRAP = """\
import importlib.util, sys
path = sys.argv[1]
sys.path[:] = [entry for entry in sys.path if entry]
spec = importlib.util.spec_from_file_location(
    "_conduit_collector", path + "/__init__.py", submodule_search_locations=[path])
sys.modules["_conduit_collector"] = module = importlib.util.module_from_spec(spec)
spec.loader.exec_module(module)
from _conduit_collector.process import main
main(sys.argv[2])
"""


class CollectingError(ConduitError):
    """The application could not be collected: no interpreter, no answer, or the time limit was reached."""


class Application(msgspec.Struct, frozen=True, kw_only=True):
    """The application to load, and the interpreter to load it with; see `conduit collect --help`."""

    root: str
    python: str = ""
    """The interpreter; empty for the one that runs Conduit."""
    app: str = ""
    factory: bool = False
    django: str = ""
    urlconf: str = ""
    sqlalchemy: str = ""
    lifespan: bool = False
    allow: tuple[str, ...] = ()
    """Values that are shown although they look secret."""


class Collected(msgspec.Struct, frozen=True, kw_only=True):
    """A document with the project files that it was made from."""

    metadata: Metadata
    files: dict[str, tuple[int, int]]
    """Absolute path → modification time in nanoseconds, size in bytes."""
    notes: list[str]


class MissingOperation(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """An operation that the migration tool would write now."""

    tool: str
    """django or alembic."""
    application: str = ""
    """Django's app label."""
    operation: str
    """The tool's name for it, such as AddField or add_column."""
    name: str
    """The model or table, or one of its fields: `order.total`."""
    description: str


def collect(app: Any = None, *, models: Any = None, root: str | os.PathLike[str] | None = None) -> Metadata:
    """Return the metadata of the running application.

    `app` is a FastAPI, Starlette or Flask application, a wrapper of one, or a Pydantic model class; without it, the
    models (and Django's routes) that the process has loaded are collected. Django is read if it was set up. `models`
    limits SQLAlchemy to one base class, registry or MetaData; otherwise every mapped class is read. Paths are relative
    to `root` (default: the working directory). A part that fails becomes an entry of the document's `errors`. Nothing
    that the application defines is called: no default, no query, no view. Takes milliseconds for each item; raises no
    errors of its own.
    """
    import json
    from pathlib import Path

    from conduit.metadata.codec import decode
    from conduit.sources.collector.session import Session

    session = Session(os.fspath(root if root is not None else Path.cwd()), [])
    session.collect_objects(app, models)
    return decode(json.dumps(session.document.finish(), separators=(",", ":")).encode())


def collect_application(application: Application, time_limit_s: float = TIME_LIMIT_S) -> Collected:
    """Load the application in a process of its own and return its document.

    This executes the application's code, as importing it does. Raise `CollectingError` if there is no document; a part
    that failed is an entry of the document's `errors`.
    """
    import json

    from conduit.metadata.codec import decode

    body = _ask(application, time_limit_s)
    answer: dict[str, Any] = json.loads(body)
    document = json.dumps(answer["document"], separators=(",", ":")).encode()
    files = {path: (stamp[0], stamp[1]) for path, stamp in answer["files"].items()}
    return Collected(metadata=decode(document), files=files, notes=answer["notes"])


def compare_migrations(
    application: Application, time_limit_s: float = TIME_LIMIT_S
) -> tuple[list[MissingOperation], list[SourceError]]:
    """Return the operations that the application's migrations lack, and the parts that could not be compared.

    This executes the application's code and, for Alembic, its migrations on a SQLite database in memory. Raise
    `CollectingError` if there is no answer.
    """
    import json

    from conduit.metadata.schema import SourceError

    answer: dict[str, Any] = json.loads(_ask(application, time_limit_s, {"migrations": True}))
    missing = msgspec.convert(answer["migrations"], list[MissingOperation])
    return missing, msgspec.convert(answer["errors"], list[SourceError])


def _ask(application: Application, time_limit_s: float, more: dict[str, Any] | None = None) -> bytes:
    reader, writer = os.pipe()
    try:
        process, stacks = _start(application, writer, more or {})
    except OSError as error:
        os.close(reader)
        interpreter = application.python or sys.executable
        raise CollectingError(
            f"cannot start the interpreter {interpreter}: {error.strerror or error}; name one with --python"
        ) from None
    finally:
        os.close(writer)
    try:
        watch = Progress(process.pid, stacks, application.root, time_limit_s)
        return _read_answer(process, reader, application, watch)
    finally:
        os.close(reader)
        os.close(stacks)
        _end(process)


def _start(
    application: Application, writer: int, more: dict[str, Any]
) -> tuple[subprocess.Popen[bytes], int]:
    """Start the collecting process; return it and the descriptor on which it reports its stack."""
    import json
    import subprocess
    from pathlib import Path

    stacks, reporter = os.pipe()
    request = msgspec.structs.asdict(application) | {"result_fd": writer, "stack_fd": reporter} | more
    collector = str(Path(__file__).resolve().parent / "collector")
    python = application.python or sys.executable
    try:
        process = subprocess.Popen(
            # -B: nothing is written beside the project's files, not even compiled ones
            [python, "-B", "-c", _BOOTSTRAP, collector, json.dumps(request)],
            cwd=application.root,
            stdin=subprocess.DEVNULL,
            stdout=sys.stderr.fileno() if _has_descriptor(sys.stderr) else subprocess.DEVNULL,
            pass_fds=[writer, reporter],
            start_new_session=True,
            env={**os.environ, "CONDUIT": "1"},
        )
    except OSError:
        os.close(stacks)
        raise
    finally:
        os.close(reporter)
    return process, stacks


def _has_descriptor(stream: Any) -> bool:
    try:
        return isinstance(stream.fileno(), int)
    except (AttributeError, OSError, ValueError):
        return False


def _read_answer(
    process: subprocess.Popen[bytes], reader: int, application: Application, watch: Progress
) -> bytes:
    from select import POLLIN, poll

    ready = poll()
    ready.register(reader, POLLIN)
    received = bytearray()
    while not _is_whole(received):
        if not ready.poll(watch.interval_s * 1000):
            refusal = watch.check(_named(application))
            if refusal:
                raise CollectingError(refusal)
            continue
        watch.clear()
        part = os.read(reader, 1 << 20)
        if not part:
            status = process.wait(timeout=5)
            raise CollectingError(
                f"{_named(application)} ended its process (status {status}) while it was loaded; "
                "what it printed above says why"
            )
        received += part
    return bytes(received[8:])


def _is_whole(received: bytearray) -> bool:
    return len(received) >= 8 and len(received) - 8 >= int.from_bytes(received[:8], "big")


def _named(application: Application) -> str:
    return application.app or application.django or application.sqlalchemy or "the application"


def _end(process: subprocess.Popen[bytes]) -> None:
    """End the process and every child that is still in its session."""
    import signal
    import subprocess
    from contextlib import suppress

    with suppress(subprocess.TimeoutExpired):
        process.wait(timeout=0.5)
    with suppress(ProcessLookupError):  # no process may be left
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
