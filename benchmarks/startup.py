"""How long the command takes to start, as a ratio to a bare Python that does nothing.

Run it with `python benchmarks/startup.py [ROUNDS]`. The runs of all commands are interleaved, so that a busy spell of the
machine meets all of them, and the minima are compared: CPU time (user and system) of the child processes, and wall time.
Targets: `conduit introspect resource NAME` on 50 resources at most 3.3 times a bare Python, `conduit --help` below 100 ms.
Byte code is written and reused, as in any installed package.
"""

from __future__ import annotations

import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

RESOURCES = 50


def document() -> dict[str, object]:
    """The generated application: every resource has four fields, five routes and, but for the first, one relationship."""
    types = {"id": "uuid!", "name": "string!", "email": "string!", "created_at": "timestamp!"}
    fields = [
        {"name": name, "type": type_, "nullable": False, "required": True} for name, type_ in types.items()
    ]
    related = {"name": "related", "type": "belongs_to", "target_resource": "Resource0"}
    operations = (("GET", "", "Index"), ("GET", "/:id", "Show"), ("POST", "", "Create"))
    operations += (("PUT", "/:id", "Update"), ("DELETE", "/:id", "Delete"))
    names = [f"Resource{index}" for index in range(RESOURCES)]
    return {
        "version": "1.0",
        "generated": "2025-10-25T12:00:00Z",
        "source_hash": "generated",
        "resources": [
            {
                "name": name,
                "file_path": f"/app/{name}.cdt",
                "fields": fields,
                "relationships": [related] if index else [],
            }
            for index, name in enumerate(names)
        ],
        "routes": [
            {
                "method": method,
                "path": f"/{name}{rest}",
                "handler": handler,
                "resource": name,
                "operation": handler,
            }
            for name in names
            for method, rest, handler in operations
        ],
        "patterns": [],
        "dependencies": {"nodes": {}, "edges": []},
    }


def measure(command: list[str]) -> tuple[float, float]:
    """(CPU seconds, wall seconds) of one run of a command, which must succeed."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    started = time.perf_counter()
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    wall = time.perf_counter() - started
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime, wall


def main() -> None:
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 40
    os.environ.pop("PYTHONDONTWRITEBYTECODE", None)
    with tempfile.TemporaryDirectory() as folder:
        metadata = Path(folder, "metadata.json")
        metadata.write_text(json.dumps(document()))
        python = sys.executable
        conduit = [str(Path(python).with_name("conduit"))]
        commands = {
            "python -c pass": [python, "-c", "pass"],
            "import conduit": [python, "-c", "import conduit"],
            "import msgspec": [python, "-c", "import msgspec"],
            "conduit --help": [*conduit, "--help"],
            "conduit introspect resource": [
                *conduit,
                "introspect",
                "resource",
                "Resource7",
                "--metadata",
                str(metadata),
            ],
            "conduit introspect deps": [
                *conduit,
                "introspect",
                "deps",
                "Resource7",
                "--metadata",
                str(metadata),
            ],
        }
        times: dict[str, list[tuple[float, float]]] = {name: [] for name in commands}
        for round_ in range(rounds + 1):
            for name, command in commands.items():
                measured = measure(command)
                if round_:  # the first round writes byte code
                    times[name].append(measured)
    print_ratios(times)


def print_ratios(times: dict[str, list[tuple[float, float]]]) -> None:
    """Prints the minima in milliseconds and as ratios to the first row."""
    rows = {
        name: (min(cpu for cpu, _ in runs), min(wall for _, wall in runs)) for name, runs in times.items()
    }
    bare_cpu, bare_wall = next(iter(rows.values()))
    print(f"{'':28} {'CPU ms':>8} {'ratio':>6} {'wall ms':>8} {'ratio':>6}")
    for name, (cpu, wall) in rows.items():
        print(f"{name:28} {cpu * 1e3:8.1f} {cpu / bare_cpu:6.2f} {wall * 1e3:8.1f} {wall / bare_wall:6.2f}")


if __name__ == "__main__":
    main()
