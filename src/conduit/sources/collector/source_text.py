"""Lines of classes and of the names in their bodies, read from a file's text without a syntax tree of all of it.

A tree of a large file costs more than importing it does. Only the class statements that are asked for are looked up: a
top-level one by its line, the names of its body by a scanner that knows strings, comments and brackets. What the
scanner does not know for certain is read from the tree, of one statement, of the class or of the file.
"""

from __future__ import annotations

import ast
import re
from typing import Any

_STRING = (
    rb'"""[^"\\]*(?:(?:\\.|"(?!""))[^"\\]*)*"""'
    rb"|'''[^'\\]*(?:(?:\\.|'(?!''))[^'\\]*)*'''"
    rb'|"[^"\\\n]*(?:\\.[^"\\\n]*)*"'
    rb"|'[^'\\\n]*(?:\\.[^'\\\n]*)*'"
    rb"|\"|'"  # one that does not end, as where an f-string holds its own quotes
)
_STRINGS = re.compile(rb"#[^\n]*|" + _STRING, re.DOTALL)
_LEXEMES = re.compile(
    rb"\n[ \t]*|#[^\n]*|" + _STRING + rb"|\(|\)|\[|\]|\{|\}|;|\\\n", re.DOTALL
)  # each alternative begins with one literal: `re` then looks for these bytes alone
_NAME_ENDS = rb"(?![\w\x80-\xff])"
_HEADERS = re.compile(rb"\n([ \t]*)(class|def|async[ \t]+def)[ \t]+([A-Za-z_]\w*)" + _NAME_ENDS)
_SPLIT_HEADER = re.compile(rb"\n[ \t]*(?:class|def|async(?:[ \t]+def)?)[ \t]*\\\n")
_ENCODING = re.compile(rb"\n(?:[^\n]*\n)?[ \t\f]*#[^\n]*?coding[:=][ \t]*([-\w.]+)")
_UTF8 = frozenset((b"utf-8", b"utf8", b"utf-8-sig"))

_BINDING = re.compile(
    rb"(class|def|async[ \t]+def)[ \t]+([A-Za-z_]\w*)"
    + _NAME_ENDS
    + rb"|([A-Za-z_]\w*)"
    + _NAME_ENDS
    + rb"[ \t]*"
    rb"(=(?!=)|:(?!=)|(?:[-+*/%&|^@]|//|\*\*|>>|<<)=)?"
)
_SECOND_TARGET = re.compile(rb"[ \t]*(?:[(\[*\\]|[^\n#\"'()]*[^\n#\"'()=!<>]=(?!=))")
"""Behind `name =`: there may be another target."""

_BINDING_NOTHING = frozenset(b"pass del import from global nonlocal assert raise lambda".split())
_COMPOUND = frozenset(b"if elif else for while with try except finally async match case".split())
_COMPOUND_ALONE = frozenset(b"else try except finally".split())
"""Those that a colon may follow; `match: str` is an annotation."""

_OPENING, _CLOSING = frozenset(b"([{"), frozenset(b")]}")
_NEWLINE, _HASH, _SEMICOLON, _AT, _QUOTES = 10, 35, 59, 64, frozenset(b"\"'")
_TRIPLES = (b'"""', b"'''")


class ClassBody:
    """One class statement of a syntax tree: its line, and the line of each name bound in its body."""

    __slots__ = ("attributes", "line")

    def __init__(self, line: int) -> None:
        self.line = line
        self.attributes: dict[str, int] = {}


class SourceFile:
    """The contents of a syntax tree.

    These are its classes by qualified name (every statement of that name, in order) and its functions. `text` may be a
    part of a file that begins at `first_line`.
    """

    __slots__ = ("classes", "functions")

    def __init__(self, text: str | bytes, first_line: int = 1) -> None:
        self.classes: dict[str, list[ClassBody]] = {}
        # (first line with decorators, last line, qualified name), inner functions after outer ones
        self.functions: list[tuple[int, int, str]] = []
        self._walk(_statements(text, first_line), "", None)

    def _walk(self, statements: list[Any], prefix: str, body: ClassBody | None) -> None:
        for statement in statements:
            if isinstance(statement, ast.ClassDef):
                self._note(body, statement.name, statement.lineno)
                inner = ClassBody(statement.lineno)
                self.classes.setdefault(prefix + statement.name, []).append(inner)
                self._walk(statement.body, prefix + statement.name + ".", inner)
            elif isinstance(statement, (ast.FunctionDef, ast.AsyncFunctionDef)):
                self._note(body, statement.name, statement.lineno)
                first = min([statement.lineno, *(d.lineno for d in statement.decorator_list)])
                name = prefix + statement.name
                self.functions.append((first, statement.end_lineno or first, name))
                self._walk(statement.body, name + ".<locals>.", None)
            else:
                for target in _targets(statement):
                    self._note(body, target.id, target.lineno)
                for block in ("body", "orelse", "finalbody"):
                    self._walk(getattr(statement, block, []) or [], prefix, body)
                for handler in getattr(statement, "handlers", []):
                    self._walk(handler.body, prefix, body)

    @staticmethod
    def _note(body: ClassBody | None, name: str, line: int) -> None:
        if body is not None:
            body.attributes[name] = line

    def function_at(self, line: int) -> str:
        """Return the qualified name of the innermost function that starts at `line`, or an empty text."""
        named = [name for first, _, name in self.functions if first == line]
        return named[-1] if named else ""


