"""Lines found in a file's text are those of its syntax tree, in awkward sources and in the standard library's."""

from __future__ import annotations

import argparse
import ast
import enum
import logging
import tarfile
import typing
import unittest.mock
from pathlib import Path
from types import ModuleType

import pytest

from conduit.sources.collector import source_text
from conduit.sources.collector.source_text import ClassBlock, SourceFile, SourceText

AWKWARD = {
    "twice in if and else": "if x:\n    class A:\n        a = 1\nelse:\n    class A:\n        b = 1\nclass B: pass\n",
    "twice": "class A:\n    a = 1\n\nclass A:\n    b = 1\n",
    "nested": "class A:\n    class B:\n        b = 1\n        class C:\n            c = 1\n    a = 1\n",
    "in functions": "def f():\n    class A:\n        a = 1\n    return A\nclass A:\n    b = 1\n",
    "decorated": "@x\n@y(\n    1,\n)\nclass A(\n    Base,\n):\n    @z\n    def f(self): ...\n    @z\n    class B: ...\n",
    "in a docstring": '"""\nclass A:\n    old = 1\n"""\n\nclass A:\n    new = 1\n',
    "in a string of one line": "x = 'class A:'\ny = \"class A:\\\nclass B:\"\nclass A:\n    a = 1\n",
    "only in a string": "x = '''\nclass A:\n    a = 1\n'''\n",
    "strings in a body": "class A:\n    '''\nclass B:\n    b = 1\n'''\n    a = '''\nc = 1\n'''\n    d = 1\n",
    "brackets at the left": "class A:\n    a = f(\n    b=1,\nc=2,\n    )\n    d = [\n1,\n]\n    e = 1\n",
    "continued lines": "class A:\n    a = \\\n    b = 1\n    c = 1 + \\\n1\n    d \\\n    = 1\n",
    "a continued header": "class \\\n    A:\n    a = 1\nclass B:\n    b = 1\n",
    "tabs": "class A:\n\ta = 1\n\tdef f(self):\n\t\tb = 1\n\tc = 1\nif x:\n\tclass B:\n\t\td = 1\n",
    "tabs and blanks": "class A:\n    if x:\n\ta = 1\n    b = 1\n",
    "form feeds": "\f\nclass A:\n    a = 1\n\f\n\fclass B:\n    b = 1\n",
    "line ends of Windows": "class A:\r\n    a = 1\r\n\r\n    b = '''\r\nc\r\n'''\r\n    d = 1\r\n",
    "one line": "class A: a = 1; b = 2\nclass B: pass\n",
    "several in a line": "class A:\n    a = 1; b = 2\n    c: int; d: int = 1\n",
    "targets": (
        "class A:\n    a = b = 1\n    c, d = 1, 2\n    (e, f) = 1, 2\n    [g, h] = 1, 2\n    i: int\n    j: int = 1\n"
        "    k += 1\n    k //= 2\n    l.m = 1\n    n[0] = o = 1\n    p = (q, r) = 1, 2\n    s = t[0] = u = 1\n"
        "    v == 1\n    w, *x = 1, 2\n    (y) = 1\n    z = lambda a=1: a\n"
    ),
    "compound statements": (
        "class A:\n    try:\n        a = 1\n    except E:\n        b = 1\n    else:\n        c = 1\n"
        "    for d in e:\n        f = 1\n    with g as h:\n        i = 1\n    while j:\n        k = 1\n"
    ),
    "words that are names, too": "class A:\n    match: str = 1\n    case = 1\n    type = 1\n    match = 2\n    _ = 1\n",
    "a match statement": "class A:\n    match x:\n        case 1:\n            a = 1\n    b = 1\n",
    "asynchronous": "async def f():\n    class A: ...\nclass A:\n    async def f(self): ...\n    async  def g(self): ...\n",
    "statements that bind nothing": (
        "class A:\n    'text'\n    ...\n    pass\n    import os\n    from os import path\n    del a\n    assert b == 1\n"
        "    f(c=1)\n    d.e\n    global g\n    h = 1\n"
    ),
    "bound again": "class A:\n    a = 1\n    a = 2\n    def a(self): ...\n",
    "comments": "class A:  # class B:\n# a = 1\n    # '''\n    b = 1  # \"\"\"\n        # c = 1\n    d = 1\n",
    "a comment with quotes before a string": "# it's '''\nclass A:\n    a = '''\nclass B:\n'''\n    b = 1\n",
    "names of other alphabets": "class Größe:\n    länge = 1\n    a = 1\nclass Gr:\n    b = 1\nclass A:\n    größe = 1\n",
    "names that begin alike": "class Ab:\n    a = 1\nclass A:\n    ab = 1\n    a = 2\nclass A2: ...\n",
    "raw strings": "class A:\n    a = r'\\''\n    b = r\"\\\\\"\n    c = br'''\\''''\n    d = 1\n",
    "the end without a newline": "class A:\n    a = 1\n    b = 2",
    "blanks at the end": "class A:\n    a = 1\n    ",
    "a later statement in brackets": "class A:\n    a = 1\n(\n  b\n)\nclass B:\n    b = 1\n",
    "operators": "class A:\n    a -= 1\n    b **= 1\n    c >>= 1\n    d @= 1\n    e < f\n    g != h\n    i <= j\n",
    "nothing": "",
}
if hasattr(ast, "TypeAlias"):
    AWKWARD["quotes in an f-string"] = (
        'a = f"{d[\'\'\'\nb\'\'\']}"\nclass A:\n    a = f"{d["#"]}"\n    b = f"{d["("]}"\n'
    )
    AWKWARD["an alias of a type"] = "class A:\n    type B = int\n    b = 1\n"
    AWKWARD["parameters of types"] = "class A[T]:\n    a: T\n    def f[U](self): ...\n    class B[T]: ...\n"


