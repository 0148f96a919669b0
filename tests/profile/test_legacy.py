"""The formats before profile.proto: what Go prints with debug=1, gperftools' heap text and binary CPU profiles.

The expected sides are what Go 1.27's pprof makes of the same bytes.
"""

from __future__ import annotations

import math
import os
import re
import struct
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conduit.errors import MalformedProfileError
from conduit.profile.codec import decode
from conduit.profile.limits import Limits
from conduit.profile.model import Profile

HEAP_V2 = b"""heap profile:    10: 1000 [   20: 3000] @ heap_v2/524288
  4: 600 [ 10: 2000] @ 0x40100a 0x40200b
  0: 0 [ 3: 30] @ 0x40100c
# comment

MAPPED_LIBRARIES:
build=/usr/bin
foo.cc:12] 400000-500000 r-xp 00001000 08:01 99   $build/prog
500000-600000 r-xp 00101000 08:01 99   /usr/bin/prog
7f0000000000-7f0000100000 r-xp 00000000 08:01 100  /lib/libc.so.6
"""
CONTENTION = b"""--- contentionz 1 ---
cycles/second = 3201000000
sampling period = 100
ms since reset = 16502830
discarded samples = 0
  19490304       27 @ 0xbccc97 0xc61202 0x42ed5f
--- Memory map: ---
  00400000-00fcb000: cppbench_server_main
"""
COUNT = b"""# made by hand
goroutine profile: total 3
2 @ 0x1001 0x2001
1 @ 0x1001
# 0x1000 main.f+0x10 /main.go:3
"""


def _stacks(profile: Profile) -> list[tuple[list[int], list[int]]]:
    return [
        ([location.address for location in sample.locations], sample.values) for sample in profile.samples
    ]


def _cpu_words(*samples: int) -> bytes:
    """A binary CPU profile at 100 Hz with these words after its header."""
    words = [0, 3, 0, 10_000, 0, *samples]
    return struct.pack(f"<{len(words)}Q", *words)


def test_a_count_profile_is_read() -> None:
    profile = decode(COUNT)
    assert [(kind.type, kind.unit) for kind in profile.sample_types] == [("goroutine", "count")]
    assert _stacks(profile) == [([0x1000, 0x2000], [2]), ([0x1000], [1])]
    assert [(mapping.id, mapping.limit) for mapping in profile.mappings] == [(1, 2**64 - 1)]


def test_a_heap_profile_is_read_and_scaled_up_to_what_was_not_sampled() -> None:
    profile = decode(HEAP_V2)
    assert [kind.type for kind in profile.sample_types] == [
        "alloc_objects",
        "alloc_space",
        "inuse_objects",
        "inuse_space",
    ]
    first, second = profile.samples
    assert first.values == [26219, 5243880, 13983, 2097452]
    assert second.values == [157287, 1572879, 0, 0]
    assert first.numeric_labels == {"bytes": [150]}
    program, library = profile.mappings
    assert (program.filename, program.start, program.limit) == ("/usr/bin/prog", 0x400000, 0x600000)
    assert library.filename == "/lib/libc.so.6"
    assert all(location.mapping is program for location in profile.locations)


def test_a_contention_profile_is_read_in_nanoseconds() -> None:
    profile = decode(CONTENTION)
    assert _stacks(profile) == [([0xBCCC96, 0xC61201, 0x42ED5E], [2700, 608881724])]
    assert profile.duration_nanos == 16502830 * 10**6
    assert profile.mappings[0].filename == "cppbench_server_main"


@pytest.mark.parametrize("layout", ["<Q", ">Q", "<I", ">I"])
def test_a_binary_cpu_profile_is_read_whatever_its_words(layout: str) -> None:
    words = [0, 3, 0, 10000, 0, 3, 3, 0x401000, 0x401101, 0x401202, 2, 2, 0x402000, 0x401303, 0, 1, 0]
    data = struct.pack(f"{layout[0]}{len(words)}{layout[1]}", *words)
    profile = decode(data + b"00400000-00500000 r-xp 00000000 fd:01 123 /usr/bin/prog\n")
    assert _stacks(profile) == [
        ([0x401000, 0x401100, 0x401201], [3, 30_000_000]),
        ([0x402000, 0x401302], [2, 20_000_000]),
    ]
    assert profile.period == 10_000_000
    assert profile.mappings[0].filename == "/usr/bin/prog"


