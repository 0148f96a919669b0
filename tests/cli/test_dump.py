from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from conduit._native import available, reason
from conduit.debug import serve
from conduit.errors import ProfilerUnavailableError
from conduit.record.kernel_states import thread_state
from conduit.record.process_memory import ProcessMemory

pytestmark = pytest.mark.skipif(not available(), reason=reason())

THREADS = """
import socket, threading
class Early(threading.Thread):
    def __init__(self):
        self.mine = [1, 2]
        super().__init__(name="named by a subclass", daemon=True)
    def run(self):
        waits_for_an_event()
def waits_for_an_event():
    threading.Event().wait()
def reads_a_socket(end):
    end.recv(1)
left, right = socket.socketpair()
threading.Thread(target=waits_for_an_event, name="Größe of 日本", daemon=True).start()
threading.Thread(target=reads_a_socket, args=(left,), name="reader").start()
Early().start()
print("ready", flush=True)
input()
import os; os._exit(0)
"""

TASKS = """
import asyncio
async def leaf(): await asyncio.sleep(1000)
async def middle(): await leaf()
async def waits(task): await task
async def group():
    async with asyncio.TaskGroup() as tasks:
        tasks.create_task(middle(), name="child 1")
        tasks.create_task(middle(), name="child 2")
async def main():
    awaited = asyncio.create_task(middle(), name="awaited by waiter")
    tasks = [awaited, asyncio.create_task(waits(awaited), name="waiter"), asyncio.create_task(group())]
    await asyncio.sleep(0.05)
    print("ready", flush=True)
    await asyncio.gather(*tasks)
asyncio.run(main())
"""

BUSY_TASK = """
import asyncio
def spins():
    while True:
        pass
async def works(): spins()
async def main():
    asyncio.get_running_loop().call_later(0.05, print, "ready")
    await asyncio.sleep(0.06)
    await works()
print("ready", flush=True)
asyncio.run(main())
"""

LABELS = """
import asyncio, threading
import conduit
def values():
    with conduit.label(inside="a generator"):
        yield 1
        threading.Event().wait()
def stays_inside():
    with conduit.label(tenant="outer", plan='go"ld'):
        with conduit.label(tenant="Größe"):
            for _ in values(): pass
def stays_beside():
    with conduit.label(tenant="b"):
        generator = values()
        next(generator)
        threading.Event().wait()
async def values_in_time():
    with conduit.label(step="awaits inside"):
        await asyncio.sleep(1000)
        yield 1
async def reads():
    async for _ in values_in_time(): pass
async def child():
    with conduit.label(step="sleep"):
        await asyncio.sleep(1000)
async def work(name):
    with conduit.label(tenant=name):
        await asyncio.create_task(child(), name=f"child of {name}")
async def main():
    tasks = [asyncio.create_task(work(name), name=name) for name in "ab"]
    tasks.append(asyncio.create_task(reads(), name="reader"))
    for target in (stays_inside, stays_beside):
        threading.Thread(target=target, name=target.__name__, daemon=True).start()
    await asyncio.sleep(0.05)
    from conduit.debug import serve
    with serve("127.0.0.1:0") as server:
        print(server.address if SERVES else "ready", flush=True)
        await asyncio.gather(*tasks)
asyncio.run(main())
"""
LABELS_OF_THREADS = {
    "MainThread": {},
    "stays_inside": {"inside": "a generator", "plan": 'go"ld', "tenant": "Größe"},
    "stays_beside": {"tenant": "b"},  # the generator is not running, and so its label does not hold
}
LABELS_OF_TASKS = {
    "a": {"tenant": "a"},
    "child of a": {"step": "sleep", "tenant": "a"},
    "b": {"tenant": "b"},
    "child of b": {"step": "sleep", "tenant": "b"},
    "reader": {"step": "awaits inside"},
}


@pytest.fixture
def start() -> Iterator[Callable[[str], int]]:
    """Start a program that prints "ready" once it is; returns its number."""
    started: list[subprocess.Popen[bytes]] = []

    def start_one(source: str) -> int:
        command = [sys.executable, "-u", "-c", source]
        process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
        started.append(process)
        assert process.stdout is not None
        assert process.stdout.readline() == b"ready\n"
        try:
            with ProcessMemory(process.pid):
                pass
        except ProfilerUnavailableError as error:
            pytest.skip(str(error))
        return process.pid

    yield start_one
    for process in started:
        process.kill()
        process.communicate()


