"""Secrets in OpenAPI documents, and documents without an end."""

from __future__ import annotations

import json
import os
import threading

import pytest

from conduit.metadata.codec import encode
from conduit.sources import openapi
from conduit.sources.openapi import OpenAPIError, parse_openapi, read_openapi

DOCUMENT = {
    "openapi": "3.1.0",
    "info": {"title": "a"},
    "paths": {
        "/a": {
            "get": {
                "description": "curl -H 'Authorization: Bearer hunter2AAA'",
                "parameters": [
                    {"name": "api_key", "in": "query", "schema": {"type": "string", "default": "hunter2BBB"}}
                ],
                "responses": {"200": {"description": "see https://u:hunter2CCC@x/"}},
            }
        }
    },
    "components": {
        "schemas": {
            "A": {
                "type": "object",
                "description": "dsn postgres://u:hunter2DDD@db/x",
                "properties": {
                    "password": {"type": "string", "default": "hunter2EEE"},
                    "link": {
                        "type": "string",
                        "default": "https://x/?token=hunter2FFF",
                        "enum": ["token=hunter2GGG"],
                    },
                    "token_type": {"type": "string", "default": "bearer"},
                },
            }
        }
    },
}


def test_no_planted_secret_of_a_document_is_in_its_metadata_and_all_are_counted() -> None:
    found = parse_openapi(json.dumps(DOCUMENT).encode(), "a.json")
    assert b"hunter2" not in encode(found)
    assert found.redacted == 7
    assert found.resources[0].fields[2].default_value.strip("'\"") == "bearer"


def test_a_value_that_is_allowed_is_shown() -> None:
    found = parse_openapi(json.dumps(DOCUMENT).encode(), "a.json", ["hunter2EEE"])
    assert b"hunter2EEE" in encode(found) and found.redacted == 6


def test_repeated_keys_are_counted_in_linear_time() -> None:
    pairs = ",".join(f'"k{i}":1,"k{i}":2' for i in range(100_000))
    data = f'{{"openapi":"3.0.0","paths":{{{pairs}}}}}'.encode()
    assert len([e for e in parse_openapi(data, "a.json").errors if "given twice" in e.message]) == 100_000


def test_a_device_without_an_end_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(openapi, "MAX_BYTES", 3_000_000)
    with pytest.raises(OpenAPIError, match="more than 3,000,000 bytes"):
        read_openapi("/dev/zero")


def give(writer: int) -> None:
    os.write(writer, json.dumps(DOCUMENT).encode())
    os.close(writer)


def test_a_pipe_is_read_to_its_end_and_one_that_gives_nothing_is_given_up(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    reader, writer = os.pipe()
    threading.Thread(target=give, args=(writer,)).start()
    assert len(read_openapi(f"/dev/fd/{reader}").resources) == 1
    os.close(reader)
    reader, writer = os.pipe()
    monkeypatch.setattr(openapi, "READ_LIMIT_S", 0.01)
    with pytest.raises(OpenAPIError, match="was still incomplete after"):
        read_openapi(f"/dev/fd/{reader}")
    os.close(reader)
    os.close(writer)
