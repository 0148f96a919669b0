"""The flags of `conduit bench` by mode: a flag that would have no effect in a mode is refused there."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from conduit.errors import UsageError

if TYPE_CHECKING:
    from conduit.cli.flags import Parsed

    Mode = Literal["run", "list", "against", "self-test"]

_PROFILE_FLAGS = frozenset(
    {"cpuprofile", "memprofile", "wallprofile", "blockprofile", "mutexprofile", "gilprofile", "trace"}
)
# A flag that changes a profile → the profile flags; one of them has to be given.
_SETTINGS_OF_PROFILES: dict[str, frozenset[str]] = {
    "memprofilerate": frozenset({"memprofile"}),
    "blockprofilerate": frozenset({"blockprofile"}),
    "mutexprofilefraction": frozenset({"mutexprofile"}),
    "profilerate": frozenset({"cpuprofile", "wallprofile"}),
    "native": frozenset({"cpuprofile"}),
    "walltimes": frozenset({"wallprofile"}),
    "http": _PROFILE_FLAGS - {"trace"},
    "no_browser": frozenset({"http"}),
}

EVERYWHERE = frozenset({"bench", "skip", "run"})
COUNTS = frozenset({"bytecodes", "benchmem", "peakmem", "instructions"})
COMPARING = COUNTS | {"short", "gc", "threads", "budget", "seed", "v"}
EFFECTIVE: dict[Mode, frozenset[str]] = {
    "run": EVERYWHERE
    | _PROFILE_FLAGS
    | frozenset(_SETTINGS_OF_PROFILES)
    | frozenset(
        [
            "benchtime",
            "count",
            "cpu",
            "benchmem",
            "peakmem",
            "bytecodes",
            "instructions",
            "short",
            "v",
            "json",
            "failfast",
            "shuffle",
            "timeout",
            "o",
            "isolate",
            "threads",
            "warmup",
            "gc",
            "subtract-loop",
            "check",
            "save",
        ]
    ),
    "list": EVERYWHERE | {"list", "json", "o"},
    "against": EVERYWHERE | COMPARING | {"against", "against-env", "own-benchmarks", "format", "gate", "o"},
    "self-test": EVERYWHERE | COMPARING - COUNTS | {"self-test"},
}

_INSTEAD: dict[tuple[Mode, str], str] = {
    ("against", "json"): "use -format=json",
    ("against", "list"): "run -list without -against",
    ("against", "check"): "check targets in a run without -against; -gate is for comparisons",
    ("against", "count"): "pairs of processes are added until each benchmark is decided; use -budget",
    ("against", "benchtime"): "the length of a batch is found for each benchmark; use -budget",
    ("against", "timeout"): "use -budget",
    ("against", "isolate"): "each pair has fresh processes anyway",
    ("against", "shuffle"): "the order is always random; -seed repeats it",
    ("against", "warmup"): "each batch follows one that is not counted",
    ("against", "save"): "save runs without -against",
    ("run", "gate"): "it needs -against REV; for files there is conduit benchstat -gate",
    ("run", "format"): "it needs -against REV; for files there is conduit benchstat -format",
}
_NEEDS = {"run": "it needs -against REV", "list": "-list only prints names"}


def mode_of(parsed: Parsed) -> Mode:
    """Return the mode of a command line. Raises `UsageError` for `-against` with `-self-test`."""
    if parsed["against"] and parsed["self-test"]:
        raise UsageError("-self-test compares this checkout with itself: it cannot be combined with -against")
    if parsed["against"]:
        return "against"
    if parsed["self-test"]:
        return "self-test"
    return "run" if parsed["list"] is None else "list"


def refuse_idle_flags(parsed: Parsed) -> Mode:
    """Return the mode, or raise `UsageError` for the first given flag that has no effect in it."""
    mode = mode_of(parsed)
    for name in parsed.given:
        if name not in EFFECTIVE[mode]:
            raise UsageError(f"-{name} has no effect here: {_reason(mode, name)}")
    for name, needed in _SETTINGS_OF_PROFILES.items():
        if name in parsed.given and not any(parsed[flag] for flag in needed):
            raise UsageError(f"-{name} has no effect here: it needs -{' or -'.join(sorted(needed))}")
    return mode


def _reason(mode: Mode, name: str) -> str:
    known = _INSTEAD.get((mode, name))
    if known is None and mode == "self-test":
        known = _INSTEAD.get(("against", name))
    return known or _NEEDS.get(mode) or f"-{mode} does not use it"
