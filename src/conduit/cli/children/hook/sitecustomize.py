"""Starts the recordings of `conduit run -children` in a Python program that another one has started.

The `site` module imports this file, as PYTHONPATH has its folder. It takes the folder off `sys.path`, starts the
recordings, and then runs the `sitecustomize` that the program would have had without it. It is written for every
version of Python, since any may be started; what cannot be recorded is noted in the journal of the run.
"""

# mypy: allow-untyped-defs, allow-untyped-calls, disable-error-code="arg-type,union-attr"

import os
import sys

_FOLDER = os.path.dirname(os.path.abspath(__file__))


def _note(settings, **entry):
    import json

    line = json.dumps(entry).encode("utf-8") + b"\n"
    try:
        descriptor = os.open(os.path.join(settings["folder"], "journal"), os.O_WRONLY | os.O_APPEND)
    except OSError:
        # A program of another user has inherited the descriptor; it comes with what the file must be.
        descriptor, device, inode = map(int, os.environ.get("CONDUIT_RUN_JOURNAL", "-1:0:0").split(":"))
        status = os.fstat(descriptor)
        if (status.st_dev, status.st_ino) != (device, inode):
            raise
        os.write(descriptor, line)
        return
    try:
        os.write(descriptor, line)
    finally:
        os.close(descriptor)


def _refusal():
    """Why this interpreter cannot be recorded, or an empty text."""
    version = "%d.%d" % sys.version_info[:2]
    if sys.implementation.name != "cpython" or sys.version_info < (3, 11):
        return "it is %s %s" % (sys.implementation.name, version)
    return ""


def _load_package(folder):
    """Import the package `conduit` from its folder, whatever is on `sys.path`."""
    import importlib.util

    if "conduit" in sys.modules:
        return
    spec = importlib.util.spec_from_file_location(
        "conduit", os.path.join(folder, "__init__.py"), submodule_search_locations=[folder]
    )
    module = importlib.util.module_from_spec(spec)
    sys.modules["conduit"] = module
    spec.loader.exec_module(module)


def _start():
    text = os.environ.get("CONDUIT_RUN")
    if not text:
        return
    import json

    settings = json.loads(text)
    reason = _refusal()
    if not reason:
        try:
            _load_package(settings["package"])
            from conduit.cli.children.start import start

            start(settings)
        except Exception as error:  # the program runs in any case
            reason = str(error) or type(error).__name__
            if list(sys.version_info[:2]) != settings["python"]:
                reason = "it is Python %d.%d, the run %d.%d" % (
                    sys.version_info[:2] + tuple(settings["python"])
                )
    if reason:
        try:
            _note(settings, event="refused", pid=os.getpid(), reason=reason)
        except (OSError, ValueError):
            return  # the run is over, and its journal is gone


def _run_next():
    """Run the program's own `sitecustomize`, in place of this module."""
    import importlib.util
    from importlib.machinery import PathFinder

    spec = PathFinder.find_spec("sitecustomize", sys.path)
    if spec is None or spec.loader is None:
        raise ImportError("no other sitecustomize", name="sitecustomize")  # `site` goes on without a word
    module = importlib.util.module_from_spec(spec)
    sys.modules["sitecustomize"] = module
    spec.loader.exec_module(module)


sys.path[:] = [entry for entry in sys.path if os.path.abspath(entry) != _FOLDER]
_start()
_run_next()
