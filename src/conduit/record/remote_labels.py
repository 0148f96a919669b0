"""The labels of `conduit.label` in another process, read from outside.

The C extension of that process publishes where they are (section `.ConduitLabels` of its file, filled when the first
label is entered): offsets and types of its own interpreter, so its version does not matter here. A context's variables
are an immutable tree; `_native/label_reader.c` describes how a label is found in it. Memory that has been freed and
used again is recognized by the types of its objects.
"""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING

from conduit.record.process_memory import UnreadableMemoryError, find_section

if TYPE_CHECKING:
    from conduit.record.labels import Pairs
    from conduit.record.process_memory import ProcessMemory
    from conduit.record.remote import Interpreter, RemoteThread

_SECTION = ".ConduitLabels"
_FIELDS = (
    *("size", "variable", "hash", "context_type", "variables_type", "bitmap_type", "array_type", "node_type"),
    *("generator_type", "async_generator_type"),
    *("thread_context", "context_variables", "variables_root", "bitmap", "bitmap_pairs", "array_nodes"),
    *(
        "node_outer",
        "node_generator",
        "node_context",
        "node_own",
        "referent",
        "generator_state",
        "generator_runs",
    ),
    *("async_generator_runs", "object_type", "tuple_size", "tuple_items"),
)
_WORD = 8
_BITS = 5  # of the hash, for each level of the tree
_MAX_LEVELS = 7
_MAX_NESTING = 1000
_MAX_PAIRS = 1000


class RemoteLabels:
    """Reads the labels of threads and contexts; each is empty where the process has entered no label yet."""

    def __init__(self, memory: ProcessMemory, interpreter: Interpreter) -> None:
        self._memory = memory
        self._interpreter = interpreter
        self._read = memory.pointer
        self._at: dict[str, int] = {}
        files = (file for file in memory.files() if "/conduit/_native/_core" in file.path)
        table = next(filter(None, (find_section(file, _SECTION) for file in files)), None)
        if table is not None:
            values = struct.unpack(f"<{len(_FIELDS)}Q", memory.read(table, len(_FIELDS) * _WORD))
            if values[0] == len(_FIELDS) * _WORD:
                self._at = dict(zip(_FIELDS, values, strict=True))

    def of_thread(self, thread: RemoteThread) -> Pairs:
        """Return the labels that a thread is under, sorted by key."""
        return self._of(self._read(thread.address + self._at["thread_context"]), True) if self._at else ()

    def of_context(self, context: int) -> Pairs:
        """Return the labels of a context that is not entered, such as that of a suspended task; of 0, none."""
        return self._of(context, False) if self._at else ()

    def _of(self, context: int, is_entered: bool) -> Pairs:
        node = self._innermost(context)
        for _ in range(_MAX_NESTING):
            if not self._is(node, "node_type"):
                return ()
            if self._holds(node, context, is_entered):
                break
            node = self._read(node + self._at["node_outer"])
        labels: dict[str, str] = {}
        for _ in range(_MAX_NESTING):
            if not self._is(node, "node_type"):
                break
            labels = {**dict(self._pairs(self._read(node + self._at["node_own"]))), **labels}
            node = self._read(node + self._at["node_outer"])
        return tuple(sorted(labels.items()))

    def _innermost(self, context: int) -> int:
        """Return the variable's value in a context, or 0: the walk of `value_below` in `_native/label_reader.c`."""
        if not self._is(context, "context_type"):
            return 0
        variables = self._read(context + self._at["context_variables"])
        if not self._is(variables, "variables_type"):
            return 0
        node, rest = self._read(variables + self._at["variables_root"]), self._at["hash"]
        for _ in range(_MAX_LEVELS):
            digit, rest = rest & ((1 << _BITS) - 1), rest >> _BITS
            if self._is(node, "bitmap_type"):
                (bitmap,) = struct.unpack("<I", self._memory.read(node + self._at["bitmap"], 4))
                if not bitmap >> digit & 1:
                    return 0
                index = (bitmap & ((1 << digit) - 1)).bit_count()
                pair = node + self._at["bitmap_pairs"] + index * 2 * _WORD
                key, node = self._read(pair), self._read(pair + _WORD)
                if key:
                    return node if key == self._at["variable"] else 0
            elif self._is(node, "array_type"):
                node = self._read(node + self._at["array_nodes"] + digit * _WORD)
            else:
                return 0
        return 0

    def _holds(self, node: int, context: int, is_entered: bool) -> bool:
        """Return whether a node holds: it was entered in no generator, or in one that is running, or is inherited."""
        reference = self._read(node + self._at["node_generator"])
        if not reference or self._read(node + self._at["node_context"]) != context:
            return True
        generator = self._read(reference + self._at["referent"])
        is_async = self._is(generator, "async_generator_type")
        if is_entered and (is_async or self._is(generator, "generator_type")):
            return self._byte(generator + self._at["generator_state"]) == self._at["generator_runs"]
        # A suspended task is in those asynchronous generators that await.
        return is_async and bool(self._byte(generator + self._at["async_generator_runs"]))

    def _byte(self, address: int) -> int:
        return self._memory.read(address, 1)[0]

    def _pairs(self, labels: int) -> list[tuple[str, str]]:
        return [(self._text(key), self._text(value)) for key, value in map(self._pair, self._items(labels))]

    def _pair(self, address: int) -> tuple[int, int]:
        items = self._items(address)
        if len(items) != 2:
            raise UnreadableMemoryError(f"no label at {address:#x}")
        return items[0], items[1]

    def _items(self, pairs: int) -> list[int]:
        count = self._read(pairs + self._at["tuple_size"])
        if count > _MAX_PAIRS:
            raise UnreadableMemoryError(f"{count} labels at {pairs:#x}")
        data = self._memory.read(pairs + self._at["tuple_items"], count * _WORD)
        return list(struct.unpack(f"<{count}Q", data))

    def _text(self, address: int) -> str:
        return self._interpreter.text_at(address)

    def _is(self, address: int, kind: str) -> bool:
        return bool(address) and self._read(address + self._at["object_type"]) == self._at[kind]