def test_the_handlers_own_frame_is_removed_from_a_cpu_profile() -> None:
    def read(*stacks: list[int]) -> list[list[int]]:
        words = [0, 3, 0, 100, 0]
        for stack in stacks:
            words += [1, len(stack), *stack]
        words += [0, 1, 0]
        return [addresses for addresses, _ in _stacks(decode(struct.pack(f"<{len(words)}Q", *words)))]

    first, second = [0x10, 0x999, 0x21], [0x30, 0x999, 0x41]
    assert read(first, second, [0x50, 0x777, 0x61]) == [
        [0x10, 0x998, 0x20],
        [0x30, 0x998, 0x40],
        [0x50, 0x776, 0x60],
    ]
    assert read(first, second, [0x50, 0x999, 0x61]) == [[0x10, 0x20], [0x30, 0x40], [0x50, 0x60]]
    # A leaf that is there a second time, as an address to return to.
    assert read(first, second, [0x50, 0x50, 0x61])[2] == [0x50, 0x60]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"goroutine profile: total 3\n2 @ 0x1 0x2\nxx\n", "malformed profile format"),
        (
            b"heap profile: 4: 600 [ 4: 600] @ heapprofile\n0: 600 [ 4: 600] @ 0x1\n",
            "inuse count was 0 but inuse bytes was 600",
        ),
        (
            b"heap profile: 4: 600 [ 4: 600] @ heapprofile\nqqq\n",
            "unexpected number of sample values: got 0, want 6",
        ),
        (b"--- mutex:\nfoo=1\n", "unrecognized profile format"),
        (b"--- threadz 1 ---\n", "unrecognized profile format"),
        (b"plain text\n", "unrecognized profile format"),
    ],
)
def test_malformed_text_is_refused_in_the_words_of_the_original(data: bytes, message: str) -> None:
    with pytest.raises(MalformedProfileError) as caught:
        decode(data)
    assert str(caught.value) == f"parsing profile: {message}"
    assert caught.value.offset is not None


def test_texts_that_would_grow_without_bounds_are_refused() -> None:
    with pytest.raises(MalformedProfileError, match="more than 9 lines, which is the limit"):
        decode(COUNT * 2, Limits(records=9))
    with pytest.raises(MalformedProfileError, match="more than 2 frames, which is the limit"):
        decode(COUNT, Limits(frames=2))
    with pytest.raises(MalformedProfileError, match="more than 4 words, which is the limit"):
        decode(_cpu_words(1, 1, 0x10), Limits(frames=4))
    with pytest.raises(MalformedProfileError, match="more than 5 pairs of address and mapping, the limit"):
        decode(HEAP_V2, Limits(frames=5))
    doubling = "".join(f"w{n}=$w{n - 1}$w{n - 1}\n" for n in range(1, 99))
    text = "goroutine profile: total 0\n--- Memory map: ---\nw0=" + "x" * 100 + "\n" + doubling
    assert decode(text.encode()).mappings == []


@given(st.data())
def test_any_legacy_text_is_a_profile_or_a_named_error(data: st.DataObject) -> None:
    lines = [line for text in (HEAP_V2, CONTENTION, COUNT) for line in text.split(b"\n")]
    chosen = data.draw(st.lists(st.sampled_from(lines), max_size=6))
    text = b"\n".join([data.draw(st.sampled_from([HEAP_V2, CONTENTION, COUNT])).split(b"\n")[0], *chosen])
    try:
        decode(text).check_valid()
    except MalformedProfileError as error:
        assert error.offset is not None


def test_what_gos_endpoint_prints_with_debug_is_read(shared_golden: Path) -> None:
    bodies = [path.read_bytes() for path in sorted((shared_golden / "httppprof").glob("*.body"))]
    texts = [
        body
        for body in bodies
        if b" profile: " in body[:80] or body.startswith((b"--- mutex", b"--- contention"))
    ]
    assert len(texts) >= 8
    for text in texts:
        profile = decode(text)
        profile.check_valid()
        assert profile.samples


