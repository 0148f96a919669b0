"""`conduit.label`: what is under it when a sample is taken, in every kind of profile."""

from __future__ import annotations

import asyncio
import contextlib
import contextvars
import gc
import os
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

import conduit
from conduit._native import available
from conduit.record import block, cpu, heap, mutex, wall
from conduit.record.labels import current_labels, late_label
from tests.record.burning import burn

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

    from conduit.profile.model import Profile

pytestmark = pytest.mark.skipif(not available(), reason="labels need the C extension")


def sums(profile: Profile, key: str = "tenant", column: int = -1) -> dict[str, int]:
    """The values by the text of one label; '' for samples without it."""
    found: dict[str, int] = {}
    for sample in profile.samples:
        text = sample.labels.get(key, [""])[0]
        found[text] = found.get(text, 0) + sample.values[column]
    return found


def shares(profile: Profile, key: str = "tenant", column: int = -1) -> dict[str, float]:
    found = sums(profile, key, column)
    return {text: value / sum(found.values()) for text, value in found.items()}


def tenants_of(profile: Profile, function: str) -> set[str]:
    """The label of the samples that have a function on their stack; '' for those without it."""
    return {
        sample.labels.get("tenant", [""])[0]
        for sample in profile.samples
        if any(
            line.function is not None and line.function.name.rpartition(".")[2] == function
            for location in sample.locations
            for line in location.lines
        )
    }


def burn_for_a(seconds: float) -> None:
    burn(seconds)


def burn_for_b(seconds: float) -> None:
    burn(seconds)


def burn_for_none(seconds: float) -> None:
    burn(seconds)


async def take_turns() -> None:
    """Two tasks, each under a label, that burn CPU time in turn and wait 0.1 s in all."""

    async def work(name: str) -> None:
        with conduit.label(tenant=name):
            for _ in range(10):
                (burn_for_a if name == "a" else burn_for_b)(0.03)
                await asyncio.sleep(0.01)

    await asyncio.gather(work("a"), work("b"))


# ── what is under a label ──


def test_nested_labels_add_up_and_the_inner_one_wins() -> None:
    with conduit.label(tenant="a", zone="x"):
        with conduit.label(tenant="b"):
            assert current_labels() == {"tenant": "b", "zone": "x"}
        assert current_labels() == {"tenant": "a", "zone": "x"}
    assert current_labels() == {}


def test_a_label_ends_with_an_exception() -> None:
    with pytest.raises(ZeroDivisionError), conduit.label(tenant="a"):
        1 / 0  # noqa: B018
    assert current_labels() == {}


def test_one_label_may_be_entered_again_inside_itself() -> None:
    shared = conduit.label(tenant="a")
    with shared:
        with conduit.label(tenant="b"), shared:
            assert current_labels() == {"tenant": "a"}
        with shared, shared:
            assert current_labels() == {"tenant": "a"}
        assert current_labels() == {"tenant": "a"}
    assert current_labels() == {}


def test_other_context_variables_keep_what_is_set_inside() -> None:
    variable = contextvars.ContextVar[str]("variable", default="before")
    with conduit.label(tenant="a"):
        variable.set("inside")
    assert variable.get() == "inside"
    assert current_labels() == {}
    with conduit.label(tenant="b"):
        assert variable.get() == "inside"
    assert variable.get() == "inside"


def test_a_labels_methods_keep_it_alive_and_refuse_wrong_arguments() -> None:
    label = conduit.label(tenant="of no other label")
    references = sys.getrefcount(label)
    enter, leave = label.__enter__, label.__exit__
    with pytest.raises(TypeError, match="arguments"):
        label.__enter__(1)  # type: ignore[call-arg]
    with pytest.raises(TypeError, match="keyword"):
        label.__exit__(kind=None)  # type: ignore[call-arg]
    with pytest.raises(TypeError, match="label"):
        type(label).__enter__(1)  # type: ignore[type-var]
    with contextlib.ExitStack() as stack:
        assert stack.enter_context(label) is label
        assert current_labels() == {"tenant": "of no other label"}
    assert current_labels() == {}
    del label
    label = enter()
    assert current_labels() == {"tenant": "of no other label"}
    leave(None, None, None)
    assert current_labels() == {}
    del enter, leave
    assert sys.getrefcount(label) == references


