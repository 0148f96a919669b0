"""Offsets in the structures of another process's interpreter, by its version.

From 3.13 on, an interpreter publishes them: `_PyRuntime` begins with a table (`_Py_DebugOffsets`) whose order of
fields is fixed for a minor version. Any conduit can therefore read any such process. 3.11 and 3.12 have no table; for
them the offsets are those that the C extension was compiled with, so both processes have to run the same minor
version.
"""

from __future__ import annotations

import struct
import sys
from typing import TYPE_CHECKING

from conduit.errors import ProfilerUnavailableError

if TYPE_CHECKING:
    from conduit.record.process_memory import ProcessMemory

Layout = dict[str, int]
"""Offsets in bytes by name, such as `frame.previous`; see `_PUBLISHED` for where each comes from."""

_COOKIE = b"xdebugpy"
_HEAD = 24  # the cookie, the version, and whether the build is free-threaded
_WORD = 8

# The structures of the table in order, each with its fields in order, as in pycore_runtime.h (3.13) and
# pycore_debug_offsets.h (3.14 and 3.15). The table goes on after them.
_GIL = "ceval_gil gil_state gil_enabled gil_locked gil_holder"
_COLLECTIONS = "imports_modules sysdict builtins"
_CODE = "size filename name qualname linetable firstlineno argcount localsplusnames localspluskinds co_code_adaptive"
_OBJECTS = {
    "tuple": "size ob_item ob_size",
    "list": "size ob_item ob_size",
    "set": "size used table mask",
    "dict": "size ma_keys ma_values",
    "float": "size ob_fval",
    "long": "size lv_tag ob_digit",
    "bytes": "size ob_size ob_sval",
    "unicode": "size state length asciiobject_size",
}
_RUNTIME = "size finalizing interpreters_head"
_AFTER_OBJECTS = {  # from 3.14 on
    "gen_object": "size gi_name gi_iframe gi_frame_state",
    "llist_node": "next prev",
    "debugger_support": "eval_breaker remote_debugger_support remote_debugging_enabled debugger_pending_call "
    "debugger_script_path debugger_script_path_size",
}
_FRAME = "size previous executable instr_ptr localsplus owner"
_THREAD_END = "thread_id native_thread_id datastack_chunk status"

_TABLES: dict[tuple[int, int], dict[str, str]] = {
    (3, 13): {
        "runtime": _RUNTIME,
        "interpreter": f"size id next threads_head gc {_COLLECTIONS} {_GIL}",
        "thread": f"size prev next interp current_frame {_THREAD_END}",
        "frame": _FRAME,
        "code": _CODE,
        "object": "size ob_type",
        "type": "size tp_name tp_repr tp_flags",
        **{name: fields for name, fields in _OBJECTS.items() if name != "set"},
    },
    (3, 14): {
        "runtime": _RUNTIME,
        "interpreter": f"size id next threads_head threads_main gc {_COLLECTIONS} {_GIL} code_generation tlbc",
        "thread": f"size prev next interp current_frame {_THREAD_END}",
        "frame": f"{_FRAME} stackpointer tlbc_index",
        "code": f"{_CODE} co_tlbc",
        "object": "size ob_type",
        "type": "size tp_name tp_repr tp_flags",
        **_OBJECTS,
        "gc": "size collecting",
        **_AFTER_OBJECTS,
    },
    (3, 15): {
        "runtime": _RUNTIME,
        "interpreter": f"size id next threads_head threads_main gc {_COLLECTIONS} {_GIL} code_generation tlbc",
        "thread": f"size prev next interp current_frame base_frame last_profiled_frame last_profiled_frame_seq "
        f"{_THREAD_END} holds_gil gil_requested current_exception exc_state",
        "err_stackitem": "exc_value",
        "frame": f"{_FRAME} stackpointer tlbc_index",
        "code": f"{_CODE} co_tlbc",
        "object": "size ob_type",
        "type": "size tp_name tp_repr tp_flags tp_basicsize tp_dictoffset",
        "heap_type": "size ht_cached_keys",
        **_OBJECTS,
        "unicode": f"{_OBJECTS['unicode']} compactunicodeobject_size",
        "gc": "size collecting frame generation_stats_size generation_stats",
        **_AFTER_OBJECTS,
    },
}

