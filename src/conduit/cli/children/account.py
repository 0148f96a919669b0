"""Which processes of a run were recorded, which were not, and why, according to their journal."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, NamedTuple

from conduit.cli.children.settings import PACKAGE

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from conduit.cli.children.journal import Entry

_LONGEST_TITLE = 60
_SHOWN = 3
_IGNORING = {"I": "-I", "E": "-E", "S": "-S"}


class Recorded(NamedTuple):
    """A process with recordings: number, process id, command line, last event, and the entry of that."""

    number: str
    pid: int
    title: str
    state: str
    entry: Entry


class Missed(NamedTuple):
    """A process without recordings: its id, what it ran (empty for a forked one), and why it was not followed."""

    pid: int
    words: list[str]
    reason: str

    @property
    def is_python(self) -> bool:
        """Whether its program is called like a Python interpreter, or it was forked from this program."""
        return not self.words or os.path.basename(self.words[0]).startswith(("python", "pypy"))  # noqa: PTH119


def recorded(entries: Sequence[Entry]) -> list[Recorded]:
    """Return the processes that have begun to record, in the order of their beginnings."""
    launched = {entry["child"] for entry in entries if entry["event"] == "launched"}
    found: dict[str, Recorded] = {}
    for entry in entries:
        number = entry.get("process", "")
        if entry["event"] == "began":
            is_between = entry["words"][:1] == ["forked"] and entry["pid"] in launched
            if not is_between:  # it was forked to become a program, as by subprocess with a preexec_fn
                found[number] = Recorded(number, entry["pid"], title(entry["words"]), "began", entry)
        elif entry["event"] == "given up":
            found.pop(number, None)
        elif number in found:
            name = entry.get("name", "")
            kept = found[number]
            shown = f"{name}, {kept.title}" if name else kept.title
            found[number] = Recorded(number, kept.pid, shown, entry["event"], entry)
    return list(found.values())


def missed(entries: Sequence[Entry]) -> list[Missed]:
    """Return the processes that were started, as far as it is known, and have no recordings."""
    began = {
        entry["pid"] for entry in entries if entry["event"] == "began" and entry["words"][:1] != ["forked"]
    }
    refused = {entry["pid"]: entry["reason"] for entry in entries if entry["event"] == "refused"}
    launched = {entry["child"] for entry in entries if entry["event"] == "launched"}
    found = []
    for entry in entries:
        if entry["event"] == "forked" and entry["pid"] not in launched:
            found.append(Missed(entry["pid"], [], ""))
        if entry["event"] != "launched" or entry["child"] in began or _is_ours(entry["words"]):
            continue
        reason = refused.get(entry["child"]) or _reason(entry["words"], entry["inherits"])
        if not reason and "user" in entry:
            reason = f"it runs as user {entry['user']}, who may not be able to read {PACKAGE}"
        found.append(Missed(entry["child"], entry["words"], reason))
    known = {one.pid for one in found}
    found += [Missed(pid, ["python"], reason) for pid, reason in refused.items() if pid not in known]
    return found


def _is_ours(words: Sequence[str]) -> bool:
    """Return whether this is the helper of multiprocessing that removes what crashed processes leave."""
    return any("multiprocessing.resource_tracker" in word for word in words)


def _reason(words: Sequence[str], inherits: bool) -> str:
    if not inherits:
        return "its environment was replaced"
    for word in words[1:]:
        if not word.startswith("-") or word.startswith("--") or len(word) == 1:
            return ""
        for letter in word[1:]:
            if letter in "cmWX":
                return ""
            if letter in _IGNORING:
                return f"{_IGNORING[letter]} leaves the start hook out"
    return ""


def title(words: Sequence[str]) -> str:
    """Return a command line on one line, shortened."""
    if not words:
        return "forked"
    text = " ".join([os.path.basename(words[0]), *words[1:]])  # noqa: PTH119
    text = " ".join(text.split())
    return text if len(text) <= _LONGEST_TITLE else f"{text[: _LONGEST_TITLE - 1]}…"


def listed(missing: Sequence[Missed]) -> str:
    """Return `python -I x.py (pid 12: -I leaves the start hook out), git (pid 13) and 4 more`."""
    shown = []
    for one in missing[:_SHOWN]:
        why = f": {one.reason}" if one.reason else ""
        shown.append(f"{title(one.words)} (pid {one.pid}{why})")
    return _joined(shown, len(missing) - len(shown))


def listed_files(paths: Iterable[str]) -> str:
    """Return the names of the first files, and how many there are more."""
    names = [os.path.relpath(path) if path.startswith(os.getcwd() + os.sep) else path for path in paths]  # noqa: PTH109
    return _joined(names[:_SHOWN], len(names) - len(names[:_SHOWN]))


def _joined(shown: Sequence[str], more: int) -> str:
    return ", ".join(shown) + (f" and {more} more" if more > 0 else "")
