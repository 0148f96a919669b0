"""`conduit completion SHELL`: scripts that complete conduit's commands, flags and resource names in a shell.

The scripts are short: they run `conduit completion candidates -- WORDS` and show what it prints, a candidate on each
line with its description after a tab; the line `:files` makes the shell complete file names itself.
"""

from __future__ import annotations

import sys

from conduit.cli.completion.scripts import SCRIPTS
from conduit.errors import UsageError

_HELP = """usage: conduit completion bash|zsh|fish

Prints a completion script. To have it in every new shell:

  bash   echo 'eval "$(conduit completion bash)"' >> ~/.bashrc
  zsh    echo 'eval "$(conduit completion zsh)"' >> ~/.zshrc      (after compinit)
  fish   conduit completion fish > ~/.config/fish/completions/conduit.fish
"""


def run(arguments: list[str]) -> int:
    """Print the script for a shell, or, for the scripts, the candidates for the last of some words."""
    if arguments and arguments[0] in ("-h", "-help", "--help", "help"):
        sys.stdout.write(_HELP)
        return 0
    if arguments[:2] == ["candidates", "--"]:
        from conduit.cli.completion.candidates import candidates

        sys.stdout.writelines(f"{one}\n" for one in candidates(arguments[2:]))
        return 0
    if len(arguments) != 1 or arguments[0] not in SCRIPTS:
        raise UsageError(f"expected one of {', '.join(SCRIPTS)}; `conduit completion --help`")
    sys.stdout.write(SCRIPTS[arguments[0]])
    return 0
