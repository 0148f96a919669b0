from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conduit.bench.compare.keys import split_name
from conduit.bench.compare.query import parse_filter, parse_projection
from conduit.errors import QuerySyntaxError
from conduit.regexps import compile_pattern


@given(st.text(alphabet="ab/=-09 ", max_size=20))
def test_the_parts_of_a_name_are_the_name(name: str) -> None:
    assert "".join(split_name(name)) == name


@pytest.mark.parametrize(
    ("query", "message", "column"),
    [
        ("(", "expected key:value or subexpression", 1),
        ("a:b )", 'unexpected ")"', 4),
        ('a:"b', "missing end quote", 2),
        (r'a:"\q"', "bad escape sequence", 2),
        ("a:(b c)", "value list must be separated by OR", 5),
        ("a:()", "expected value", 3),
        ("a:/x/y", 'regexp must be followed by space or an operator (unescaped "/"?)', 5),
        ("a:/(/", 'missing close "/"', 2),
        ("a:/[/]", 'missing close "/"', 2),
        ("-", "expected key:value or subexpression", 1),
        ("a:b c", "expected key:value", 4),
    ],
)
def test_a_wrong_filter_is_told_with_its_place(query: str, message: str, column: int) -> None:
    with pytest.raises(QuerySyntaxError) as caught:
        parse_filter(query)
    assert (caught.value.message, caught.value.offset) == (message, column)
    assert str(caught.value) == f"syntax error: {message}\n\t{query}\n\t{' ' * column}^"


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("a@", "expected named sort order or parenthesized list"),
        ("a@()", "nothing to match"),
        ("a@(b", "missing )"),
        (",a", "expected key"),
        ("(a)", "expected key"),
    ],
)
def test_a_wrong_projection_is_told(query: str, message: str) -> None:
    with pytest.raises(QuerySyntaxError, match=re.escape(message)):
        parse_projection(query)


@given(st.text(max_size=30))
def test_any_text_is_a_filter_or_a_syntax_error(query: str) -> None:
    for parse in (parse_filter, parse_projection):
        try:
            parse(query)
        except QuerySyntaxError as error:
            assert 0 <= error.offset <= len(query)


@given(st.text(alphabet=r"ab()[]{}*+?\|^$.-:,0129Qz<>i=!", max_size=15))
def test_any_text_is_a_regular_expression_or_a_value_error(expression: str) -> None:
    try:
        compile_pattern(expression)
    except ValueError as error:
        assert str(error).startswith("error parsing regexp: ")


@pytest.mark.parametrize(
    ("expression", "text", "matches"),
    [
        ("k$", "1k", True),
        ("k$", "k\n", False),
        (r"\Qa.b\E", "a.b", True),
        (r"\Qa.b\E", "axb", False),
        ("[[:digit:]]+x", "12x", True),
        ("(?i)ABC", "xabc", True),
        ("a(?i)b", "aB", True),
        ("a{2}", "aa", True),
        ("a{", "a{", True),
        (r"\z", "x", True),
        ("[]a]", "]", True),
        ("[^]a]", "]", False),
    ],
)
def test_regular_expressions_mean_what_they_mean_in_go(expression: str, text: str, matches: bool) -> None:
    assert bool(compile_pattern(expression).matches(text)) is matches


@pytest.mark.parametrize(
    "expression", ["(?=a)", "(?<=a)", r"(a)\1", "a**", "a*+", "*", "a)", "(a", "[a", "\\", "[z-a]", "a{2,1}"]
)
def test_what_go_refuses_is_refused(expression: str) -> None:
    with pytest.raises(ValueError, match="error parsing regexp"):
        compile_pattern(expression)


def test_a_filter_nested_beyond_reason_is_refused_with_its_place() -> None:
    parse_filter("(" * 100 + "a:b" + ")" * 100)
    for query in ("(" * 101 + "a:b" + ")" * 101, "-" * 5000 + "a:b"):
        with pytest.raises(
            QuerySyntaxError, match="more than 100 levels of parentheses and negations"
        ) as caught:
            parse_filter(query)
        assert caught.value.offset == 100