# Our names → those of the table.
_PUBLISHED = {
    "runtime.interpreters": "runtime.interpreters_head",
    "interpreter.next": "interpreter.next",
    "interpreter.threads": "interpreter.threads_head",
    "thread.next": "thread.next",
    "thread.ident": "thread.thread_id",
    "thread.native_id": "thread.native_thread_id",
    "thread.frame": "thread.current_frame",
    "frame.code": "frame.executable",
    "frame.instruction": "frame.instr_ptr",
    "frame.previous": "frame.previous",
    "frame.owner": "frame.owner",
    "frame.size": "frame.localsplus",
    "object.type": "object.ob_type",
    "code.filename": "code.filename",
    "code.qualname": "code.qualname",
    "code.linetable": "code.linetable",
    "code.first_line": "code.firstlineno",
    "code.instructions": "code.co_code_adaptive",
    "bytes.size": "bytes.ob_size",
    "bytes.data": "bytes.ob_sval",
    "text.length": "unicode.length",
    "text.state": "unicode.state",
    "text.ascii_data": "unicode.asciiobject_size",
}
# Of use from outside only, where the version has them.
_PUBLISHED_FROM_OUTSIDE = {
    "thread.base_frame": "thread.base_frame",  # 3.15: a pointer to the frame in which every stack of the thread ends
    "interpreter.id": "interpreter.id",
    "gil.locked": "interpreter.gil_locked",
    "gil.holder": "interpreter.gil_holder",
    "frame.stack_pointer": "frame.stackpointer",
    "type.name": "type.tp_name",
    "long.tag": "long.lv_tag",
    "long.digits": "long.ob_digit",
    "set.table": "set.table",
    "set.mask": "set.mask",
    "generator.frame": "gen_object.gi_iframe",
    "generator.state": "gen_object.gi_frame_state",
    "list_node.next": "llist_node.next",
    "debugger.breaker": "debugger_support.eval_breaker",
    "debugger.support": "debugger_support.remote_debugger_support",
    "debugger.enabled": "debugger_support.remote_debugging_enabled",
    "debugger.pending": "debugger_support.debugger_pending_call",
    "debugger.path": "debugger_support.debugger_script_path",
    "debugger.path_size": "debugger_support.debugger_script_path_size",
}
_OWNED_BY_C = 3  # the owner of an entry frame: FRAME_OWNED_BY_CSTACK on 3.13, _BY_INTERPRETER since
_UTF8_FIELDS = 16  # length and pointer, between the two heads of a string
_CODE_END = (
    16  # `_co_firsttraceable` (an int, padded) and `co_extra` end the head of a code object with the GIL
)


def read_layout(memory: ProcessMemory, runtime: int, version: tuple[int, int]) -> Layout:
    """Return the layout of a process of this version whose `_PyRuntime` is at address `runtime`.

    Raise `ProfilerUnavailableError`, naming the version, if the layout of the version or build is not known, or if the
    published table is inconsistent.
    """
    name = f"process {memory.pid} runs Python {version[0]}.{version[1]}"
    if version in _TABLES:
        return _published(memory, runtime, version, name)
    if version in ((3, 11), (3, 12)):
        return _compiled(version, name)
    raise ProfilerUnavailableError(
        f"{name}, whose frames this version of conduit does not know: it knows 3.11 to 3.15"
    )


def _compiled(version: tuple[int, int], name: str) -> Layout:
    if version != sys.version_info[:2]:
        raise ProfilerUnavailableError(
            f"{name}, and this is Python {sys.version_info[0]}.{sys.version_info[1]}: use a conduit that is installed "
            f"for {version[0]}.{version[1]} (from 3.13 on, any version can be read)"
        )
    from conduit._native import _core

    return _core.layout()


def _published(memory: ProcessMemory, runtime: int, version: tuple[int, int], name: str) -> Layout:
    cookie, hexversion, free_threaded = struct.unpack("<8sQQ", memory.read(runtime, _HEAD))
    if free_threaded:
        raise ProfilerUnavailableError(
            f"{name} without the GIL, whose frames this version of conduit does not know"
        )
    if cookie != _COOKIE or (hexversion >> 24 & 0xFF, hexversion >> 16 & 0xFF) != version:
        raise ProfilerUnavailableError(f"{name}, but its table of offsets is not where that version has it")
    table = _read_table(memory, runtime + _HEAD, _TABLES[version])
    if not _is_consistent(table):
        raise ProfilerUnavailableError(
            f"{name}, but its table of offsets is not as that version has it: install a newer conduit"
        )
    layout = {ours: table[theirs] for ours, theirs in _PUBLISHED.items()}
    layout |= {ours: table[theirs] for ours, theirs in _PUBLISHED_FROM_OUTSIDE.items() if theirs in table}
    layout["owner.of_entry"] = layout["owner.of_root"] = _OWNED_BY_C
    layout["text.data"] = layout["text.ascii_data"] + _UTF8_FIELDS
    layout["code.first_traceable"] = layout["code.instructions"] - _CODE_END
    return layout


def _read_table(memory: ProcessMemory, address: int, structures: dict[str, str]) -> Layout:
    names = [f"{structure}.{field}" for structure, fields in structures.items() for field in fields.split()]
    values = struct.unpack(f"<{len(names)}Q", memory.read(address, len(names) * _WORD))
    return dict(zip(names, values, strict=True))


def _is_consistent(table: Layout) -> bool:
    """Return whether the offsets are within their structures, including the three structures that end with an array."""
    within = all(
        offset < table[f"{name.partition('.')[0]}.size"]
        for name, offset in table.items()
        if name in _PUBLISHED.values() and not name.endswith(".asciiobject_size")
    )
    ends = all(
        0 < table[f"{name}.size"] - table[f"{name}.{last}"] <= _WORD
        for name, last in (("frame", "localsplus"), ("code", "co_code_adaptive"), ("bytes", "ob_sval"))
    )
    return (
        within and ends and table["unicode.state"] < table["unicode.asciiobject_size"] < table["unicode.size"]
    )
