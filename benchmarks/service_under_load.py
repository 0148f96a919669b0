"""A FastAPI service that eight clients ask for pages and for everything at `/debug/pprof`: its memory and its latency.

    python benchmarks/service_under_load.py [-seconds 1200] [-rounds 10] [-clients 8] [-pause 0] [-same]

Two services run in processes of their own, one with the debug endpoints and one without. In each round the clients ask the
first one for every kind of profile, and both for pages, with random pauses of `-pause` seconds on average. The page is timed
at both in turns, one request after another, so that what else the machine does falls on both: while the clients ask ("under
load"), and once they have stopped. Memory is what is resident and not backed by a file. With `-same`, neither service has
the endpoints, and nobody asks for profiles: how far two percentiles of the same service lie apart.
"""

from __future__ import annotations

import argparse
import json
import random
import socket
import subprocess
import sys
import tempfile
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
        self.port = free_port()
        self.debug_port = free_port() if way == "with" else None
        words = [sys.executable, "-c", SERVICE, str(self.port), way, str(self.debug_port)]
        self.log = tempfile.TemporaryFile("w+")  # noqa: SIM115 (read when all is done)
        self.process = subprocess.Popen(words, stdout=subprocess.DEVNULL, stderr=self.log)
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

    def __init__(self, plain: Service, debugged: Service, count: int, pause: float) -> None:
        self.asked = self.refused = 0
        self.errors: list[str] = []
        self._services = [plain, debugged]
        self._debug_port = debugged.debug_port
        self._pause = pause
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
                if self._debug_port is not None:
                    url = f"http://127.0.0.1:{self._debug_port}/debug/pprof/{kind}"
                    urllib.request.urlopen(url, timeout=60).read()
                # A page of both: clients that ask only one of them for pages would make it slower without any profile.
                for service in chooser.sample(self._services, 2):
                    service.ask_page()
            except urllib.error.HTTPError as error:  # a second profile of a kind is answered "in use"
                with self._lock:
                    self.refused += 1
                    if "in use" not in (text := error.read().decode()) and "already" not in text:
                        self.errors.append(f"{kind}: {error.code} {text[:80]}")
            except OSError as error:
                self.errors.append(f"{kind}: {error}")
            with self._lock:
                self.asked += 1
            self._stop.wait(chooser.uniform(0, 2 * self._pause))

    def stop(self) -> None:
        """End and wait for what has been asked."""
        self._stop.set()
        for thread in self._threads:
            thread.join()


def percentile_99(times: list[float]) -> float:
    return sorted(times)[int(len(times) * 0.99)]


class PageTimes:
    """The times, in ms, of pages that two services are asked for in turns."""

    def __init__(self, plain: Service, debugged: Service) -> None:
        self._times: dict[Service, list[float]] = {plain: [], debugged: []}

    def ask(self) -> None:
        """Ask each service once, in random order."""
        for service in random.sample(list(self._times), 2):
            self._times[service].append(service.ask_page() * 1000)

    def add(self, others: PageTimes) -> None:
        """Add the times of another round."""
        for service, times in others._times.items():
            self._times[service] += times

    def percentiles(self) -> list[float]:
        """Return the 99th percentile of each service."""
        return [round(percentile_99(times), 2) for times in self._times.values()]


def times_under_load(plain: Service, debugged: Service, seconds: float) -> tuple[PageTimes, float]:
    """Return the times of pages asked for during these seconds, and the most memory (MB) that the second service had."""
    times, highest = PageTimes(plain, debugged), 0.0
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        times.ask()
        highest = max(highest, debugged.memory_mb())
        time.sleep(0.03)
    return times, highest


def main() -> int:
    parser = argparse.ArgumentParser()
    parser.add_argument("-seconds", type=float, default=1200)
    parser.add_argument("-rounds", type=int, default=10)
    parser.add_argument("-clients", type=int, default=8)
    parser.add_argument("-pause", type=float, default=0)
    parser.add_argument("-same", action="store_true")
    options = parser.parse_args()
    plain, debugged = Service("without"), Service("without" if options.same else "with")
    begin = debugged.memory_mb()
    asked = refused = 0
    errors: list[str] = []
    all_loaded, all_unloaded = PageTimes(plain, debugged), PageTimes(plain, debugged)
    try:
        for _ in range(options.rounds):
            clients = Clients(plain, debugged, options.clients, options.pause)
            loaded, highest = times_under_load(plain, debugged, options.seconds / options.rounds)
            clients.stop()
            asked, refused = asked + clients.asked, refused + clients.refused
            errors += clients.errors
            time.sleep(1)
            unloaded = PageTimes(plain, debugged)
            for _ in range(1000):
                unloaded.ask()
            all_loaded.add(loaded)
            all_unloaded.add(unloaded)
            row = {
                "asked": asked,
                "refused": refused,
                "errors": len(errors),
                "highest MB": round(highest, 1),
                "at rest MB": round(debugged.memory_mb(), 1),
                "plain MB": round(plain.memory_mb(), 1),
                "p99 under load, plain and with, ms": loaded.percentiles(),
                "p99 at rest, plain and with, ms": unloaded.percentiles(),
            }
            print(json.dumps(row), flush=True)
        print(
            f"p99 of all rounds, plain and with, ms: under load {all_loaded.percentiles()}, "
            f"at rest {all_unloaded.percentiles()}"
        )
        print(f"at the start {begin:.1f} MB; errors: {errors[:5]}")
        if errors:
            debugged.log.seek(0)
            print(f"the service's log:\n{debugged.log.read()[-20_000:]}")
        return 1 if errors or debugged.process.poll() is not None else 0
    finally:
        for service in (plain, debugged):
            service.process.kill()
            service.process.wait()


if __name__ == "__main__":
    sys.exit(main())
