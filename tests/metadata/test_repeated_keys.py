"""Repeated keys are found by a scan of the bytes; the truth is Python's own parser with its hook for pairs."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from benchmarks.documents import plain_document, rich_document
from conduit._native import available
from conduit.metadata.registry import Registry
from conduit.metadata.warnings import has_distinct_keys

KEYS = st.sampled_from(
    ["a", "b", "name", "a long key of more than eight bytes", "a long key of more than nine bytes", "é"]
)


def _objects() -> st.SearchStrategy[str]:
    """JSON text in which keys repeat, with and without white space."""
    leaves = st.sampled_from(["1", "null", '"x"', '"{\\"a\\":1}"', '"a\\\\"', '"tail: "', "[]", "{}"])

    def nested(inner: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
        gaps = st.sampled_from(["", " ", "\n\t"])
        pair = st.tuples(KEYS, gaps, gaps, inner).map(
            lambda p: f"{json.dumps(p[0], ensure_ascii=False)}{p[1]}:{p[2]}{p[3]}"
        )
        return st.lists(pair, max_size=5).map(lambda pairs: "{" + ",".join(pairs) + "}") | st.lists(
            inner, max_size=3
        ).map(lambda items: "[" + ", ".join(items) + "]")

    return st.recursive(leaves, nested, max_leaves=20)


def _repeats(text: str) -> bool:
    found = False

    def note(pairs: list[tuple[str, Any]]) -> None:
        nonlocal found
        found = found or len({key for key, _ in pairs}) < len(pairs)

    json.loads(text, object_pairs_hook=note)
    return found


@given(_objects())
def test_keys_are_called_distinct_only_where_the_parser_sees_none_twice(text: str) -> None:
    assert not (has_distinct_keys(text.encode()) and _repeats(text))


@pytest.mark.skipif(not available(), reason="the scan without false alarms is the extension's")
@given(_objects())
def test_the_scan_gives_no_false_alarm(text: str) -> None:
    assert has_distinct_keys(text.encode()) is not _repeats(text)


@pytest.mark.skipif(not available(), reason="Python's own way refuses such text earlier")
@given(st.binary(max_size=200) | st.text('{}[]:,"\\\\ab ', max_size=80).map(str.encode))
def test_the_scan_survives_bytes_that_are_no_json(data: bytes) -> None:
    assert has_distinct_keys(data) in (True, False)


@pytest.mark.parametrize("count", [2, 24, 25, 26, 500])
def test_a_key_is_found_twice_in_objects_of_any_size(count: int) -> None:
    keys = [f'"key{number}":1' for number in range(count)]
    assert has_distinct_keys(("{" + ",".join(keys) + "}").encode())
    for twice in (0, count // 2, count - 1):
        assert not has_distinct_keys(("{" + ",".join([*keys, keys[twice]]) + "}").encode())


def test_a_key_that_an_escape_spells_differently_is_still_found() -> None:
    document = b'{"version":"1","\\u0076ersion":"1"}'
    assert [warning.path for warning in Registry.from_json(document).warnings] == ["version"]
    assert Registry.from_json(b'{"version":"1","\\u0077ersion":"1"}').warnings == ()


def test_generated_documents_have_distinct_keys() -> None:
    assert has_distinct_keys(plain_document(40))
    assert has_distinct_keys(rich_document(40))
