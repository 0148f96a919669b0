"""A service of the standard library that is recorded again and again, while clients ask it for pages.

    python benchmarks/attach_under_load.py [--attaches 100] [--clients 4] [--seconds 0.5] [--python PYTHON]
        [--kinds cpu,heap,mutex,trace] [--outside]

The service never heard of conduit. Each attach records one of the kinds, in turns: from inside, or with `--outside` the
CPU from outside. Printed are the requests that were
answered and that failed, the profiles that were written, the latency of requests with and without an attach, and what is
in the service after the last attach and was not before the second: modules of conduit, threads, open files, timers, signal
handlers, collectors' callbacks and memory. From inside it needs Python 3.14 or later, and for traces the extra `trace`.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.request
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent
FLAGS = {"cpu": "-cpuprofile", "heap": "-memprofile", "mutex": "-mutexprofile", "trace": "-trace"}
SERVICE = """
import gc, json, os, signal, sys, threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

lock = threading.Lock()

def state():
    status = dict(line.split(":", 1) for line in open("/proc/self/status"))
    return {
        "modules": sorted(name for name in sys.modules if name.partition(".")[0] in ("conduit", "viztracer")),
        "threads": sorted(thread.name for thread in threading.enumerate() if "process_request" not in thread.name),
        "files": sorted(os.readlink(f"/proc/self/fd/{fd}").partition(":[")[0] for fd in os.listdir("/proc/self/fd")
                        if os.path.lexists(f"/proc/self/fd/{fd}")),
        "timers": open("/proc/self/timers").read(),
        "signals": [status[name].strip() for name in ("SigCgt", "SigIgn", "SigBlk")],
        "callbacks": len(gc.callbacks),
        "path": list(sys.path),
        "kB": int(status["VmRSS"].split()[0]),
    }

class Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def log_message(self, *arguments): pass
    def do_GET(self):
        with lock:
            body = json.dumps([{"number": number} for number in range(300)]).encode()
        if self.path == "/state":
            body = json.dumps(state()).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

class Server(ThreadingHTTPServer):
    request_queue_size = 128

server = Server(("127.0.0.1", 0), Handler)
print(server.server_port, flush=True)
server.serve_forever()
"""


class Clients:
    """Threads that ask for a page, one request after the other, and count."""

    def __init__(self, url: str, count: int) -> None:
        self.url = url
        self.answered: list[tuple[float, float]] = []  # when, and after how many seconds
        self.failures: list[str] = []
        self._is_over = threading.Event()
        self._threads = [threading.Thread(target=self._ask) for _ in range(count)]

    def __enter__(self) -> Clients:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._is_over.set()
        for thread in self._threads:
            thread.join()

    def _ask(self) -> None:
        while not self._is_over.wait(0.01):
            began = time.monotonic()
            try:
                with urllib.request.urlopen(self.url, timeout=30) as answer:
                    if len(json.load(answer)) != 300:
                        raise ValueError("another body")
            except (OSError, ValueError) as error:
                self.failures.append(repr(error))
                continue
            self.answered.append((began, time.monotonic() - began))


def state_of(url: str) -> dict[str, object]:
    with urllib.request.urlopen(f"{url}state", timeout=30) as answer:
        found: dict[str, object] = json.load(answer)
        return found


def attach(pid: int, kind: str, seconds: float, folder: Path, inside: str) -> str:
    """Record once; return an empty text, or why no profile came."""
    file = folder / f"{kind}.out"
    file.unlink(missing_ok=True)
    command = [
        sys.executable,
        "-m",
        "conduit",
        "record",
        f"-pid={pid}",
        f"-seconds={seconds}",
        f"-inside={inside}",
    ]
    done = subprocess.run(
        [*command, f"{FLAGS[kind]}={file}"],
        capture_output=True,
        text=True,
        env={**os.environ, "PYTHONPATH": str(PROJECT / "src")},
    )
    if done.returncode == 0 and file.exists() and file.stat().st_size > 0:
        return ""
    return (done.stderr.strip().splitlines() or [f"no message, exit status {done.returncode}"])[-1]


def latency(clients: Clients, intervals: list[tuple[float, float]], *, within: bool) -> str:
    found = sorted(
        seconds * 1000
        for began, seconds in clients.answered
        if any(start <= began < end for start, end in intervals) is within
    )
    if len(found) < 20:
        return "too few requests"
    return f"median {statistics.median(found):.1f} ms, 99th percentile {found[len(found) * 99 // 100]:.1f} ms"


def differences(before: dict[str, object], after: dict[str, object]) -> list[str]:
    """What differs in one line each; of memory, by how much."""
    found = [
        f"{name}: {before[name]} -> {after[name]}"
        for name in before
        if name != "kB" and before[name] != after[name]
    ]
    return [*found, f"kB: {before['kB']} -> {after['kB']}"]


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__)
    arguments.add_argument("--attaches", type=int, default=100)
    arguments.add_argument("--clients", type=int, default=4)
    arguments.add_argument("--seconds", type=float, default=0.5)
    arguments.add_argument("--python", default=sys.executable, help="the service's Python")
    arguments.add_argument("--kinds", default="cpu,heap,mutex,trace")
    arguments.add_argument(
        "--outside", action="store_true", help="read the service's memory, as for older Pythons"
    )
    given = arguments.parse_args()
    kinds = ["cpu"] if given.outside else given.kinds.split(",")
    inside = "never" if given.outside else "always"
    with tempfile.TemporaryDirectory() as name:
        program = Path(name) / "service.py"
        program.write_text(SERVICE)
        errors = (Path(name) / "errors").open("w+")
        service = subprocess.Popen(
            [given.python, "-I", "-X", "faulthandler", str(program)], stdout=subprocess.PIPE, stderr=errors
        )
        assert service.stdout is not None
        url = f"http://127.0.0.1:{int(service.stdout.readline())}/"
        refused: list[str] = []
        intervals: list[tuple[float, float]] = []
        try:
            with Clients(url, given.clients) as clients:
                time.sleep(3)
                # The first of each kind loads modules of the standard library, which stay.
                warm = [attach(service.pid, kind, given.seconds, Path(name), inside) for kind in kinds]
                time.sleep(1)
                before = state_of(url)
                for number in range(given.attaches):
                    began = time.monotonic()
                    reason = attach(
                        service.pid, kinds[number % len(kinds)], given.seconds, Path(name), inside
                    )
                    intervals.append((began, time.monotonic()))
                    if reason:
                        refused.append(f"{kinds[number % len(kinds)]}: {reason}")
            time.sleep(1)
            after = state_of(url)
        except OSError:
            errors.seek(0)
            sys.exit(f"the service has ended with {service.poll()}: {errors.read()[-2000:]}")
        finally:
            service.kill()
            service.wait()
    print(f"requests: {len(clients.answered)} answered, {len(clients.failures)} failed")
    print(
        f"attaches: {given.attaches - len(refused)} of {given.attaches} wrote a profile ({','.join(kinds)})"
    )
    print(f"while attached: {latency(clients, intervals, within=True)}")
    print(f"else: {latency(clients, intervals, within=False)}")
    for text in sorted({*refused, *(one for one in warm if one), *clients.failures})[:10]:
        print(f"  {text}")
    print("left behind:")
    for text in differences(before, after):
        print(f"  {text}")


if __name__ == "__main__":
    main()
