"""The shell of `conduit pprof`: commands that print reports, options that stay set between them.

The line `top 5 main -init >f` is a format, a number of nodes, what to focus on, what to ignore and where to write;
`name=value` sets an option. The prompt goes to standard output, as the original's does; messages go to standard error.
On a terminal lines are edited, completed and remembered.
"""

from __future__ import annotations

import re
import sys
from typing import TYPE_CHECKING

from conduit.cli.pprof.usage import command_help, option_help, own_usage, shell_usage
from conduit.errors import ConduitError
from conduit.report.commands import FORMATS
from conduit.report.errors import ReportError
from conduit.report.options import OPTION_OF_CHOICE, OPTIONS, Options

if TYPE_CHECKING:
    from collections.abc import Callable

    from conduit.profile.model import Profile

    Say = Callable[[str], None]
    Shown = Callable[[Profile, str, Options], Profile]  # what of a profile a report of a format shows

PROMPT = "(pprof) "
_COMMENT = "//:"
_LAST_DIGITS = re.compile(r"[0-9]+$")
_COUNT = re.compile(r"[+-]?[0-9]+$")
_INT32 = 1 << 31
_CLEARED = ("focus", "ignore", "hide", "tagfocus", "tagignore")


class Shell:
    """One session with one profile. `options` are the session's own, and change as they are set."""

    def __init__(
        self,
        profile: Profile,
        options: Options,
        say: Say,
        *,
        compared: bool = False,
        shown: Shown | None = None,
    ) -> None:
        self.profile = profile
        self._shown = shown
        self.options = options.copy(compact_labels=True)
        self._say = say
        self._compared = compared
        self._shortcuts = _shortcuts(profile)

    def run(self) -> int:
        """Read commands until the end of input or `quit`; return 0."""
        self._greet()
        with _Input(self) as lines:
            for line in lines:
                if not self.execute(line):
                    break
        return 0

    def _greet(self) -> None:
        from conduit.report.pipeline import prepare_report
        from conduit.report.report import profile_labels

        try:
            report = prepare_report(self.profile, "comments", self._unfiltered(), self._say)
        except ReportError:
            report = None
        if report is not None:
            self._say("\n".join(profile_labels(report)))
            if report.total == 0 and len(self.profile.sample_types) > 1:
                self._say("No samples were found with the default sample value type.")
                self._say('Try "sample_index" command to analyze different sample values.')
        self._say('Entering interactive mode (type "help" for commands, "o" for options)')

    def _unfiltered(self) -> Options:
        """Return the options without those that would warn: a greeting is of the whole profile."""
        filters = ("show", "show_from", "tagshow", "taghide", "prune_from", "tagroot", "tagleaf", *_CLEARED)
        return self.options.copy(**dict.fromkeys(filters, ""))

    def execute(self, line: str) -> bool:
        """Run one line; return False when it ends the session."""
        text = line.strip()
        return all(self._execute(step) for step in self._shortcuts.get(text, (text,)))

    def _execute(self, text: str) -> bool:
        if self._assign(text):
            return True
        words = text.split()
        if not words:
            return True
        if words[0] in ("exit", "quit", "q"):
            return False
        if words[0] in ("o", "options"):
            self._say(self.options_table())
        elif words[0] == "help":
            self._help(" ".join(words[1:]))
        else:
            self._report(words)
        return True

    def _assign(self, text: str) -> bool:
        """Set an option if the line does; return whether it does."""
        name, equals, value = text.partition("=")
        name = name.strip()
        if name not in OPTIONS and name not in OPTION_OF_CHOICE:
            return False
        if not equals and not (name in OPTION_OF_CHOICE or isinstance(OPTIONS[name].default, bool)):
            self._say(f"please specify a value, e.g. {name}=<val>")
            return True
        start = value.rfind(_COMMENT)
        value = (value if start < 0 else value[:start]).strip()
        try:
            if name == "sample_index":
                from conduit.report.pipeline import sample_index

                value = self.profile.sample_types[sample_index(self.profile, value)].type
            self.options.assign(name, value)
        except (ValueError, ReportError) as error:
            self._say(str(error))
        return True

    def _report(self, words: list[str]) -> None:
        from conduit.cli.pprof.output import write_report

        try:
            name, argument, options = self.parse_command(words)
            profile = self._shown(self.profile, name, options) if self._shown else self.profile
            write_report(profile, name, argument, options, self._say, in_shell=True, compared=self._compared)
        except ConduitError as error:
            self._say(str(error))

    def parse_command(self, words: list[str]) -> tuple[str, str, Options]:
        """Read a command line: the format, its argument, and the options for this one report."""
        name, arguments = words[0], list(words[1:])
        if name not in FORMATS:
            digits = _LAST_DIGITS.search(name)
            if digits and digits.start():
                name = name[: digits.start()]
                arguments.insert(0, digits[0])
        if name not in FORMATS:
            if option_help(name, []) is not None:
                raise ReportError(f"did you mean: {name}={arguments[0] if arguments else '<val>'}")
            raise ReportError(f'unrecognized command: "{name}"')
        argument = ""
        if FORMATS[name].parameter:
            if not arguments:
                raise ReportError(f"command {name} requires an argument")
            argument = arguments.pop(0)
        return name, argument, self._command_options(name, arguments)

    def _command_options(self, name: str, arguments: list[str]) -> Options:
        options = self.options.copy()
        focus: list[str] = []
        ignore: list[str] = []
        words = iter(arguments)
        for word in words:
            if _COUNT.match(word) and -_INT32 <= int(word) < _INT32:
                options.nodecount = int(word)
            elif word.startswith(">"):
                options.output = word[1:] or next(words, "")
                if not options.output:
                    raise ReportError("unexpected end of line after >")
            elif word in ("-cum", "--cum"):
                options.sort = "cum"
            elif word.startswith("-"):
                ignore.append(word[1:])
            else:
                focus.append(word)
        prefix = "tag" if name == "tags" else ""
        for kind, patterns in (("focus", focus), ("ignore", ignore)):
            pattern = "|".join(filter(None, patterns))
            if pattern:
                setattr(options, prefix + kind, pattern)
        if options.nodecount == -1 and name in ("text", "top"):
            options.nodecount = 10
        return options

    def options_table(self) -> str:
        """Return all options with their values, as `o` prints them."""
        return "\n".join(
            sorted(
                self._option_row(name)
                for name, option in OPTIONS.items()
                if name != "source_path" and not option.is_own
            )
        )

    def _option_row(self, name: str) -> str:
        value, comment = self.options.text_of(name), ""
        if OPTIONS[name].choices:
            comment = f"[{' | '.join(sorted(OPTIONS[name].choices))}]"
            value = value or "(default)"
        elif name == "sample_index":
            types = [kind.type for kind in self.profile.sample_types]
            value = value or self._default_type()
            comment = f"[{' | '.join(types)}]"
        elif name == "nodecount" and value == "-1":
            comment = "default"
        value = value or '""'
        return f"  {name:<25} = {value:<20} {f'{_COMMENT} {comment}' if comment else ''}"

    def _default_type(self) -> str:
        from conduit.report.pipeline import sample_index

        return (
            self.profile.sample_types[sample_index(self.profile, "")].type
            if self.profile.sample_types
            else ""
        )

    def _help(self, name: str) -> None:
        types = [kind.type for kind in self.profile.sample_types]
        if not name:
            self._say(shell_usage())
        elif name == "conduit":
            self._say(own_usage())
        elif name in FORMATS:
            self._say(command_help(name))
        else:
            text = option_help(name, types)
            self._say(f"Unknown command: {name}" if text is None else text)

    def complete(self, line: str) -> list[str]:
        """Return the words that may stand last in a line: commands and options first, then functions."""
        words = line.split()
        last = "" if not words or line[-1].isspace() else words[-1]
        if len(words) - bool(last) == 0 or (words[0] == "help" and len(words) - bool(last) == 1):
            names = {
                *FORMATS,
                *OPTIONS,
                *OPTION_OF_CHOICE,
                *self._shortcuts,
                "help",
                "options",
                "quit",
                "exit",
            }
            return sorted(name for name in names if name.startswith(last.lower()))
        if words[0] in FORMATS and words[0] != "tags" and last:
            sign = "-" if last.startswith("-") else ""
            wanted = last.removeprefix("-")
            names = {function.name for function in self.profile.functions}
            return sorted(sign + name for name in names if wanted in name)
        return []


