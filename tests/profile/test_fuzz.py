"""A million damaged profiles, and the kept ones: each is a profile or a named error with a place."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.profile.fuzz import CORPUS, outcome, read_corpus, run

SHARDS = 8
INPUTS = 130_000  # in each shard, with a seed of its own


@pytest.mark.parametrize("path", sorted(CORPUS.iterdir()), ids=lambda path: path.stem)
def test_a_kept_document_is_a_profile_or_a_named_error(path: Path) -> None:
    outcome(path.read_bytes())


def test_the_kept_documents_end_in_many_ways() -> None:
    assert len({outcome(data) for data in read_corpus()}) >= 40


def test_some_thousands_of_damaged_documents_are_profiles_or_named_errors() -> None:
    assert len(run(4_000, seed=99)) >= 30


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(SHARDS))
def test_a_million_damaged_documents_are_profiles_or_named_errors(seed: int) -> None:
    run(INPUTS, seed)
