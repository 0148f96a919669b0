"""`python -m tests.fuzz`: every kind in turn, any seed, which is printed first.

usage: python -m tests.fuzz [--seconds S | --inputs N] [--seed N] [--kind NAME …] [--input NUMBER]
"""

from __future__ import annotations

import argparse
import base64
import os
import time
from pathlib import Path

from tests.fuzz.frame import Failure, Kind, fuzz, make_input
from tests.fuzz.kinds import all_kinds

KEPT = Path(__file__).parent / "failures"
SHOWN = 3_000  # bytes of a failing input that are printed


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m tests.fuzz", description="Read damaged inputs of every kind."
    )
    parser.add_argument("--seconds", type=float, default=120, help="for all kinds together (default 120)")
    parser.add_argument("--inputs", type=int, default=0, help="of each kind, instead of a time")
    parser.add_argument("--seed", type=int, default=time.time_ns() & 0xFFFFFF)
    parser.add_argument("--kind", action="append", choices=sorted(all_kinds()))
    parser.add_argument(
        "--input", type=int, help="read only this one, in this process, and show what it raises"
    )
    options = parser.parse_args()
    kinds = [kind for name, kind in all_kinds().items() if not options.kind or name in options.kind]
    print(f"fuzz: seed {options.seed}", flush=True)
    if options.input is not None:
        kinds[0].read(make_input(kinds[0], options.seed, options.input))
        return 0
    return run(kinds, options.seed, options.seconds, options.inputs)


def run(kinds: list[Kind], seed: int, seconds: float, inputs: int) -> int:
    total, failures = 0, []
    for kind in kinds:
        outcome = fuzz(kind, seed, seconds=0 if inputs else seconds / len(kinds), inputs=inputs)
        total += outcome.inputs
        print(f"fuzz: {kind.name}: {outcome.inputs:,} inputs", flush=True)
        if outcome.failure is not None:
            failures.append(outcome.failure)
            print(f"fuzz: {kind.name}: FAILED, see the end", flush=True)
    print(f"fuzz: {total:,} inputs of {len(kinds)} kinds, {len(failures)} failures, seed {seed}")
    for failure in failures:  # last, where a log that is cut still has them
        report(failure)
    return 1 if failures else 0


def report(failure: Failure) -> None:
    """Keep the input in a file, and print all that is needed to read it again where that file is not."""
    KEPT.mkdir(exist_ok=True)
    path = KEPT / f"{failure.kind}-{failure.seed}-{failure.number}.bin"
    path.write_bytes(failure.data)
    shown = base64.b64encode(failure.data[:SHOWN]).decode()
    cut = f" (the first {SHOWN:,})" if len(failure.data) > SHOWN else ""
    print(f"fuzz: FAILED: {failure.kind}: {failure.reason}")
    print(f"fuzz:   input: {len(failure.data):,} bytes{cut}, in base64: {shown}")
    print(f"fuzz:   kept in {os.path.relpath(path)}")
    print(
        f"fuzz:   again: python -m tests.fuzz --kind {failure.kind} --seed {failure.seed} --input {failure.number}"
    )
    print("fuzz:   inputs are new in every run, so the fault may be older than the change under test")


if __name__ == "__main__":
    raise SystemExit(main())
