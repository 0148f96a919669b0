"""What every engine gives: an expression that searches, and the errors of those that it does not compile."""

from __future__ import annotations

from typing import TYPE_CHECKING

from conduit.errors import ConduitError

if TYPE_CHECKING:
    from typing import Protocol, TypeVar

    Text = TypeVar("Text", str, bytes)
    Found = TypeVar("Found", str, bytes, covariant=True)

    class Expression(Protocol[Text]):
        """A compiled expression, in the manner of `re.Pattern`."""

        def search(self, text: Text) -> Match[Text] | None:
            """Return the leftmost match in `text`, or None."""

        def findall(self, text: Text) -> list[Text]:
            """Return the texts of all matches, in order; for expressions without groups."""

    class Match(Protocol[Found]):
        """A match, in the manner of `re.Match`."""

        def __getitem__(self, group: int) -> Found:
            """Return the text of a group; 0 is the whole match."""

        def groups(self) -> tuple[Found, ...]:
            """Return the texts of the groups from 1 on; None for those that took no part."""

        def end(self) -> int:
            """Return where the match ends."""


class ExpressionError(Exception):
    """RE2 refuses an expression; the text is RE2's: `reason: fragment`."""


class PatternError(ValueError):
    """An invalid regular expression; the message is Go's."""


class PatternUnavailableError(PatternError, ConduitError):
    """A valid regular expression that cannot be matched, because RE2 is not installed."""


def error_text(error: Exception) -> str:
    """Return what RE2 said, with bytes that are not UTF-8 in a quoted fragment replaced."""
    raw = error.args[0] if error.args else ""
    return raw.decode("utf-8", "replace") if isinstance(raw, bytes) else str(raw)
