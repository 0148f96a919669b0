"""`conduit introspect diagram [NAME]`: the resources and their relations as a picture in Mermaid, Graphviz or SVG."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

from conduit.errors import ConduitError, UsageError
from conduit.units import counted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from conduit.cli.flags import FlagSet
    from conduit.cli.introspect.question import Question
    from conduit.metadata.schema import Resource

FORMATS = ("mermaid", "dot", "svg")
CLUSTERED_MERMAID = "flowchart"

PART = "diagram*"


def declare(flags: FlagSet) -> None:
    """Declare the forms, and how much is drawn."""
    flags.option(
        "format",
        f"{', '.join(FORMATS)}; or {CLUSTERED_MERMAID}, Mermaid's with clusters and colours",
        default="mermaid", parse=_format, metavar="FORMAT",
    )  # fmt: skip
    flags.option(
        "around", "show only this resource and its neighbours, as the argument NAME does", metavar="NAME"
    )
    flags.option(
        "depth", "how far from the resource to go; 0: no limit", default=1, parse=_depth, metavar="N"
    )
    flags.switch("keys-only", "of the fields, show only primary, foreign and unique keys")
    flags.switch("all", "also show framework resources and request/response schemas")
    flags.switch("force", "draw a picture even if it is too large to be read")


def _format(text: str) -> str:
    if text not in (*FORMATS, CLUSTERED_MERMAID):
        raise ValueError(
            f"expected {', '.join(FORMATS[:-1])} or {FORMATS[-1]}, or {CLUSTERED_MERMAID} (Mermaid with clusters)"
        )
    return text


def _depth(text: str) -> int:
    if not (text.isascii() and text.isdigit()):
        raise ValueError("expected a number from 0")
    return int(text)


def run(question: Question) -> int:
    """Print the picture's text on standard output; what was split or left out is said on standard error.

    Raises `UsageError` for a picture that is too large to be read.
    """
    around = _around(question)
    resources = _chosen(question, around)
    if not resources:
        raise ConduitError(
            "there is nothing to draw: the document has no such resources; --all takes every one"
        )
    form, document = question.flags["format"], question.registry.resources()
    from conduit.metadata.diagram import draw, keys_only, to_dot

    diagram = draw(resources, document=document)
    if question.flags["keys-only"]:
        diagram = keys_only(diagram)
    if not question.flags["force"]:
        from conduit.metadata.diagram.narrowing import too_large

        if excess := too_large(diagram):
            raise UsageError(_refusal(question, excess, resources, around))
    if form in ("mermaid", CLUSTERED_MERMAID):
        _print_mermaid(resources, document, question.flags["keys-only"], form)
        return 0
    text = to_dot(diagram)
    sys.stdout.write(text if form == "dot" else _svg(text))
    return 0


def _around(question: Question) -> str:
    """Return the resource in the middle, given by --around or as the argument; empty for a picture of all."""
    flags, arguments = question.flags, question.arguments
    around: str = flags["around"] or ""
    if around and arguments:
        raise UsageError(
            f"diagram: --around {around} and {arguments[0]} name a resource each: give one of them"
        )
    if not around and not arguments:
        if "around" in flags.given:
            raise UsageError("diagram: --around needs the name of a resource")
        if "depth" in flags.given:
            raise UsageError("diagram: --depth is a distance from a resource: name it with --around NAME")
        return ""
    name = question.resolve_name(around or arguments[0])
    question.registry.resource(name)  # tells near names where there is none
    return name


def _chosen(question: Question, around: str) -> Sequence[Resource]:
    resources = question.registry.resources()
    if around:
        from conduit.metadata.diagram import neighbourhood

        return _of_part(question, neighbourhood(resources, around, question.flags["depth"] or len(resources)))
    own = question.without_framework(_of_part(question, resources), "resources")
    stored = [one for one in own if not (one.details and one.details.role == "schema")]
    if question.flags["all"] or not stored or len(stored) == len(own):
        return own
    print(f"conduit: +{len(own) - len(stored)} requests and responses; --all draws them", file=sys.stderr)
    return stored


def _of_part(question: Question, resources: Sequence[Resource]) -> Sequence[Resource]:
    if not question.part:
        return resources
    from conduit.cli.introspect.application_parts import resources_of_part

    return resources_of_part(resources, question.registry.schema(), question.part)


def _refusal(question: Question, excess: str, resources: Sequence[Resource], around: str) -> str:
    """Return why a picture is refused, and the flags that give smaller ones."""
    from conduit.cli.introspect.application_parts import resources_of_part
    from conduit.metadata.diagram.narrowing import narrowings

    schema = question.registry.schema()
    depth = question.flags["depth"] or len(schema.resources)
    found = narrowings(
        resources,
        schema.resources,
        around,
        depth,
        lambda part: resources_of_part(resources, schema, part),
    )
    width = max((len(one.flags) for one in found), default=0)
    ways = [f"  {one.flags:<{width}}  {counted(one.boxes, 'box', 'boxes')}" for one in found]
    general = (
        "--around NAME --depth N --keys-only draws a resource and its neighbours, --force all of it; "
        "`conduit introspect -http=:8080` has a graph that grows by click"
    )
    if not ways:
        return f"the picture is too large to be read: {excess}; {general}"
    return "\n".join([f"the picture is too large to be read: {excess}; smaller ones:", *ways, general])


def _print_mermaid(
    resources: Sequence[Resource], document: Sequence[Resource], only_keys: bool, form: str
) -> None:
    from conduit.metadata.diagram import (
        MERMAID_CHARACTERS,
        MERMAID_EDGES,
        split_for_mermaid,
        to_flowchart,
        to_mermaid,
    )

    write = to_mermaid if form == "mermaid" else to_flowchart
    diagrams = split_for_mermaid(resources, only_keys=only_keys, document=document, write=write)
    if len(diagrams) == 1:
        sys.stdout.write(write(diagrams[0]))
        return
    print(
        f"conduit: {len(resources)} resources are more than Mermaid shows at once ({MERMAID_CHARACTERS:,} characters, "
        f"{MERMAID_EDGES} edges): split into {len(diagrams)} diagrams, one for each application, as Markdown; "
        "relations between applications are left out; --format dot has all in one",
        file=sys.stderr,
    )
    for diagram in diagrams:
        sys.stdout.write(f"## {diagram.title or 'other'}\n\n```mermaid\n{write(diagram)}```\n\n")


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
        raise ConduitError(
            "Graphviz did not finish within 120 s; draw less with --around and --depth"
        ) from None
    if done.returncode:
        raise ConduitError(f"Graphviz failed: {done.stderr.strip()}")
    return done.stdout
