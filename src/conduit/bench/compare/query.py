"""The two small languages of benchstat, read into trees: filters and projections.

A filter is `key:value` terms joined by AND (or nothing) and OR, negated by `-`, grouped by parentheses; a value
is a word, a quoted word, `/a regular expression/`, or `(a OR b)`. A projection is a list of keys, each with an
optional order: `key`, `key@alpha`, `key@num`, `key@(a b c)`. Both share one tokenizer (golang.org/x/perf,
package benchproc/syntax, documents them).
"""

from __future__ import annotations

import re
from typing import NamedTuple

from conduit.errors import QuerySyntaxError
from conduit.regexps import Pattern, compile_pattern

_OPERATORS = "():@,"
_WORD = re.compile(r"[^\s():@,]*")
_NAMED_ESCAPES = {
    "a": "\a",
    "b": "\b",
    "f": "\f",
    "n": "\n",
    "r": "\r",
    "t": "\t",
    "v": "\v",
    "\\": "\\",
    '"': '"',
}
_ESCAPE = re.compile(
    r"\\(?:x([0-9a-fA-F]{2})|u([0-9a-fA-F]{4})|U([0-9a-fA-F]{8})|([0-7]{3})|([abfnrtv\\\"])|(.?))", re.DOTALL
)


class Match(NamedTuple):
    """A filter's leaf: the value of `key` equals `literal`, or is matched by `pattern` where there is one."""

    key: str
    literal: str
    pattern: Pattern | None
    offset: int

    def accepts(self, value: str) -> bool:
        """Return whether a value passes."""
        return value == self.literal if self.pattern is None else self.pattern.matches(value)


class Operation(NamedTuple):
    """A filter's inner node: `and`, `or` (of any number of terms, none included) or `not` (of one)."""

    operator: str
    terms: list[Filter]


Filter = Match | Operation


class Field(NamedTuple):
    """One key of a projection, with the order of its values: `first`, `fixed` or a name."""

    key: str
    order: str
    fixed: list[str]
    key_offset: int
    order_offset: int


class _Token(NamedTuple):
    kind: (
        str  # the operator itself; w word, q quoted word, r regular expression, A and, O or; empty at the end
    )
    text: str
    offset: int
    end: int
    pattern: Pattern | None = None


_MAX_DEPTH = 100  # of a filter, whose parts are read and evaluated by recursion


def parse_filter(query: str) -> Filter:
    """Read a filter; raises `QuerySyntaxError`."""
    parser = _FilterParser(query)
    tree = parser.any_of()
    parser.expect_end()
    return tree


def parse_projection(query: str) -> list[Field]:
    """Read a projection; an empty text has no fields. Raises `QuerySyntaxError`."""
    parser = _ProjectionParser(query)
    fields: list[Field] = []
    while (token := parser.peek()).kind:
        if token.kind == "," and fields:
            parser.take(token)
        fields.append(parser.field())
    return fields


class _Parser:
    """A position in a query, and the token behind it."""

    def __init__(self, query: str) -> None:
        self.query = query
        self.position = 0

    def fault(self, message: str, offset: int | None = None) -> QuerySyntaxError:
        return QuerySyntaxError(self.query, self.position if offset is None else offset, message)

    def take(self, token: _Token) -> None:
        self.position = token.end

    def peek(self, *, regexps: bool = False) -> _Token:
        """Return the next token, left in place. Only where a value may stand does `/` begin a regular expression."""
        query, start = self.query, self.position
        while start < len(query) and query[start].isspace():
            start += 1
        self.position = start
        if start == len(query):
            return _Token("", "", start, start)
        first = query[start]
        if first in _OPERATORS or first in "-*":
            return _Token(first, first, start, start + 1)
        if first == "/" and regexps:
            return self.regexp(start)
        if first == '"':
            return self.quoted(start)
        match = _WORD.match(query, start)
        word = match[0] if match else ""
        kind = {"AND": "A", "OR": "O"}.get(word, "w")
        return _Token(kind, word, start, start + len(word))

    def quoted(self, start: int) -> _Token:
        end = start + 1
        query = self.query
        while end < len(query) and (query[end] != '"' or query[end - 1] == "\\"):
            end += 1
        if end == len(query):
            raise self.fault("missing end quote", start)
        return _Token("q", self.unescape(query[start + 1 : end], start), start, end + 1)

    def unescape(self, body: str, start: int) -> str:
        def character(match: re.Match[str]) -> str:
            two, four, eight, octal, named, _ = match.groups()
            number = two or four or eight
            if named:
                return _NAMED_ESCAPES[named]
            code = int(number, 16) if number else int(octal, 8) if octal else -1
            if not 0 <= code <= (0xFF if two or octal else 0x10FFFF):
                raise self.fault("bad escape sequence", start)
            return chr(code)

        if "\n" in body:
            raise self.fault("bad escape sequence", start)
        return _ESCAPE.sub(character, body)

    def regexp(self, start: int) -> _Token:
        end = self.end_of_regexp(start + 1)
        text = self.query[start + 1 : end]
        try:
            pattern = compile_pattern(text)
        except ValueError as error:
            raise self.fault(str(error), start) from None
        following = self.query[end + 1 : end + 2]
        if following and not (following.isspace() or following in _OPERATORS or following in "-*"):
            raise self.fault('regexp must be followed by space or an operator (unescaped "/"?)', end + 1)
        return _Token("r", text, start, end + 1, pattern)

    def end_of_regexp(self, position: int) -> int:
        """Find the closing `/`: the first that is neither escaped nor inside brackets or parentheses."""
        start = position - 1
        brackets = parentheses = 0
        query = self.query
        while position < len(query):
            character = query[position]
            if character == "/" and not brackets and not parentheses:
                return position
            if character == "[":
                brackets += 1
            elif character == "]":
                brackets = max(brackets - 1, 0)
            elif character in "()" and not brackets:
                parentheses += 1 if character == "(" else -1
            position += 2 if character == "\\" else 1
        raise self.fault('missing close "/"', start)