def test_labels_that_are_left_out_of_order_leave_the_others() -> None:
    first, second = conduit.label(one="1"), conduit.label(two="2")
    first.__enter__()
    second.__enter__()
    first.__exit__(None, None, None)
    assert current_labels() == {"two": "2"}
    second.__exit__(None, None, None)
    assert current_labels() == {}


def test_a_value_is_its_text_and_an_empty_one_is_no_label() -> None:
    with conduit.label(number=7, nothing="", lone="\ud800"):
        assert current_labels() == {"number": "7", "lone": "?"}


@pytest.mark.parametrize("key", ["thread", "task", "bytes", ""])
def test_a_key_that_recordings_set_themselves_is_refused(key: str) -> None:
    with pytest.raises(ValueError, match="label"):
        conduit.label(**{key: "a"})


def test_a_label_without_labels_or_with_a_position_is_refused() -> None:
    with pytest.raises(ValueError, match="no label"):
        conduit.label()
    with pytest.raises(TypeError, match="keywords"):
        conduit.label("tenant")  # type: ignore[call-arg]


# ── functions ──


def test_it_decorates_functions_coroutines_and_generators() -> None:
    @conduit.label(tenant="a")
    def plain(x: int) -> tuple[int, dict[str, str]]:
        return x, current_labels()

    @conduit.label(tenant="a")
    async def coroutine() -> dict[str, str]:
        await asyncio.sleep(0)
        return current_labels()

    @conduit.label(tenant="a")
    def generator() -> Iterator[dict[str, str]]:
        yield current_labels()
        yield current_labels()

    @conduit.label(tenant="a")
    async def asynchronous() -> AsyncIterator[dict[str, str]]:
        yield current_labels()
        await asyncio.sleep(0)
        yield current_labels()

    async def consume() -> list[Any]:
        found = []
        async for one in asynchronous():
            found += [one, current_labels()]
        return found

    inside = {"tenant": "a"}
    assert plain(3) == (3, inside)
    assert plain.__name__ == "plain"
    assert asyncio.run(coroutine()) == inside
    assert [(one, current_labels()) for one in generator()] == [(inside, {}), (inside, {})]
    assert asyncio.run(consume()) == [inside, {}, inside, {}]


def test_a_label_in_a_generator_does_not_hold_for_its_caller() -> None:
    def numbers() -> Iterator[int]:
        with conduit.label(tenant="inside"):
            for number in range(3):
                assert current_labels() == {"tenant": "inside"}
                yield number

    with conduit.label(tenant="caller"):
        for _ in numbers():
            assert current_labels() == {"tenant": "caller"}
        iterator = numbers()
        next(iterator)
        del iterator  # closed while it is inside its label
        gc.collect()
        assert current_labels() == {"tenant": "caller"}
    assert current_labels() == {}


# ── tasks and threads ──


def test_tasks_and_threads_that_are_started_inside_are_under_it() -> None:
    async def child() -> dict[str, str]:
        await asyncio.sleep(0)
        return current_labels()

    async def parent(name: str) -> list[dict[str, str]]:
        with conduit.label(tenant=name):
            task = asyncio.create_task(child())
            await asyncio.sleep(0)
            inside = await asyncio.to_thread(current_labels)
        return [await task, inside, current_labels()]

    async def both() -> list[list[dict[str, str]]]:
        return list(await asyncio.gather(parent("a"), parent("b")))

    assert asyncio.run(both()) == [[{"tenant": name}, {"tenant": name}, {}] for name in "ab"]


def test_another_thread_has_labels_where_they_are_handed_over() -> None:
    with ThreadPoolExecutor(1) as executor, conduit.label(tenant="a"):
        copied = contextvars.copy_context()
        assert executor.submit(current_labels).result() == {}
        assert executor.submit(copied.run, current_labels).result() == {"tenant": "a"}
        assert executor.submit(conduit.carry_labels(current_labels)).result() == {"tenant": "a"}
        assert executor.submit(current_labels).result() == {}


