"""`conduit pprof`: reads profiles as `go tool pprof` does, flag for flag.

Without a format it opens a shell (`pprof_shell`), with `-http` a page in the browser. Messages and exit statuses
are the original's: 2 for whatever goes wrong. Of our own are the formats `-collapsed`, `-speedscope`, `-json` and
`-advice`, and `-check`, which exits with 1 where a profile is over its budgets.
"""

from __future__ import annotations

import gc
import os
import sys
from typing import TYPE_CHECKING

from conduit.cli.flags import FlagSet, HelpRequested
from conduit.cli.pprof.usage import own_usage, usage
from conduit.control_characters import printable
from conduit.errors import ConduitError, UsageError
from conduit.report.commands import FORMATS
from conduit.report.options import OPTIONS, Options, parse_integer, parse_number

if TYPE_CHECKING:
    from collections.abc import Callable

    from conduit.cli.flags import Parsed
    from conduit.cli.pprof.imports import ImportChoice
    from conduit.fetch.inputs import Repeats, Request
    from conduit.profile.model import Profile

# Flag → (sample type, whether it shows means). The first one given wins, in this order.
_SAMPLE_FLAGS = {
    "total_delay": "delay",
    "mean_delay": "delay",
    "contentions": "contentions",
    "inuse_space": "inuse_space",
    "inuse_objects": "inuse_objects",
    "alloc_space": "alloc_space",
    "alloc_objects": "alloc_objects",
}


def say(text: str) -> None:
    """Print a message, which is never data, on standard error."""
    sys.stderr.write(printable(text if text.endswith("\n") else f"{text}\n"))


def run(arguments: list[str]) -> int:
    """Run `conduit pprof`; return 0, 1 where a budget is exceeded, 2 for any error."""
    try:
        parsed = _flags().parse(arguments)
    except HelpRequested:
        if "--help" in arguments:
            # `-h` and `-help` are the original's; the long form describes our own flags as well.
            sys.stdout.write(usage() + own_usage())
            return 0
        say(usage())
        return 0
    except UsageError as error:
        say(f"{error}\n{usage()}")
        return 2
    if not parsed.positionals:
        say(usage())
        say("no profile source specified")
        return 2
    try:
        return _run(parsed)
    except ConduitError as error:
        say(str(error))
        return 2


def _flags() -> FlagSet:
    flags = FlagSet("conduit pprof", verbatim=True)
    for name in ("diff_base", "base"):
        flags.option(name, "Source of a profile to compare with", default="")  # the last one counts
    for name in ("symbolize", "buildid", "add_comment", "http", "tls_cert", "tls_key", "tls_ca"):
        flags.option(name, "", default="")
    flags.option("tools", "", default=os.environ.get("PPROF_TOOLS", ""))
    for name in ("timeout", "seconds"):
        flags.option(name, "", default=-1, parse=parse_integer)
    for name in ("all_frames", "no_browser", *_SAMPLE_FLAGS):
        flags.switch(name, "")
    for format in FORMATS.values():
        if format.parameter:
            flags.option(format.name, format.description, default="")
        else:
            flags.switch(format.name, format.description)
    flags.option("check", "", repeatable=True)
    flags.switch("changes", "")
    flags.switch("leaks", "")
    flags.switch("without-imports", "")
    flags.switch("without_imports", "")
    flags.switch("source-anywhere", "")
    _add_options(flags)
    return flags


def _add_options(flags: FlagSet) -> None:
    for option in OPTIONS.values():
        if option.choices:
            for choice in option.choices:
                flags.switch(choice, "")
        elif isinstance(option.default, bool):
            flags.switch(option.name, option.help, default=option.default)
        else:
            flags.option(option.name, option.help, default=option.default, parse=_parser(option.default))


def _parser(default: object) -> Callable[[str], object]:
    if isinstance(default, int):
        return parse_integer
    return parse_number if isinstance(default, float) else str


