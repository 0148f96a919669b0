"""Profiles, benchmark texts, and what people type: patterns, filters, projections, flags, tables of pyproject.toml."""

from __future__ import annotations

import tempfile
from pathlib import Path

from conduit.bench.compare.query import parse_filter, parse_projection
from conduit.bench.text.reader import InputFile, read_benchmarks
from conduit.bench.text.unit_metadata import UnitMetadata
from conduit.errors import ConduitError, MalformedProfileError
from conduit.profile.codec import decode
from conduit.profile.limits import Limits
from conduit.project_file import read_conduit_table
from conduit.regexps import PatternError, compile_pattern
from tests.conftest import PROJECT
from tests.fuzz.frame import Kind

_FOLDER = Path(tempfile.gettempdir())
_RESULTS = b"""goos: linux
pkg: example
Unit ns/op better=lower assume=exact
BenchmarkSort/size=10-8   \t     100\t     12.5 ns/op\t   8 B/op\t  1 allocs/op
BenchmarkFind-8 1 5e3 ns/op 3 MB/s
PASS
ok   example 1.2s
"""
_SETTINGS = b"""[tool.conduit.bench]
count = 5
benchtime = "1s"
[tool.conduit.targets."A/*"]
time = { target = "1ms", acceptable = "5ms", unacceptable = "10ms" }
"""


def _text(data: bytes) -> str:
    return data.decode("utf-8", "surrogateescape")


def _read_results(data: bytes) -> None:
    path = _FOLDER / "conduit-fuzz-results.txt"
    path.write_bytes(data)
    for _ in read_benchmarks(InputFile(str(path), "results.txt"), UnitMetadata()):
        pass


def _read_settings(data: bytes) -> None:
    path = _FOLDER / "conduit-fuzz-pyproject.toml"
    path.write_bytes(data)
    for table in ("bench", "targets", "budgets"):
        read_conduit_table(path, table)


def _match(data: bytes) -> None:
    compile_pattern(_text(data[:200])).matches("aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa!" * 20)


KINDS = (
    Kind(
        "pprof",
        tuple(path.read_bytes() for path in sorted((PROJECT / "tests" / "profile" / "corpus").glob("*.bin"))),
        lambda data: decode(
            data, Limits(size_bytes=1 << 24, records=100_000, frames=1_000_000)
        ).check_valid(),
        (MalformedProfileError,),
        (
            b"\x12\x07",
            b"\xff" * 9 + b"\x01",
            b"\x1f\x8b\x08\x00",
            b"heap profile: 1: 2 [3: 4] @ heap_v2/5\n",
            b"MAPPED_LIBRARIES:\n",
        ),
    ),
    Kind(
        "benchmarks",
        (_RESULTS,),
        _read_results,
        (ConduitError,),
        (b"Benchmark", b" ns/op", b"Unit ", b"\t", b"/a=b", b"-8 "),
    ),
    Kind(
        "patterns",
        (rb"^main\.(\w+)[a-z]*$", rb"(a*)*b", rb"(?i)x{2,5}|\Qa.b\E", rb"[[:alpha:]\d]+\x{1F600}"),
        _match,
        (PatternError,),
        (b"(?P<n>", b"(?=", b"\\", b"[^", b"{1000}", b"(?i)", b"\\p{Greek}", b"*", b")"),
    ),
    Kind(
        "filters",
        (b".name:Sort AND (/size:10 OR -pkg:a)", b"goos:linux .unit:(ns/op OR B/op)", b'"a b":"c\\"d"'),
        lambda data: parse_filter(_text(data[:2000])),
        (ConduitError, PatternError),
        (b" OR ", b" AND ", b"-", b"(", b":/x/", b'"', b"*"),
    ),
    Kind(
        "projections",
        (b".name,/size@num", b"pkg,.config,goos@(linux darwin)", b'"a,b"@alpha'),
        lambda data: parse_projection(_text(data[:2000])),
        (ConduitError, PatternError),
        (b"@", b"@(", b",", b".fullname", b'"'),
    ),
    Kind(
        "settings",
        (_SETTINGS,),
        _read_settings,
        (ConduitError,),
        (b"[", b"]]", b" = ", b"'''", b"{", b"inf", b"1979-05-27"),
    ),
)
