"""Command-line flags by Go's rules, for every command: `-top`, `--top`, `-n=5`, `-n 5`, `-bool=false`.

A switch never takes the next word as its value; every other flag does when it has no `=`. `--` ends the
flags. The messages are those of Go's flag package, which its users (and the goldens) know.
"""

from __future__ import annotations

from conduit.errors import UsageError

TYPE_CHECKING = False  # `typing` would slow the start of every command; type checkers know this name
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any, Literal


class HelpRequested(UsageError):  # noqa: N818 (it is a request, not a fault)
    """`-h`, `-help` or `--help` was given and the command declared no such flag; the text is the command's help."""


def parse_bool(text: str) -> bool:
    """Read a switch's value as Go does: 1 t T true TRUE True, 0 f F false FALSE False."""
    if text in ("1", "t", "T", "true", "TRUE", "True"):
        return True
    if text in ("0", "f", "F", "false", "FALSE", "False"):
        return False
    raise ValueError("parse error")


class Flag:
    """One flag: `name` without dashes, how its text is read, and what it is for."""

    # Plain classes: importing dataclasses would cost every command more than the flags do.
    __slots__ = ("default", "help", "is_switch", "metavar", "name", "parse", "repeatable")

    def __init__(
        self,
        name: str,
        parse: Callable[[str], Any],
        default: Any,
        help: str,
        is_switch: bool = False,
        repeatable: bool = False,
        metavar: str = "",
    ) -> None:
        self.name = name
        self.parse = parse
        self.default = default
        self.help = help
        self.is_switch = is_switch
        self.repeatable = repeatable
        self.metavar = metavar


class Parsed:
    """What a command line said: every flag's value (its default where not given), which were given, and the rest."""

    __slots__ = ("given", "positionals", "values")

    def __init__(self, values: dict[str, Any]) -> None:
        self.values = values
        self.given: dict[str, Any] = {}
        self.positionals: list[str] = []

    def __getitem__(self, name: str) -> Any:
        return self.values[name]


class FlagSet:
    """The flags of one command, in the order of its help.

    `verbatim` is for the commands that print what Go's programs print: no word is added to a message.
    """

    __slots__ = ("flags", "usage", "verbatim")

    def __init__(self, usage: str, *, verbatim: bool = False) -> None:
        self.usage = usage
        self.verbatim = verbatim
        self.flags: dict[str, Flag] = {}

    def switch(self, name: str, help: str, *, default: bool = False) -> None:
        """Declare a flag that is on or off (`-v`, `-v=false`)."""
        self.flags[name] = Flag(name, parse_bool, default, help, is_switch=True)

    def option(
        self,
        name: str,
        help: str,
        *,
        default: Any = None,
        parse: Callable[[str], Any] = str,
        repeatable: bool = False,
        metavar: str = "",
    ) -> None:
        """Declare a flag with a value. `parse` raises `ValueError` for a bad text; a repeatable flag gives a list."""
        initial = [] if repeatable and default is None else default
        self.flags[name] = Flag(name, parse, initial, help, repeatable=repeatable, metavar=metavar)

    def parse(self, arguments: Sequence[str], *, positionals: Literal["end", "mixed"] = "end") -> Parsed:
        """Read a command line.

        With `positionals="end"` the first word that is not a flag ends the flags, as in Go; with `"mixed"`
        flags may also follow it. Raises `UsageError` (its text is Go's) and `HelpRequested`.
        """
        values = {name: flag.default for name, flag in self.flags.items()}
        parsed = Parsed(values)
        words = list(arguments)
        position = 0
        while position < len(words):
            word = words[position]
            position += 1
            if len(word) < 2 or word[0] != "-":
                parsed.positionals.append(word)
                if positionals == "end":
                    break
                continue
            if word == "--":
                break
            position = self._take(word, words, position, parsed)
        parsed.positionals.extend(words[position:])
        return parsed

    def _take(self, word: str, words: list[str], position: int, parsed: Parsed) -> int:
        body = word[2:] if word.startswith("--") else word[1:]
        if not body or body[0] in "-=":
            raise UsageError(f"bad flag syntax: {word}")
        name, equals, text = body.partition("=")
        flag = self.flags.get(name)
        if flag is None:
            if name in ("h", "help"):
                raise HelpRequested(self.help())
            raise UsageError(f"flag provided but not defined: -{name}{self._nearest(name)}")
        if not equals and flag.is_switch:
            text = "true"
        elif not equals:
            if position >= len(words):
                raise UsageError(f"flag needs an argument: -{name}")
            text = words[position]
            position += 1
        self._set(flag, text, parsed)
        return position

    def _nearest(self, name: str) -> str:
        from conduit.errors import suggestion

        return "" if self.verbatim else suggestion(name, tuple(self.flags), 1, "-")

    def _set(self, flag: Flag, text: str, parsed: Parsed) -> None:
        try:
            value = flag.parse(text)
        except ValueError as error:
            kind = "boolean value" if flag.is_switch else "value"
            joint = "for" if flag.is_switch else "for flag"
            raise UsageError(f'invalid {kind} "{text}" {joint} -{flag.name}: {error}') from None
        if flag.repeatable:
            value = [*parsed.given.get(flag.name, []), value]
        parsed.values[flag.name] = parsed.given[flag.name] = value

    def help(self) -> str:
        """Return the usage line and a row for each flag, if there are any."""
        rows = []
        for flag in self.flags.values():
            left = f"-{flag.name}" + ("" if flag.is_switch else f" {flag.metavar or 'VALUE'}")
            shown = _default_text(flag)
            rows.append((left, flag.help + shown))
        width = min(max((len(left) for left, _ in rows), default=0), 28)
        lines = [f"  {left:<{width}}  {text}" for left, text in rows]
        heading = ["", "flags, with one dash or two:"] if lines else []
        return "\n".join([self.usage.rstrip(), *heading, *lines]) + "\n"


def _default_text(flag: Flag) -> str:
    """Return the default as a user would write it; nothing where there is none, or where the help names it itself."""
    if flag.default in (None, False, "", [], ()) or "(default" in flag.help:
        return ""
    return f" (on unless -{flag.name}=false)" if flag.default is True else f" (default {flag.default})"
