"""The completion scripts, run by the shells that they are for."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from conduit.cli import COMMANDS
from conduit.cli.completion.candidates import candidates

pytestmark = pytest.mark.usefixtures("project")


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a document in its usual place."""
    document = {
        "version": "1.0",
        "resources": [
            {"name": "Planet", "documentation": "A planet: round\nmostly"},
            {"name": "Plant"},
            {"name": "app:Moon"},
        ],
        "routes": [{"method": "GET", "path": "/", "middleware": ["auth"]}],
        "patterns": [{"id": "1", "name": "p", "category": "caching"}],
    }
    (tmp_path / "metadata.json").write_text(json.dumps(document))
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("CONDUIT_METADATA", raising=False)
    monkeypatch.setenv("PATH", f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}")
    return tmp_path


def values(*words: str) -> list[str]:
    return [one.partition("\t")[0] for one in candidates(list(words))]


def test_the_first_word_is_a_command() -> None:
    assert values("") == list(COMMANDS)
    assert values("intro") == ["introspect"]
    assert values("--v") == ["--version"]


def test_names_come_from_the_document_with_their_first_line() -> None:
    assert candidates(["introspect", "resource", "Pl"]) == ["Planet\tA planet: round", "Plant"]
    assert values("introspect", "deps", "--depth", "2", "") == ["Planet", "Plant", "app:Moon"]
    assert values("introspect", "routes", "--middleware", "") == ["auth"]
    assert values("introspect", "routes", "--resource=Plan") == ["--resource=Planet", "--resource=Plant"]
    assert values("introspect", "patterns", "") == ["caching"]


def test_names_come_from_the_document_that_the_words_name(project: Path) -> None:
    (project / "other.json").write_text('{"version": "1.0", "resources": [{"name": "Other"}]}')
    assert values("introspect", "resource", "--metadata", "other.json", "") == ["Other"]
    assert values("introspect", "resource", "--metadata=other.json", "") == ["Other"]


def test_flags_and_their_values_are_known_for_every_verb() -> None:
    assert values("introspect", "deps", "--re") == ["--reverse"]
    assert values("introspect", "deps", "--format", "") == ["table", "json", "yaml"]
    assert values("introspect", "deps", "--type=m") == ["--type=middleware"]
    assert values("introspect", "resource", "--metadata", "") == [":files"]
    assert values("introspect", "deps", "--depth", "") == []


@pytest.mark.parametrize("command", [name for name in COMMANDS if name not in ("introspect", "completion")])
def test_flags_of_every_other_command_come_from_its_own_help(command: str) -> None:
    assert all(one.startswith("--") for one in values(command, "--"))
    assert values(command, "") == [":files"]


def test_a_document_that_cannot_be_read_gives_no_candidates_and_no_error(project: Path) -> None:
    (project / "metadata.json").write_text("{")
    assert values("introspect", "resource", "") == []


def shell(name: str) -> str:
    path = shutil.which(name)
    if path is None:
        pytest.skip(f"{name} is not installed")
    return path


def output_of(*command: str) -> list[str]:
    done = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def in_bash(line: str) -> list[str]:
    code = (
        'eval "$(conduit completion bash)"; COMP_LINE="$1"; COMP_POINT=${#COMP_LINE}; _conduit;'
        ' printf "%s\\n" "${COMPREPLY[@]}"'
    )
    return output_of(shell("bash"), "--norc", "-c", code, "bash", line)


def test_bash_completes_names_and_what_follows_a_colon_or_an_equals_sign() -> None:
    assert in_bash("conduit introspect resource Pl") == ["Planet", "Plant"]
    assert in_bash("conduit introspect resource app:M") == ["Moon"]
    assert in_bash("conduit introspect deps --format=j") == ["json"]
    assert in_bash("conduit introspect impact ") == ["Planet", "Plant", "app:Moon"]


def test_bash_knows_the_function_for_the_command() -> None:
    code = 'eval "$(conduit completion bash)"; complete -p conduit'
    assert output_of(shell("bash"), "--norc", "-c", code) == ["complete -F _conduit conduit"]


def test_zsh_completes_names_with_their_descriptions() -> None:
    code = (
        'compdef() { }; eval "$(conduit completion zsh)"; _describe() { print -rl -- "${candidates[@]}" }\n'
        'words=(conduit introspect resource ""); CURRENT=4; _conduit'
    )
    assert output_of(shell("zsh"), "-fc", code) == ["Planet:A planet: round", "Plant", "app\\:Moon"]


def test_zsh_leaves_file_names_to_its_own_completion() -> None:
    code = (
        'compdef() { }; eval "$(conduit completion zsh)"; _files() { print files }\n'
        'words=(conduit introspect resource --metadata ""); CURRENT=5; _conduit || true'
    )
    assert output_of(shell("zsh"), "-fc", code) == ["files"]


def test_fish_completes_names_with_their_descriptions() -> None:
    code = "conduit completion fish | source; complete -C 'conduit introspect resource Pl'"
    assert output_of(shell("fish"), "--no-config", "-c", code) == ["Planet\tA planet: round", "Plant"]


def test_fish_completes_file_names_where_a_file_is_wanted() -> None:
    code = "conduit completion fish | source; complete -C 'conduit introspect resource --metadata meta'"
    assert output_of(shell("fish"), "--no-config", "-c", code) == ["metadata.json"]


def test_an_unknown_shell_is_a_wrong_call(capsys: pytest.CaptureFixture[str]) -> None:
    from conduit.cli import main

    assert main(["completion", "tcsh"]) == 2
    assert "expected one of bash, zsh, fish" in capsys.readouterr().err
