"""A small web service under load, with `/debug/pprof` on a port of its own: something to profile live.

    python examples/live_service.py

serves at http://localhost:8000 and its profiles at http://localhost:6060/debug/pprof/, and asks itself for pages
until it is interrupted. While it runs:

    curl 'http://localhost:6060/debug/pprof/profile?seconds=5' > cpu.prof && conduit pprof -top cpu.prof
    conduit pprof -http=:8080 http://localhost:6060/debug/pprof/heap
"""

from __future__ import annotations

import argparse
import json
import sys
import threading
import urllib.request
import zlib
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import conduit.debug
from conduit.record.waits import set_block_profile_rate, set_mutex_profile_fraction

cache: dict[int, bytes] = {}
cache_lock = threading.Lock()


def score(number: int) -> int:
    """The expensive part of a page that is not in the cache."""
    return sum(n * n % 7 for n in range(3000 + number % 50))


def report(number: int) -> bytes:
    """Return a page, from the cache if possible; other threads wait for the lock during this."""
    with cache_lock:
        known = cache.get(number % 20)
        if known is None or number % 3 == 0:
            rows = [{"row": row, "score": score(row)} for row in range(10)]
            known = cache[number % 20] = zlib.compress(json.dumps(rows).encode(), 9)
    return known


class Pages(BaseHTTPRequestHandler):
    """Answers every GET with a report."""

    def do_GET(self) -> None:
        body = report(len(self.path) + threading.get_native_id())
        self.send_response(200)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *arguments: Any) -> None:
        """The requests are too many to print."""


def ask_for_ever(url: str, stop: threading.Event) -> None:
    """One client of the service."""
    while not stop.is_set():
        with urllib.request.urlopen(url, timeout=10) as response:
            response.read()


def main() -> None:
    """Starts the service, its clients and the debug endpoint."""
    parser = argparse.ArgumentParser(description="a small web service under load, to be profiled live")
    parser.add_argument("--port", type=int, default=8000)
    parser.add_argument("--debug", default="localhost:6060", help="where /debug/pprof is served")
    parser.add_argument("--clients", type=int, default=4)
    options = parser.parse_args()
    set_mutex_profile_fraction(1)
    set_block_profile_rate(10_000)
    service = ThreadingHTTPServer(("localhost", options.port), Pages)
    service.daemon_threads = True
    url = f"http://localhost:{service.server_address[1]}/"
    stop = threading.Event()
    with conduit.debug.serve(options.debug) as endpoint:
        print(f"service {url}", f"profiles {endpoint.url}", sep="\n", flush=True)
        for number in range(options.clients):
            threading.Thread(
                target=ask_for_ever, args=(url, stop), name=f"client-{number}", daemon=True
            ).start()
        try:
            service.serve_forever()
        except KeyboardInterrupt:
            print("stopped", file=sys.stderr)
        finally:
            stop.set()
            service.server_close()


if __name__ == "__main__":
    main()
