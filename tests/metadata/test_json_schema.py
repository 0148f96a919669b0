"""The published schema accepts what the reader accepts, and refuses what it refuses."""

from __future__ import annotations

import json
from importlib import resources
from typing import Any

import jsonschema
import pytest
from hypothesis import given, settings

from benchmarks.documents import rich_document
from conduit.errors import MetadataError
from conduit.metadata import Metadata, decode, encode
from conduit.metadata.json_schema import document_schema
from tests.metadata.strategies import DOCUMENT
from tests.metadata.test_goldens import COMPILER_SHAPE, FOLDERS, NAMELESS, NULL, _documents

VALIDATOR = jsonschema.Draft202012Validator(document_schema())

# What a schema of JSON values cannot see, and what only the reader refuses or accepts.
BEYOND_A_SCHEMA = {
    "generated_feb30": "there is no such day",
    "deep_10001_unknown": "no schema limits the depth of unknown values",
    "generated_leap60": "there is no such second",
    "line_number_float_int": "1.0 is an integer to JSON Schema and none to Go",
    "line_number_exp": "1e2 is an integer to JSON Schema and none to Go",
    "middleware_list_legacy": "the compiler's shape",
    "lone_surrogate": "Python's reader makes text of it",
    "confidence_huge": "Python's reader makes infinity of it",
    "NaN": "Python's reader makes a number of it",
    "Infinity": "Python's reader makes a number of it",
}


def test_the_file_in_the_package_is_the_schema_of_the_records() -> None:
    published = resources.files("conduit.metadata").joinpath("document.schema.json").read_text("utf-8")
    assert json.loads(published) == document_schema()
    jsonschema.Draft202012Validator.check_schema(document_schema())


@pytest.mark.parametrize("path", _documents())
def test_it_accepts_the_documents_that_the_reader_accepts(path: Any) -> None:
    document = json.loads(path.read_bytes())
    if path.name in COMPILER_SHAPE:  # another shape, which only the reader knows
        document = json.loads(encode(decode(path.read_bytes())))
    assert VALIDATOR.is_valid(document) == (path.name not in NAMELESS + NULL)


def _bad_files() -> list[Any]:
    folder = next((each / "bad" for each in FOLDERS if (each / "bad").is_dir()), None)
    return [] if folder is None else [pytest.param(path, id=path.stem) for path in sorted(folder.iterdir())]


@pytest.mark.parametrize("path", _bad_files())
def test_it_agrees_with_the_reader_about_bad_inputs(path: Any) -> None:
    if path.stem in BEYOND_A_SCHEMA:
        pytest.skip(BEYOND_A_SCHEMA[path.stem])
    try:
        document = json.loads(path.read_bytes().decode())
    except (ValueError, RecursionError):
        pytest.skip("no JSON, or deeper than Python's reader goes: no document for a schema")
    try:
        decode(path.read_bytes())
    except MetadataError:
        assert not VALIDATOR.is_valid(document)
    else:
        VALIDATOR.validate(document)


@given(DOCUMENT)
@settings(max_examples=30, deadline=None)
def test_it_accepts_whatever_is_written(document: Metadata) -> None:
    VALIDATOR.validate(json.loads(encode(document)))


def test_it_accepts_what_an_application_has() -> None:
    VALIDATOR.validate(json.loads(rich_document(20)))
