from __future__ import annotations

import pytest

from conduit.cli.flags import FlagSet, HelpRequested
from conduit.errors import UsageError


def example() -> FlagSet:
    flags = FlagSet("usage: example [flags] FILE")
    flags.switch("top", "print the top")
    flags.option("nodecount", "how many", default=-1, parse=int, metavar="N")
    flags.option("tag", "a tag", repeatable=True)
    return flags


@pytest.mark.parametrize(
    "words", [["-nodecount=5"], ["--nodecount=5"], ["-nodecount", "5"], ["--nodecount", "5"]]
)
def test_one_dash_or_two_and_equals_or_space_mean_the_same(words: list[str]) -> None:
    assert example().parse(words)["nodecount"] == 5


def test_a_switch_never_takes_the_next_word() -> None:
    parsed = example().parse(["-top", "false"])
    assert parsed["top"] is True
    assert parsed.positionals == ["false"]


def test_flags_end_at_the_first_positional_unless_they_may_be_mixed() -> None:
    words = ["a.prof", "-top"]
    assert example().parse(words).positionals == words
    mixed = example().parse(words, positionals="mixed")
    assert (mixed["top"], mixed.positionals) == (True, ["a.prof"])


def test_a_repeatable_flag_collects_its_values_in_order() -> None:
    assert example().parse(["-tag=a", "-tag", "b"])["tag"] == ["a", "b"]


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["-bogus"], "flag provided but not defined: -bogus"),
        (["-nodecount"], "flag needs an argument: -nodecount"),
        (["-top=maybe"], 'invalid boolean value "maybe" for -top: parse error'),
        (["---top"], "bad flag syntax: ---top"),
    ],
)
def test_a_wrong_flag_is_told_in_the_words_of_gos_flag_package(words: list[str], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        example().parse(words)


def test_help_is_asked_for_by_any_of_its_names() -> None:
    for word in ("-h", "-help", "--help"):
        with pytest.raises(HelpRequested):
            example().parse([word])


def test_help_tells_each_default_once_and_as_a_user_writes_it() -> None:
    flags = FlagSet("usage: example [flags]")
    flags.switch("tools", "offer tools", default=True)
    flags.option("budget", "stop after this time (default 30m)", default=30 * 60 * 10**9, parse=int)
    flags.option("nodecount", "how many", default=-1, parse=int)
    text = flags.help()
    assert "offer tools (on unless -tools=false)\n" in text
    assert "(default 30m)\n" in text
    assert "how many (default -1)\n" in text


def test_the_help_of_a_command_without_flags_has_no_heading_for_them() -> None:
    assert FlagSet("usage: example\n\nPrints a page.").help() == "usage: example\n\nPrints a page.\n"