def _statements(text: str | bytes, first_line: int) -> list[Any]:
    if first_line > 1:
        text = b"\n" * (first_line - 1) + (text.encode() if isinstance(text, str) else text)
    return ast.parse(text).body


def _targets(statement: Any) -> list[ast.Name]:
    if isinstance(statement, ast.Assign):
        written = statement.targets
    elif isinstance(statement, (ast.AnnAssign, ast.AugAssign)):
        written = [statement.target]
    else:
        return []
    found: list[ast.Name] = []
    for target in written:
        parts = target.elts if isinstance(target, (ast.Tuple, ast.List)) else [target]
        found += [part for part in parts if isinstance(part, ast.Name)]
    return found


class UncertainError(Exception):
    """The scanner cannot tell; the syntax tree can."""


class SourceText:
    """The class statements of a file, each read when it is asked for."""

    __slots__ = ("_classes", "_data", "_headers", "_is_plain", "_strings", "_tree", "text")

    def __init__(self, data: bytes) -> None:
        self._data = data
        text = b"\n" + data.removeprefix(b"\xef\xbb\xbf")
        if b"\r" in text:
            text = text.replace(b"\r\n", b"\n").replace(b"\r", b"\n")
        if b"\f" in text:
            text = text.replace(b"\n\f", b"\n")  # it ends an indentation, and begins another
        self.text = text
        """After one newline, so that every line has one before it."""
        encoding = _ENCODING.match(text)
        is_utf8 = encoding is None or encoding[1].lower().replace(b"_", b"-") in _UTF8
        is_split = b"\\\n" in text and _SPLIT_HEADER.search(text) is not None
        self._is_plain = is_utf8 and not is_split
        self._classes: dict[str, list[ClassBody | ClassBlock]] = {}
        self._headers: dict[str, list[tuple[int, bool, bool]]] | None = None
        self._strings: list[tuple[int, int]] | None = None
        self._tree: SourceFile | None = None

    def classes(self, name: str) -> list[ClassBody | ClassBlock]:
        """Return the class statements of a qualified name, in order."""
        found = self._classes.get(name)
        if found is None:
            try:
                found = self._find(name)
            except UncertainError:
                found = list(self.tree().classes.get(name, ()))
            self._classes[name] = found
        return found

    def tree(self) -> SourceFile:
        """Return the contents of the whole file's syntax tree; of an empty one if the text is no Python."""
        if self._tree is None:
            try:
                self._tree = SourceFile(self._data)
            except (SyntaxError, ValueError, RecursionError):
                self._tree = SourceFile("")
        return self._tree

    def _find(self, name: str) -> list[ClassBody | ClassBlock]:
        outermost, _, inner = name.partition(".")
        if not self._is_plain or not outermost.isascii():
            raise UncertainError
        starts = []
        for start, is_class, is_top in self._known_headers().get(outermost, ()):
            if not self._is_in_string(start):
                if not is_top:  # below an `if`, or a namesake in a function or class
                    raise UncertainError
                starts.append((start, is_class))
        if not inner:
            return [ClassBlock(self, name, start) for start, is_class in starts if is_class]
        found: list[ClassBody | ClassBlock] = []
        for start, _ in starts:
            found += ClassBlock(self, outermost, start).tree().classes.get(name, ())
        return found

    def _known_headers(self) -> dict[str, list[tuple[int, bool, bool]]]:
        """Return name → (offset of the line, whether it is a class, whether it is not indented), strings included."""
        if self._headers is None:
            self._headers = {}
            for found in _HEADERS.finditer(self.text):
                indent, keyword, name = found.groups()
                entry = (found.start() + 1, keyword == b"class", not indent)
                self._headers.setdefault(name.decode(), []).append(entry)
        return self._headers

    def _is_in_string(self, offset: int) -> bool:
        if self._strings is None:
            self._strings = _long_strings(self.text)
        return any(start < offset < end for start, end in self._strings)


