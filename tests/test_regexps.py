"""Patterns are Go's: what they match, what they refuse in which words, and that none of them can hang.

These tests hold with google-re2 and with pyre2, whichever the version of Python has.
"""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest

from conduit.regexps import PatternError, PatternUnavailableError, compile_pattern, quote_pattern
from conduit.regexps.engine import engine_name
from conduit.regexps.plain import compile_plain

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
    "a(?=b)": "invalid or unsupported Perl syntax: `(?=`",
    r"\Z": "invalid escape sequence: `\\Z`",
    r"[\b]": "invalid escape sequence: `\\b`",
    r"x\d(": "missing closing ): `x\\d(`",
    r"\x4": "invalid escape sequence: `\\x4`",
    r"\x{110000}": "invalid escape sequence: `\\x{110000`",
    r"*\8": "missing argument to repetition operator: `*`",
    r"[z-a]\1": "invalid character class range: `z-a`",
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
        (r"\d", "\u0663", False),  # a digit of Unicode, not of Go
        (r"^\w+$", "é", False),
        (r"^[^\W]$", "_", True),
        (r"(?i)^[^\W]$", "S", True),
        (r"^[\D]$", "é", True),
        (r"^\S$", "\x0b", True),
        ("(?i)É", "é", True),
        ("^.$", "é", True),
        (r"^\x{1F600}\x41\101[\x{e9}]$", "😀AAé", True),
        (r"^[\x5d\x2d]+$", "]-", True),
        ("[]a]", "]", True),
        (r"^\Qa[\d\E[b]$", r"a[\db", True),
        ("(?<word>[[:alpha:]]+)-(?P<number>[[:digit:]_]+)$", "a-1_", True),
        (r"\pL", "é", True),
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
    started = time.process_time()
    assert not compile_pattern("(a*)*(a|aa)+b$").matches("a" * 10_000)
    assert not compile_pattern("(a*)*b").matches("a" * 5_000)
    assert time.process_time() - started < 10


@pytest.mark.skipif(engine_name() != "pyre2", reason="google-re2 has no fallback to `re`")
@pytest.mark.parametrize("level", ["FALLBACK_QUIETLY", "FALLBACK_EXCEPTION"])
def test_the_fallback_of_pyre2_is_off_for_our_patterns_and_left_as_it_was_for_others(level: str) -> None:
    import re2

    re2.set_fallback_notification(getattr(re2, level))
    try:
        for text in ("a(?=b)", r"(a)\1", "a{1001}"):
            with pytest.raises(PatternError):
                compile_pattern(text)
        if level == "FALLBACK_QUIETLY":
            assert not isinstance(re2.compile("c(?=d)"), re2.Pattern)
        else:
            with pytest.raises(re2.error):
                re2.compile("c(?=d)")
    finally:
        re2.set_fallback_notification(re2.FALLBACK_QUIETLY)


@pytest.mark.parametrize(
    ("text", "name", "matches"),
    [
        ("main", "app.main.run", True),
        ("^main", "app.main", False),
        (r"\Amain$", "main", True),
        (r"main\z", "mainly", False),
        (r"a\.b\$", "xa.b$x", True),
        ("", "anything", True),
        (r"\\$", "a\\", True),
    ],
)
def test_without_re2_plain_text_is_matched_as_re2_matches_it(text: str, name: str, matches: bool) -> None:
    assert (compile_plain(text).search(name) is not None) is matches
    assert (compile_plain(text.encode()).search(name.encode()) is not None) is matches
    assert compile_pattern(text).matches(name) is matches


@pytest.mark.parametrize("text", ["a.b", "(a*)*b", "a|b", r"\d", "[a]", "a$b", "x+", "\\"])
def test_without_re2_any_other_pattern_is_refused_with_the_remedy(text: str) -> None:
    with pytest.raises(
        PatternUnavailableError, match=r"RE2 is not installed; (pip install|it has no package)"
    ):
        compile_plain(text)


def test_without_re2_the_tool_starts_and_says_in_one_line_what_it_cannot_match(tmp_path: Path) -> None:
    program = "import sys; sys.modules['re2'] = None; sys.argv[0] = 'conduit'; from conduit.cli import program; program()"

    def conduit(*arguments: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-c", program, *arguments]
        return subprocess.run(command, capture_output=True, text=True, cwd=tmp_path)

    assert conduit("--help").returncode == 0
    results = "BenchmarkSort 10 5 ns/op\nBenchmarkFind 10 7 ns/op\n"
    (tmp_path / "old.txt").write_text(results)
    plain = conduit("benchstat", "-filter", ".name:/^Sort$/", "old.txt")
    assert (plain.returncode, "Sort" in plain.stdout, "Find" in plain.stdout) == (0, True, False)
    refused = conduit("benchstat", "-filter", ".name:/S.rt/", "old.txt")
    assert refused.returncode in (1, 2)
    assert "RE2 is not installed" in refused.stderr
    assert "Traceback" not in refused.stderr


def test_a_quoted_text_matches_itself_only() -> None:
    text = r"app.(*T)[x]{1}|^$\+?"
    assert compile_pattern(f"^{quote_pattern(text)}$").matches(text)
    assert not compile_pattern(quote_pattern("a.b")).matches("axb")
