"""The options of reports: each with its default, its help, and its name in a URL.

One table serves the command line's flags, the shell's assignments and the page's parameters.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

_LIMIT = 1 << 63

GRANULARITIES = ("functions", "filefunctions", "files", "lines", "addresses")
SORTS = ("cum", "flat")


class Option:
    """An option: the type of its default decides how its text is parsed. `is_own`: pprof does not have it."""

    # Written out: importing dataclasses costs a small report more than the options do.
    __slots__ = ("choices", "default", "help", "is_own", "name", "url_parameter")

    def __init__(
        self,
        name: str,
        default: str | int | float | bool,
        help: str,
        url_parameter: str = "",
        choices: tuple[str, ...] = (),
        *,
        is_own: bool = False,
    ) -> None:
        self.name = name
        self.default = default
        self.help = help
        self.url_parameter = url_parameter
        self.choices = choices
        self.is_own = is_own


def _text(*lines: str) -> str:
    return "\n".join(lines) + "\n"


_TAG_EXAMPLES = (
    "Use name=value syntax to limit the matching to a specific tag.",
    "Numeric tag filter examples: 1kb, 1kb:10kb, memory=32mb:",
    "String tag filter examples: foo, foo.*bar, mytag=foo.*bar",
)
_MATCHING = "Matching includes the function name, filename or object name."

OPTIONS: dict[str, Option] = {
    option.name: option
    for option in (
        Option("output", "", _text("Output filename for file-based outputs")),
        Option(
            "call_tree",
            False,
            _text(
                "Create a context-sensitive call tree",
                "Treat locations reached through different paths as separate.",
            ),
            "calltree",
        ),
        Option(
            "relative_percentages",
            False,
            _text(
                "Show percentages relative to focused subgraph",
                "If unset, percentages are relative to full graph before focusing",
                "to facilitate comparison with original graph.",
            ),
            "rel",
        ),
        Option(
            "unit",
            "minimum",
            _text(
                "Measurement units to display",
                "Scale the sample values to this unit.",
                "For time-based profiles, use seconds, milliseconds, nanoseconds, etc.",
                "For memory profiles, use megabytes, kilobytes, bytes, etc.",
                "Using auto will scale each value independently to the most natural unit.",
            ),
            "unit",
        ),
        Option("compact_labels", False, "Show minimal headers", "compact"),
        Option("source_path", "", "Search path for source files"),
        Option(
            "source_anywhere",
            False,
            _text(
                "Read source files from all folders",
                "Otherwise they are read below the working directory, the folders of sys.path, the",
                "libraries of installed Pythons and -source_path. Only for profiles that you trust.",
            ),
            is_own=True,
        ),
        Option("trim_path", "", "Path to trim from source paths before search"),
        Option(
            "intel_syntax",
            False,
            _text("Show assembly in Intel syntax", "Only applicable to commands `disasm` and `weblist`"),
            "intel",
        ),
        Option(
            "mean",
            False,
            _text(
                "Average sample value over first value (count)",
                "For memory profiles, report average memory per allocation.",
                "For time-based profiles, report average time per event.",
            ),
            "mean",
        ),
        Option(
            "sample_index",
            "",
            _text(
                "Sample value to report (0-based index or name)",
                "Profiles contain multiple values per sample.",
                "Use sample_index=i to select the ith value (starting at 0).",
            ),
            "si",
        ),
        Option(
            "divide_by",
            1.0,
            _text(
                "Ratio to divide all samples before visualization",
                "Divide all samples values by a constant, eg the number of processors or jobs.",
            ),
        ),
        Option("normalize", False, _text("Scales profile based on the base profile."), "norm"),
        Option("sort", "flat", "", "sort", SORTS),
        Option(
            "tagroot",
            "",
            _text(
                "Adds pseudo stack frames for labels key/value pairs at the callstack root.",
                "A comma-separated list of label keys.",
                "The first key creates frames at the new root.",
            ),
        ),
        Option(
            "tagleaf",
            "",
            _text(
                "Adds pseudo stack frames for labels key/value pairs at the callstack leaf.",
                "A comma-separated list of label keys.",
                "The last key creates frames at the new leaf.",
            ),
        ),
        Option(
            "drop_negative",
            False,
            _text("Ignore negative differences", "Do not show any locations with values <0."),
            "dropneg",
        ),
        Option(
            "nodecount",
            -1,
            _text(
                "Max number of nodes to show",
                "Uses heuristics to limit the number of locations to be displayed.",
                "On graphs, dotted edges represent paths through nodes that have been removed.",
            ),
            "n",
        ),
        Option("nodefraction", 0.005, "Hide nodes below <f>*total", "nf"),
        Option("edgefraction", 0.001, "Hide edges below <f>*total", "ef"),
        Option(
            "trim",
            True,
            _text(
                "Honor nodefraction/edgefraction/nodecount defaults",
                "Set to false to get the full profile, without any trimming.",
            ),
            "trim",
        ),
        Option(
            "focus",
            "",
            _text(
                "Restricts to samples going through a node matching regexp",
                "Discard samples that do not include a node matching this regexp.",
                _MATCHING,
            ),
            "f",
        ),
        Option(
            "ignore",
            "",
            _text(
                "Skips paths going through any nodes matching regexp",
                "If set, discard samples that include a node matching this regexp.",
                _MATCHING,
            ),
            "i",
        ),
        Option(
            "prune_from",
            "",
            _text(
                "Drops any functions below the matched frame.",
                "If set, any frames matching the specified regexp and any frames",
                "below it will be dropped from each sample.",
            ),
            "prunefrom",
        ),
        Option(
            "hide",
            "",
            _text(
                "Skips nodes matching regexp",
                "Discard nodes that match this location.",
                "Other nodes from samples that include this location will be shown.",
                _MATCHING,
            ),
            "h",
        ),
        Option(
            "show",
            "",
            _text(
                "Only show nodes matching regexp",
                "If set, only show nodes that match this location.",
                _MATCHING,
            ),
            "s",
        ),
        Option(
            "show_from",
            "",
            _text(
                "Drops functions above the highest matched frame.",
                "If set, all frames above the highest match are dropped from every sample.",
                _MATCHING,
            ),
            "sf",
        ),
        Option(
            "tagfocus",
            "",
            _text("Restricts to samples with tags in range or matched by regexp", *_TAG_EXAMPLES),
            "tf",
        ),
        Option(
            "tagignore",
            "",
            _text("Discard samples with tags in range or matched by regexp", *_TAG_EXAMPLES),
            "ti",
        ),
        Option(
            "tagshow",
            "",
            _text("Only consider tags matching this regexp", "Discard tags that do not match this regexp"),
            "ts",
        ),
        Option(
            "taghide",
            "",
            _text("Skip tags matching this regexp", "Discard tags that match this regexp"),
            "th",
        ),
        Option(
            "noinlines",
            False,
            _text("Ignore inlines.", "Attributes inlined functions to their first out-of-line caller."),
            "noinlines",
        ),
        Option(
            "showcolumns",
            False,
            _text("Show column numbers at the source code line level."),
            "showcolumns",
        ),
        Option("granularity", "", "", "g", GRANULARITIES),
    )
}

CHOICE_HELP: dict[str, str] = {
    "flat": _text("Sort entries based on own weight"),
    "cum": _text("Sort entries based on cumulative weight"),
    "functions": _text(
        "Aggregate at the function level.", "Ignores the filename where the function was defined."
    ),
    "filefunctions": _text(
        "Aggregate at the function level.", "Takes into account the filename where the function was defined."
    ),
    "files": "Aggregate at the file level.",
    "lines": "Aggregate at the source code line level.",
    "addresses": _text("Aggregate at the address level.", "Includes functions' addresses in the output."),
}

# The option that a bare choice (`lines`, `cum`) belongs to.
OPTION_OF_CHOICE = {choice: option.name for option in OPTIONS.values() for choice in option.choices}


def parse_integer(text: str) -> int:
    """Parse an integer as Go's flags do (`12`, `-1`, `0x10`). Raise `ValueError` with Go's message."""
    try:
        if text != text.strip():
            raise ValueError
        value = int(text, 0) if text[:1] not in ("0", "") or not text.isdigit() else int(text, 8)
    except ValueError:
        raise ValueError("parse error") from None
    if not -(1 << 63) <= value < 1 << 63:
        raise ValueError("value out of range")
    return value


def parse_number(text: str) -> float:
    """Parse a number with decimals. Raise `ValueError` with Go's message."""
    try:
        if text != text.strip() or "_" in text:
            raise ValueError
        return float.fromhex(text) if "0x" in text.lower() and "p" in text.lower() else float(text)
    except ValueError:
        raise ValueError("parse error") from None