def test_labels_that_become_known_inside_reach_all_that_was_entered_in_them() -> None:
    request = late_label((("route", "(before routing)"),))
    tenant = conduit.label(tenant="a")
    with request:
        assert current_labels() == {"route": "(before routing)"}
        with tenant:
            pass
        with tenant:
            copied = contextvars.copy_context()
            request.assign((("route", "GET /x"),))
            assert current_labels() == {"route": "GET /x", "tenant": "a"}
            assert copied.run(current_labels) == {"route": "GET /x", "tenant": "a"}
        assert current_labels() == {"route": "GET /x"}
        with tenant:
            assert current_labels() == {"route": "GET /x", "tenant": "a"}
    assert current_labels() == {}


# ── what samples carry ──


def test_cpu_samples_carry_the_labels_of_their_moment() -> None:
    with cpu() as recording:
        asyncio.run(take_turns())
        burn_for_none(0.2)
    assert recording.profile is not None
    assert tenants_of(recording.profile, "burn_for_a") == {"a"}
    assert tenants_of(recording.profile, "burn_for_b") == {"b"}
    assert tenants_of(recording.profile, "burn_for_none") == {""}


def test_cpu_samples_of_c_code_without_the_gil_carry_labels() -> None:
    import hashlib

    data = bytes(1 << 20)
    with cpu() as recording, conduit.label(tenant="a"):
        end = time.thread_time() + 0.3
        while time.thread_time() < end:
            hashlib.sha256(data)
    assert recording.profile is not None
    assert shares(recording.profile).get("a", 0) > 0.9


@pytest.mark.parametrize("rate", [1, 4096])
def test_heap_samples_carry_the_labels_of_their_allocation(rate: int) -> None:
    kept = []
    with heap(rate=rate) as recording:
        for name, count in (("a", 4000), ("b", 12000)):
            with conduit.label(tenant=name):
                kept.append([bytes(1000) for _ in range(count)])
    assert recording.profile is not None
    in_use = sums(recording.profile)
    assert in_use["a"] == pytest.approx(4000 * 1033, rel=0.2)
    assert in_use["b"] == pytest.approx(12000 * 1033, rel=0.2)


def test_blocked_threads_and_suspended_tasks_carry_labels() -> None:
    async def suspended() -> None:
        with conduit.label(tenant="task"):
            await asyncio.sleep(0.1)

    with block() as recording:
        asyncio.run(suspended())
        with conduit.label(tenant="thread"):
            time.sleep(0.1)
    assert recording.profile is not None
    found = sums(recording.profile)
    assert found["task"] >= 0.09e9
    assert found["thread"] >= 0.09e9


def test_the_holder_of_a_lock_is_charged_under_its_labels() -> None:
    lock = threading.Lock()
    held = threading.Event()

    def hold() -> None:
        with conduit.label(tenant="holder"), lock:
            held.set()
            time.sleep(0.2)

    with mutex() as recording:
        holder = threading.Thread(target=hold)
        holder.start()
        held.wait()
        with conduit.label(tenant="waiter"), lock:
            pass
        holder.join()
    assert recording.profile is not None
    found = sums(recording.profile)
    assert found["holder"] > 0.05e9
    assert "waiter" not in found


def test_wall_samples_carry_the_labels_of_their_thread() -> None:
    def wait() -> None:
        with conduit.label(tenant="a"):
            time.sleep(0.3)

    with wall() as recording:
        thread = threading.Thread(target=wait, name="waiting")
        thread.start()
        thread.join()
    assert recording.profile is not None
    of_thread = [one for one in recording.profile.samples if one.labels["thread"] == ["waiting"]]
    labelled = sum(one.values[1] for one in of_thread if one.labels.get("tenant") == ["a"])
    assert labelled > 0.5 * sum(one.values[1] for one in of_thread)


def test_a_label_that_was_entered_before_the_recording_is_in_it() -> None:
    with conduit.label(tenant="a"), cpu() as recording:
        burn(0.1)
    assert recording.profile is not None
    assert shares(recording.profile).get("a", 0) > 0.5


