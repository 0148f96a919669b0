"""The memory of a process of which a test changes what is read, as a process that goes on changes it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from conduit.record.process_memory import ProcessMemory

if TYPE_CHECKING:
    from collections.abc import Callable


class ChangingMemory(ProcessMemory):
    """Gives `change(number of the read, its data)` instead of the data; `reads` is how many reads there were."""

    def __init__(self, pid: int, change: Callable[[int, bytes], bytes]) -> None:
        super().__init__(pid)
        self.reads = 0
        self._change = change

    def read(self, address: int, size: int) -> bytes:
        self.reads += 1
        return self._change(self.reads, super().read(address, size))
