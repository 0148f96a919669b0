"""A FastAPI service that eight clients ask for pages and for everything at `/debug/pprof`: its memory and its latency.

    python benchmarks/service_under_load.py [-seconds 1200] [-rounds 10] [-clients 8] [-json]

Two services run in processes of their own, one with the debug endpoints and one without. In each round the page is asked
for at both in turns, one request after another, so that what else the machine does falls on both; before and after, the
clients ask the first one for every kind of profile. Memory is what is resident and not backed by a file.
"""

from __future__ import annotations

import argparse
import json
import random
import socket
import subprocess
import sys
import threading
import time
import urllib.error
import urllib.request
from pathlib import Path

PROJECT = Path(__file__).resolve().parent.parent
KINDS = (
    "",
    "profile?seconds=1",
    "heap",
    "heap?seconds=1",
    "allocs",
    "goroutine?debug=2",
    "block",
    "mutex?seconds=1",
    "gil",
    "wall?seconds=1",
    "trace?seconds=0.2",
    "threadcreate",
    "goroutine",
    "block?seconds=1",
)
SERVICE = """
import json, sys
import uvicorn
from fastapi import FastAPI

app = FastAPI()

@app.get("/")
def page():
    return json.loads(json.dumps([{"number": number} for number in range(300)]))

if sys.argv[2] == "with":
    import conduit.debug

    conduit.debug.serve(f"localhost:{sys.argv[3]}")
uvicorn.run(app, port=int(sys.argv[1]), log_level="critical")
"""


def free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        return int(listener.getsockname()[1])


class Service:
    """A service in a process of its own."""

    def __init__(self, way: str) -> None:
        self.port, self.debug_port = free_port(), free_port()
        words = [sys.executable, "-c", SERVICE, str(self.port), way, str(self.debug_port)]
        self.process = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        for _ in range(300):
            try:
                self.ask_page()
                return
            except OSError:
                time.sleep(0.1)
        raise SystemExit("the service does not answer")

    def ask_page(self) -> float:
        """Return the seconds that a page took."""
        begin = time.perf_counter()
        urllib.request.urlopen(f"http://127.0.0.1:{self.port}/", timeout=60).read()
        return time.perf_counter() - begin

    def memory_mb(self) -> float:
        """Return what is resident and not backed by a file."""
        status = Path(f"/proc/{self.process.pid}/status").read_text()
        return int(next(line for line in status.splitlines() if line.startswith("RssAnon")).split()[1]) / 1024


class Clients:
    """Clients that ask for everything until they are stopped; `refused` are answers of 4xx and 5xx that name a limit."""

    def __init__(self, service: Service, count: int) -> None:
        self.asked = self.refused = 0
        self.errors: list[str] = []
        self._service = service
        self._stop = threading.Event()
        self._lock = threading.Lock()
        self._threads = [threading.Thread(target=self._ask, args=(number,)) for number in range(count)]
        for thread in self._threads:
            thread.start()

    def _ask(self, number: int) -> None:
        chooser = random.Random(number)
        while not self._stop.is_set():
            kind = chooser.choice(KINDS)
            try:
                url = f"http://127.0.0.1:{self._service.debug_port}/debug/pprof/{kind}"
                urllib.request.urlopen(url, timeout=60).read()
                self._service.ask_page()
            except urllib.error.HTTPError as error:  # a second profile of a kind is answered "in use"
                with self._lock:
                    self.refused += 1
                    if "in use" not in (text := error.read().decode()) and "already" not in text:
                        self.errors.append(f"{kind}: {error.code} {text[:80]}")
            except OSError as error:
                self.errors.append(f"{kind}: {error}")
            with self._lock:
                self.asked += 1

    def stop(self) -> None:
        """End and wait for what has been asked."""
        self._stop.set()
        for thread in self._threads:
            thread.join()


def percentile_99(times: list[float]) -> float:
    return sorted(times)[int(len(times) * 0.99)]


def compare_pages(plain: Service, debugged: Service, requests: int) -> tuple[float, float]:
    """The 99th percentiles, in ms, of pages asked for in turns."""
    times: dict[Service, list[float]] = {plain: [], debugged: []}
    for _ in range(requests):
        for service in random.sample([plain, debugged], 2):
            times[service].append(service.ask_page())
    return percentile_99(times[plain]) * 1000, percentile_99(times[debugged]) * 1000


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("-seconds", type=float, default=1200)
    parser.add_argument("-rounds", type=int, default=10)
    parser.add_argument("-clients", type=int, default=8)
    parser.add_argument("-json", action="store_true")
    options = parser.parse_args()
    plain, debugged = Service("without"), Service("with")
    rows = []
    begin = debugged.memory_mb()
    asked = refused = 0
    errors: list[str] = []
    try:
        for _ in range(options.rounds):
            clients = Clients(debugged, options.clients)
            time.sleep(options.seconds / options.rounds)
            highest = debugged.memory_mb()
            clients.stop()
            asked, refused = asked + clients.asked, refused + clients.refused
            errors += clients.errors
            time.sleep(1)
            slow_plain, slow_debugged = compare_pages(plain, debugged, 1000)
            rows.append(
                {
                    "asked": asked,
                    "refused": refused,
                    "errors": len(errors),
                    "under load MB": round(highest, 1),
                    "at rest MB": round(debugged.memory_mb(), 1),
                    "plain MB": round(plain.memory_mb(), 1),
                    "p99 plain ms": round(slow_plain, 2),
                    "p99 ms": round(slow_debugged, 2),
                }
            )
            print(json.dumps(rows[-1]), flush=True)
        print(f"at the start {begin:.1f} MB; errors: {errors[:5]}")
        return 1 if errors or debugged.process.poll() is not None else 0
    finally:
        for service in (plain, debugged):
            service.process.kill()
            service.process.wait()


if __name__ == "__main__":
    sys.exit(main())