def parse_switch(text: str) -> bool:
    """Parse a switch of the shell or a URL: true t yes y 1 or empty, false f no n 0, in any case."""
    lower = text.lower()
    if lower in ("true", "t", "yes", "y", "1", ""):
        return True
    if lower in ("false", "f", "no", "n", "0"):
        return False
    raise ValueError(f'illegal value "{text}" for bool variable')


def show_value(value: str | int | float | bool) -> str:
    """Return an option's value as the shell prints it."""
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, float):
        return show_number(value)
    return str(value)


def show_number(value: float) -> str:
    """Return a number with the fewest digits that identify it, as Go prints it: `1`, `0.005`, `1e-06`, `1e+21`."""
    magnitude = abs(value)
    if 1e15 <= magnitude < 1e21:
        return f"{value:.0f}"
    return repr(value).removesuffix(".0")


class Options:
    """The values of all options, as attributes; those not given have their default."""

    __slots__ = tuple(OPTIONS)

    output: str
    call_tree: bool
    relative_percentages: bool
    unit: str
    compact_labels: bool
    source_path: str
    source_anywhere: bool
    trim_path: str
    intel_syntax: bool
    mean: bool
    sample_index: str
    divide_by: float
    normalize: bool
    sort: str
    tagroot: str
    tagleaf: str
    drop_negative: bool
    nodecount: int
    nodefraction: float
    edgefraction: float
    trim: bool
    focus: str
    ignore: str
    prune_from: str
    hide: str
    show: str
    show_from: str
    tagfocus: str
    tagignore: str
    tagshow: str
    taghide: str
    noinlines: bool
    showcolumns: bool
    granularity: str

    def __init__(self, **values: Any) -> None:
        unknown = values.keys() - OPTIONS.keys()
        if unknown:
            raise TypeError(f"there is no option {', '.join(sorted(unknown))}")
        for name, option in OPTIONS.items():
            setattr(self, name, values.get(name, option.default))

    def copy(self, **changes: Any) -> Options:
        """Return the same options with some of them changed."""
        return Options(**{**{name: getattr(self, name) for name in OPTIONS}, **changes})

    def assign(self, name: str, text: str) -> None:
        """Set an option, or a choice of one (`lines`, `cum`), from text.

        Raise `ValueError` with the reason if it is not accepted.
        """
        if name not in OPTIONS:
            self._choose(name, text)
            return
        setattr(self, name, _parse(OPTIONS[name], text))

    def _choose(self, name: str, text: str) -> None:
        option = OPTION_OF_CHOICE.get(name)
        # Bare `lines` is refused by the original too; `lines=1` is how one says it.
        if option is None or text not in ("1", "t", "T", "true", "TRUE", "True"):
            raise ValueError(f'unknown config field "{name}"')
        setattr(self, option, name)

    def text_of(self, name: str) -> str:
        """Return an option's value as text."""
        return show_value(getattr(self, name))


def _parse(option: Option, text: str) -> str | int | float | bool:
    if isinstance(option.default, bool):
        return parse_switch(text)
    if isinstance(option.default, int):
        return int(_parse_in_shell(text, int, "Atoi"))
    if isinstance(option.default, float):
        return float(_parse_in_shell(text, parse_number, "ParseFloat"))
    if option.choices and text not in option.choices:
        raise ValueError(f'invalid "{option.name}" value "{text}"')
    return text


def _parse_in_shell(text: str, parse: Callable[[str], float], function: str) -> float:
    try:
        if text != text.strip() or "_" in text:
            raise ValueError
        number = parse(text)
    except ValueError:
        raise ValueError(f'strconv.{function}: parsing "{text}": invalid syntax') from None
    if not abs(number) < _LIMIT:  # infinite, not a number, or beyond 64 bits
        raise ValueError(f'strconv.{function}: parsing "{text}": value out of range')
    return number
