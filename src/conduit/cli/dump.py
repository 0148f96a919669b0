"""`conduit dump`: the present stacks of all threads and tasks of a running process."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Any

from conduit.cli.flags import FlagSet
from conduit.control_characters import printable
from conduit.errors import ConduitError, UsageError

if TYPE_CHECKING:
    from conduit.cli.flags import Parsed
    from conduit.profile.model import Profile, Sample
    from conduit.record.module_names import ModuleNames
    from conduit.record.threads import Dump, Frame

FORMATS = ("text", "json")
_TIMEOUT = 30.0

_USAGE = """usage: conduit dump [flags] PID
       conduit dump [flags] URL

Prints the stacks of all threads and asyncio tasks of a running process, innermost call first: where each is, whether it
runs, the system call in which it sleeps, which tasks await which, and the labels of conduit.label, as
# labels: {"tenant":"a"}. The text is the same as that of the endpoint /debug/pprof/goroutine?debug=2.

A PID is read from outside: the process is not stopped, and no code of Conduit runs in it. This needs permission to read
its memory (the same user if kernel.yama.ptrace_scope is 0, root, or SYS_PTRACE in a container). Processes of Python
3.13 to 3.15 can be read from any version, those of 3.11 and 3.12 only by the same minor version; tasks can be read on
3.14 and later. A URL is a service with Conduit's endpoint, or a Go program: http://localhost:6060/debug/pprof/."""


def flags() -> FlagSet:
    """Return the flags of the command."""
    found = FlagSet(_USAGE)
    found.option("pid", "the process, or the URL of a service", metavar="PID|URL")
    found.option("format", "text or json", default="text", parse=_format, metavar="FORMAT")
    found.switch("json", "the same as -format=json")
    found.option("o", "write to this file instead of standard output", metavar="FILE")
    return found


def run(arguments: list[str]) -> int:
    """Run the command."""
    parsed = flags().parse(arguments, positionals="mixed")
    target = process_or_service(parsed)
    is_json = parsed["json"] or parsed["format"] == "json"
    text = _of_process(target, is_json) if isinstance(target, int) else _of_service(target, is_json)
    _write(text, parsed["o"], is_json=is_json)
    return 0


def process_or_service(parsed: Parsed) -> int | str:
    """Return the number of the process, or the URL of the service, that a command line names. Raise `UsageError`."""
    from conduit.fetch.endpoint_urls import is_url

    words = [*([parsed["pid"]] if parsed["pid"] is not None else []), *parsed.positionals]
    if len(words) != 1:
        raise UsageError("needs one process: -pid PID, or the URL of a service")
    word = words[0]
    if word.isascii() and word.isdigit() and int(word) > 0:
        return int(word)
    if is_url(word):
        return str(word)
    raise UsageError(f"{word} is neither a process id nor a URL")


def _of_process(pid: int, is_json: bool) -> str:
    from conduit.record.remote_dump import dump_process
    from conduit.record.threads import text

    taken = dump_process(pid)
    for warning in taken.warnings:
        print(f"conduit: {warning}", file=sys.stderr)
    if not is_json:
        return text(taken.dump, taken.names)
    version = ".".join(map(str, taken.version))
    return _json(
        {
            "pid": pid,
            "python": version,
            **_document(taken.dump, taken.names),
            "warnings": list(taken.warnings),
        }
    )


def _of_service(url: str, is_json: bool) -> str:
    from conduit.fetch.download import Target, download, without_password
    from conduit.fetch.endpoint_urls import endpoint_url
    from conduit.profile.codec import decode

    if is_json:
        data = download(Target(endpoint_url(url, "goroutine", debug="0"), _TIMEOUT))
        return _json({"url": without_password(url), **_document_of_profile(decode(data)), "warnings": []})
    text = download(Target(endpoint_url(url, "goroutine", debug="2"), _TIMEOUT)).decode("utf-8", "replace")
    if "\x00" in text or text.lstrip().startswith("<"):
        raise ConduitError(
            f"{without_password(url)} answered with something else than stacks: is /debug/pprof/ served there?"
        )
    return text


def _document(dump: Dump, names: ModuleNames) -> dict[str, Any]:
    threads = [
        {
            "id": thread.ident,
            "native_id": thread.native_id,
            "name": thread.name,
            "daemon": thread.daemon,
            "state": thread.state,
            "labels": dict(thread.labels),
            "frames": [_frame(frame, names) for frame in thread.frames],
        }
        for thread in dump.threads
    ]
    tasks = [
        {
            "name": task.name,
            "state": task.state,
            "labels": dict(task.labels),
            "awaited_by": list(task.awaited_by),
            "frames": [_frame(frame, names) for frame in task.frames],
        }
        for task in dump.tasks
    ]
    return {"threads": threads, "tasks": tasks}


def _frame(frame: Frame, names: ModuleNames) -> dict[str, Any]:
    return {"function": names(frame)[0], "file": frame.filename, "line": frame.line}


def _document_of_profile(profile: Profile) -> dict[str, Any]:
    """Return the same document from a goroutine profile, in which equal stacks with equal labels are one sample."""
    from conduit.record.threads import user_labels

    threads: list[dict[str, Any]] = []
    tasks: list[dict[str, Any]] = []
    for sample in profile.samples:
        labels = {key: values[0] for key, values in sample.labels.items() if values}
        for _ in range(sample.values[0]):
            entry: dict[str, Any] = {"name": labels.get("task", labels.get("thread", ""))}
            entry["state"] = labels.get("state", "unknown")
            entry["labels"] = dict(user_labels(sample.labels))
            if "task" in labels:
                entry["awaited_by"] = [name for name in labels.get("awaited_by", "").split(", ") if name]
            else:
                entry["daemon"] = labels.get("daemon") == "true"
            entry["frames"] = _frames_of_sample(sample)
            (tasks if "task" in labels else threads).append(entry)
    return {"threads": threads, "tasks": tasks}


def _frames_of_sample(sample: Sample) -> list[dict[str, Any]]:
    return [
        {"function": line.function.name, "file": line.function.filename, "line": line.line}
        for location in sample.locations
        for line in location.lines
        if line.function
    ]


def _json(document: dict[str, Any]) -> str:
    import json

    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def _write(text: str, path: str | None, *, is_json: bool) -> None:
    if path is None:
        sys.stdout.write(text if is_json else printable(text))
        return
    from conduit.files import write_file_whole

    write_file_whole(path, text.encode("utf-8", "surrogateescape"))


def _format(text: str) -> str:
    if text not in FORMATS:
        raise ValueError(f"must be one of {', '.join(FORMATS)}")
    return text
