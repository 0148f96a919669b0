"""`conduit record`: a CPU profile of a process that is already running, from outside."""

from __future__ import annotations

import sys

from conduit.cli.flags import FlagSet
from conduit.errors import UsageError

_USAGE = """usage: conduit record -pid PID [flags]

Writes a CPU profile of a running Python process, without stopping it and without anything of conduit in it. It takes the
right to read the process's memory (its user under kernel.yama.ptrace_scope = 0, root, or SYS_PTRACE in a
container). Processes of Python 3.13 to 3.15 can be read from any version, those of 3.11 and 3.12 from their own."""


def flags() -> FlagSet:
    """The flags of the command."""
    found = FlagSet(_USAGE)
    found.option("pid", "the process", parse=_positive, metavar="PID")
    found.option("o", "write the profile to this file", default="cpu.prof", metavar="FILE")
    found.option("seconds", "for so long", default=10.0, parse=_seconds, metavar="SECONDS")
    found.option("rate", "samples a second", default=100, parse=_positive, metavar="HZ")
    return found


def run(arguments: list[str]) -> int:
    """Runs the command."""
    parsed = flags().parse(arguments, positionals="mixed")
    if parsed["pid"] is None or parsed.positionals:
        raise UsageError("needs -pid PID, and no other arguments")
    if parsed["rate"] > 1000:
        raise UsageError(f"-rate must be from 1 to 1000, got {parsed['rate']}")

    from conduit.files import write_file_whole
    from conduit.profile.codec import encode
    from conduit.record.remote import record

    profile = record(parsed["pid"], parsed["seconds"], parsed["rate"])
    write_file_whole(parsed["o"], encode(profile, level=1))
    used = sum(sample.values[1] for sample in profile.samples) / 1e9
    print(
        f"conduit: {parsed['o']}: {used:.2f}s of CPU time in {profile.duration_nanos / 1e9:.1f}s",
        file=sys.stderr,
    )
    return 0


def _positive(text: str) -> int:
    value = int(text) if text.isascii() and text.isdigit() else 0
    if value < 1:
        raise ValueError("must be a number from 1")
    return value


def _seconds(text: str) -> float:
    value = float(text.removesuffix("s"))
    if not 0 < value < 1e6:
        raise ValueError("must be a number of seconds above 0")
    return value
