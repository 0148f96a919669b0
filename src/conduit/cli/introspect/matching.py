"""The routes that serve a request.

Templated paths of every custom (`{id}`, `:id`, `<int:id>`, `*`) are compared with a real path.
"""

from __future__ import annotations

import re

TYPE_CHECKING = False  # `typing` would slow the answer; type checkers know this name
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_METHOD = re.compile(r"[A-Za-z]+")
# The variable parts of a path: {name}, {name:path}, {name...}, <name>, <converter:name>, :name, *name, *.
_VARIABLE = re.compile(
    r"\{(?P<brace>[^{}]*)\}|<(?P<angle>[^<>]*)>|(?<=/):(?P<colon>[A-Za-z_]\w*)|(?P<star>\*{1,2}\w*)"
)


def parse_request(text: str) -> tuple[str, str]:
    """Parse `GET /orders/5?x=1` into (`GET`, `/orders/5`); the method is empty if none is given.

    A whole URL is taken for its path. Raises `ValueError` for anything without a path.
    """
    words = text.split()
    method = words.pop(0).upper() if len(words) == 2 and _METHOD.fullmatch(words[0]) else ""
    url = words[0] if len(words) == 1 else ""
    if "://" in url:
        url = "/" + url.partition("://")[2].partition("/")[2]
    path = re.split(r"[?#]", url, maxsplit=1)[0]
    if not path.startswith("/"):
        raise ValueError(f'expected a request such as "GET /orders/5", got {text!r}')
    return method, path


def positions_that_serve(
    methods: Sequence[str], paths: Sequence[str], positions: Iterable[int], method: str, path: str
) -> list[int]:
    """Return those of the positions whose routes serve a request, those with more literal text first.

    `methods` and `paths` are those of all routes; an empty method matches every route.
    """
    found = [
        at
        for at in positions
        if (not method or methods[at].upper() in (method, "ANY", "*")) and matches(paths[at], path)
    ]
    return sorted(found, key=lambda at: -literal_length(paths[at]))


def matches(template: str, path: str) -> bool:
    """Return whether a path is an instance of a template.

    A variable part is one segment or part of one, and never empty.
    """
    if not template.startswith("/"):
        template = "/" + template
    variable = _VARIABLE.search(template)
    if variable is None:
        return path == template
    # Most routes differ in their fixed beginning, and a pattern for each would have to be compiled.
    return (
        path.startswith(template[: variable.start()]) and re.fullmatch(_pattern(template), path) is not None
    )


def literal_length(template: str) -> int:
    """Return how much of a template is fixed text; of two matching routes, the one with more is the closer."""
    return len(_VARIABLE.sub("", template))


def _pattern(template: str) -> str:
    parts = []
    position = 0
    for match in _VARIABLE.finditer(template):
        parts.append(re.escape(template[position : match.start()]))
        parts.append(".+" if _spans_segments(match) else "[^/]+")
        position = match.end()
    return "".join(parts) + re.escape(template[position:])


def _spans_segments(match: re.Match[str]) -> bool:
    brace, angle = match["brace"] or "", match["angle"] or ""
    return (
        match["star"] is not None
        or brace.endswith((":path", "..."))
        or brace.startswith("*")
        or angle.startswith("path:")
    )
