from __future__ import annotations

import pytest

from conduit.cli.bench import flags
from conduit.cli.bench_modes import EFFECTIVE, mode_of, refuse_idle_flags
from conduit.errors import UsageError

MODES = {"run": [], "list": ["-list=."], "against": ["-against=HEAD"], "self-test": ["-self-test"]}
VALUES = {
    "benchtime": "1x",
    "count": "2",
    "cpu": "1",
    "gc": "on",
    "threads": "2",
    "seed": "1",
    "format": "json",
    "against-env": "shared",
    "memprofilerate": "1",
    "profilerate": "1",
    "blockprofilerate": "1",
    "mutexprofilefraction": "1",
    "warmup": "1x",
    "timeout": "1s",
    "shuffle": "1",
}
NEEDED = {
    "memprofilerate": "-memprofile=m",
    "blockprofilerate": "-blockprofile=m",
    "mutexprofilefraction": "-mutexprofile=m",
    "profilerate": "-cpuprofile=m",
    "native": "-cpuprofile=m",
    "walltimes": "-wallprofile=m",
    "http": "-cpuprofile=m",
}


def words_for(name: str) -> list[str]:
    flag = flags().flags[name]
    words = [f"-{name}" if flag.is_switch else f"-{name}={VALUES.get(name, 'x')}"]
    if name == "no_browser":
        return ["-cpuprofile=m", "-http=:0", *words]
    return [NEEDED[name], *words] if name in NEEDED else words


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("name", list(flags().flags))
def test_every_flag_is_used_or_refused_in_every_mode(mode: str, name: str) -> None:
    if name in MODES:
        pytest.skip("the flag is a mode")
    parsed = flags().parse([*MODES[mode], *words_for(name)], positionals="mixed")
    assert mode_of(parsed) == mode
    if name in EFFECTIVE[mode]:
        assert refuse_idle_flags(parsed) == mode
    else:
        with pytest.raises(UsageError, match="has no effect here: "):
            refuse_idle_flags(parsed)


def test_the_table_of_effective_flags_names_only_flags_that_exist() -> None:
    assert set().union(*EFFECTIVE.values()) <= set(flags().flags)


@pytest.mark.parametrize("name", list(NEEDED))
def test_a_setting_of_a_profile_is_refused_without_the_profile(name: str) -> None:
    flag = flags().flags[name]
    words = [f"-{name}" if flag.is_switch else f"-{name}={VALUES.get(name, 'x')}"]
    with pytest.raises(UsageError, match="it needs -"):
        refuse_idle_flags(flags().parse(words, positionals="mixed"))


def test_two_modes_at_once_are_refused() -> None:
    with pytest.raises(UsageError, match="cannot be combined"):
        refuse_idle_flags(flags().parse(["-against=HEAD", "-self-test"], positionals="mixed"))
