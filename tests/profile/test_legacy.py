"""The formats before profile.proto: what Go prints with debug=1, gperftools' heap text and binary CPU profiles.

The expected sides are what Go 1.27's pprof makes of the same bytes.
"""

from __future__ import annotations

import struct
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
