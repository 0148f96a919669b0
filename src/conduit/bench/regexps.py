"""Go's regular expressions (RE2 syntax), compiled by Python's engine.

What the two languages share is passed through. What differs in spelling is translated: `\\z`, `$` (in Go the very
end of the text), `\\Q…\\E`, `[[:alpha:]]`, `\\C`. What RE2 does not have (backreferences, looking around, possessive
repetition) is refused with RE2's words, so that an expression that works here works there.
"""

from __future__ import annotations

import re

_POSIX = {
    "alnum": "0-9A-Za-z",
    "alpha": "A-Za-z",
    "ascii": "\\x00-\\x7f",
    "blank": "\\t ",
    "cntrl": "\\x00-\\x1f\\x7f",
    "digit": "0-9",
    "graph": "!-~",
    "lower": "a-z",
    "print": " -~",
    "punct": "!-/:-@\\[-`{-~",
    "space": "\\t\\n\\v\\f\\r ",
    "upper": "A-Z",
    "word": "0-9A-Za-z_",
    "xdigit": "0-9A-Fa-f",
}
_REPETITION = re.compile(r"(?:[*+?]|\{[0-9]+(?:,[0-9]*)?\})\??")
_GROUP = re.compile(r"\(\?(?:P?<[A-Za-z_][A-Za-z0-9_]*>|[imsU]*(?:-[imsU]+)?[:)])")
_FLAGS = re.compile(r"\(\?([imsU]*)((?:-[imsU]+)?)([:)])")
_PLAIN_ESCAPES = frozenset("dDsSwWbBaftnrv")


def compile_go_regexp(expression: str) -> re.Pattern[str]:
    """Compiles `expression`; raises `ValueError` whose text is Go's ("error parsing regexp: …")."""
    pattern, flags = _Translator(expression).translate()
    try:
        return re.compile(pattern, flags | re.ASCII)
    except (re.error, OverflowError, RecursionError) as error:
        raise _fault("invalid or unsupported syntax", f"{expression} ({error})") from None


def _fault(what: str, where: str) -> ValueError:
    return ValueError(f"error parsing regexp: {what}: `{where}`")