def _run(parsed: Parsed) -> int:
    sources, executable = _sources(parsed.positionals)
    options = _options(parsed)
    command = _command(parsed)
    address = parsed["http"]
    if command and address:
        raise UsageError("-http is not compatible with an output format on the command line")
    if parsed["no_browser"] and not address:
        raise UsageError("-no_browser only makes sense with -http")
    _choose_sample_type(parsed, options)
    if parsed["leaks"]:
        return _leaks(parsed, sources, executable, options)
    if parsed["changes"]:
        _refuse_others_than_changes(parsed)
    request = _request(parsed, sources, executable, options)

    from conduit.fetch.inputs import fetch_repeated

    changes, checks = parsed["changes"], parsed["check"]
    wants_each = bool(address) or changes or (command is not None and FORMATS[command[0]].kind == "html")
    profile, repeats = fetch_repeated(request, say, keeps=wants_each)
    imports = _import_choice(parsed, profile)
    if imports is not None:
        profile = imports.applied(profile, command[0] if command else "", options)
        if repeats is not None:
            repeats = repeats.mapped(lambda each: imports.applied(each, "", options))
    if changes:
        return _changes(parsed, profile, options, repeats)
    if checks:
        return _check(profile, checks, options)
    if command:
        _write_once(profile, command, options, compared=bool(request.bases), repeats=repeats)
        return 0
    if address:
        return _serve(
            request, profile, address, options, opens_browser=not parsed["no_browser"], repeats=repeats
        )
    from conduit.cli.pprof.shell import Shell

    shown = imports.applied if imports else None
    return Shell(profile, options, say, compared=bool(request.bases), shown=shown).run()


def _imports_flag(parsed: Parsed) -> bool | None:
    given = [parsed.given[name] for name in ("without_imports", "without-imports") if name in parsed.given]
    return given[-1] if given else None


def _import_choice(parsed: Parsed, profile: Profile) -> ImportChoice | None:
    """Return what to leave out that imports allocated; None where that is nothing, whatever the report."""
    chosen = _imports_flag(parsed)
    if not chosen and not any(kind.type.startswith(("inuse_", "alloc_")) for kind in profile.sample_types):
        return None
    from conduit.cli.pprof.imports import ImportChoice

    return ImportChoice(chosen, say)


def _leaks(parsed: Parsed, sources: list[str], executable: str, options: Options) -> int:
    from conduit.cli.pprof.leaks import print_leaks, serve_leaks

    refused = [name for name in ("check", "base", "diff_base") if parsed[name]]
    refused += [name for name in FORMATS if parsed[name] and name != "json"]
    if refused:
        raise UsageError(f"-leaks is a report of its own: it cannot be given with -{refused[0]}")
    requests = [_request(parsed, [source], executable, options) for source in sources]
    if parsed["http"]:
        serve_leaks(requests, parsed["http"], options, say, opens_browser=not parsed["no_browser"])
        return 0
    print_leaks(
        requests,
        say,
        leaves_imports_out=_imports_flag(parsed) is not False,
        as_json=bool(parsed["json"]),
        most=options.nodecount,
    )
    return 0


def _refuse_others_than_changes(parsed: Parsed) -> None:
    refused = [name for name in ("http", "check") if parsed[name]]
    refused += [name for name in FORMATS if parsed[name] and name != "json"]
    if refused:
        raise UsageError(f"-changes is a report of its own: it cannot be given with -{refused[0]}")
    if not parsed["diff_base"]:
        raise UsageError("-changes compares two sides: give the older one as -diff_base=OLD")


def _changes(parsed: Parsed, profile: Profile, options: Options, repeats: Repeats | None) -> int:
    from conduit.cli.pprof.changes import print_changes

    print_changes(profile, options, say, repeats, as_json=bool(parsed["json"]))
    return 0


def _write_once(
    profile: Profile, command: tuple[str, str], options: Options, *, compared: bool, repeats: Repeats | None
) -> None:
    from conduit.cli.pprof.output import write_report

    # The process ends after this report: to search a large profile's millions of records for cyclic garbage
    # again and again would take a third of its time.
    collects = gc.isenabled()
    gc.disable()
    try:
        write_report(profile, command[0], command[1], options, say, compared=compared, repeats=repeats)
    finally:
        if collects:
            gc.enable()


