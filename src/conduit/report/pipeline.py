"""From a profile to a report: the order in which options are applied, and the format that prints.

The order affects the numbers. Label frames are made first, so filters can match them. The total is computed before the
filters are applied, unless percentages should be relative to the filtered total (`relative_percentages`). After that,
frames are joined to functions, lines or files.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from conduit.profile.columns import Values
from conduit.report.commands import FORMATS
from conduit.report.errors import ReportError
from conduit.report.node_tags import BASE_LABEL
from conduit.report.report import SHOWN_FILTERS, Report, encoded_lines

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from conduit.profile.model import Profile
    from conduit.report.commands import Format
    from conduit.report.options import Options

    Warn = Callable[[str], None]

# Format kind → (module, function). A function gives lines, or bytes for a binary format.
_PRINTERS = {
    "advice": ("advice", "print_advice"),
    "callgrind": ("callgrind", "print_callgrind"),
    "collapsed": ("collapsed", "print_collapsed"),
    "comments": ("raw", "print_comments"),
    "disasm": ("listing", "print_disassembly"),
    "dot": ("dot", "print_dot"),
    "flame": ("flame_svg", "print_flame_svg"),
    "gecko": ("gecko", "print_gecko"),
    "json": ("json", "print_rows"),
    "listing": ("listing", "print_listing"),
    "proto": ("proto", "print_proto"),
    "raw": ("raw", "print_raw"),
    "speedscope": ("speedscope", "print_speedscope"),
    "tags": ("tags", "print_tags"),
    "top": ("top", "print_top"),
    "topproto": ("proto", "print_topproto"),
    "traces": ("traces", "print_traces"),
    "tree": ("tree", "print_tree"),
    "weblist": ("weblist", "print_weblist"),
}
# The options that cut samples, frames or labels out of a profile, as `Filters` names them.
_FILTERS = (*SHOWN_FILTERS, "prune_from")


def make_report(
    profile: Profile,
    format_name: str,
    options: Options,
    warn: Warn,
    argument: str = "",
    *,
    compared: bool = False,
) -> bytes:
    """Return the complete report of a profile in a format; see `prepare_report`. If it fails, nothing is printed.

    `compared` is whether a base has been subtracted.
    """
    return print_report(
        prepare_report(profile, format_name, options, warn, argument)._replace(compared=compared)
    )


def prepare_report(
    profile: Profile, format_name: str, options: Options, warn: Warn, argument: str = ""
) -> Report:
    """Return the report of a profile in a format, ready for the format's module.

    `argument` is the regular expression of formats that take one. `warn` is called with a line for each filter that
    matched nothing. The profile is not changed. Raise `ReportError` for options with which no report can be made.
    """
    format = FORMATS[format_name]
    options = _options_for(format, options)
    profile = profile.in_columns()
    title = profile.program
    units = _label_units(profile, warn)
    profile = _with_tag_frames(profile, options, warn)
    if options.relative_percentages:
        profile = _filtered(profile, options, units, warn)
    index = sample_index(profile, options.sample_index)
    if options.divide_by == 0:
        raise ReportError("zero divisor specified")
    is_base = profile.columns.mask_with_text(BASE_LABEL, "true")
    values = Values(profile.columns, index, options.mean)
    total = values.total(is_base)
    # With filters off the profile is the same object, and so is what hangs on it.
    matches = _compile_argument(argument)
    if not options.relative_percentages:
        profile = _filtered(profile, options, units, warn)
    values = values.of(profile.columns)
    return Report(profile, title, format, options, values, total, units, options.unit, argument, matches)


def _options_for(format: Format, options: Options) -> Options:
    """Return the options with what the format requires of them; themselves where that is nothing."""
    changes: dict[str, object] = {}
    if format.granularity:
        changes["granularity"] = format.granularity
    if format.name == "disasm":
        # Several inlined frames at one address would count it more than once.
        changes["noinlines"] = True
    elif format.name == "weblist":
        changes["noinlines"] = False
    return options.copy(**changes) if changes else options


def sample_index(profile: Profile, wanted: str) -> int:
    """Return the index of a sample type given by number or name; by default the profile's own choice, or the last.

    Raise `ReportError` if the profile does not have it.
    """
    names = [kind.type for kind in profile.sample_types]
    if not names:
        raise ReportError("profile has no samples")
    if not wanted:
        if profile.default_sample_type in names:
            return names.index(profile.default_sample_type)
        return len(names) - 1
    digits = wanted[1:] if wanted[:1] in ("+", "-") else wanted
    if digits.isascii() and digits.isdigit() and len(digits) < 19:
        index = int(wanted)
        if not 0 <= index < len(names):
            raise ReportError(f"sample_index {wanted} is outside the range [0..{len(names) - 1}]")
        return index
    # `inuse_` was once part of names that do not have it.
    short = wanted.removeprefix("inuse_")
    for index, name in enumerate(names):
        if name in (wanted, short):
            return index
    raise ReportError(f'sample_index "{wanted}" must be one of: [{" ".join(names)}]')


def _label_units(profile: Profile, warn: Warn) -> dict[str, str]:
    if not profile.columns.number_labels():
        return {}
    from conduit.profile.tags import numeric_label_units

    units, others = numeric_label_units(profile)
    for key, ignored in others.items():
        warn(f"For tag {key} used unit {units[key]}, also encountered unit(s) {', '.join(ignored)}")
    return units


def _with_tag_frames(profile: Profile, options: Options, warn: Warn) -> Profile:
    roots = [key for key in options.tagroot.split(",") if key]
    leaves = [key for key in options.tagleaf.split(",") if key]
    # An option that holds commas only names no label, and so matches none.
    empty = (("TagRoot", options.tagroot and not roots), ("TagLeaf", options.tagleaf and not leaves))
    unmatched = {name for name, is_empty in empty if is_empty}
    if roots or leaves:
        from conduit.profile.tags import add_tag_frames

        profile, names = add_tag_frames(profile, roots, leaves, options.unit)
        unmatched.update(names)
    for name in ("TagRoot", "TagLeaf"):
        if name in unmatched:
            warn(f"{name} expression matched no samples")
    return profile


def _filtered(profile: Profile, options: Options, units: dict[str, str], warn: Warn) -> Profile:
    given = {name: text for name in _FILTERS if (text := getattr(options, name))}
    if not given:
        return profile
    from conduit.profile.focus import Filters, apply_filters
    from conduit.regexps import PatternError

    try:
        return apply_filters(profile, Filters(**given), warn, units)
    except PatternError as error:
        raise ReportError(str(error)) from None


def _compile_argument(argument: str) -> Callable[[str], bool] | None:
    if not argument:
        return None
    from conduit.regexps import PatternError, compile_pattern

    try:
        return compile_pattern(argument).matches
    except PatternError as error:
        raise ReportError(f"parsing argument regexp {argument}: {error}") from None


def print_report(report: Report) -> bytes:
    """Return the complete report in its format; if it fails, nothing is printed."""
    from importlib import import_module

    module, function = _PRINTERS[report.format.kind]
    printed: bytes | Iterable[str] = getattr(import_module(f"conduit.report.formats.{module}"), function)(
        report
    )
    return printed if isinstance(printed, bytes) else encoded_lines(printed)
