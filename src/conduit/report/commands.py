"""The report formats: names, descriptions and graph settings.

The names and descriptions of `pprof`'s own formats are those of pprof; the formats after `OWN_FORMATS` are Conduit's.
"""

from __future__ import annotations

from typing import NamedTuple


class Format(NamedTuple):
    """A report format.

    `kind` is the module that prints it (several names may share one); `parameter` says that it takes a regular
    expression; `usage` is its line in the shell's help. `granularity`, where set, overrides the option.
    `untrimmed` formats show every node; `default_nodes` is how many nodes a trimmed one shows (0: all).
    `graphviz` is the image format asked of `dot`, `viewers` the programs that are shown the result, `suffix`
    that of the file which the shell writes instead of the terminal.
    """

    name: str
    kind: str
    description: str
    usage: str = ""
    parameter: bool = False
    granularity: str = ""
    untrimmed: bool = False
    default_nodes: int = 80
    object_files: bool = False
    needs_edges: bool = False
    graphviz: str = ""
    viewers: tuple[str, ...] = ()
    suffix: str = ""
    binary: bool = False

    @property
    def draws(self) -> bool:
        """Whether the call graph itself is the report, so that `call_tree` applies."""
        return self.kind in ("dot", "callgrind")


def _report_usage(name: str, *, cum: bool = False, redirect: bool = True) -> str:
    words = f"{name} [n] [focus_regex]* [-ignore_regex]*"
    lines = [
        words + (" [-cum]" if cum else "") + (" >f" if redirect else ""),
        "Include up to n samples",
        "Include samples matching focus_regex, and exclude ignore_regex.",
    ]
    if cum:
        lines.append("-cum sorts the output by cumulative weight")
    if redirect:
        lines.append("Optionally save the report on the file f")
    return "\n".join(lines)


def _list_usage(name: str, *, redirect: bool = False) -> str:
    lines = [
        f"{name}<func_regex|address> [-focus_regex]* [-ignore_regex]*" + (" >f" if redirect else ""),
        "Include functions matching func_regex, or including the address specified.",
        "Include samples matching focus_regex, and exclude ignore_regex.",
    ]
    if redirect:
        lines.append("Optionally save the report on the file f")
    return "\n".join(lines)


def _image(name: str, thing: str = "graph") -> Format:
    return Format(
        name, "dot", f"Outputs a {thing} in {name.upper()} format", _report_usage(name),
        needs_edges=True, graphviz=name, suffix=name, binary=True,
    )  # fmt: skip


def _viewer(name: str, description: str, image: str, *programs: str) -> Format:
    return Format(
        name, "dot", description, _report_usage(name, redirect=False),
        needs_edges=True, graphviz=image, viewers=programs, suffix=image, binary=True,
    )  # fmt: skip


BROWSERS = ("$BROWSER", "chrome", "google-chrome", "chromium", "firefox", "sensible-browser", "xdg-open")

PPROF_FORMATS: dict[str, Format] = {
    entry.name: entry
    for entry in (
        Format("comments", "comments", "Output all profile comments"),
        Format(
            "disasm", "disasm", "Output assembly listings annotated with samples",
            _list_usage("disasm", redirect=True), parameter=True, object_files=True,
            granularity="addresses", untrimmed=True,
        ),
        Format("dot", "dot", "Outputs a graph in DOT format", _report_usage("dot"), needs_edges=True),
        Format(
            "list", "listing", "Output annotated source for functions matching regexp", _list_usage("list"),
            parameter=True, granularity="lines", untrimmed=True, object_files=True,
        ),
        Format(
            "peek", "tree", "Output callers/callees of functions matching regexp",
            "peek func_regex\nDisplay callers and callees of functions matching func_regex.",
            parameter=True, untrimmed=True, needs_edges=True,
        ),
        Format(
            "raw", "raw", "Outputs a text representation of the raw profile",
            granularity="addresses", untrimmed=True, object_files=True,
        ),
        Format(
            "tags", "tags", "Outputs all tags in the profile",
            "tags [tag_regex]* [-ignore_regex]* [>file]\n"
            "List tags with key:value matching tag_regex and exclude ignore_regex.",
        ),
        Format(
            "text", "top", "Outputs top entries in text form", _report_usage("text", cum=True), default_nodes=0
        ),
        Format("top", "top", "Outputs top entries in text form", _report_usage("top", cum=True), default_nodes=0),
        Format("traces", "traces", "Outputs all profile samples in text form"),
        Format(
            "tree", "tree", "Outputs a text rendering of call graph", _report_usage("tree", cum=True),
            needs_edges=True,
        ),
        Format(
            "callgrind", "callgrind", "Outputs a graph in callgrind format", _report_usage("callgrind"),
            granularity="addresses", untrimmed=True, object_files=True, needs_edges=True, suffix="callgraph.out",
        ),
        Format(
            "proto", "proto", "Outputs the profile in compressed protobuf format",
            granularity="addresses", untrimmed=True, suffix="pb.gz", binary=True,
        ),
        Format(
            "topproto", "topproto", "Outputs top entries in compressed protobuf format", default_nodes=0,
            suffix="pb.gz", binary=True,
        ),
        *(_image(name, "graph image") for name in ("gif", "png")),
        *(_image(name) for name in ("pdf", "ps", "svg")),
        _viewer("eog", "Visualize graph through eog", "svg", "eog"),
        _viewer("evince", "Visualize graph through evince", "pdf", "evince"),
        _viewer("gv", "Visualize graph through gv", "ps", "gv --noantialias"),
        _viewer("web", "Visualize graph through web browser", "svg", *BROWSERS),
        Format(
            "kcachegrind", "callgrind", "Visualize report in KCachegrind",
            _report_usage("kcachegrind", redirect=False), granularity="addresses", untrimmed=True,
            object_files=True, needs_edges=True, viewers=("kcachegrind",), suffix="grind",
        ),
        Format(
            "weblist", "weblist", "Display annotated source in a web browser", _list_usage("weblist"),
            parameter=True, granularity="addresses", untrimmed=True, object_files=True,
            viewers=BROWSERS, suffix="html",
        ),
    )
}  # fmt: skip

OWN_FORMATS: dict[str, Format] = {
    entry.name: entry
    for entry in (
        Format(
            "collapsed",
            "collapsed",
            "Outputs one line for each stack, frames joined by semicolons, for flame graph tools",
            untrimmed=True,
        ),
        Format("folded", "collapsed", "Outputs the same as -collapsed", untrimmed=True),
        Format(
            "speedscope", "speedscope", "Outputs the stacks in the JSON format of speedscope",
            granularity="lines", untrimmed=True,
        ),
        Format(
            "gecko", "gecko", "Outputs the stacks in the JSON format of the Firefox Profiler",
            granularity="lines", untrimmed=True,
        ),
        Format("flame", "flame", "Outputs the flame graph as an SVG picture", untrimmed=True, suffix="svg"),
        Format(
            "html", "html", "Outputs the whole page as one HTML file that needs no server",
            untrimmed=True, suffix="html",
        ),
        Format("json", "json", "Outputs the rows of -top as JSON, values unscaled", default_nodes=0),
        Format("advice", "advice", "Says in words what stands out in the profile", default_nodes=0),
    )
}  # fmt: skip

FORMATS: dict[str, Format] = {**PPROF_FORMATS, **OWN_FORMATS}