# ── threads, Java agents, jemalloc ──

THREADS = b"""--- threadz 1 ---

--- Thread 7f794ab90940 (name: main/14748) stack: ---
  PC: 0x00bc8f1c: helper(arg *)
  @ 0x0040be31
      0x0045b4b7
--- Thread 7f794a32b940 (name: worker-1/14751) stack: ---
  0x00bc8f1c
  0x00bc8f1c
  0x0040be31
--- Thread 7f794a3ec940 (name: worker-2/14752) stack: ---
      [same as previous thread]
--- Memory map: ---
  00400000-00fcb000: cppbench_server_main
  7f794c32c000-7f794c340000: /lib/libpthread.so.0
"""
JAVA_HEAP = b"""--- heapz 1 ---
format = java
resolution = bytes
    7048     1 @ 0x00000003 0x00000004 0x00000005
    4752    16 @ 0x00000003 0x00000008
  880000     2 @ 0x00000009 0x0000000a 0x0000000b 0x0000000b

      0x00000003 java.util.Arrays.copyOf (Arrays.java:3236)
      0x00000004 java.io.ByteArrayOutputStream.grow (ByteArrayOutputStream.java:118)
      0x00000005 com.example.Shop.total (Shop.java:-1)
      0x00000008 GC
      0x00000009 generated stub/JIT
      0x0000000a Unknown (/usr/lib/jvm/libjvm.so)
      0x0000000c not.used (Not.java:1)
"""
JAVA_CONTENTION = b"""--- contentionz 1 ---
format = java
resolution = microseconds
sampling period = 100
ms since reset = 6019923
            1     1 @ 0x00000003 0x00000004
           14     2 @ 0x00000003 0x00000007
            0x00000003 com.example.Lock.lock (Lock.java:42)
            0x00000004 com.example.Shop.buy (Shop.java:7)
            0x00000007 com.example.Lock.lock (Lock.java:51)
"""
JAVA_CPU = (
    struct.pack("<20Q", 0, 3, 1, 10_000, 0, 2, 3, 0x10, 0x20, 0x30, 5, 1, 0x40, 1, 2, 0x10, 0x20, 0, 1, 0)
    + b"0x10 com.example.Work.spin (Work.java:12)\n0x20 com.example.Work.run (Work.java:30)\n"
    + b"0x30 java.lang.Thread.run (Thread.java:748)\n0x40 GC\n"
)
JEMALLOC = b"""heap_v2/524288
  t*: 30: 5242880 [0: 0]
  t0: 10: 1048576 [0: 0]
  t3: 20: 4194304 [0: 0]
@ 0x5f86da 0x5f5a1d
  t*: 10: 1048576 [0: 0]
  t0: 10: 1048576 [0: 0]
@ 0x5f86da 0x600001
  t*: 20: 4194304 [0: 0]
  t3: 20: 4194304 [0: 0]

MAPPED_LIBRARIES:
00400000-00700000 r-xp 00000000 08:01 99   /usr/bin/server
"""
ORIGINALS = {
    "cppbench.thread": THREADS,
    "java.heap": JAVA_HEAP,
    "java.contention": JAVA_CONTENTION,
    "java.cpu": JAVA_CPU,
}


def _named(profile: Profile) -> list[tuple[list[tuple[str, str, int]], list[int]]]:
    return [
        (
            [
                (line.function.name, line.function.filename, line.line)
                for location in sample.locations
                for line in location.lines
                if line.function
            ],
            sample.values,
        )
        for sample in profile.samples
    ]


def _types(profile: Profile) -> list[tuple[str, str]]:
    return [(kind.type, kind.unit) for kind in profile.sample_types]


def test_the_stacks_of_threads_are_counted_with_those_that_are_the_same() -> None:
    profile = decode(THREADS)
    assert _types(profile) == [("thread", "count")]
    assert _stacks(profile) == [([0xBC8F1C, 0x40BE30, 0x45B4B6], [1]), ([0xBC8F1C, 0x40BE30], [2])]
    assert [(mapping.start, mapping.filename) for mapping in profile.mappings] == [
        (0x400000, "cppbench_server_main"),
        (0x7F794C32C000, "/lib/libpthread.so.0"),
    ]


