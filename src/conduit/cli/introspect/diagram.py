"""`conduit introspect diagram [NAME]`: the resources and their relations as a picture in Mermaid, Graphviz or SVG."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from conduit.errors import ConduitError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from conduit.cli.flags import FlagSet
    from conduit.cli.introspect.question import Question
    from conduit.metadata.schema import Resource

FORMATS = ("mermaid", "dot", "svg")


def declare(flags: FlagSet) -> None:
    """The forms, and how much is drawn."""
    flags.option("format", ", ".join(FORMATS), default="mermaid", parse=_format, metavar="FORMAT")
    flags.option("depth", "how far from NAME to go; 0 is without limit", default=1, parse=_depth, metavar="N")
    flags.switch("all", "also show framework resources and request/response schemas")


def _format(text: str) -> str:
    if text not in FORMATS:
        raise ValueError(f"expected {', '.join(FORMATS[:-1])} or {FORMATS[-1]}")
    return text


def _depth(text: str) -> int:
    if not (text.isascii() and text.isdigit()):
        raise ValueError("expected a number from 0")
    return int(text)


def run(question: Question) -> int:
    """Prints the picture's text on standard output; what was split or left out is said on standard error."""
    resources = _chosen(question)
    if not resources:
        raise ConduitError(
            "there is nothing to draw: the document has no such resources; --all takes every one"
        )
    form = question.flags["format"]
    if form == "mermaid":
        _print_mermaid(resources)
        return 0
    from conduit.metadata.diagram import draw, to_dot

    text = to_dot(draw(resources))
    sys.stdout.write(text if form == "dot" else _svg(text))
    return 0


def _chosen(question: Question) -> Sequence[Resource]:
    resources = question.registry.resources()
    if question.arguments:
        from conduit.metadata.diagram import neighbourhood

        question.registry.resource(question.arguments[0])  # tells near names where there is none
        depth = question.flags["depth"] or len(resources)
        return neighbourhood(resources, question.arguments[0], depth)
    own = question.without_framework(resources, "resources")
    stored = [one for one in own if not (one.details and one.details.role == "schema")]
    if question.flags["all"] or not stored or len(stored) == len(own):
        return own
    print(f"conduit: +{len(own) - len(stored)} requests and responses; --all draws them", file=sys.stderr)
    return stored


def _print_mermaid(resources: Sequence[Resource]) -> None:
    from conduit.metadata.diagram import MERMAID_CHARACTERS, MERMAID_EDGES, split_for_mermaid, to_mermaid

    diagrams = split_for_mermaid(resources)
    if len(diagrams) == 1:
        sys.stdout.write(to_mermaid(diagrams[0]))
        return
    print(
        f"conduit: {len(resources)} resources are more than Mermaid shows at once ({MERMAID_CHARACTERS:,} characters, "
        f"{MERMAID_EDGES} edges): split into {len(diagrams)} diagrams, one for each application, as Markdown; "
        "relations between applications are left out; --format dot has all in one",
        file=sys.stderr,
    )
    for diagram in diagrams:
        sys.stdout.write(f"## {diagram.title or 'other'}\n\n```mermaid\n{to_mermaid(diagram)}```\n\n")


def _svg(text: str) -> str:
    import subprocess

    try:
        done = subprocess.run(
            ["dot", "-Tsvg"], input=text, capture_output=True, text=True, timeout=120, check=False
        )
    except FileNotFoundError:
        raise ConduitError(
            "--format svg is drawn by Graphviz, whose command `dot` is not installed: install the package graphviz, "
            "or use --format mermaid"
        ) from None
    except subprocess.TimeoutExpired:
        raise ConduitError("Graphviz did not finish within 120 s; draw less with NAME and --depth") from None
    if done.returncode:
        raise ConduitError(f"Graphviz failed: {done.stderr.strip()}")
    return done.stdout
