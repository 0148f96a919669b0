from __future__ import annotations

import asyncio
import re
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import CodeType

import pytest

from conduit import _native, record
from conduit._native import available, reason, self_check
from conduit.errors import ProfilerUnavailableError
from conduit.record import task_names

needs_extension = pytest.mark.skipif(not available(), reason=reason())
VERSION = sys.version.split()[0]


@pytest.fixture
def unchecked(monkeypatch: pytest.MonkeyPatch) -> None:
    """As in a process that has not checked anything yet."""
    monkeypatch.setattr(self_check, "_frames", None)
    monkeypatch.setattr(task_names, "_warning", None)


@pytest.fixture
def own_stack(unchecked: None, monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Changes one of the four answers of the extension."""
    from conduit._native import _core

    real = _core.own_stack

    def change(position: int, value: Callable[[object], object]) -> None:
        def changed() -> tuple[object, ...]:
            plain, interrupted, coroutines, task = real()
            assert interrupted is not None
            answer: list[object] = [
                plain[2:],
                interrupted[2:],
                coroutines,
                task,
            ]  # without the frame of this function
            answer[position] = value(answer[position])
            return tuple(answer)

        monkeypatch.setattr(_core, "own_stack", changed)

    return change


def other_code(stack: tuple[CodeType | int, ...]) -> tuple[CodeType | int, ...]:
    return (stack[0], stack[1], other_code.__code__, *stack[3:])


def shifted(stack: tuple[CodeType | int, ...]) -> tuple[CodeType | int, ...]:
    return tuple(part + 2 if isinstance(part, int) else part for part in stack)


@needs_extension
def test_the_frames_of_this_interpreter_are_read_as_it_tells_them(unchecked: None) -> None:
    self_check.require_frames()


@needs_extension
def test_they_are_inside_generators_coroutines_and_deep_recursion(unchecked: None) -> None:
    def down(depth: int) -> Iterator[int]:
        if depth:
            yield from down(depth - 1)
        else:
            self_check._frames = None
            self_check.require_frames()
            yield 1

    async def main() -> list[int]:
        return list(down(300))

    assert asyncio.run(main()) == [1]


@needs_extension
@pytest.mark.parametrize(
    ("position", "value"),
    [
        (0, other_code),
        (0, shifted),
        (1, other_code),
        (1, lambda _: None),
        (1, lambda stack: stack[:4]),
        (2, lambda _: ()),
    ],
)
def test_profiles_are_refused_with_the_version_where_frames_are_read_otherwise(
    position: int, value: Callable[[object], object], own_stack: Callable[..., None]
) -> None:
    own_stack(position, value)
    for recording in (record.cpu(), record.heap(), record.block(), record.mutex()):
        with pytest.raises(
            ProfilerUnavailableError, match=f"the frames of Python {re.escape(VERSION)} are not as"
        ):
            recording.start()


@needs_extension
def test_profiles_are_taken_where_the_answers_are_the_same(own_stack: Callable[..., None]) -> None:
    own_stack(0, lambda stack: stack)
    for recording in (record.cpu(), record.heap(), record.block(), record.mutex()):
        recording.start()
        recording.stop()


@needs_extension
def test_where_a_known_task_is_not_named_samples_have_no_label_and_a_warning_names_the_version(
    own_stack: Callable[..., None],
) -> None:
    own_stack(3, lambda _: "another")

    async def main() -> None:
        end = time.process_time() + 0.3
        while time.process_time() < end:
            pass

    with record.cpu(rate_hz=250) as recording:
        asyncio.run(main())
    assert recording.profile is not None
    assert recording.profile.samples
    assert all("task" not in sample.labels for sample in recording.profile.samples)
    assert any(f"the tasks of Python {VERSION} are not as" in text for text in recording.profile.comments)


@needs_extension
@pytest.mark.skipif(
    sys.version_info < (3, 14), reason="a lock object refers to a semaphore, which is seen by itself"
)
def test_a_mutex_profile_is_refused_with_the_version_where_a_lock_object_is_otherwise() -> None:
    script = """
import _thread
Real = _thread.RLock
class RLock:
    def __init__(self): self.real = Real()
    def acquire(self, *how): return self.real.acquire(*how)
    def release(self): self.real.release()
    def __enter__(self): return self.real.__enter__()
    def __exit__(self, *error): self.real.release()
from conduit._native import waits
_thread.RLock = RLock
waits.set_rates(1, 0, gil=True)
waits.set_rates(0, 0, gil=False)
try:
    waits.set_rates(0, 1, gil=False)
except RuntimeError as error:
    print(error)
"""
    answer = subprocess.run(
        [sys.executable, "-c", script], capture_output=True, text=True, timeout=60, check=True
    )
    assert answer.stdout.startswith(
        f"no mutex profile can be taken on Python {VERSION}: its locks are not as"
    )


@pytest.mark.parametrize(
    ("version", "abi", "words"),
    [
        ((3, 16, 0), "", "for CPython 3.11 to 3.15; this is 3.16"),
        ((3, 10, 1), "", "for CPython 3.11 to 3.15; this is 3.10"),
        ((3, 14, 0), "t", "not for free-threaded builds"),
    ],
)
def test_unknown_versions_and_builds_are_refused_by_name(
    version: tuple[int, int, int], abi: str, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(_native.sys, "version_info", version)
    monkeypatch.setattr(_native.sys, "abiflags", abi)
    assert words in _native._find_reason()


def test_the_versions_are_those_that_the_c_code_accepts() -> None:
    header = Path(_native.__file__).with_name("python_layout.h")
    if not header.exists():
        pytest.skip("installed without the C sources")
    found = re.search(
        r"PY_VERSION_HEX < 0x(\w{4})0000 \|\| PY_VERSION_HEX >= 0x(\w{4})0000", header.read_text("utf-8")
    )
    assert found is not None
    oldest, after = (divmod(int(text, 16), 256) for text in found.groups())
    assert (oldest, (after[0], after[1] - 1)) == (_native._OLDEST, _native._NEWEST)