def test_a_java_heap_has_names_and_no_addresses_and_is_scaled() -> None:
    profile = decode(JAVA_HEAP)
    assert _types(profile) == [("inuse_objects", "count"), ("inuse_space", "bytes")]
    copy = ("java.util.Arrays.copyOf", "Arrays.java", 3236)
    grow = ("java.io.ByteArrayOutputStream.grow", "ByteArrayOutputStream.java", 118)
    assert _named(profile) == [
        ([copy, grow, ("com.example.Shop.total", "Shop.java", 0)], [74, 527819]),
        ([copy, ("GC", "", 0)], [28252, 8390984]),
        ([("STUB", "", 0), ("Unknown", "libjvm.so", 0)], [3, 1549409]),
    ]
    assert [sample.numeric_labels for sample in profile.samples] == [
        {"bytes": [7048]},
        {"bytes": [297]},
        {"bytes": [440000]},
    ]
    assert not any(location.address for location in profile.locations)


def test_java_contention_is_multiplied_by_the_sampling_period() -> None:
    profile = decode(JAVA_CONTENTION)
    assert _types(profile) == [("contentions", "count"), ("delay", "microseconds")]
    assert [values for _, values in _named(profile)] == [[100, 100], [200, 1400]]
    assert profile.duration_nanos == 6_019_923_000_000


def test_java_cpu_samples_have_names() -> None:
    profile = decode(JAVA_CPU)
    spin, run = ("com.example.Work.spin", "Work.java", 12), ("com.example.Work.run", "Work.java", 30)
    assert _named(profile) == [
        ([spin, run, ("java.lang.Thread.run", "Thread.java", 748)], [2, 20_000_000]),
        ([("GC", "", 0)], [5, 50_000_000]),
        ([spin, run], [1, 10_000_000]),
    ]


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (JAVA_HEAP.replace(b"format = java", b"format = c"), "unrecognized profile format"),
        (JAVA_HEAP.replace(b"     1 @", b"     0 @"), "second value must be non-zero"),
        (JAVA_HEAP.replace(b"resolution = bytes\n", b""), "sample has 2 values vs. 0 types"),
        (JAVA_CONTENTION.replace(b"= 100", b"= often"), "failed to parse attribute sampling period = often"),
        (JAVA_CONTENTION.replace(b"14     2", b"9" * 30 + b"     2"), "does not fit into 64 bits"),
        (JAVA_CONTENTION.replace(b"14     2", b"9" * 5000 + b"     2"), "does not fit into 64 bits"),
        (THREADS.replace(b"--- Thread 7f794a3ec940", b"--- Fiber"), "unrecognized profile format"),
        (JEMALLOC.replace(b"t*: 20:", b"t*: many:"), "malformed sample: t*: many: 4194304 [0: 0]"),
        (b"heap_v2/1000\n", "unrecognized profile format"),
        (HEAP_V2.replace(b"heap_v2/524288", b"heap_v2/" + b"9" * 19), "unrecognized profile format"),
        (HEAP_V2.replace(b"heap_v2/524288", b"heap_v3/524288"), "unrecognized profile format"),
        (
            HEAP_V2.replace(b"[ 10: 2000]", b"[ 1: 9000000000000000000]").replace(
                b"v2/524288", b"v2/9" + b"0" * 17
            ),
            "cannot be scaled",
        ),
        (CONTENTION.replace(b"   27 @", b"   9223372036854775807 @"), "do not fit into 64 bits"),
        (CONTENTION.replace(b"= 100", b"= " + b"9" * 20), "unrecognized profile format"),
        (CONTENTION.replace(b"0xbccc97", b"0x1" + b"0" * 16), "an address does not fit into 64 bits"),
        (_cpu_words(1, 5, 0x10), "unrecognized profile format"),
        (_cpu_words(1, 1, 0x10), "unrecognized profile format"),
    ],
)
def test_a_damaged_profile_of_these_forms_is_refused_by_name(data: bytes, message: str) -> None:
    with pytest.raises(MalformedProfileError, match=re.escape(message)):
        decode(data)