def _shortcuts(profile: Profile) -> dict[str, tuple[str, ...]]:
    """Return the words that stand for other lines: `:` clears the filters, a sample type's name chooses it."""
    shortcuts = {":": tuple(f"{name}=" for name in _CLEARED)}
    for kind in profile.sample_types:
        choose = f"sample_index={kind.type}"
        shortcuts[kind.type] = (choose,)
        shortcuts[f"total_{kind.type}"] = ("mean=0", choose)
        shortcuts[f"mean_{kind.type}"] = ("mean=1", choose)
    return shortcuts


class _Input:
    """Lines from standard input, each after a prompt; with editing, completion and history on a terminal."""

    def __init__(self, shell: Shell) -> None:
        self._shell = shell
        self._editor: _Editor | None = None

    def __enter__(self) -> _Input:
        if sys.stdin.isatty() and sys.stdout.isatty():
            self._editor = _Editor.start(self._shell)
        return self

    def __exit__(self, *fault: object) -> None:
        if self._editor is not None:
            self._editor.stop()

    def __iter__(self) -> _Input:
        return self

    def __next__(self) -> str:
        if self._editor is not None:
            try:
                return input(PROMPT)
            except EOFError:
                sys.stdout.write("\n")
                raise StopIteration from None
            except KeyboardInterrupt:
                sys.stdout.write("\n")
                return ""
        sys.stdout.write(PROMPT)
        sys.stdout.flush()
        line = sys.stdin.readline()
        if not line:
            raise StopIteration
        return line