def dump(*arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "conduit", "dump", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=60)


def document(*arguments: str) -> Any:
    done = dump(*arguments, "-json")
    assert done.returncode == 0, done.stderr
    return json.loads(done.stdout)


def test_every_thread_is_printed_with_its_name_its_system_call_and_its_lines(
    start: Callable[[str], int],
) -> None:
    pid = start(THREADS)
    done = dump("-pid", str(pid))
    assert (done.returncode, done.stderr) == (0, "")
    paragraphs = done.stdout.split("\n\n")
    assert len(paragraphs) == 4
    main, event, reader, early = (paragraph.splitlines() for paragraph in paragraphs)
    pipe = Path(f"/proc/{pid}/fd/0").readlink()
    assert main[0].endswith(f'"MainThread" (native id {pid}) [sleeping in read ({pipe})]:')
    assert main[1:3] == ["<string>.<module>", "\t<string>:18"]
    assert ' "Größe of 日本" (native id ' in event[0]
    assert event[0].endswith(" [sleeping in futex, daemon]:")
    assert [line for line in event if "waits" in line] == ["<string>.waits_for_an_event"]
    assert event[event.index("<string>.waits_for_an_event") + 1] == "\t<string>:10"
    assert ' "reader" ' in reader[0]
    assert "[sleeping in recvfrom (socket:[" in reader[0]
    assert reader[1:3] == ["<string>.reads_a_socket", "\t<string>:12"]
    # Its class sets an attribute before those of Thread: a name is not guessed.
    assert "[sleeping in futex]:" in early[0]
    assert "<string>.waits_for_an_event" in early


def test_a_number_alone_names_the_process_and_the_document_has_the_same_threads(
    start: Callable[[str], int],
) -> None:
    pid = start(THREADS)
    found = document(str(pid))
    assert found["pid"] == pid
    assert found["python"] == f"{sys.version_info[0]}.{sys.version_info[1]}"
    assert (found["tasks"], found["warnings"]) == ([], [])
    by_name = {thread["name"]: thread for thread in found["threads"]}
    assert by_name["MainThread"]["native_id"] == pid
    assert by_name["reader"]["daemon"] is False
    assert by_name["Größe of 日本"]["daemon"] is True
    assert by_name["reader"]["frames"][0] == {
        "function": "<string>.reads_a_socket",
        "file": "<string>",
        "line": 12,
    }
    assert document("--format", "json", "-pid", str(pid))["threads"] == found["threads"]


@pytest.mark.skipif(sys.version_info < (3, 14), reason="tasks are readable from outside from 3.14 on")
def test_tasks_are_printed_with_their_coroutines_and_the_tasks_that_await_them(
    start: Callable[[str], int],
) -> None:
    pid = start(TASKS)
    tasks = {task["name"]: task for task in document(str(pid))["tasks"]}
    functions = {name: [frame["function"] for frame in task["frames"]] for name, task in tasks.items()}
    assert functions["awaited by waiter"] == ["asyncio.tasks.sleep", "<string>.leaf", "<string>.middle"]
    assert (
        functions["child 1"]
        == functions["child 2"]
        == ["asyncio.tasks.sleep", "<string>.leaf", "<string>.middle"]
    )
    assert functions["waiter"] == ["<string>.waits"]
    group = next(name for name, frames in functions.items() if frames[-1] == "<string>.group")
    main = next(name for name, frames in functions.items() if frames[-1] == "<string>.main")
    assert group.startswith("Task-")
    assert tasks["awaited by waiter"]["awaited_by"] == [main, "waiter"]
    assert tasks["child 1"]["awaited_by"] == [group]
    assert {task["state"] for task in tasks.values()} == {"waiting"}
    assert 'task "waiter" [waiting]:\n<string>.waits\n\t<string>:5\nawaited by task' in dump(str(pid)).stdout


@pytest.mark.skipif(sys.version_info < (3, 14), reason="tasks are readable from outside from 3.14 on")
def test_a_running_task_has_the_frames_of_its_thread_down_to_its_coroutine(
    start: Callable[[str], int],
) -> None:
    pid = start(BUSY_TASK)
    for _ in range(100):
        (task,) = document(str(pid))["tasks"]
        if task["state"] == "running":
            break
    assert [frame["function"] for frame in task["frames"]] == [
        "<string>.spins",
        "<string>.works",
        "<string>.main",
    ]


