"""What the application's own requests pay while its profile is taken: latency under load, with and without.

    python benchmarks/endpoint_latency.py [seconds] [rounds]

Needs `wrk` and uvicorn. A FastAPI application runs in uvicorn with `/debug/pprof` in three states, in turns: not
mounted, mounted with nobody asking, and while a CPU profile of the whole time is taken. Printed are medians over the rounds,
and in brackets the least and the greatest round.
"""

from __future__ import annotations

import random
import re
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
import urllib.error
import urllib.request
from pathlib import Path

APP = """
import json
from fastapi import FastAPI

app = FastAPI()

@app.get("/")
def page():
    return json.loads(json.dumps([{{"row": n, "square": n * n}} for n in range(200)]))
{mount}
"""
MOUNT = """
import conduit.debug
app.mount("/debug/pprof", conduit.debug.asgi_app(access=conduit.debug.Access(open=True)))
"""
UNITS_MS = {"us": 1e-3, "ms": 1.0, "s": 1e3}


def measure(state: str, seconds: int) -> dict[str, float]:
    """Latencies in ms and requests a second, as wrk tells them."""
    with tempfile.TemporaryDirectory() as folder:
        (Path(folder) / "service.py").write_text(APP.format(mount="" if state == "absent" else MOUNT))
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            port = probe.getsockname()[1]
        command = [
            sys.executable,
            "-m",
            "uvicorn",
            "--log-level",
            "error",
            "--port",
            str(port),
            "service:app",
        ]
        process = subprocess.Popen(command, cwd=folder)
        url = f"http://127.0.0.1:{port}"
        try:
            wait_for(url)
            profile = threading.Thread(target=fetch, args=(f"{url}/debug/pprof/profile?seconds={seconds}",))
            if state == "profiled":
                profile.start()
            printed = subprocess.run(
                ["wrk", "-t1", "-c4", f"-d{seconds}s", "--latency", url],
                capture_output=True,
                text=True,
                check=True,
            ).stdout
            if state == "profiled":
                profile.join()
        finally:
            process.terminate()
            process.wait()
    found = {share: milliseconds(text) for share, text in re.findall(r"(50|99)%\s+(\S+)", printed)}
    rate = re.search(r"Requests/sec:\s+(\S+)", printed)
    assert rate is not None, printed
    return {"p50 ms": found["50"], "p99 ms": found["99"], "requests/s": float(rate[1])}


def milliseconds(text: str) -> float:
    number, unit = re.fullmatch(r"([\d.]+)(us|ms|s)", text).groups()  # type: ignore[union-attr]
    return float(number) * UNITS_MS[unit]


def wait_for(url: str) -> None:
    for _ in range(300):
        try:
            fetch(url)
            return
        except (urllib.error.URLError, ConnectionError):
            time.sleep(0.1)
    raise SystemExit(f"the service at {url} did not start")


def fetch(url: str) -> None:
    with urllib.request.urlopen(url, timeout=120) as response:
        response.read()


def main() -> None:
    if shutil.which("wrk") is None:
        raise SystemExit("this needs wrk: apt-get install wrk")
    seconds = int(sys.argv[1]) if len(sys.argv) > 1 else 30
    rounds = int(sys.argv[2]) if len(sys.argv) > 2 else 3
    states, generator = ["absent", "mounted", "profiled"], random.Random(6)
    taken: dict[str, list[dict[str, float]]] = {state: [] for state in states}
    for _ in range(rounds):
        for state in generator.sample(states, len(states)):
            taken[state].append(measure(state, seconds))
    print(f"{'state':10} {'p50 ms':>22} {'p99 ms':>22} {'requests/s':>22}   ({rounds} rounds of {seconds} s)")
    for state, results in taken.items():
        cells = [interval([result[key] for result in results]) for key in results[0]]
        print(f"{state:10} " + " ".join(f"{cell:>22}" for cell in cells))


def interval(values: list[float]) -> str:
    return f"{statistics.median(values):.4g} [{min(values):.4g}, {max(values):.4g}]"


if __name__ == "__main__":
    main()