class _Editor:
    """Readline: completion from the shell, and a history that outlives the session."""

    def __init__(self, readline: object, path: str) -> None:
        self._readline = readline
        self._path = path
        self._candidates: list[str] = []

    @classmethod
    def start(cls, shell: Shell) -> _Editor | None:
        """Take over readline; return None if Python has none."""
        try:
            import readline
        except ImportError:
            return None
        editor = cls(readline, _history_path())
        readline.set_completer_delims(" \t")
        readline.set_completer(lambda text, state: editor._candidate(shell, state))
        readline.parse_and_bind("tab: complete")
        readline.set_history_length(1000)
        if not editor._path:
            return editor
        try:
            readline.read_history_file(editor._path)
        except OSError:
            readline.clear_history()  # the first session, or a folder that may not be read
        return editor

    def _candidate(self, shell: Shell, state: int) -> str | None:
        import readline

        if state == 0:
            self._candidates = shell.complete(readline.get_line_buffer()[: readline.get_endidx()])
        return self._candidates[state] if state < len(self._candidates) else None

    def stop(self) -> None:
        """Give readline back, and write the history down where that is possible."""
        import os
        import readline

        from conduit.files import new_file, remove_new_file

        readline.set_completer(None)
        if not self._path:
            return
        try:
            os.makedirs(os.path.dirname(self._path), mode=0o700, exist_ok=True)  # noqa: PTH103, PTH120
            # Some of the libraries behind readline write into the file itself, which a killed shell would leave cut.
            temporary = new_file(os.path.dirname(self._path), b"", 0o600)  # noqa: PTH120
            try:
                readline.write_history_file(temporary)
                os.replace(temporary, self._path)  # noqa: PTH105
            finally:
                remove_new_file(temporary)
        except OSError as error:
            print(f"the history is not kept: {error.strerror or error}", file=sys.stderr)


def _history_path() -> str:
    from conduit.errors import ConduitError
    from conduit.user_folders import user_folder

    try:
        return str(user_folder("XDG_STATE_HOME") / "conduit" / "pprof_history")
    except ConduitError:  # nothing is kept where there is no home
        return ""
