"""pyinstrument's own files: a saved session (`--save`, `-r session`), its JSON (`-r json`) and its page (`-r html`).

A session has every sample, root first, with the line of each frame. The JSON and the page have the tree of calls that
pyinstrument prints, with the time of each call and of what it called.
"""

from __future__ import annotations

import json
from itertools import takewhile
from typing import TYPE_CHECKING, Any, NamedTuple

from conduit.fetch.foreign.result import MAX_VALUE, ForeignProfile, malformed
from conduit.profile.builder import ProfileBuilder
from conduit.profile.model import TIME_LABEL, ValueType

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence

    Code = tuple[str, str, int]  # function, file and first line
    Frame = tuple[str, str, int, int]

_FORMAT = "pyinstrument"
_SESSION = (b'"frame_records"', b'"start_call_stack"')
_JSON = (b'"root_frame"', b'"target_description"')
_PAGE = b"pyinstrumentHTMLRenderer"
_PAGE_DATA = "sessionData = "
_NANOSECONDS = 10**9
_STEP = 1_000  # the times of a tree are written in whole microseconds
_THREAD_FILE = "<thread>"
_STARTER = ("pyinstrument/__main__.py", "pyinstrument\\__main__.py")
_STARTED_BY = ("<string>", "<frozen runpy>")
_SELF = "[self]"
_JSON_CAVEAT = (
    "pyinstrument's JSON is the tree that it prints: calls that it left out are own time of their callers; "
    "`pyinstrument -r session -o FILE` has every sample"
)


class Call(NamedTuple):
    """A frame of a stack: a function, the line that ran, and the class of the object, if it is a method's."""

    function: str
    file: str
    first_line: int
    line: int
    class_name: str

    def frame(self) -> Frame:
        """Return the frame as the builder takes it; methods are named with their class."""
        name = f"{self.class_name}.{self.function}" if self.class_name else self.function
        return name, self.file, self.line, self.first_line

    def code(self) -> Code:
        """Return the identity of the code that ran."""
        return self.function, self.file, self.first_line


class Node(NamedTuple):
    """A call of a tree, with its nanoseconds; those of its callees are among them."""

    call: Call
    nanoseconds: int
    children: Sequence[Any]  # not yet read


def decode(data: bytes, *, times: bool = False) -> ForeignProfile | None:
    """Return the times of a session, of its JSON or of its page; None if the bytes are none of them.

    With `times`, the samples of a session say when they ended, from its start.

    Raise `MalformedProfileError` for a damaged file.
    """
    is_object = data.lstrip()[:1] == b"{"
    try:
        if is_object and all(key in data for key in _SESSION):
            return _read_session(json.loads(data), times=times)
        if is_object and all(key in data for key in _JSON):
            document = json.loads(data)
            return _read_tree(document, document["root_frame"], set(), _JSON_CAVEAT)
        if data.lstrip()[:1] == b"<" and _PAGE in data:
            return _read_page(data.decode("utf-8", "replace"))
    except (ValueError, RecursionError) as error:
        raise malformed(_FORMAT, str(error)) from None
    except (KeyError, TypeError, IndexError, AttributeError) as error:
        raise malformed(_FORMAT, f"a field is missing or of another type: {error}") from None
    return None


def _read_session(document: dict[str, Any], *, times: bool) -> ForeignProfile:
    started = {_parse(text).code() for text in document["start_call_stack"]}
    builder = _builder()
    end = 0
    for texts, seconds in document["frame_records"]:
        nanoseconds = _nanoseconds(seconds)
        end += nanoseconds
        stack = [_parse(text) for text in texts]
        _add(builder, stack, started, nanoseconds, end if times else None)
    return _finish(builder, document)


def _read_page(text: str) -> ForeignProfile:
    found = text.rfind(_PAGE_DATA)
    if found < 0:
        raise malformed(
            _FORMAT, "a page without its data; pyinstrument -r session -o FILE writes a file that is read"
        )
    document = json.JSONDecoder().raw_decode(text[found + len(_PAGE_DATA) :])[0]
    session = document["session"]
    started = {_parse(text).code() for text in session["start_call_stack"]}
    return _read_tree(session, document["frame_tree"], started, "")


