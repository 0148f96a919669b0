"""`conduit introspect path A B`: the ways from one resource to another along their relationships."""

from __future__ import annotations

from typing import TYPE_CHECKING

from conduit.errors import UsageError
from conduit.units import counted

if TYPE_CHECKING:
    from conduit.cli.flags import FlagSet
    from conduit.cli.introspect.question import Question
    from conduit.cli.tables import Page
    from conduit.metadata.paths import Path, Paths, Step

PART = "relations*"

MOST_STEPS = 20


def declare(flags: FlagSet) -> None:
    """Declare how long the paths may be, how many are shown, and in which direction they go."""
    flags.option(
        "depth", "paths of up to N steps (default: only the shortest)", default=0, parse=_depth, metavar="N"
    )
    flags.option("count", "show at most N paths", default=10, parse=_count, metavar="N")
    flags.switch("dependencies", "only paths on which each resource depends on the next")


def _depth(text: str) -> int:
    if not (text.isascii() and text.isdigit() and int(text) <= MOST_STEPS):
        raise ValueError(f"expected a number from 0 to {MOST_STEPS}")
    return int(text)


def _count(text: str) -> int:
    if not (text.isascii() and text.isdigit() and int(text)):
        raise ValueError("expected a number from 1")
    return int(text)


def run(question: Question) -> int:
    """Print the paths, shortest first; that there is none is an answer too, with exit status 0."""
    from conduit.metadata.paths import paths_between

    registry, (start, end), flags = question.registry, question.arguments, question.flags
    for name in (start, end):
        registry.resource(name)  # tells near names where there is none
    if start == end:
        raise UsageError(
            f"path: {start} is given twice; `conduit introspect cycles` lists the ways back to a resource"
        )
    paths = paths_between(
        registry.resources(),
        start,
        end,
        depth=flags["depth"],
        most=flags["count"],
        only_dependencies=flags["dependencies"],
    )
    answer = {
        "from": start,
        "to": end,
        "complete": paths.complete,
        "paths": [{"resources": path.names, "steps": path.steps} for path in paths.found],
    }
    return question.answer(
        answer, lambda page: _print(page, start, end, paths, flags["dependencies"], flags["count"])
    )


def _print(page: Page, start: str, end: str, paths: Paths, only_dependencies: bool, count: int) -> None:
    if not paths.found:
        ways = "does not depend on" if only_dependencies else "is not connected with"
        page.line(f"{start} {ways} {end}")
        return
    shown_steps = 0
    for path in paths.found:
        if len(path.steps) != shown_steps:
            shown_steps = len(path.steps)
            page.heading(counted(shown_steps, "step"))
        page.paragraph(_shown(path), "  ")
    if not paths.complete:
        page.line(
            "there are more; --count shows them" if len(paths.found) == count else "the search was ended here"
        )


def _shown(path: Path) -> str:
    return path.names[0] + "".join(map(_shown_step, path.steps))


def _shown_step(step: Step) -> str:
    """Return `—[author, restrict]→ Author`: the arrow points to the resource that is depended on."""
    text = ", ".join((*step.relationships, step.on_delete) if step.on_delete else step.relationships)
    return f" ←[{text}]— {step.to}" if step.reverse else f" —[{text}]→ {step.to}"
