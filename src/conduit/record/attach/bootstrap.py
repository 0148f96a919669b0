"""The script that runs in the process on request: it starts a thread, which imports Conduit and records.

It runs at the points where the interpreter checks for such requests, which can be between any two instructions, so the
thread may hold any lock. Therefore the script only starts a thread, with `_thread` instead of `threading`, whose locks
may be held. It is sent as text and imports no Conduit module until it has installed a finder for Conduit, which writes
no cache and does not change `sys.path`. `PLAN` is prepended to the script.
"""

from __future__ import annotations

import _imp
import _thread
import posix
import sys

TYPE_CHECKING = False  # `typing` is not imported into the program for this
if TYPE_CHECKING:
    from typing import Any

    Plan = dict[str, Any]

NAME = "<conduit attach>"
MAX_BLOCKS = 5_000_000
NO_SIGNAL = 0x4000  # MSG_NOSIGNAL: a program may have SIGPIPE end it


def begin(plan: Plan) -> None:
    """Start the thread, once: several threads of a process are asked, and the first one that gets here starts it."""
    try:
        descriptor = posix.open(plan["claim"], posix.O_CREAT | posix.O_EXCL | posix.O_WRONLY, 0o600)
    except OSError:
        return  # another thread was first, or the recording process has gone and taken its folder away
    posix.close(descriptor)
    _thread.start_new_thread(run, (plan,))


def run(plan: Plan) -> None:
    """Record, and clean up; send errors to the asking process."""
    import _socket

    connection = _socket.socket(_socket.AF_UNIX, _socket.SOCK_STREAM)
    try:
        connection.connect(plan["socket"])
    except OSError:
        connection.close()
        remove(plan["folder"])
        return
    try:
        send(connection, "hello", str(_thread.get_native_id()))
        record(plan, connection)
    except BaseException as error:
        try:
            send(connection, "refused", f"{type(error).__name__}: {error}")
        except OSError:
            remove(plan["folder"])  # there is no one to tell
    finally:
        collect()
        try:
            send(connection, "gone", "")
        except OSError:
            remove(plan["folder"])
        connection.close()


def record(plan: Plan, connection: Any) -> None:
    """Make Conduit importable, record, and restore the state of imports from before."""
    before = set(sys.modules)
    finder = None
    if "conduit" not in before and has_extension(plan["root"]):
        finder = Finder({"conduit": plan["root"], **plan["others"]})
        sys.meta_path.insert(0, finder)
    try:
        version = __import__("conduit").__version__
        if version != plan["version"]:
            raise ImportError(
                f"the process has conduit {version}, and this is {plan['version']}: install the same"
            )
        __import__("conduit.record.attach.session")
        session = sys.modules["conduit.record.attach.session"]
        session.record_session(plan, connection, lambda kind, data: send(connection, kind, data))
    except ModuleNotFoundError as error:
        if error.name != "conduit":
            raise
        python = ".".join(map(str, sys.version_info[:2]))
        raise ImportError(
            f"conduit's C extension is not built for the process's Python {python} ({_imp.extension_suffixes()[0]}): "
            "run conduit from that version, or install it in the process's environment"
        ) from None
    finally:
        if finder is not None:
            sys.meta_path.remove(finder)
            if core := sys.modules.get("conduit._native._core"):
                core.labels_install(None, None)  # what C holds, with all that it leads to
            tops = ("conduit", *plan["others"])
            for name in [
                name for name in sys.modules if name.partition(".")[0] in tops and name not in before
            ]:
                del sys.modules[name]


def collect() -> None:
    """Free the modules that were removed: they are in cycles, and the program's next full collection may be far.

    It stops the program, for 0.2 s at the limit (3.14); a larger one is left to its own collections.
    """
    if sys.getallocatedblocks() < MAX_BLOCKS:
        __import__("gc").collect()


def has_extension(root: str) -> bool:
    """Return whether the extension below a folder is built for this interpreter."""
    for suffix in _imp.extension_suffixes():
        try:
            posix.stat(f"{root}/conduit/_native/_core{suffix}")
        except OSError:
            continue
        return True
    return False


class Finder:
    """Finds packages in folders that are not on `sys.path`: {package name: folder}."""

    def __init__(self, roots: dict[str, str]) -> None:
        external: Any = sys.modules["_frozen_importlib_external"]

        class Loader(external.SourceFileLoader):  # type: ignore[misc]
            """Loads sources and writes no cache of them."""

            def set_data(self, path: str, data: bytes, *, _mode: int = 0o666) -> None:
                """Write nothing."""

        self._roots = roots
        self._external = external
        self._loaders = (
            (external.ExtensionFileLoader, _imp.extension_suffixes()),
            (Loader, [".py"]),
        )

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> Any:
        """Return the specification of a module of these packages; None for all others."""
        parts = name.split(".")
        if parts[0] not in self._roots:
            return None
        folder = "/".join([self._roots[parts[0]], *parts[:-1]])
        return self._external.FileFinder(folder, *self._loaders).find_spec(name)


def send(connection: Any, kind: str, data: Any) -> None:
    """Send a message: its kind, its size, and text, bytes or a mapped file."""
    body = data.encode("utf-8", "backslashreplace") if isinstance(data, str) else data
    connection.sendall(f"{kind} {len(body)}\n".encode(), NO_SIGNAL)
    connection.sendall(body, NO_SIGNAL)


def remove(folder: str) -> None:
    """Remove the folder of the asking process, which has died."""
    try:
        names = posix.listdir(folder)
    except OSError:
        return  # it has been removed
    for name in names:
        path = f"{folder}/{name}"
        try:
            posix.unlink(path)
        except OSError:
            remove(path)  # a folder: a copy of conduit may be in it
    try:
        posix.rmdir(folder)
    except OSError:
        return  # removed between these lines, or not ours to remove


if "PLAN" in globals():
    begin(globals()["PLAN"])