def _read_tree(document: dict[str, Any], root: Any, started: set[Code], caveat: str) -> ForeignProfile:
    builder = _builder()
    for stack, nanoseconds in _own_times(root) if root is not None else ():
        _add(builder, stack, started, nanoseconds)
    return _finish(builder, document, caveat)


def _own_times(root: Any) -> Iterator[tuple[list[Call], int]]:
    """Yield each call's stack, root first, with what its callees leave of its time."""
    pending: list[tuple[list[Call], Node]] = [([], _node(root))]
    while pending:
        above, node = pending.pop()
        stack = [*above, node.call]
        children = [_node(child) for child in node.children]
        called = [child for child in children if child.call.function != _SELF]
        own = node.nanoseconds - sum(child.nanoseconds for child in called)
        # Each time is rounded, so the callees' sum may exceed their caller's.
        if own < -_STEP * (len(called) + 1):
            raise malformed(_FORMAT, f"{node.call.function}: its callees took longer than it took itself")
        yield stack, max(own, 0)
        pending.extend((stack, child) for child in called)


def _node(entry: Any) -> Node:
    nanoseconds, children = _nanoseconds(entry["time"]), entry["children"]
    if "identifier" in entry:
        shares = entry["attributes"]
        observed = sorted(shares, key=lambda attribute: -shares[attribute])
        return Node(_parse("\x01".join([entry["identifier"], *observed])), nanoseconds, children)
    line = _line(entry["line_no"])
    call = Call(str(entry["function"]), entry["file_path"], line, line, str(entry.get("class_name") or ""))
    return Node(call, nanoseconds, children)


def _parse(text: str) -> Call:
    """Read `FUNCTION\\0FILE\\0FIRST LINE\\1ATTRIBUTE\\1…`; of attributes: `l12` is the line, `cShop` the class."""
    identity, *attributes = text.split("\x01")
    function, file, first_line = (
        [*identity.split("\x00"), "", "0"][:3] if "\x00" in identity else (identity, "", "0")
    )
    return Call(
        function,
        file,
        first := _line(first_line),
        _line(_attribute(attributes, "l") or first),
        _attribute(attributes, "c"),
    )


def _attribute(attributes: Iterable[str], marker: str) -> str:
    return next((each[1:] for each in attributes if each[:1] == marker), "")


def _add(
    builder: ProfileBuilder, stack: list[Call], started: set[Code], nanoseconds: int, end: int | None = None
) -> None:
    """Add a stack, root first, without the frames above the profiled code, as pyinstrument prints it."""
    labels = {}
    if stack and stack[0].file == _THREAD_FILE:
        labels["thread"] = f"{stack[0].function} ({stack[0].first_line})"
    count = sum(1 for _ in takewhile(lambda call: call.code() in started, stack))
    if count and stack[count - 1].file.endswith(_STARTER):
        count += sum(1 for _ in takewhile(lambda call: call.file in _STARTED_BY, stack[count:]))
    else:
        count = max(count - 1, 0)  # the function that started the profiler is the program's
    kept = [call for call in stack[count:] if call.file != _THREAD_FILE]
    if nanoseconds:
        when = None if end is None else {TIME_LABEL: end}
        builder.add([call.frame() for call in reversed(kept)], [nanoseconds], labels, when)


def _builder() -> ProfileBuilder:
    return ProfileBuilder([ValueType("time", "nanoseconds")])


def _finish(builder: ProfileBuilder, document: dict[str, Any], caveat: str = "") -> ForeignProfile:
    profile = builder.build()
    profile.duration_nanos = _nanoseconds(document["duration"])
    profile.time_nanos = _nanoseconds(document["start_time"])
    return ForeignProfile(profile, caveat)


def _nanoseconds(seconds: object) -> int:
    if not isinstance(seconds, (int, float)) or not 0 <= seconds <= MAX_VALUE // _NANOSECONDS:
        raise malformed(_FORMAT, f"{str(seconds)[:40]} is not a time in seconds")
    return round(seconds * _NANOSECONDS)


def _line(value: object) -> int:
    number = int(str(value))
    if not 0 <= number <= MAX_VALUE:
        raise malformed(_FORMAT, f"{str(value)[:40]} is not a line number")
    return number
