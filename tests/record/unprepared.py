"""A program that never heard of conduit, and tells its state when it is asked to: a line in, a line of JSON out.

Lines: `state`; `exit`; `functions` (those of conduit that are in memory); `memory` (kB of its own in memory); `fork` (the state of a child, made now); `sleep`
(the main thread sleeps until SIGUSR1); `epoll` (it waits for a second line in epoll). It is run as a file, with nothing of the project on its path.
"""

# Few modules are imported, so that a new one is seen.
# ruff: noqa: PTH123, PTH208, SIM115

from __future__ import annotations

import atexit
import gc
import json
import os
import select
import signal
import sys
import threading
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

lock = threading.Lock()
kept: list[bytearray] = []


def most() -> int:
    return sum(i * i for i in range(20_000))


def least() -> int:
    total = 0
    for i in range(12_000):
        total += i
    return total


def works() -> None:
    while True:
        most()
        least()


def holds_the_lock() -> None:
    while True:
        with lock:
            time.sleep(0.004)
        time.sleep(0.0005)


def waits_for_the_lock() -> None:
    while True:
        with lock:
            pass
        time.sleep(0.0005)


def allocates() -> None:
    while True:
        kept.append(bytearray(50_000))
        if len(kept) > 200:
            del kept[:150]
        time.sleep(0.002)


def functions_in_memory() -> list[str]:
    """The modules of functions of conduit that have not been freed, also where its modules have been removed."""
    modules = [one.__module__ for one in gc.get_objects() if type(one) is type(state)]
    return [
        name
        for name in modules
        if isinstance(name, str) and name.partition(".")[0] in ("conduit", "viztracer")
    ]


def memory_kb() -> int:
    status = dict(line.split(":", 1) for line in open("/proc/self/status"))
    return int(status["RssAnon"].split()[0])


def state() -> dict[str, Any]:
    status = open("/proc/self/status").read().splitlines()
    masks = {
        line.split(":")[0]: int(line.split()[1], 16)
        for line in status
        if line.startswith(("SigCgt", "SigIgn"))
    }
    masks["SigCgt"] &= ~(3 << 31)  # the C library's own, from its first thread on
    return {
        "modules": sorted(name for name in sys.modules if name.partition(".")[0] in ("conduit", "viztracer")),
        "path": list(sys.path),
        "finders": len(sys.meta_path),
        "hooks": len(sys.path_hooks),
        "threads": len(os.listdir("/proc/self/task")),
        "python_threads": sorted(thread.name for thread in threading.enumerate()),
        "signals": masks,
        "timers": open("/proc/self/timers").read(),
        "files": len(os.listdir("/proc/self/fd")),
        "collector": len(gc.callbacks),
        "exit_functions": atexit._ncallbacks(),
        "thread_method": vars(threading.Thread)["_set_native_id"].__module__,
        "profile": repr(sys.getprofile()),
        "warned": list(map(str, sys.warnoptions)),
    }


def of_child() -> Any:
    read, write = os.pipe()
    if os.fork() == 0:
        os.write(write, json.dumps(state()).encode())
        os._exit(0)
    os.close(write)
    data = b""
    while part := os.read(read, 65536):
        data += part
    os.close(read)
    os.wait()
    return json.loads(data)


class AwakeError(Exception):
    pass


def wake(*_: object) -> None:
    raise AwakeError


def sleeps() -> None:
    signal.signal(signal.SIGUSR1, wake)
    print("sleeping", flush=True)
    try:
        time.sleep(3600)
    except AwakeError:
        signal.signal(signal.SIGUSR1, signal.SIG_DFL)


def waits_in_epoll() -> None:
    with select.epoll() as poll:
        poll.register(0, select.EPOLLIN)
        print("waiting", flush=True)
        poll.poll()


def main() -> None:
    if "logging" in sys.argv:
        import logging

        logging.basicConfig(format="LOG %(name)s %(message)s")
    if "uncollected" in sys.argv:
        gc.disable()
    if "handler" in sys.argv:
        signal.signal(signal.SIGPROF, lambda *_: None)
    if "idle" not in sys.argv:
        others = () if "alone" in sys.argv else (holds_the_lock, waits_for_the_lock, allocates)
        for target in (works, *others):
            threading.Thread(target=target, name=target.__name__, daemon=True).start()
    json.dumps([state(), of_child()])  # whatever these import is there from now on
    print("ready", flush=True)
    for line in sys.stdin:
        word = line.strip()
        if word == "exit":
            sys.exit(0)
        if word == "sleep":
            sleeps()
        if word == "epoll":
            waits_in_epoll()
        answers: dict[str, Callable[[], Any]] = {
            "fork": of_child,
            "functions": functions_in_memory,
            "memory": memory_kb,
        }
        answer: Callable[[], Any] = answers.get(word, state)
        print(json.dumps(answer()), flush=True)


if __name__ == "__main__":
    main()