def _long_strings(text: bytes) -> list[tuple[int, int]]:
    """Return where strings of more than one line begin and end."""
    found = []
    for one in _STRINGS.finditer(text):
        lexeme = one[0]
        if text[one.start()] == _HASH:
            _check_comment(lexeme)
        elif len(lexeme) == 1:
            raise UncertainError
        elif b"\n" in lexeme:
            found.append(one.span())
    return found


def _check_comment(lexeme: bytes) -> None:
    """Raise `UncertainError` if the comment may be a part of an f-string and hide where another string begins."""
    if _TRIPLES[0] in lexeme or _TRIPLES[1] in lexeme:
        raise UncertainError


class ClassBlock:
    """A top-level statement, a class or function, and what follows in its block."""

    __slots__ = ("_attributes", "_file", "_name", "_start", "line")

    def __init__(self, file: SourceText, name: str, start: int) -> None:
        """`start` is the offset of the header's line in the file's text."""
        self._file = file
        self._name = name
        self._start = start
        self.line = file.text.count(b"\n", 0, start)
        self._attributes: dict[str, int] | None = None

    @property
    def attributes(self) -> dict[str, int]:
        """The line of each name bound in the body of a class."""
        if self._attributes is None:
            try:
                self._attributes = self._scan()
            except UncertainError:
                self._attributes = self._attributes_of_tree()
        return self._attributes

    def tree(self) -> SourceFile:
        """Return the contents of the block's syntax tree."""
        *_, (end, _) = _logical_lines(self._file.text, self._start)
        try:
            return SourceFile(self._file.text[self._start : end], self.line)
        except (SyntaxError, ValueError, RecursionError) as error:
            raise UncertainError from error

    def _attributes_of_tree(self) -> dict[str, int]:
        try:
            tree = self.tree()
        except UncertainError:
            tree = self._file.tree()
        bodies = tree.classes.get(self._name, ())
        return next((body.attributes for body in bodies if body.line == self.line), {})

    def _scan(self) -> dict[str, int]:
        text = self._file.text
        found: dict[str, int] = {}
        body, statement, line, counted = b"", -1, self.line, self._start
        for offset, indent in _logical_lines(text, self._start):
            if statement >= 0:
                line += text.count(b"\n", counted, statement)
                counted = statement
                _bind(text, statement, offset, line, found)
                statement = -1
            body = body or indent
            if indent and indent == body:
                statement = offset
            elif indent and not indent.startswith(body):
                raise UncertainError
        if not body:  # `class A: x = 1`
            raise UncertainError
        return found


def _logical_lines(text: bytes, start: int) -> Any:
    """Yield (offset of the first word, indentation) of each logical line behind the one at `start`.

    The last one is that of the next statement without indentation, or of the end.
    """
    depth = 0
    for found in _LEXEMES.finditer(text, start):
        first = text[found.start()]
        if first == _NEWLINE:
            offset = found.end()
            if depth or text[offset : offset + 1] in (b"\n", b"#", b""):
                continue
            indent = text[found.start() + 1 : offset]
            yield offset, indent
            if not indent:
                return
        elif first in _OPENING:
            depth += 1
        elif first in _CLOSING:
            depth -= 1
        elif first == _HASH:
            _check_comment(found[0])
        elif first == _SEMICOLON or (first in _QUOTES and len(found[0]) == 1):
            raise UncertainError
    if depth:
        raise UncertainError
    yield len(text), b""


def _bind(text: bytes, start: int, end: int, line: int, found: dict[str, int]) -> None:
    """Note the names that the statement from `start` binds; `end` is the next logical line's offset."""
    head = _BINDING.match(text, start)
    if head is None:
        if text[start] == _AT or text[start] in _QUOTES:  # a decorator, a docstring
            return
    elif head[1]:
        found[head[2].decode()] = line
        return
    elif head[3] in (_COMPOUND if head[4] is None else _COMPOUND_ALONE):
        raise UncertainError
    elif head[3] in _BINDING_NOTHING:
        return
    elif head[4] is not None and not (head[4] == b"=" and _SECOND_TARGET.match(text, head.end())):
        found[head[3].decode()] = line
        return
    try:
        statements = ast.parse(text[start:end].strip()).body
    except (SyntaxError, ValueError, RecursionError) as error:
        raise UncertainError from error
    for statement in statements:
        for target in _targets(statement):
            found[target.id] = line + target.lineno - 1
