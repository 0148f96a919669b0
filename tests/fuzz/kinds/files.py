"""Files of older and other formats, the source files that a profile names, and command lines."""

from __future__ import annotations

import cProfile
import json
import marshal
import pstats
import shlex
import tempfile
from functools import cache
from pathlib import Path

from conduit.bench.text.foreign_json import format_lines, read_foreign
from conduit.errors import ConduitError, MalformedProfileError
from conduit.fetch import download
from conduit.fetch.foreign import decode_foreign
from conduit.profile.builder import ProfileBuilder
from conduit.profile.codec import decode, encode
from conduit.profile.limits import Limits
from conduit.profile.model import Profile, ValueType
from conduit.report.errors import FetchError
from tests.conftest import OWN_GOLDEN
from tests.fuzz.frame import Kind

_FOLDER = Path(tempfile.gettempdir())
_PROFILES = OWN_GOLDEN / "pprof" / "profiles"
_COLLAPSED = b"main;work (a.py:3);json.loads 12\nmain;wait 7\nmain 1\n"
_SPEEDSCOPE = json.dumps(
    {
        "$schema": "https://www.speedscope.app/file-format-schema.json",
        "shared": {"frames": [{"name": "main", "file": "a.py", "line": 3}, {"name": "work"}]},
        "profiles": [
            {
                "type": "sampled", "name": "t", "unit": "milliseconds", "startValue": 0, "endValue": 3,
                "samples": [[0], [0, 1]], "weights": [1, 2],
            },
            {
                "type": "evented", "name": "u", "unit": "seconds", "startValue": 0, "endValue": 2,
                "events": [{"type": "O", "frame": 0, "at": 0}, {"type": "C", "frame": 0, "at": 2}],
            },
        ],
    }
).encode()  # fmt: skip
_MEMRAY_TABLE = (
    b"<html><title>memray - table report</title><script>const packed_data = "
    + json.dumps(
        [{"allocator": "malloc", "n_allocations": 2, "size": 300, "stack_trace": "f at a.py:7", "tid": "0x1"}]
    ).encode()
    + b";</script>"
)
_MEMRAY_STATISTICS = json.dumps(
    {
        "total_num_allocations": 10,
        "total_bytes_allocated": 1000,
        "top_allocations_by_size": [{"location": "f:a.py:5", "size": 700}],
        "top_allocations_by_count": [{"location": "g:b.py:5", "count": 6}],
    }
).encode()
_PYPERF = json.dumps(
    {
        "version": "1.0",
        "metadata": {"name": "sort", "unit": "second", "loops": 8},
        "benchmarks": [{"runs": [{"values": [1e-6, 2e-6], "metadata": {"python_version": "3.11.7"}}]}],
    }
).encode()
_SOURCE = b'# coding: latin-1\ndef work(n):\n    """It works."""\n    return [\n        i\n        for i in range(n)\n    ]\n'


def _pstats() -> bytes:
    profiler = cProfile.Profile()
    profiler.runcall(sorted, [3, 1, 2], key=lambda value: -value)
    return marshal.dumps(pstats.Stats(profiler).stats)  # type: ignore[attr-defined]


def _legacy_profiles() -> tuple[bytes, ...]:
    found = [path.read_bytes() for path in sorted(_PROFILES.iterdir()) if path.is_file()]
    return tuple(data[:20_000] for data in found if data[:1] not in (b"\x1f", b"\n"))


@cache
def _profile() -> Profile:
    builder = ProfileBuilder([ValueType("samples", "count"), ValueType("cpu", "nanoseconds")])
    path = str(_FOLDER / "conduit_fuzz_source.py")
    for line in range(1, 9):
        builder.add([("work", path, line, 2), ("main", path, 7, 1)], [1, 10**7])
    return builder.build()


def _list(data: bytes) -> None:
    from conduit.cli.pprof.output import _data
    from conduit.report.commands import FORMATS
    from conduit.report.options import Options

    (_FOLDER / "conduit_fuzz_source.py").write_bytes(data)
    options = Options(source_path=str(_FOLDER))
    for name in ("list", "weblist"):
        _data(_profile(), FORMATS[name], "work|main", options, lambda _: None, compared=False)


def _refuse(target: object, certificates: object = None) -> bytes:
    raise FetchError("no network here")


def _command_line(data: bytes) -> None:
    """A command line of `conduit pprof`, never one that serves, opens a shell, or writes where it is told to."""
    from conduit.cli.pprof import run

    try:
        words = shlex.split(data.decode("utf-8", "surrogateescape")[:2000])
    except ValueError:
        return
    if any(word.lstrip("-").startswith(("http", "o", "ui")) for word in words):
        return
    download.download = _refuse
    path = _FOLDER / "conduit-fuzz-flags.pb.gz"
    path.write_bytes(encode(_profile()))
    status = run([*(word.replace("\0", "") for word in words), "-output=/dev/null", str(path)])
    assert status in (0, 1, 2), status


KINDS = (
    Kind(
        "legacy",
        _legacy_profiles(),
        lambda data: decode(
            data, Limits(size_bytes=1 << 24, records=100_000, frames=1_000_000)
        ).check_valid(),
        (MalformedProfileError,),
        (
            b"--- contentionz 1 ---\n",
            b"cycles/second = 0\n",
            b"heap profile: 1: 2 [3: 4] @ heap_v2/5\n",
            b"heap profile: 1: 2 [3: 4] @ growthz\n",
            b"--- Memory map: ---\n",
            b"--- threadz 1 ---\n",
            b" @ 0x1 0x2\n",
            b"MAPPED_LIBRARIES:\n",
            b"sampling period = 0\n",
        ),
    ),
    Kind(
        "foreign-profiles",
        (_COLLAPSED, _SPEEDSCOPE, _MEMRAY_TABLE, _MEMRAY_STATISTICS, _pstats()),
        decode_foreign,
        (MalformedProfileError,),
        (b";", b" 1\n", b'"samples": [', b'"frame": -1', b'"at": 1e999', b"\xfb", b"(", b"r\x00\x00\x00\x00"),
    ),
    Kind(
        "foreign-results",
        (_PYPERF,),
        lambda data: format_lines(read_foreign("fuzz.json", data.decode("utf-8", "replace"))),
        (ConduitError,),
        (b'"values": []', b"null", b"NaN", b'"loops": 0', b"1e999", b"[" * 64, b'"version"'),
    ),
    Kind(
        "source-files",
        (_SOURCE,),
        _list,
        (ConduitError,),
        (b"# coding: hex\n", b"# -*- coding: utf-16 -*-\n", b"\r", b"\x0c", b"<script>", b"(" * 90, b"'''"),
    ),
    Kind(
        "command-lines",
        (
            b"-top -cum -nodecount=5 -focus=work",
            b"-peek 'work|main' -sample_index=cpu -unit=ms",
            b"-list=work -tagfocus=1mb: -divide_by=2 -lines",
            b"-dot -edgefraction=0.1 -call_tree -trim=false",
            b"-traces -hide=. -normalize -relative_percentages",
            b"-check 'work < 10%' -mean -filefunctions",
        ),
        _command_line,
        (ConduitError,),
        (
            b" -raw",
            b" -tags",
            b" -tree",
            b"=NaN",
            b"=inf",
            b"=-1",
            b" -base=",
            b" -diff_base=",
            b" -show_from=(",
            b" --",
        ),
    ),
)
