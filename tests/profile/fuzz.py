"""A mutation fuzzer for the profile decoder, over a corpus that is kept in `corpus/`.

    python -m tests.profile.fuzz --inputs 1000000 --seed 1 [--keep]

Each input is a kept document, or a generated profile, damaged a little: bytes changed, removed, doubled, numbers made
huge, two documents spliced, behind gzip at times. Every input has to give a valid profile that survives encoding, or
`MalformedProfileError` with an offset inside the data. With `--keep`, inputs with an outcome that nothing in the corpus
has (another message or detail, numbers aside) join it.
"""

from __future__ import annotations

import argparse
import hashlib
import re
import zlib
from pathlib import Path
from random import Random

import pytest

from conduit._native import available
from conduit.errors import MalformedProfileError
from conduit.profile.codec import decode, encode_uncompressed
from conduit.profile.limits import Limits
from conduit.profile.merge import merge
from conduit.profile.wire import write_varint
from tests.profile.strategies import ANY_INT64, profile_from_bytes
from tests.profile.twins import use_twins

CORPUS = Path(__file__).with_name("corpus")
LIMITS = Limits(size_bytes=1 << 20, records=2_000, frames=20_000)
LONGEST_KEPT = 2_000  # bytes
EXTREMES = [write_varint(value) for value in (0, 1, 127, 128, 2**31, 2**32, 2**63 - 1, 2**63, 2**64 - 1)]


def outcome(data: bytes, *, round_trip: bool = True) -> str:
    """What becomes of an input, without numbers; raises whatever must never be raised.

    Where the C extension is loaded, its loops and their twins in Python must say the same.
    """
    said = _outcome(data, round_trip=round_trip)
    if available():
        with pytest.MonkeyPatch.context() as patch:
            use_twins(patch)
            in_python = _outcome(data, round_trip=round_trip)
        assert said == in_python
    return said[0]


def _outcome(data: bytes, *, round_trip: bool) -> tuple[str, object]:
    try:
        profile = decode(data, LIMITS)
    except MalformedProfileError as error:
        assert error.offset is not None
        assert 0 <= error.offset <= LIMITS.size_bytes
        return re.sub(r"\d+", "N", f"{error}: {error.detail}")[:200], (str(error), error.offset)
    profile.check_valid()
    # Compared are bytes: a legacy heap profile may have a label of 0 bytes, which profile.proto cannot hold.
    written = encode_uncompressed(profile)
    if round_trip:
        assert encode_uncompressed(decode(written)) == written
        assert encode_uncompressed(merge([profile])) == encode_uncompressed(merge([decode(written)]))
    what = f"valid with {min(profile.sample_count, 2)} samples and {min(len(profile.mappings), 2)} mappings"
    return what, written


def mutate(random: Random, corpus: list[bytes]) -> bytes:
    """One damaged document."""
    if random.random() < 0.1:
        data = bytearray(encode_uncompressed(profile_from_bytes(random.randbytes(60), ANY_INT64)))
    else:
        data = bytearray(random.choice(corpus))
    for _ in range(random.choice((0, 1, 1, 1, 2, 3, 6))):
        _damage(random, data, corpus)
    if random.random() < 0.02:
        compressor = zlib.compressobj(1, zlib.DEFLATED, 31)
        data = bytearray(compressor.compress(bytes(data)) + compressor.flush())
        if random.random() < 0.5:
            _damage(random, data, corpus)
    return bytes(data)


def _damage(random: Random, data: bytearray, corpus: list[bytes]) -> None:
    place = random.randrange(len(data) + 1)
    kind = random.randrange(6)
    if kind == 0 and place < len(data):
        data[place] = random.randrange(256)
    elif kind == 1 and place < len(data):
        data[place] ^= 1 << random.randrange(8)
    elif kind == 2:
        del data[place : place + random.randrange(1, 9)]
    elif kind == 3:
        data[place:place] = data[place : place + random.randrange(1, 30)]
    elif kind == 4:
        data[place : place + random.randrange(2)] = random.choice(EXTREMES)
    else:
        other = random.choice(corpus)
        start = random.randrange(len(other) + 1)
        data[place : place + random.randrange(20)] = other[start : start + random.randrange(40)]


def read_corpus() -> list[bytes]:
    """The kept documents, in a fixed order."""
    return [path.read_bytes() for path in sorted(CORPUS.iterdir())]


def run(inputs: int, seed: int) -> dict[str, bytes]:
    """Tries so many inputs; returns the shortest one for each outcome."""
    random = Random(seed)
    corpus = read_corpus()
    found: dict[str, bytes] = {}
    for number in range(inputs):
        data = mutate(random, corpus)
        try:
            # To encode and decode again costs three times as much, and finds what damage elsewhere would show too.
            what = outcome(data, round_trip=number % 8 == 0)
        except Exception as error:
            raise AssertionError(f"seed {seed}, input {number}: {data.hex()}") from error
        if what not in found or len(data) < len(found[what]):
            found[what] = data
    return found


def keep(found: dict[str, bytes]) -> int:
    """Adds the inputs whose outcome the corpus lacks; returns how many."""
    known = {outcome(data) for data in read_corpus()}
    new = [data for what, data in found.items() if what not in known and len(data) <= LONGEST_KEPT]
    for data in new:
        (CORPUS / f"{hashlib.sha256(data).hexdigest()[:12]}.bin").write_bytes(data)
    return len(new)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--inputs", type=int, default=100_000)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--keep", action="store_true")
    words = parser.parse_args()
    found = run(words.inputs, words.seed)
    print(f"{words.inputs} inputs, {len(found)} outcomes")
    if words.keep:
        print(f"{keep(found)} added to {CORPUS}")


if __name__ == "__main__":
    main()