class _Translator:
    """Walks over an expression once, checking what RE2 checks and rewriting what Python spells otherwise."""

    def __init__(self, expression: str) -> None:
        self.expression = expression
        self.position = 0
        self.output: list[str] = []
        self.open_groups: list[str] = []
        self.flags = re.NOFLAG
        self.multiline = False
        self.repeatable = False

    def translate(self) -> tuple[str, re.RegexFlag]:
        while self.position < len(self.expression):
            self.step(self.expression[self.position])
        if "(" in self.open_groups:
            raise _fault("missing closing )", self.expression)
        self.output.append(")" * len(self.open_groups))
        return "".join(self.output), self.flags

    def emit(self, text: str, consumed: int, *, repeatable: bool = True) -> None:
        self.output.append(text)
        self.position += consumed
        self.repeatable = repeatable

    def step(self, character: str) -> None:
        if character == "\\":
            self.escape()
        elif character == "[":
            self.character_class()
        elif character == "(":
            self.open_group()
        elif character == ")":
            self.close_group()
        elif character == "|":
            self.emit("|", 1, repeatable=False)
        elif character == "$":
            self.emit("$" if self.multiline else r"\Z", 1)
        elif (match := _REPETITION.match(self.expression, self.position)) is not None:
            self.repetition(match[0])
        else:
            self.emit(r"\{" if character == "{" else character, 1)

    def repetition(self, text: str) -> None:
        if not self.repeatable:
            raise _fault("missing argument to repetition operator", text)
        following = _REPETITION.match(self.expression, self.position + len(text))
        if following:
            raise _fault("invalid nested repetition operator", text + following[0])
        numbers = [int(number) for number in re.findall(r"[0-9]+", text)]
        if any(number > 1000 for number in numbers) or numbers != sorted(numbers):
            raise _fault("invalid repeat count", text)
        self.emit(text, len(text), repeatable=False)

    def open_group(self) -> None:
        rest = self.expression[self.position :]
        if not rest.startswith("(?"):
            self.open_groups.append("(")
            self.emit("(", 1, repeatable=False)
            return
        match = _GROUP.match(rest)
        if match is None:
            raise _fault("invalid or unsupported Perl syntax", rest[:3])
        text = match[0]
        if "<" in text:
            self.open_groups.append("(")
            self.emit("(?P" + text[text.index("<") :], len(text), repeatable=False)
            return
        self.flag_group(text)

    def flag_group(self, text: str) -> None:
        """`(?i)` holds to the end of its group; Python wants a group around, which closes with the outer one."""
        match = _FLAGS.fullmatch(text)
        on, off, end = match.groups() if match else ("", "", ":")
        if "U" in on + off:
            raise _fault("invalid or unsupported Perl syntax", text)
        self.multiline = (self.multiline or "m" in on) and "m" not in off
        if end == ":":
            self.open_groups.append("(")
            self.emit(f"(?{on}{off}:", len(text), repeatable=False)
            return
        if not self.open_groups and not off and not any(self.output):
            for flag in on:
                self.flags |= {"i": re.IGNORECASE, "m": re.MULTILINE, "s": re.DOTALL}[flag]
            self.emit("", len(text), repeatable=False)
            return
        self.open_groups.append("?")
        self.emit(f"(?{on}{off}:", len(text), repeatable=False)

    def close_group(self) -> None:
        while self.open_groups and self.open_groups[-1] == "?":
            self.open_groups.pop()
            self.output.append(")")
        if not self.open_groups:
            raise _fault("unexpected )", self.expression)
        self.open_groups.pop()
        self.emit(")", 1)

    def escape(self) -> None:
        rest = self.expression[self.position :]
        if len(rest) == 1:
            raise _fault("trailing backslash at end of expression", "")
        if rest.startswith(r"\Q"):
            end = rest.find(r"\E")
            literal = rest[2:] if end < 0 else rest[2:end]
            self.emit(re.escape(literal), len(literal) + (2 if end < 0 else 4))
            return
        anchors = {"z": r"\Z", "A": r"\A", "C": "(?s:.)"}
        if rest[1] in anchors:
            self.emit(anchors[rest[1]], 2)
            return
        text, length = self.escaped_character(rest)
        self.emit(text, length)

    def escaped_character(self, rest: str) -> tuple[str, int]:
        """Reads one escape that may also stand inside brackets; returns it in Python's words, and its length."""
        if rest[1] in _PLAIN_ESCAPES:
            return rest[:2], 2
        if match := re.match(r"\\x(?:([0-9a-fA-F]{2})|\{([0-9a-fA-F]{1,6})\})", rest):
            code = int(match[1] or match[2], 16)
            if code <= 0x10FFFF:
                return re.escape(chr(code)), len(match[0])
        if match := re.match(r"\\(0[0-7]{0,2}|[1-7][0-7]{1,2})", rest):
            return re.escape(chr(int(match[1], 8))), len(match[0])
        if rest[1].isascii() and not rest[1].isalnum():
            return re.escape(rest[1]) if rest[1] != "_" else "_", 2
        raise _fault("invalid escape sequence", rest[:2])

    def character_class(self) -> None:
        text = self.expression
        start = self.position
        position = start + 1
        pieces = ["["]
        if text.startswith("^", position):
            pieces.append("^")
            position += 1
        first = True
        while position < len(text) and (first or text[position] != "]"):
            piece, length = self.class_member(text[position:])
            pieces.append(piece)
            position += length
            first = False
        if position >= len(text):
            raise _fault("missing closing ]", text[start:])
        self.emit("".join([*pieces, "]"]), position + 1 - start)

    def class_member(self, rest: str) -> tuple[str, int]:
        if match := re.match(r"\[:(\^?)(\w+):\]", rest):
            if match[1] or match[2] not in _POSIX:
                raise _fault("invalid character class range", match[0])
            return _POSIX[match[2]], len(match[0])
        low, length = self.class_character(rest)
        if rest[length : length + 1] != "-" or rest[length + 1 : length + 2] in ("", "]"):
            return low, length
        high, more = self.class_character(rest[length + 1 :])
        end = length + 1 + more
        try:
            re.compile(f"[{low}-{high}]")
        except re.error:
            raise _fault("invalid character class range", rest[:end]) from None
        return f"{low}-{high}", end

    def class_character(self, rest: str) -> tuple[str, int]:
        if rest[0] != "\\":
            return re.escape(rest[0]), 1
        if len(rest) == 1:
            raise _fault("missing closing ]", self.expression[self.position :])
        if rest[1] in "bB":
            raise _fault("invalid escape sequence", rest[:2])
        return self.escaped_character(rest)
