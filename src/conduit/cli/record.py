"""`conduit record`: profiles of a process that is already running, from inside it where that is possible."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from conduit.cli.flags import FlagSet
from conduit.cli.outputs import refuse_shared_outputs
from conduit.errors import UsageError
from conduit.units import counted

if TYPE_CHECKING:
    from conduit.cli.flags import Parsed
    from conduit.cli.recording_process import Recorded

MODES = ("auto", "always", "never")

_USAGE = """usage: conduit record -pid PID [flags]

Writes profiles of a running Python process, which may have been started without Conduit. Without a profile flag, it
writes a CPU profile to the file of -o.

A process of Python 3.14 or later records itself on request (PEP 768): Conduit's samplers run inside it, with the same
accuracy as under conduit run, and are removed afterwards. The process writes a line to its log. This needs Conduit's
extension for the process's version of Python, in this installation or in that of the process.

Any other process, and one that cannot be asked or does not answer, is sampled from outside, without stopping it and
without running code in it. Only CPU profiles can be taken that way, and they are less accurate. With -blocking, each
running thread is stopped for 0.25 ms while its stack is read. Processes of Python 3.13 to 3.15 can be read from any
version, those of 3.11 and 3.12 only by the same minor version.

With -children, its descendants are recorded too, including those that start later; programs that are not Python are
reported and omitted. Each sample has a label process: conduit pprof -tagroot=process.

