from __future__ import annotations

import os
import signal
import threading
import warnings
from collections.abc import Iterator

import pytest

from conduit._native import available, repeated_signals

pytestmark = pytest.mark.skipif(not available(), reason="the C extension is not built here")


@pytest.fixture
def number() -> Iterator[int]:
    chosen = signal.SIGUSR2
    before = signal.getsignal(chosen)
    yield chosen
    repeated_signals.handled(chosen)
    signal.signal(chosen, before)


def test_a_signal_comes_again_until_its_handler_says_that_it_runs(number: int) -> None:
    enough = threading.Event()
    calls: list[int] = []

    def handle(number: int, _: object) -> None:
        calls.append(number)
        if len(calls) == 3:
            repeated_signals.handled(number)
            enough.set()

    signal.signal(number, handle)
    assert repeated_signals.repeat(number)
    os.kill(os.getpid(), number)
    assert enough.wait(30)
    threading.Event().wait(0.1)
    came = len(calls)  # one more may have been sent while the third was being handled
    assert came in (3, 4)
    threading.Event().wait(0.1)
    assert calls == [number] * came


def test_a_forked_child_has_its_own_repetitions(number: int) -> None:
    calls: list[int] = []
    signal.signal(number, lambda number, _: calls.append(number))
    assert repeated_signals.repeat(number)
    os.kill(os.getpid(), number)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)  # a test runner has threads of its own
        child = os.fork()
    if child == 0:
        calls.clear()
        os.kill(os.getpid(), number)
        while len(calls) < 2:
            threading.Event().wait(0.01)
        os._exit(0)
    assert os.waitpid(child, 0)[1] == 0


def test_a_signal_that_python_does_not_handle_is_left_alone() -> None:
    assert not repeated_signals.repeat(signal.SIGUSR2)
    assert signal.getsignal(signal.SIGUSR2) is signal.SIG_DFL