def test_a_decorated_function_is_in_its_profile() -> None:
    @conduit.label(tenant="a")
    def named() -> None:
        burn(0.2)

    with cpu() as recording:
        named()
    assert recording.profile is not None
    functions = {
        line.function.name
        for sample in recording.profile.samples
        for location in sample.locations
        for line in location.lines
        if line.function
    }
    assert any(name.endswith("named") for name in functions)
    assert not any("labelled" in name for name in functions)


# ── what is kept ──


def test_sets_of_labels_are_forgotten_with_their_labels() -> None:
    from conduit._native import _core

    gc.collect()
    before = _core.labels_count()
    for number in range(5000):
        with conduit.label(request=number):
            pass
    assert _core.labels_count() <= before + 256  # the most recent ones are remembered for their callers


def test_sets_in_samples_are_kept_until_the_recording_ends() -> None:
    from conduit._native import _core

    with heap(rate=1) as recording:
        for number in range(100):
            with conduit.label(request=f"kept {number}", second="x"):
                bytes(2000)
        assert len([text for text in sums(recording.snapshot(), "request") if text.startswith("kept")]) == 100
        during = _core.labels_count()
    assert _core.labels_count() < during


def test_under_uvloop_tasks_keep_their_labels_while_they_run_and_while_they_wait() -> None:
    uvloop = pytest.importorskip("uvloop")

    with cpu() as recording, block() as waits:
        uvloop.run(take_turns())
    assert recording.profile is not None
    assert waits.profile is not None
    assert tenants_of(recording.profile, "burn_for_a") == {"a"}
    assert tenants_of(recording.profile, "burn_for_b") == {"b"}
    suspended = sums(waits.profile)
    assert suspended["a"] > 0.09e9
    assert suspended["b"] > 0.09e9


def test_a_trace_has_a_span_for_a_labelled_block(tmp_path: Path) -> None:
    pytest.importorskip("viztracer")
    import json

    from conduit.record import trace

    async def task() -> None:
        with conduit.label(tenant="task"):
            await asyncio.sleep(0)

    path = tmp_path / "trace.json"
    with trace(path):
        with conduit.label(tenant="plain", kind="x"):
            burn(0.01)
        asyncio.run(task())
    events = [one for one in json.loads(path.read_text())["traceEvents"] if one.get("cat") == "label"]
    plain = [one for one in events if one["name"] == "kind=x, tenant=plain"]
    assert [one["args"] for one in plain] == [{"kind": "x", "tenant": "plain"}]
    assert plain[0]["dur"] >= 10_000
    of_task = [one for one in events if one["name"] == "tenant=task"]
    assert [one["ph"] for one in of_task] == ["b", "e"]
    with conduit.label(tenant="after"):
        pass  # no trace is told


def test_a_recording_says_so_where_labels_cannot_be_read(monkeypatch: pytest.MonkeyPatch) -> None:
    from conduit._native import _core

    monkeypatch.setattr(_core, "labels_refused", lambda: True)
    with cpu() as recording, conduit.label(tenant="a"):
        burn(0.02)
    [warning] = [text for text in recording.warnings if "conduit.label" in text]
    assert "the context variables of Python 3." in warning


def test_without_the_extension_labels_do_nothing_and_the_profile_says_so() -> None:
    program = (
        "import asyncio, conduit, time\n"
        "from conduit.record import wall\n"
        "@conduit.label(tenant='a')\n"
        "async def work():\n"
        "    with conduit.label(tenant='b'):\n"
        "        time.sleep(0.05)\n"
        "with wall() as quiet: time.sleep(0.02)\n"
        "with wall() as recording: asyncio.run(work())\n"
        "print(quiet.warnings, *recording.warnings)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "CONDUIT_NATIVE": "off"},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout.startswith("[] samples have no labels of conduit.label: the C extension is turned off")


def test_a_label_in_memory_that_is_not_cleared_lives_until_it_is_left() -> None:
    program = """if True:
        import conduit

        for number in range(100):
            with conduit.label(tenant=str(number), plan="free"):
                others = [conduit.label(tenant=str(number), plan=str(other)) for other in range(20)]
                del others
        print("left")
    """
    done = subprocess.run(
        [sys.executable, "-c", program],
        env=os.environ | {"PYTHONMALLOC": "debug"},  # it fills memory with bytes that are no refcount
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stdout) == (0, "left\n"), done.stderr
