"""JSON as YAML: what PyYAML reads back, and what both implementations write."""

from __future__ import annotations

import json
import string
from typing import Any

import msgspec
import pytest
import yaml
from hypothesis import example, given
from hypothesis import strategies as st

from conduit.cli.introspect.data import escaped_json, yaml_of_json
from conduit.cli.introspect.yaml_text import yaml_of_json as _yaml_of_json

TEXTS = st.one_of(
    st.text(alphabet=string.ascii_letters + string.digits + string.punctuation + " \n\t", max_size=12),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=8),
    st.sampled_from(
        ["yes", "No", "NULL", "~", "y", "a: b", "a:", "a #b", "a#b", "- a", "<<", "=", "1_000", "0x1f"]
    ),
    st.sampled_from(
        ["12:30", "2020-01-01", ".inf", "a\x7fb", "\x85", "\u2028", "\ufeff", "\ufffe", "a  b", " a", "\0"]
    ),
)
NUMBERS = st.one_of(st.integers(-(2**63), 2**63), st.floats(allow_nan=False, allow_infinity=False))
VALUES = st.recursive(
    st.one_of(st.none(), st.booleans(), NUMBERS, TEXTS),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(TEXTS, inner, max_size=4)),
    max_leaves=12,
)


@given(VALUES)
@example({"a": [], "b": {}, "c": [[1, [2]], {"d": [{"e": 1}]}], "f" * 600: {"g": [1]}, "h": [{"i" * 600: 1}]})
@example([1e16, -2.5e-07, 1e300, "module:Class.<locals>.f", "/api/{id}/", "GET,POST", "a&b"])
def test_pyyaml_reads_the_values_back_from_what_both_implementations_write(value: Any) -> None:
    text = escaped_json(value)
    written = yaml_of_json(text)
    assert yaml.safe_load(written) == value
    assert _yaml_of_json(text) == written


def test_texts_that_need_no_quotes_have_none_and_lists_stand_at_the_column_of_their_key() -> None:
    value = {
        "name": "Post",
        "routes": [{"path": "/posts/<id>", "guards": ["a.b"]}, "yes"],
        "doc": "one: two",
        "none": None,
    }
    assert yaml_of_json(msgspec.json.encode(value)).decode() == (
        'name: Post\nroutes:\n- path: /posts/<id>\n  guards:\n  - a.b\n- "yes"\ndoc: "one: two"\nnone: null\n'
    )


@pytest.mark.parametrize(
    "text", [b"", b"{", b'{"a"', b'{"a":', b'["a', b'"\\\\', b"[1,", b"[1 ]x", b"{1:2}", b"[" * 600]
)
def test_a_text_that_is_no_json_or_too_deep_is_an_error(text: bytes) -> None:
    for write in (yaml_of_json, _yaml_of_json):
        with pytest.raises((ValueError, msgspec.DecodeError)):
            write(text)
    assert json.loads(yaml_of_json(b"[" * 400 + b"]" * 400).replace(b"-", b"").replace(b" ", b"")) == []


@given(st.binary(max_size=60))
def test_any_bytes_are_written_or_refused(text: bytes) -> None:
    try:
        yaml_of_json(text)
    except ValueError:
        return