def compare(data: bytes) -> None:
    expected, found = SourceFile(data), SourceText(data)
    for name in {*expected.classes, "A", "B", "A.B", "Nobody", "A.Nobody", "nobody.<locals>.A"}:
        bodies = expected.classes.get(name, [])
        statements = found.classes(name)
        assert [one.line for one in statements] == [one.line for one in bodies], name
        assert [one.attributes for one in statements] == [one.attributes for one in bodies], name


@pytest.mark.parametrize("name", AWKWARD)
def test_lines_of_an_awkward_source_are_those_of_its_syntax_tree(name: str) -> None:
    if name == "tabs and blanks":
        with pytest.raises(SyntaxError):
            ast.parse(AWKWARD[name])
        assert [one.line for one in SourceText(AWKWARD[name].encode()).classes("A")] == [1]
        return
    compare(AWKWARD[name].encode())


@pytest.mark.parametrize(
    "data",
    [
        "# coding: latin-1\nclass Größe:\n    länge = 1\n    a = '''\nclass A: ...'''\n".encode("latin-1"),
        b"\xef\xbb\xbfclass A:\n    a = 1\n",
        b"#!/usr/bin/python\n# -*- coding: UTF-8 -*-\nclass A:\n    a = 1\n",
    ],
    ids=["Latin-1", "a byte order mark", "UTF-8"],
)
def test_lines_are_found_whatever_the_encoding(data: bytes) -> None:
    compare(data)


@pytest.mark.parametrize("module", [argparse, ast, enum, logging, tarfile, typing, unittest.mock])
def test_lines_of_the_standard_library_are_those_of_its_syntax_trees(module: ModuleType) -> None:
    compare(Path(module.__file__ or "").read_bytes())


def test_a_class_of_a_large_file_is_found_without_a_syntax_tree(monkeypatch: pytest.MonkeyPatch) -> None:
    data = Path(argparse.__file__).read_bytes()
    expected = SourceFile(data).classes["ArgumentParser"][0]
    monkeypatch.setattr(source_text, "SourceFile", None)
    (found,) = SourceText(data).classes("ArgumentParser")
    assert isinstance(found, ClassBlock)
    assert (found.line, found.attributes) == (expected.line, expected.attributes)


def test_a_text_that_is_no_python_has_no_classes_that_are_not_plain_to_see() -> None:
    found = SourceText(b"if x:\n    class A:\n        a = (\n")
    assert found.classes("A") == []
    assert found.tree().function_at(1) == ""
    (block,) = SourceText(b"class A:\n    a = ((\n").classes("A")
    assert block.attributes == {}