Both methods need permission to read the process's memory: the same user if kernel.yama.ptrace_scope is 0, root, or
SYS_PTRACE in a container."""

# Flag → the kind of recording.
_KINDS = {
    "cpuprofile": "cpu",
    "memprofile": "heap",
    "wallprofile": "wall",
    "blockprofile": "block",
    "mutexprofile": "mutex",
    "gilprofile": "gil",
    "trace": "trace",
    "stacks": "stacks",
}


def flags() -> FlagSet:
    """Return the flags of the command."""
    from conduit.cli.profiling import add_profile_flags

    found = FlagSet(_USAGE)
    found.option("pid", "the process", parse=parse_positive, metavar="PID")
    found.option("o", "write the CPU profile to this file", default="cpu.prof", metavar="FILE")
    found.option(
        "seconds",
        "record for this time, or until Ctrl-C",
        default=10.0,
        parse=parse_seconds,
        metavar="SECONDS",
    )
    found.option(
        "rate",
        "samples a second (100; from outside 1000, or 200 with -blocking)",
        parse=parse_positive,
        metavar="HZ",
    )
    found.option(
        "inside",
        "record inside the process: auto (where possible), always (or fail), never",
        default="auto",
        parse=_mode,
        metavar="MODE",
    )
    found.switch("blocking", "sample from outside, and stop a running thread while its stack is read")
    found.switch("children", "also record its descendants, with a label `process` on each sample")
    found.switch("other-user", "run code also in a process of another user")
    add_profile_flags(found)
    found.option(
        "stacks", "write the stacks of all threads and tasks to this file, as a profile", metavar="FILE"
    )
    return found


def run(arguments: list[str]) -> int:
    """Run the command."""
    parsed = flags().parse(arguments, positionals="mixed")
    if parsed["pid"] is None or parsed.positionals:
        raise UsageError("needs -pid PID, and no other arguments")
    given_rate = parsed.given.get("rate", parsed.given.get("profilerate"))
    if given_rate is not None and given_rate > 1000:
        raise UsageError(f"-rate must be from 1 to 1000, got {given_rate}")
    files = _files(parsed)
    _check_blocking(parsed, files)
    if parsed["children"]:
        return _record_tree(parsed, files)

    from conduit.cli.recording_process import Asked, record_process
    from conduit.record.remote import BLOCKING_RATE_HZ, OUTSIDE_RATE_HZ

    asked = Asked(
        parsed["pid"],
        {kind: _parameters(kind, parsed, given_rate or parsed["profilerate"]) for kind in files},
        parsed["seconds"],
        given_rate or (BLOCKING_RATE_HZ if parsed["blocking"] else OUTSIDE_RATE_HZ),
        "never" if parsed["blocking"] else parsed["inside"],
        parsed["other-user"],
        parsed["blocking"],
    )
    recorded = record_process(asked, _say)
    _write(recorded, files)
    return 0


def _record_tree(parsed: Parsed, files: dict[str, str]) -> int:
    from conduit.cli.recording_tree import Tree, record_tree
    from conduit.files import write_file_whole

    flags_of_kinds = {kind: flag for flag, kind in _KINDS.items()}
    own = {"pid", "o", "seconds", "children", *_KINDS}
    flags = [
        f"-{name}" if value is True else f"-{name}={value}"
        for name, value in parsed.given.items()
        if name not in own and value is not False
    ]
    tree = Tree(parsed["pid"], {kind: flags_of_kinds[kind] for kind in files}, flags, parsed["seconds"])
    recorded = record_tree(tree, _say)
    for kind, data in recorded.files.items():
        write_file_whole(files[kind], data)
        what = f"{recorded.cpu_seconds:.2f}s of CPU time" if kind == "cpu" else kind
        processes = counted(recorded.processes, "process", "processes")
        _say(f"{files[kind]}: {what} of {processes} in {recorded.seconds:.1f}s")
    return 0


def _check_blocking(parsed: Parsed, files: dict[str, str]) -> None:
    if not parsed["blocking"]:
        return
    if parsed["inside"] == "always":
        raise UsageError("-blocking samples from outside, which -inside=always forbids: give one of them")
    if files.keys() != {"cpu"}:
        raise UsageError("-blocking samples from outside, where only CPU profiles can be taken")


def _files(parsed: Parsed) -> dict[str, str]:
    """Kind of recording → its file."""
    files = {kind: parsed[flag] for flag, kind in _KINDS.items() if parsed[flag]}
    if "o" in parsed.given and "cpu" in files:
        raise UsageError("-o and -cpuprofile both name the file of the CPU profile: give one of them")
    if "o" in parsed.given or not files:
        files["cpu"] = parsed["o"]
    flags = {kind: flag for flag, kind in _KINDS.items()}
    if not parsed["cpuprofile"]:
        flags["cpu"] = "o"
    refuse_shared_outputs({flags[kind]: file for kind, file in files.items()})
    return files


def _parameters(kind: str, parsed: Parsed, rate: int) -> dict[str, Any]:
    """Return the parameters of a recording inside."""
    return {
        "cpu": {"rate_hz": rate, "native": parsed["native"]},
        "wall": {"rate_hz": rate, **({"times": True} if parsed["walltimes"] else {})},
        "heap": {"rate": parsed["memprofilerate"]},
        "block": {"rate_ns": parsed["blockprofilerate"]},
        "mutex": {"fraction": parsed["mutexprofilefraction"]},
    }.get(kind, {})


def _write(recorded: Recorded, files: dict[str, str]) -> None:
    from conduit.files import write_file_whole

    for kind, data in recorded.files.items():
        write_file_whole(files[kind], data)
    for warning in recorded.warnings:
        _say(warning)
    for kind in recorded.files:
        what = f"{recorded.cpu_seconds:.2f}s of CPU time" if kind == "cpu" else kind
        _say(f"{files[kind]}: {what} in {recorded.seconds:.1f}s, from {recorded.where}")


def _say(text: str) -> None:
    print(f"conduit: {text}", file=sys.stderr, flush=True)


def parse_positive(text: str) -> int:
    """Return the whole number from 1 that a flag was given. Raises `ValueError` for another text."""
    value = int(text) if text.isascii() and text.isdigit() else 0
    if value < 1:
        raise ValueError("must be a number from 1")
    return value


def parse_seconds(text: str) -> float:
    """Return the seconds above 0 that a flag was given, with or without `s`. Raises `ValueError` for another text."""
    value = float(text.removesuffix("s"))
    if not 0 < value < 1e6:
        raise ValueError("must be a number of seconds above 0")
    return value


def _mode(text: str) -> str:
    if text not in MODES:
        raise ValueError(f"must be one of {', '.join(MODES)}")
    return text
