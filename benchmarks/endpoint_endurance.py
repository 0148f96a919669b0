"""What a live service keeps after many requests to its `/debug/pprof`: threads, descriptors, memory.

    python benchmarks/endpoint_endurance.py [-requests 10000] [-every 1000] [-seed 7] [-arenas 1] [-json]

The example service (`examples/live_service.py`) runs in a process of its own, with its own load, and is asked at random
endpoints with random parameters. One request in ten misbehaves: it dribbles in byte by byte, closes its sending half,
hangs up before the answer or in the middle of it, or says nothing at all. Each row is read from /proc once the service
has come to rest: what it holds between requests.

glibc gives each thread one of eight arenas a core, and each arena keeps what its busiest moment took; with a thread for
each request that hides everything else for a long time. So there is one arena here, unless `-arenas 0` leaves the
number to glibc.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import random
import re
import signal
import socket
import struct
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import NamedTuple

EXAMPLE = Path(__file__).resolve().parents[1] / "examples" / "live_service.py"
SNAPSHOTS = ("heap", "allocs", "goroutine", "block", "mutex", "gil", "threadcreate")
CUMULATIVE = ("heap", "block", "mutex", "gil")
OTHERS = ("", "cmdline", "symbol", "nosuch", "a/b", "%00")
PARAMETERS = (
    "",
    "",
    "debug=1",
    "debug=2",
    "debug=x",
    "gc=1",
    "seconds=0",
    "seconds=-1",
    "seconds=abc",
    "x=%ff",
)
LONG = ("profile?seconds=5", "wall?seconds=5", "heap?seconds=5", "block?seconds=5", "trace?seconds=5")
SHORT = ("profile?seconds=1", "wall?seconds=1", "mutex?seconds=1", "trace?seconds=0.05", "trace?seconds=0.2")
CLIENTS = 2
REST_S = 20.0


class State(NamedTuple):
    """What the process held after so many requests.

    `memory_kb` is resident and not backed by a file; `stacks` are the entries of the cumulative profiles, which stay.
    """

    requests: int
    threads: int
    descriptors: int
    memory_kb: int
    stacks: int
    seconds: float


def state_of(process: int, address: tuple[str, int], requests: int, began: float) -> State:
    folder = Path(f"/proc/{process}")
    status = (folder / "status").read_text()
    threads, memory = (
        int(re.search(rf"^{name}:\s+(\d+)", status, re.M)[1]) for name in ("Threads", "RssAnon")
    )  # type: ignore[index]
    descriptors = len(list((folder / "fd").iterdir()))
    return State(requests, threads, descriptors, memory, kept_stacks(address), time.monotonic() - began)


def kept_stacks(address: tuple[str, int]) -> int:
    """What the index page counts for the profiles that add up."""
    with socket.create_connection(address, timeout=60) as connection:
        connection.sendall(request_text(""))
        page = read_all(connection).decode()
    return sum(int(re.search(rf"<td>(\d+)</td><td><a href='{name}\?", page)[1]) for name in CUMULATIVE)  # type: ignore[index]


def at_rest(process: int, address: tuple[str, int], requests: int, began: float) -> State:
    """The state once nothing is being answered but the question whether anything is."""
    deadline = time.monotonic() + REST_S
    while time.monotonic() < deadline:
        with socket.create_connection(address, timeout=60) as connection:
            connection.sendall(request_text("goroutine?debug=2"))
            if read_all(connection).count(b"\n_Handler.handle\n") == 1:
                break
        time.sleep(0.1)
    return state_of(process, address, requests, began)


def request_text(path: str, method: str = "GET") -> bytes:
    return f"{method} /debug/pprof/{path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode()


def random_path(chance: random.Random) -> str:
    return f"{chance.choice((*SNAPSHOTS, *SNAPSHOTS, *OTHERS))}?{chance.choice(PARAMETERS)}"


def read_all(connection: socket.socket) -> bytes:
    parts = []
    while part := connection.recv(1 << 16):
        parts.append(part)
    return b"".join(parts)


def ask(connection: socket.socket, chance: random.Random) -> None:
    connection.sendall(
        request_text(random_path(chance), chance.choice(("GET", "GET", "GET", "HEAD", "POST")))
    )
    answer = read_all(connection)
    if answer[9:12] not in (b"200", b"307", b"400", b"404", b"405"):
        raise AssertionError(f"unexpected answer: {answer[:200]!r}")


def dribble(connection: socket.socket, chance: random.Random) -> None:
    for byte in request_text(random_path(chance)):
        connection.sendall(bytes([byte]))
    read_all(connection)


def close_half(connection: socket.socket, chance: random.Random) -> None:
    connection.sendall(request_text(random_path(chance)))
    connection.shutdown(socket.SHUT_WR)
    read_all(connection)


def hang_up(connection: socket.socket, chance: random.Random) -> None:
    connection.sendall(request_text(random_path(chance)))


def reset_while_reading(connection: socket.socket, chance: random.Random) -> None:
    connection.sendall(request_text(random_path(chance)))
    connection.recv(100)
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


def say_half(connection: socket.socket, chance: random.Random) -> None:
    connection.sendall(request_text(random_path(chance))[: chance.randrange(40)])


def leave_a_profile(connection: socket.socket, chance: random.Random) -> None:
    connection.sendall(request_text(chance.choice(LONG)))
    time.sleep(0.2)


def take_a_profile(connection: socket.socket, chance: random.Random) -> None:
    connection.sendall(request_text(chance.choice(SHORT)))
    read_all(connection)


MISBEHAVIOURS = (dribble, close_half, hang_up, reset_while_reading, say_half)


def one_client(address: tuple[str, int], requests: int, seed: int, failures: list[BaseException]) -> None:
    chance = random.Random(seed)
    try:
        for number in range(requests):
            way = ask
            if number % 10 == 9:
                way = chance.choice(MISBEHAVIOURS)
            if number % 100 == 99:
                way = chance.choice((leave_a_profile, take_a_profile))
            with socket.create_connection(address, timeout=60) as connection:
                way(connection, chance)
    except BaseException as failure:
        failures.append(failure)
        raise


def burst(address: tuple[str, int], requests: int, seed: int) -> None:
    failures: list[BaseException] = []
    share = requests // CLIENTS
    clients = [
        threading.Thread(target=one_client, args=(address, share, seed * CLIENTS + number, failures))
        for number in range(CLIENTS)
    ]
    for client in clients:
        client.start()
    for client in clients:
        client.join()
    if failures:
        raise SystemExit(f"a request failed: {failures[0]!r}")


def endure(requests: int, every: int, seed: int, arenas: int = 1) -> list[State]:
    """The states at the start and after each `every` requests."""
    command = [sys.executable, str(EXAMPLE), "--port", "0", "--debug", "localhost:0", "--clients", "1"]
    environment = {**os.environ, **({"MALLOC_ARENA_MAX": str(arenas)} if arenas else {})}
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=environment) as service:
        try:
            assert service.stdout is not None
            service.stdout.readline()
            host, port = re.search(r"//(.+):(\d+)/", service.stdout.readline()).groups()  # type: ignore[union-attr]
            address = (host, int(port))
            began = time.monotonic()
            time.sleep(1)  # its own load begins
            states = [state_of(service.pid, address, 0, began)]
            for done in range(every, requests + 1, every):
                burst(address, every, seed * 1000 + done)
                states.append(at_rest(service.pid, address, done, began))
                print(f"{done} requests: {states[-1].memory_kb} kB", file=sys.stderr)
        finally:
            service.send_signal(signal.SIGINT)
            with contextlib.suppress(subprocess.TimeoutExpired):
                service.wait(30)
            service.kill()
    return states


def main() -> None:
    parser = argparse.ArgumentParser(description="what a service keeps after many requests to its profiles")
    parser.add_argument("-requests", type=int, default=10_000)
    parser.add_argument("-every", type=int, default=1_000)
    parser.add_argument("-seed", type=int, default=7)
    parser.add_argument(
        "-arenas", type=int, default=1, help="of malloc in the service; 0: as many as glibc likes"
    )
    parser.add_argument("-json", action="store_true", help="print the rows as JSON")
    options = parser.parse_args()
    states = endure(options.requests, options.every, options.seed, options.arenas)
    if options.json:
        print(json.dumps([state._asdict() for state in states]))
        return
    print(
        f"{'requests':>8} {'threads':>8} {'descriptors':>12} {'memory MB':>10} {'stacks':>7} {'seconds':>8}"
    )
    for state in states:
        print(
            f"{state.requests:8} {state.threads:8} {state.descriptors:12} {state.memory_kb / 1024:10.1f} {state.stacks:7}"
            f" {state.seconds:8.0f}"
        )


if __name__ == "__main__":
    main()
