"""The output of `conduit pprof -h` and of the shell's `help`: pprof's texts, from the tables of formats and options.

`conduit pprof --help` and, in the shell, `help conduit` describe what Conduit adds.
"""

from __future__ import annotations

from conduit.report.commands import OWN_FORMATS, PPROF_FORMATS
from conduit.report.options import CHOICE_HELP, OPTIONS

_HEADER = """usage:

Produce output in the specified format.

   pprof <format> [options] [binary] <source> ...

Omit the format to get an interactive shell whose commands can be used
to generate various views of a profile

   pprof [options] [binary] <source> ...

Omit the format and provide the "-http" flag to get an interactive web
interface at the specified host:port that can be used to navigate through
various views of a profile.

   pprof -http [host]:[port] [options] [binary] <source> ...

Details:
"""

_SOURCES = """

  Source options:
    -seconds              Duration for time-based profile collection
    -timeout              Timeout in seconds for profile collection
    -buildid              Override build id for main binary
    -add_comment          Free-form annotation to add to the profile
                          Displayed on some reports or with pprof -comments
    -diff_base source     Source of base profile for comparison
    -base source          Source of base profile for profile subtraction
    profile.pb.gz         Profile in compressed protobuf format
    legacy_profile        Profile in legacy pprof format
    http://host/profile   URL for profile handler to retrieve
    -symbolize=           Controls source of symbol information
      none                  Do not attempt symbolization
      local                 Examine only local binaries
      fastlocal             Only get function names from local binaries
      remote                Do not examine local binaries
      force                 Force re-symbolization
    Binary                  Local path or build id of binary for symbolization
    -tls_cert             TLS client certificate file for fetching profile and symbols
    -tls_key              TLS private key file for fetching profile and symbols
    -tls_ca               TLS CA certs file for fetching profile and symbols

  Misc options:
   -http              Provide web interface at host:port.
                      Host is optional and 'localhost' by default.
                      Port is optional and a randomly available port by default.
   -no_browser        Skip opening a browser for the interactive web UI.
   -tools             Search path for object tools
   -all_frames        Ignore drop_frames and keep_frames regexps in the profile
                      Rarely needed, mainly used for debugging pprof itself

  Legacy convenience options:
   -inuse_space           Same as -sample_index=inuse_space
   -inuse_objects         Same as -sample_index=inuse_objects
   -alloc_space           Same as -sample_index=alloc_space
   -alloc_objects         Same as -sample_index=alloc_objects
   -total_delay           Same as -sample_index=delay
   -contentions           Same as -sample_index=contentions
   -mean_delay            Same as -mean -sample_index=delay

  Environment Variables:
   PPROF_TMPDIR       Location for saved profiles (default $HOME/pprof)
   PPROF_TOOLS        Search path for object-level tools
   PPROF_BINARY_PATH  Search path for local binary files
                      default: $HOME/pprof/binaries
                      searches $buildid/$name, $buildid/*, $path/$buildid,
                      ${buildid:0:2}/${buildid:2}.debug, $name, $path,
                      ${name}.debug, $dir/.debug/${name}.debug,
                      usr/lib/debug/$dir/${name}.debug
   * On Windows, %USERPROFILE% is used instead of $HOME
"""

_SHELL_FOOTER = """
  :   Clear focus/ignore/hide/tagfocus/tagignore

  type "help <cmd|option>" for more information
"""

