"""The processes that a program under `conduit run` starts: recorded with `-children`, told of without.

With `-children`, an environment variable says what to record (`settings.py`) and PYTHONPATH has the folder `hook/`,
whose `sitecustomize` starts the recordings in every Python program that inherits both (`start.py`); a forked child goes
on recording from nothing (`process.py`). Each process writes files of its own, named with its process id, and notes its
beginning and its end in a journal that all of them share (`journal.py`). When the program itself ends, its process
merges what has been written (`merging.py`) and names the processes that are missing (`account.py`). Programs are noted
where the interpreter starts them (`launches.py`).
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from conduit.cli.children.process import RunProcess

here: RunProcess | None = None
"""This process in the run that follows it; None in a process that no run has started."""
