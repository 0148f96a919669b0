from __future__ import annotations

import asyncio
import gc
import sys
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from conduit.record import task_names, threads

if TYPE_CHECKING:
    from collections.abc import Iterator

    import pytest


def park(event: threading.Event, depth: int) -> None:
    if depth:
        park(event, depth - 1)
    else:
        event.wait()


@contextmanager
def parked_thread(depth: int = 5) -> Iterator[threading.Thread]:
    event = threading.Event()
    thread = threading.Thread(target=park, args=(event, depth), name="parked")
    thread.start()
    while not any(
        stack.name == "parked" and stack.frames[0].function == "Condition.wait" and stack.state != "running"
        for stack in threads.dump().threads
    ):
        pass
    try:
        yield thread
    finally:
        event.set()
        thread.join()


def test_every_thread_is_listed_with_its_whole_stack_innermost_first() -> None:
    with parked_thread(depth=5) as thread:
        (found,) = [stack for stack in threads.dump().threads if stack.ident == thread.ident]
    names = [frame.function for frame in found.frames]
    assert names.count("park") == 6
    assert names.index("park") < names.index("Thread.run")
    assert found.native_id == thread.native_id
    assert found.state.startswith("sleeping")
    assert {frame.filename for frame in found.frames if frame.function == "park"} == {__file__}


def test_the_calling_thread_comes_first_and_is_running() -> None:
    first = threads.dump().threads[0]
    assert (first.ident, first.state) == (threading.get_ident(), "running")


def test_a_waiting_task_shows_its_chain_of_coroutines_down_to_what_it_awaits() -> None:
    async def leaf(event: asyncio.Event) -> None:
        await event.wait()

    async def middle(event: asyncio.Event) -> None:
        await leaf(event)

    async def main() -> threads.TaskStack:
        event = asyncio.Event()
        task = asyncio.create_task(middle(event), name="waiter")
        await asyncio.sleep(0)
        (stack,) = [stack for stack in threads.dump().tasks if stack.name == "waiter"]
        event.set()
        await task
        return stack

    stack = asyncio.run(main())
    assert [frame.function.rpartition(".")[2] for frame in stack.frames] == ["wait", "leaf", "middle"]
    assert stack.state == "waiting"


def test_tasks_name_the_tasks_that_await_them_in_a_group_and_in_asyncios_own_functions() -> None:
    async def rest() -> None:
        await asyncio.sleep(60)

    async def group() -> None:
        async with asyncio.TaskGroup() as tasks:
            tasks.create_task(rest(), name="of group")

    async def several() -> None:
        await asyncio.wait([asyncio.create_task(rest(), name="of several")])

    async def timed() -> None:
        await asyncio.wait_for(asyncio.create_task(rest(), name="of timed"), 60)

    async def main() -> dict[str, tuple[str, ...]]:
        tasks = [asyncio.create_task(wait(), name=wait.__name__) for wait in (group, several, timed)]
        for _ in range(4):
            await asyncio.sleep(0)
        found = {stack.name: stack.awaited_by for stack in threads.dump().tasks}
        for task in tasks:
            task.cancel()
        return found

    found = asyncio.run(main())
    for name in ("group", "several", "timed"):
        assert found[f"of {name}"] == (name,)
        assert found[name] == ()


def test_tasks_name_the_tasks_that_await_them_also_through_gather() -> None:
    async def inner(event: asyncio.Event) -> None:
        await event.wait()

    async def outer(*tasks: asyncio.Task[None]) -> None:
        await asyncio.gather(*tasks)

    async def main() -> dict[str, tuple[str, ...]]:
        event = asyncio.Event()
        children = [asyncio.create_task(inner(event), name=f"child-{n}") for n in range(2)]
        parent = asyncio.create_task(outer(*children), name="parent")
        await asyncio.sleep(0)
        await asyncio.sleep(0)
        found = {stack.name: stack.awaited_by for stack in threads.dump().tasks}
        event.set()
        await parent
        return found

    found = asyncio.run(main())
    assert found["child-0"] == found["child-1"] == ("parent",)
    assert found["parent"] == ()


def test_tasks_of_a_loop_in_another_thread_are_found() -> None:
    ready, release = threading.Event(), threading.Event()

    async def main() -> None:
        task = asyncio.create_task(asyncio.sleep(60), name="elsewhere")
        await asyncio.sleep(0)
        ready.set()
        while not release.is_set():
            await asyncio.sleep(0.001)
        task.cancel()

    thread = threading.Thread(target=asyncio.run, args=(main(),))
    thread.start()
    ready.wait()
    names = [task.name for task in threads.dump().tasks]
    release.set()
    thread.join()
    assert "elsewhere" in names


def test_finished_tasks_are_not_listed() -> None:
    async def nothing() -> None:
        pass

    async def main() -> list[str]:
        task = asyncio.create_task(nothing(), name="finished")
        await task
        return [stack.name for stack in threads.dump().tasks]

    assert "finished" not in asyncio.run(main())


def test_the_task_from_which_the_sampler_learns_is_not_listed() -> None:
    task, coroutine, _ = task_names._make_task(asyncio.Task, [])
    coroutine.close()
    assert not task.done()
    assert task.get_name() not in [stack.name for stack in threads.dump().tasks]


def test_the_text_has_a_paragraph_for_each_thread_with_name_state_and_lines() -> None:
    with parked_thread():
        text = threads.text()
    paragraph = next(part for part in text.split("\n\n") if '"parked"' in part)
    assert "[sleeping" in paragraph.splitlines()[0]
    assert f"park\n\t{__file__}:" in paragraph


def test_stacks_are_read_again_where_one_has_lost_its_callers(monkeypatch: pytest.MonkeyPatch) -> None:
    suspended: Any = (number for number in (1, 2))
    next(suspended)
    current_frames = sys._current_frames
    answers = [{**current_frames(), -1: suspended.gi_frame}, current_frames()]
    monkeypatch.setattr(sys, "_current_frames", lambda: answers.pop(0) if answers else current_frames())
    idents = [stack.ident for stack in threads.dump().threads]
    assert threading.get_ident() in idents
    assert -1 not in idents


def test_a_generator_that_ends_while_its_callers_are_looked_up_ends_no_dump() -> None:
    started, may_end, has_ended = threading.Event(), threading.Event(), threading.Event()

    def waits() -> Iterator[None]:
        started.set()
        may_end.wait()
        yield

    def outer() -> Iterator[None]:
        yield from waits()

    def work() -> None:
        list(outer())
        has_ended.set()

    def let_it_end(*_: object) -> None:
        may_end.set()
        has_ended.wait()

    thread = threading.Thread(target=work)
    thread.start()
    started.wait()
    at: Any = sys._current_frames()[thread.ident or 0]
    while at.f_code is not waits.__code__:
        at = at.f_back
    thresholds = gc.get_threshold()
    gc.callbacks.append(let_it_end)
    gc.set_threshold(1)  # up to 3.11, the object of a caller's frame is enough to start a collection
    try:
        assert threads._has_a_root(at) in (False, True)
    finally:
        gc.set_threshold(*thresholds)
        gc.callbacks.remove(let_it_end)
        may_end.set()
        thread.join()