_OWN_FOOTER = """
  Budgets (exit status 1 if the profile exceeds one):
    -check RULES      A TOML file with a table [tool.conduit.budgets], such as pyproject.toml, or
                      one rule: '{match = "Registry[.]", max_flat = "20%"}'; may be given again

  Comparison:
    -changes          Each function before and after, largest change first (-cum: with callees).
                      With several profiles on each side (-diff_base=OLD1,OLD2,... NEW1 NEW2 ...),
                      the means, and the functions that changed by more than chance. Takes
                      -normalize, -json, -nodecount

  Memory:
    -leaks            The lines whose memory grew and is still held, from heap profiles of one
                      process, the earliest first; with the growth per second and the lines of the
                      program that led there. A service alone is asked twice (-seconds=30). Takes
                      -json, -nodecount, -http
    -without_imports  Leaves out memory that imports allocated. It is the default for tables and listings
                      of heap profiles; -without_imports=false includes that memory

  Source files:
    -source_anywhere  Reads source files that the profile names in any folder, for a profile that
                      you trust. Otherwise they are read only below the working directory, the
                      folders of sys.path, the libraries of installed Pythons and -source_path. Files
                      below /proc, /dev and /sys are never read

  A source may also be - for standard input, or a file of another tool: cProfile's .pstats,
  collapsed stacks (py-spy -f raw), speedscope's JSON, memray's table, pages of pyinstrument and
  viztracer.
  Binaries are not read: -disasm, -tools and $PPROF_BINARY_PATH have no effect.

Most used

  conduit pprof -http=:8080 cpu.prof      flame graph and all else in the browser
  conduit pprof -top cpu.prof             functions by their own time; -cum: with what they call
  conduit pprof -list=REGEX cpu.prof      their source, line by line
  conduit pprof -peek=REGEX cpu.prof      who calls them, and what they call
  conduit pprof -advice cpu.prof          what stands out, in words, with the next command
  conduit pprof -leaks mem1.prof mem2.prof
                                          what grew and is still held, by line
  conduit pprof -http=:8080 -diff_base=old.prof new.prof
  conduit pprof -changes -diff_base=old1.prof,old2.prof new1.prof new2.prof
  conduit pprof -top http://localhost:6060/debug/pprof/profile?seconds=10
"""


def usage() -> str:
    """Return the help of the command line."""
    return _HEADER + _tables("-") + _SOURCES


def own_usage() -> str:
    """Return the help of the flags that Conduit adds to the original."""
    rows = "\n".join(_row(f"-{format.name}", format.description) for format in OWN_FORMATS.values())
    return f"\nAdded by Conduit\n\n  Output formats:\n{rows}\n{_OWN_FOOTER}"


def shell_usage() -> str:
    """Return the help of the shell."""
    return _tables("") + _SHELL_FOOTER


def _row(name: str, text: str) -> str:
    first_line = text.partition("\n")[0]
    return f"    {name:<16} {first_line}"


def _tables(prefix: str) -> str:
    formats = sorted(_row(prefix + format.name, format.description) for format in PPROF_FORMATS.values())
    if prefix:
        title = "  Output formats (select at most one):"
    else:
        title = "  Commands:"
        formats.append(_row("o/options", "List options and their current values"))
        formats.append(_row("q/quit/exit/^D", "Exit pprof"))
    plain = sorted(
        _row(prefix + option.name, option.help)
        for option in OPTIONS.values()
        if not option.choices and not option.is_own
    )
    groups = sorted(
        "\n".join(
            [
                _row(option.name, ""),
                *("  " + _row(prefix + choice, CHOICE_HELP[choice]) for choice in option.choices),
            ]
        )
        for option in OPTIONS.values()
        if option.choices
    )
    lines = [
        title,
        *formats,
        "",
        "  Options:",
        *plain,
        "",
        "  Option groups (only set one per group):",
        *groups,
    ]
    return "\n".join(lines)


def command_help(name: str) -> str:
    """Return the shell's help for one command: its description and how it is called."""
    format = {**PPROF_FORMATS, **OWN_FORMATS}[name]
    lines = [format.description]
    if format.usage:
        lines.append("  Usage:")
        lines.extend(f"    {line}" for line in format.usage.split("\n"))
    return "\n".join(lines) + "\n\n"


def option_help(name: str, sample_types: list[str]) -> str | None:
    """Return the shell's help for one option or choice; None for a name that is neither."""
    text = CHOICE_HELP.get(name)
    if text is None and name in OPTIONS and not OPTIONS[name].choices:
        text = OPTIONS[name].help
        if name == "sample_index":
            text += f"Or use sample_index=name, with name in [{' '.join(sample_types)}].\n"
    return None if text is None else text + "\n"