class _FilterParser(_Parser):
    depth = 0

    def expect_end(self) -> None:
        token = self.peek()
        if token.kind:
            raise self.fault(f'unexpected "{token.text}"')

    def any_of(self) -> Filter:
        terms = [self.all_of()]
        while (token := self.peek()).kind == "O":
            self.take(token)
            terms.append(self.all_of())
        return terms[0] if len(terms) == 1 else Operation("or", terms)

    def all_of(self) -> Filter:
        terms = [self.term()]
        while (token := self.peek()).kind not in (")", "O", ""):
            if token.kind == "A":
                self.take(token)
            elif token.kind in "(-*wq":
                terms.append(self.term())
            else:
                raise self.fault(f'unexpected "{token.text}"')
        return terms[0] if len(terms) == 1 else Operation("and", terms)

    def term(self) -> Filter:
        token = self.peek()
        start = token.offset
        self.take(token)
        if token.kind not in ("(", "-"):
            return self.leaf(token, start)
        if self.depth == _MAX_DEPTH:
            raise self.fault(f"more than {_MAX_DEPTH} levels of parentheses and negations", start)
        self.depth += 1
        nested = self.nested(token)
        self.depth -= 1
        return nested

    def nested(self, token: _Token) -> Filter:
        if token.kind == "(":
            inner = self.any_of()
            if (close := self.peek()).kind != ")":
                raise self.fault('missing ")"')
            self.take(close)
            return inner
        return Operation("not", [self.term()])

    def leaf(self, token: _Token, start: int) -> Filter:
        if token.kind == "*":
            return Operation("and", [])
        if token.kind in ("w", "q"):
            return self.match(token, start)
        raise self.fault("expected key:value or subexpression", start)

    def match(self, key: _Token, start: int) -> Filter:
        colon = self.peek()
        if colon.kind != ":":
            raise self.fault("expected key:value", start)
        self.take(colon)
        value = self.peek(regexps=True)
        if value.kind == "(":
            self.take(value)
            return self.one_of(key)
        if value.kind not in ("w", "q", "r"):
            raise self.fault("expected key:value", start)
        self.take(value)
        return _leaf(key, value)

    def one_of(self, key: _Token) -> Filter:
        terms: list[Filter] = []
        while True:
            value = self.peek(regexps=True)
            if value.kind not in ("w", "q", "r"):
                raise self.fault("expected value")
            self.take(value)
            terms.append(_leaf(key, value))
            joint = self.peek(regexps=True)
            if joint.kind not in (")", "O"):
                raise self.fault("value list must be separated by OR")
            self.take(joint)
            if joint.kind == ")":
                return Operation("or", terms)


def _leaf(key: _Token, value: _Token) -> Match:
    return Match(key.text, value.text, value.pattern, key.offset)


class _ProjectionParser(_Parser):
    def field(self) -> Field:
        key = self.peek()
        if key.kind not in ("w", "q"):
            raise self.fault("expected key")
        self.take(key)
        at = self.peek()
        if at.kind != "@":
            return Field(key.text, "first", [], key.offset, key.offset + len(key.text))
        self.take(at)
        order = self.peek()
        if order.kind in ("w", "q"):
            self.take(order)
            return Field(key.text, order.text, [], key.offset, order.offset)
        if order.kind != "(":
            raise self.fault("expected named sort order or parenthesized list")
        self.take(order)
        return Field(key.text, "fixed", self.fixed_values(), key.offset, order.offset)

    def fixed_values(self) -> list[str]:
        values: list[str] = []
        while (token := self.peek()).kind in ("w", "q"):
            self.take(token)
            values.append(token.text)
        if token.kind != ")":
            raise self.fault("missing )")
        if not values:
            raise self.fault("nothing to match")
        self.take(token)
        return values
