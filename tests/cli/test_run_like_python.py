"""A program under `conduit run` ends as under python: its output, what is said of its exceptions, its exit status."""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import pytest

from conduit._native import available
from conduit.profile.codec import decode

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.skipif(not available(), reason="the C extension is not built here")

PROGRAMS = {
    "threads end before exit functions, also after sys.exit": """
        import atexit, sys, threading, time
        threading.Thread(target=lambda: (time.sleep(0.2), print("thread ends"))).start()
        atexit.register(print, "exit function")
        sys.exit(3)
    """,
    "threads end before exit functions, also after an exception": """
        import atexit, threading, time
        threading.Thread(target=lambda: (time.sleep(0.2), print("thread ends"))).start()
        atexit.register(print, "exit function")
        1 / 0
    """,
    "an executor that was never shut down": """
        from concurrent.futures import ThreadPoolExecutor
        executor = ThreadPoolExecutor()
        executor.submit(print, "done")
    """,
    "an event loop whose executor was never shut down": """
        import asyncio
        loop = asyncio.new_event_loop()
        loop.run_until_complete(loop.run_in_executor(None, print, "done"))
    """,
    "a KeyboardInterrupt": "raise KeyboardInterrupt",
    "a KeyboardInterrupt, with a hook": """
        import sys
        sys.excepthook = lambda kind, *_: print("the hook got", kind.__name__, sys.exc_info())
        raise KeyboardInterrupt
    """,
    "an exit function that handles an exception of its own": """
        import atexit, sys, traceback
        @atexit.register
        def leave():
            print(sys.exc_info())
            try:
                1 / 0
            except ZeroDivisionError:
                traceback.print_exc()
        sys.exit(0)
    """,
    "a hook that raises": """
        import sys
        def hook(*_):
            raise MemoryError("in the hook")
        sys.excepthook = hook
        1 / 0
    """,
    "a hook that exits": """
        import sys
        sys.excepthook = lambda *_: sys.exit(9)
        1 / 0
    """,
    "a hook that is None": "import sys; sys.excepthook = None; 1 / 0",
    "no hook": "import sys; del sys.excepthook; 1 / 0",
    "an exit with a message": """
        import atexit, sys
        atexit.register(lambda: print("exit function", file=sys.stderr))
        sys.exit("a message")
    """,
    "an exit with a number below zero": "raise SystemExit(-2)",
    "an exit with a number above 255": "raise SystemExit(256)",
    "an exit with True": "raise SystemExit(True)",
    "an exit with no integer": "raise SystemExit(1.5)",
    "a thread that raises": "import threading; threading.Thread(target=lambda: 1 / 0, name='worker').start()",
    "an exception with a cause": """
        try:
            1 / 0
        except ZeroDivisionError as error:
            raise ValueError("x") from error
    """,
    "a group of exceptions": "raise ExceptionGroup('several', [ValueError(1), TypeError(2)])",
    "an exception without a text": """
        class Error(Exception):
            def __str__(self):
                raise ValueError
        raise Error
    """,
    "a syntax error": "x = = 2",
    "its last exception": """
        import atexit, sys
        atexit.register(lambda: print(sys.last_type, sys.last_value, sys.last_traceback.tb_frame.f_code.co_name))
        1 / 0
    """,
    "output that it has closed": "import sys; sys.stdout.close()",
    "text that cannot be encoded": r"print('\\udc80')",
    "its namespace": "print(sorted(vars()), __loader__.__class__, __name__, __file__)",
    "a generator that is still open": """
        def generator():
            try:
                yield
            finally:
                print("closed")
        kept = generator()
        next(kept)
    """,
}


def ended(folder: Path, *words: str, closed: str = "") -> tuple[int, str, str]:
    """The exit status, the output, and what was said without what this command says."""
    command = ["bash", "-c", f'exec "$@" {closed}', "bash", sys.executable, *words]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, errors="replace", timeout=60)
    said = [line for line in done.stderr.splitlines() if not line.startswith("conduit: ")]
    return done.returncode, done.stdout, "\n".join(said)


@pytest.mark.parametrize("name", PROGRAMS)
def test_a_program_ends_as_under_python(name: str, tmp_path: Path) -> None:
    lines = PROGRAMS[name].strip("\n").splitlines()
    (tmp_path / "program.py").write_text("\n".join(line.removeprefix(" " * 8) for line in lines) + "\n")
    expected = ended(tmp_path, "program.py")
    assert ended(tmp_path, "-m", "conduit", "run", "-cpuprofile=cpu.prof", "program.py") == expected
    decode((tmp_path / "cpu.prof").read_bytes())


@pytest.mark.parametrize("end", ["", "import sys; sys.exit(4)", "1 / 0"])
@pytest.mark.parametrize("closed", [">&-", "2>&-", ">&- 2>&-"])
def test_a_program_whose_output_is_closed_ends_as_under_python(end: str, closed: str, tmp_path: Path) -> None:
    (tmp_path / "program.py").write_text(f"for _ in range(2_000):\n    print('a line')\n{end}\n")
    expected = ended(tmp_path, "program.py", closed=closed)
    words = ("-m", "conduit", "run", "-cpuprofile=cpu.prof", "program.py")
    assert ended(tmp_path, *words, closed=closed) == expected
    decode((tmp_path / "cpu.prof").read_bytes())


@pytest.mark.parametrize("end", ["", "import sys; sys.exit(3)", "1 / 0"])
def test_the_work_of_threads_that_outlive_the_main_module_is_in_the_profile(end: str, tmp_path: Path) -> None:
    (tmp_path / "program.py").write_text(
        "import threading, time\n"
        "def work():\n    until = time.thread_time() + 0.3\n    while time.thread_time() < until:\n        pass\n"
        f"threading.Thread(target=work).start()\n{end}\n"
    )
    ended(tmp_path, "-m", "conduit", "run", "-cpuprofile=cpu.prof", "program.py")
    profile = decode((tmp_path / "cpu.prof").read_bytes())
    assert sum(sample.values[1] for sample in profile.samples) >= 0.29e9