@pytest.mark.skipif(sys.version_info >= (3, 14), reason="tasks are readable from outside from 3.14 on")
def test_that_tasks_cannot_be_read_is_told_where_there_may_be_some(start: Callable[[str], int]) -> None:
    pid = start(TASKS)
    done = dump(str(pid))
    assert done.returncode == 0
    assert "tasks of asyncio cannot be read from outside on Python 3." in done.stderr
    assert "_run_once" in done.stdout


def test_a_service_is_asked_at_its_endpoint_whatever_part_of_its_url_is_given() -> None:
    with serve("localhost:0") as server:
        for url in (server.address, f"http://{server.address}/", f"http://{server.address}/debug/pprof"):
            done = dump("-pid", url)
            assert done.returncode == 0, done.stderr
            assert f'thread {threading.get_ident()} "MainThread"' in done.stdout
        found = document(f"http://pprof:s3cret@{server.address}/debug/pprof/profile")
    assert found["url"] == f"http://pprof:***@{server.address}/debug/pprof/profile"
    names = {thread["name"]: thread for thread in found["threads"]}
    assert any(frame["file"].endswith("test_dump.py") for frame in names["MainThread"]["frames"])


def labels_of(found: Any, kind: str, names: dict[str, dict[str, str]]) -> dict[str, dict[str, str]]:
    return {one["name"]: one["labels"] for one in found[kind] if one["name"] in names}


def test_threads_and_tasks_have_their_labels_when_they_are_read_from_outside(
    start: Callable[[str], int],
) -> None:
    pid = start(f"SERVES = False\n{LABELS}")
    found = document(str(pid))
    assert labels_of(found, "threads", LABELS_OF_THREADS) == LABELS_OF_THREADS
    if sys.version_info >= (3, 14):
        assert labels_of(found, "tasks", LABELS_OF_TASKS) == LABELS_OF_TASKS
    text = dump(str(pid)).stdout
    head = next(line for line in text.splitlines() if ' "stays_inside" ' in line)
    assert f'{head}\n# labels: {{"inside":"a generator", "plan":"go\\"ld", "tenant":"Größe"}}\n' in text


def test_threads_and_tasks_of_a_service_have_their_labels() -> None:
    command = [sys.executable, "-u", "-c", f"SERVES = True\n{LABELS}"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        url = f"http://{process.stdout.readline().strip()}/"
        found, text = document(url), dump(url).stdout
        process.kill()
    assert labels_of(found, "threads", LABELS_OF_THREADS) == LABELS_OF_THREADS
    assert labels_of(found, "tasks", LABELS_OF_TASKS) == LABELS_OF_TASKS
    assert 'task "child of b" [waiting]:\n# labels: {"step":"sleep", "tenant":"b"}\n' in text


def test_a_process_that_does_not_exist_or_is_not_python_is_named() -> None:
    done = dump("4194304")
    assert (done.returncode, done.stdout) == (1, "")
    assert "there is no process 4194304" in done.stderr
    with subprocess.Popen(["sleep", "60"]) as process:
        done = dump(str(process.pid))
        process.kill()
    assert done.returncode == 1
    assert "no CPython" in done.stderr or "not permitted" in done.stderr


def test_a_service_that_is_not_there_is_told_with_the_url_that_was_asked() -> None:
    done = dump("http://localhost:1/")
    assert done.returncode == 1
    assert "http://localhost:1/debug/pprof/goroutine?debug=2" in done.stderr


@pytest.mark.parametrize("arguments", [[], ["no"], ["1", "2"], ["-pid=1", "2"], ["1", "-format=xml"], ["-5"]])
def test_a_wrong_call_exits_with_2(arguments: list[str]) -> None:
    assert dump(*arguments).returncode == 2


def test_the_state_of_a_thread_that_is_not_there_is_unknown() -> None:
    assert thread_state(os.getpid(), 4194304) == "unknown"


def test_a_dump_goes_to_the_file_that_is_named(start: Callable[[str], int], tmp_path: Path) -> None:
    pid = start(THREADS)
    done = dump(str(pid), "-o", str(tmp_path / "stacks.txt"))
    assert (done.returncode, done.stdout) == (0, "")
    assert "reads_a_socket" in (tmp_path / "stacks.txt").read_text(encoding="utf-8")
