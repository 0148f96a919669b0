"""Compact JSON with indentation: what both implementations write."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from conduit._native import available as native_available
from conduit._native import reason as native_reason
from conduit.cli.introspect.data import _indented_json, escaped_json, indented_json
from tests.cli.test_yaml_text import VALUES


@given(VALUES)
@example({"a": [], "b": {}, "c": [[1, [2]], {"d": [{"e": 1}]}], "f": '{[,:\\"]}', "": ["", {"": {}}]})
@example([])
@example("a")
def test_both_implementations_write_the_same(value: Any) -> None:
    text = escaped_json(value)
    assert indented_json(text) == _indented_json(text)


@pytest.mark.skipif(not native_available(), reason=native_reason())
@pytest.mark.parametrize("text", [b"{", b'["a', b'"\\', b'"', b"]", b"[1}]", b"[" * 600])
def test_brackets_or_strings_without_an_end_are_an_error(text: bytes) -> None:
    with pytest.raises(ValueError, match="JSON"):
        indented_json(text)


@given(st.binary(max_size=60))
def test_any_bytes_are_written_or_refused(text: bytes) -> None:
    try:
        indented_json(text)
    except ValueError:
        return
