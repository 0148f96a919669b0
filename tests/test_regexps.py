"""Patterns are Go's: what they match, what they refuse in which words, and that none of them can hang."""

from __future__ import annotations

import pytest

from conduit.regexps import PatternError, compile_pattern, quote_pattern

# What Go 1.27's regexp.Compile says.
GO_ERRORS = {
    "(": "missing closing ): `(`",
    "a)": "unexpected ): `a)`",
    "[": "missing closing ]: `[`",
    "[z-a]": "invalid character class range: `z-a`",
    "a**": "invalid nested repetition operator: `**`",
    "*a": "missing argument to repetition operator: `*`",
    "a{1001}": "invalid repeat count: `{1001}`",
    "(?P<n": "invalid named capture: `(?P<n`",
    r"\8": "invalid escape sequence: `\\8`",
    "(?=a)": "invalid or unsupported Perl syntax: `(?=`",
    r"(a)\1": "invalid escape sequence: `\\1`",
    "[[:foo:]]": "invalid character class range: `[:foo:]`",
    "a\\": "trailing backslash at end of expression: ``",
    "(?z)": "invalid or unsupported Perl syntax: `(?z`",
    "x{2,1}": "invalid repeat count: `{2,1}`",
    "((a{50}){50}){50}": "invalid repeat count: `{50}`",
    r"\p{Foo}": "invalid character class range: `\\p{Foo}`",
}


@pytest.mark.parametrize("text", GO_ERRORS)
def test_a_bad_pattern_is_refused_in_the_words_of_go(text: str) -> None:
    with pytest.raises(PatternError) as caught:
        compile_pattern(text)
    assert str(caught.value) == f"error parsing regexp: {GO_ERRORS[text]}"


@pytest.mark.parametrize(
    ("text", "name", "matches"),
    [
        ("[[:alpha:]]+", "x", True),
        (r"^main\z", "main", True),
        (r"^main\z", "main\n", False),
        ("(?i)MAIN", "main", True),
        (r"\Qa.b\E", "axb", False),
        ("", "anything", True),
        ("é.", "xéy", True),
        ("b", "a\udcffb", True),
        ("b", "a\ud800b", True),
    ],
)
def test_patterns_are_searched_for_as_go_does(text: str, name: str, matches: bool) -> None:
    pattern = compile_pattern(text)
    assert pattern.matches(name) is matches
    assert pattern.matches(name) is matches


def test_exponential_patterns_do_not_hang() -> None:
    # With `re` this test would not end.
    assert not compile_pattern("(a*)*(a|aa)+b$").matches("a" * 10_000)


def test_a_quoted_text_matches_itself_only() -> None:
    text = r"app.(*T)[x]{1}|^$\+?"
    assert compile_pattern(f"^{quote_pattern(text)}$").matches(text)
    assert not compile_pattern(quote_pattern("a.b")).matches("axb")
