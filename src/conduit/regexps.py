"""Regular expressions as Go's tools understand them, on names of functions, files, labels and benchmarks.

They run on RE2, whose time is linear in the text: what someone types into a shell or a page must not be able to
hang the tool, which `re` with a pattern such as `(a*)*b` does. RE2's syntax is Go's; only the words of its errors
differ, and those are translated here.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import Any

# RE2's words for a fault in a pattern → those of Go's regexp/syntax.
_GO_WORDS = {
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


class PatternError(ValueError):
    """A text that is no regular expression; the message is the one that Go prints for it."""


class Pattern:
    """A compiled regular expression that is searched for, unanchored, and remembers what it was asked."""

    __slots__ = ("_known", "_search", "text")

    def __init__(self, text: str) -> None:
        self.text: str = text
        self._search = _compile(text).search
        self._known: dict[str, bool] = {}

    def matches(self, name: str) -> bool:
        """Says whether the pattern occurs in `name`. Names repeat in a file, so each is searched once."""
        known = self._known.get(name)
        if known is None:
            known = self._search(_encode(name)) is not None
            self._known[name] = known
        return known

    def __repr__(self) -> str:
        return f"Pattern({self.text!r})"


def compile_pattern(text: str, option: str = "") -> Pattern:
    """Compiles a pattern; raises `PatternError`, whose message names the `option` it was given by, if any."""
    try:
        return Pattern(text)
    except PatternError as error:
        if option:
            raise PatternError(f"parsing {option} regexp: {error}") from None
        raise


def quote_pattern(text: str) -> str:
    """Writes a text so that, as a pattern, it matches itself only."""
    return "".join(f"\\{letter}" if letter in r"\.+*?()|[]{}^$" else letter for letter in text)


def _compile(text: str) -> Any:
    import re2  # type: ignore[import-untyped]

    options = re2.Options()
    options.log_errors = False  # They would go to standard error as well.
    try:
        return re2.compile(_encode(text), options)
    except re2.error as error:
        raise PatternError(_go_message(error, text)) from None


def _go_message(error: Exception, text: str) -> str:
    raw = error.args[0] if error.args else b""
    words = raw.decode("utf-8", "replace") if isinstance(raw, bytes) else str(raw)
    reason, _, place = words.partition(": ")
    reason = _GO_WORDS.get(reason.removesuffix(" - compile failed"), reason)
    if reason == "trailing backslash at end of expression":
        place = ""
    return f"error parsing regexp: {reason}: `{place}`"


def _encode(text: str) -> bytes:
    """The bytes that the file has: readers keep what is not UTF-8 as surrogates. JSON may have others."""
    try:
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return text.encode("utf-8", "surrogatepass")
