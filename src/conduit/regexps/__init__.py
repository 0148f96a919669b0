"""Regular expressions in Go's syntax, matched in linear time: for names of functions, files, labels and benchmarks.

The engine is RE2 (github.com/google/re2), whose syntax is Go's. `re` is not an alternative: a pattern such as
`(a*)*b`, typed into a shell or a page, would make it hang. RE2 comes as google-re2 or as pyre2, depending on the
version of Python (`engine.py`); without either, plain text can be matched and every other pattern is refused.
RE2's error messages are translated into Go's here. Used by `conduit.profile`, `conduit.report`, `conduit.fetch`,
`conduit.bench` and the command line.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from conduit.regexps.expression import ExpressionError, PatternError, PatternUnavailableError

if TYPE_CHECKING:
    from conduit.regexps.expression import Expression, Text

__all__ = [
    "Pattern",
    "PatternError",
    "PatternUnavailableError",
    "compile_expression",
    "compile_pattern",
    "quote_pattern",
]

# The reason in RE2's error text → the reason in that of Go's regexp/syntax.
_GO_REASONS = {
    "bad repetition operator": "invalid nested repetition operator",
    "duplicate capture group name": "duplicate capture group name",
    "invalid named capture group": "invalid named capture",
    "invalid perl operator": "invalid or unsupported Perl syntax",
    "invalid repetition size": "invalid repeat count",
    "missing )": "missing closing )",
    "missing ]": "missing closing ]",
    "no argument for repetition operator": "missing argument to repetition operator",
    "pattern too large": "expression too large",
    "trailing \\": "trailing backslash at end of expression",
}


class Pattern:
    """A compiled regular expression, matched unanchored; results are cached per name."""

    __slots__ = ("_known", "_search", "text")

    def __init__(self, text: str) -> None:
        self.text: str = text
        self._search = compile_expression(_encode(text)).search
        self._known: dict[str, bool] = {}

    def matches(self, name: str) -> bool:
        """Return whether the pattern occurs in `name`. Names repeat in a file, so each is searched once."""
        known = self._known.get(name)
        if known is None:
            known = self._search(_encode(name)) is not None
            self._known[name] = known
        return known

    def __repr__(self) -> str:
        return f"Pattern({self.text!r})"


def compile_pattern(text: str, option: str = "") -> Pattern:
    """Compile a pattern; raise `PatternError`, whose message names the `option` that it was given by, if any."""
    try:
        return Pattern(text)
    except PatternUnavailableError:
        raise
    except PatternError as error:
        if option:
            raise PatternError(f"parsing {option} regexp: {error}") from None
        raise


def compile_expression(text: Text) -> Expression[Text]:
    """Compile an expression that searches texts of its own type and gives groups; raise `PatternError`."""
    from conduit.regexps.engine import compile_with_engine

    try:
        return compile_with_engine(text)
    except ExpressionError as error:
        raise PatternError(_go_message(str(error))) from None


def quote_pattern(text: str) -> str:
    """Return a pattern that matches `text` only."""
    return "".join(f"\\{letter}" if letter in r"\.+*?()|[]{}^$" else letter for letter in text)


def _go_message(message: str) -> str:
    reason, _, fragment = message.partition(": ")
    reason = _GO_REASONS.get(reason.removesuffix(" - compile failed"), reason)
    if reason == "trailing backslash at end of expression":
        fragment = ""
    return f"error parsing regexp: {reason}: `{fragment}`"


def _encode(text: str) -> bytes:
    """Return the bytes that the file has: readers keep bytes that are not UTF-8 as surrogates. JSON may have others."""
    try:
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return text.encode("utf-8", "surrogatepass")