def test_memory_in_use_by_jemalloc_is_scaled_as_jeprof_does() -> None:
    profile = decode(JEMALLOC)
    assert _types(profile) == [("inuse_objects", "count"), ("inuse_space", "bytes")]
    factors = [1 / (1 - math.exp(-size / 524288)) for size in (1048576 / 10, 4194304 / 20)]
    assert _stacks(profile) == [
        ([0x5F86D9, 0x5F5A1C], [int(10 * factors[0]), int(1048576 * factors[0])]),
        ([0x5F86D9, 0x600000], [int(20 * factors[1]), int(4194304 * factors[1])]),
    ]
    assert [mapping.filename for mapping in profile.mappings] == ["/usr/bin/server"]
    assert profile.period == 524288


def test_what_jemalloc_counted_since_the_start_comes_first() -> None:
    profile = decode(JEMALLOC.replace(b"[0: 0]", b"[40: 8388608]"))
    assert [name for name, _ in _types(profile)] == [
        "alloc_objects",
        "alloc_space",
        "inuse_objects",
        "inuse_space",
    ]
    factor = 1 / (1 - math.exp(-8388608 / 40 / 524288))
    assert profile.samples[0].values[:2] == [int(40 * factor), int(8388608 * factor)]


@pytest.mark.slow
@pytest.mark.parametrize("report", ["-raw", "-top", "-traces", "-tree", "-proto"])
@pytest.mark.parametrize("name", ORIGINALS)
def test_the_original_says_the_same(name: str, report: str, go_pprof: Path, tmp_path: Path) -> None:
    (tmp_path / name).write_bytes(ORIGINALS[name])
    surroundings = {**os.environ, "TZ": "UTC", "HOME": str(tmp_path), "PPROF_BINARY_PATH": "/nonexistent"}
    found = []
    for command in ([go_pprof], [sys.executable, "-m", "conduit", "pprof"]):
        subprocess.run(
            [*command, report, "-output=out", name], cwd=tmp_path, env=surroundings, capture_output=True
        )
        found.append((tmp_path / "out").read_bytes())
    theirs, ours = found
    if report == "-proto":
        assert _named(decode(ours)) == _named(decode(theirs))
        assert _stacks(decode(ours)) == _stacks(decode(theirs))
    else:
        assert ours == theirs


def test_blocks_of_no_size_and_blocks_that_were_all_sampled_are_not_scaled() -> None:
    nothing = HEAP_V2.replace(b"4: 600 [ 10: 2000]", b"4: 0 [ 10: 0]")
    assert decode(nothing).samples[0].values == [0, 0, 0, 0]
    everything = HEAP_V2.replace(b"heap_v2/524288", b"heap_v2/1")
    assert decode(everything).samples[0].values == [10, 2000, 4, 600]


def test_regions_of_a_file_are_joined_only_where_they_follow_each_other_and_belong_to_one_build() -> None:
    maps = """--- Memory map: ---
  1000-2000: /bin/program (@0) 1a2b
  2000-3000: /bin/program (@1000) 1a2b
  3000-4000: /bin/program (@2000) 3c4d
  5000-6000: /bin/program (@4000) 3c4d
"""
    found = decode(COUNT + maps.encode()).mappings
    spans = [(mapping.start, mapping.limit) for mapping in found]
    assert spans == [(0x1000, 0x3000), (0x3000, 0x4000), (0x5000, 0x6000)]


def test_regions_that_hold_no_code_are_left_out() -> None:
    maps = """--- Memory map: ---
1000-2000 r--p 00000000 08:01 99   /bin/program
2000-3000 r-xp 00001000 08:01 99   /bin/program
"""
    [mapping] = decode(COUNT + maps.encode()).mappings[:1]
    assert mapping.limit == 0x3000


def test_the_beginning_of_a_program_on_larger_pages_is_left_to_the_mapping_that_follows() -> None:
    maps = """--- Memory map: ---
1000-2000 r-xp 00000000 00:00 0   /anon_hugepage (deleted)
2000-3000 r-xp 00001000 08:01 99   /bin/program
"""
    profile = decode(COUNT + maps.encode())
    assert [(one.filename, one.start, one.limit) for one in profile.mappings] == [
        ("/bin/program", 0x1000, 0x3000)
    ]
    assert {location.mapping for location in profile.locations} == set(profile.mappings)