def _sources(positionals: list[str]) -> tuple[list[str], str]:
    """Return the sources, and the program's binary if that is what the first of several names."""
    from conduit.fetch.inputs import is_executable

    if len(positionals) > 1 and is_executable(positionals[0]):
        return positionals[1:], positionals[0]
    return positionals, ""


def _options(parsed: Parsed) -> Options:
    values = {}
    for option in OPTIONS.values():
        if not option.choices:
            values[option.name] = parsed[option.name]
            continue
        chosen = [choice for choice in option.choices if parsed[choice]]
        if len(chosen) > 1:
            raise UsageError(f"conflicting options set: [{' '.join(chosen)}]")
        if chosen:
            values[option.name] = chosen[0]
    values["source_anywhere"] = values["source_anywhere"] or parsed["source-anywhere"]
    return Options(**values)


def _command(parsed: Parsed) -> tuple[str, str] | None:
    """Return the format asked for and its argument; None for the shell."""
    chosen = [name for name in FORMATS if parsed[name]]
    if len(chosen) > 1:
        raise UsageError("must set at most one output format")
    if not chosen:
        return None
    name = chosen[0]
    return name, parsed[name] if FORMATS[name].parameter else ""


def _choose_sample_type(parsed: Parsed, options: Options) -> None:
    for flag, sample_type in _SAMPLE_FLAGS.items():
        if not parsed[flag]:
            continue
        if options.sample_index:
            say(f"Multiple value selections, ignoring -{flag}")
        else:
            options.sample_index = sample_type
    if parsed["mean_delay"]:
        options.mean = True


def _request(parsed: Parsed, sources: list[str], executable: str, options: Options) -> Request:
    from conduit.fetch.inputs import Request, split_names
    from conduit.profile.model import TIME_LABEL

    bases, diff_bases = split_names(parsed["base"]), split_names(parsed["diff_base"])
    if bases and diff_bases:
        raise UsageError("-base and -diff_base flags cannot both be specified")
    if options.normalize and not bases and not diff_bases:
        raise UsageError("must have base profile to normalize by")
    return Request(
        sources,
        bases or diff_bases,
        diff_base=bool(diff_bases),
        normalize=options.normalize,
        seconds=parsed["seconds"],
        timeout=parsed["timeout"],
        symbolize=parsed["symbolize"],
        executable=executable,
        build_id=parsed["buildid"],
        comment=parsed["add_comment"],
        all_frames=parsed["all_frames"],
        times=bool(parsed["http"] or parsed["html"] or parsed["gecko"] or TIME_LABEL in options.tagfocus),
        by_name=bool(parsed["http"] or parsed["html"] or parsed["changes"]),
        tls=(parsed["tls_cert"], parsed["tls_key"], parsed["tls_ca"]),
    )


def _check(profile: Profile, texts: list[str], options: Options) -> int:
    from conduit.cli.pprof.check import check_budgets

    return check_budgets(profile, texts, options, say)


def _serve(
    request: Request,
    profile: Profile,
    address: str,
    options: Options,
    *,
    opens_browser: bool,
    repeats: Repeats | None,
) -> int:
    from conduit.fetch.inputs import fetch_again, is_local
    from conduit.web import serve_profile

    live = any(not is_local(name) for name in request.sources)
    serve_profile(
        profile,
        options,
        address,
        say,
        opens_browser=opens_browser,
        fetch=(lambda: fetch_again(request, say)) if live else None,
        fetch_for=(lambda seconds: fetch_again(request, say, seconds)) if live else None,
        sources=request.sources,
        base=[f"-{'diff_base' if request.diff_base else 'base'}={','.join(request.bases)}"]
        if request.bases
        else (),
        repeats=repeats if request.diff_base else None,
    )
    return 0
