"""A document comes back as it was, and Go would have written the same bytes."""

from __future__ import annotations

import copy
import gzip
import json
import pickle
import re
import zlib
from decimal import Decimal
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from conduit.errors import MetadataError
from conduit.metadata import Limits, Metadata, Pattern, Resource, decode, encode, read_document
from conduit.metadata.codec import go_float
from conduit.metadata.schema import EMPTY, FrozenDict, canonical_timestamp
from tests.metadata.strategies import DOCUMENT


@given(DOCUMENT)
@settings(max_examples=80, deadline=None)
def test_any_document_comes_back_as_it_was(document: Metadata) -> None:
    data = encode(document)
    back = decode(data)
    assert back == document
    assert encode(back) == data
    assert decode(encode(document, indent=2), strict=True) == document


def test_a_map_is_written_in_the_order_of_its_keys() -> None:
    forth = Resource("A", middleware=FrozenDict({"show": ("b",), "list": ("a",)}))
    back = Resource("A", middleware=FrozenDict({"list": ("a",), "show": ("b",)}))
    assert encode(Metadata(resources=(forth,))) == encode(Metadata(resources=(back,)))
    assert b'"middleware":{"list":["a"],"show":["b"]}' in encode(Metadata(resources=(forth,)))


def test_what_go_always_writes_is_written_and_what_it_omits_is_left_out() -> None:
    assert encode(Metadata(resources=(Resource("A"),))) == (
        b'{"version":"","generated":"0001-01-01T00:00:00Z","source_hash":"","resources":[{"name":"A","file_path":"",'
        b'"fields":[],"relationships":[],"hooks":[],"validations":[],"constraints":[]}],"routes":[],"patterns":[],'
        b'"dependencies":{"nodes":{},"edges":[]}}'
    )


def test_text_is_escaped_as_go_escapes_it() -> None:
    data = encode(Metadata(version='<a> & b\u2028\u2029\x00\x1f\b\f\n\r\t"\\\x7fé🚀'))
    assert data.startswith(
        rb'{"version":"\u003ca\u003e \u0026 b\u2028\u2029\u0000\u001f\b\f\n\r\t\"\\'
        + "\x7fé🚀".encode()
        + b'"'
    )


@pytest.mark.parametrize(
    ("value", "spelled"),
    [
        (0.0, "0"),
        (-0.0, "-0"),
        (1.0, "1"),
        (0.95, "0.95"),
        (1e-6, "0.000001"),
        (9.999e-7, "9.999e-7"),
        (1e-7, "1e-7"),
        (1.5e-10, "1.5e-10"),
        (0.00001234, "0.00001234"),
        (12345678901234567000.0, "12345678901234567000"),
        (1e20, "100000000000000000000"),
        (1e21, "1e+21"),
        (-1.25e300, "-1.25e+300"),
        (5e-324, "5e-324"),
    ],
)
def test_a_number_is_spelled_as_go_spells_it(value: float, spelled: str) -> None:
    assert go_float(value) == spelled


@given(st.floats(allow_nan=False, allow_infinity=False))
def test_every_number_reads_back_and_has_go_s_form(value: float) -> None:
    spelled = go_float(value)
    assert float(spelled) == value
    exponential = value != 0 and not Decimal("1e-6") <= abs(Decimal(repr(value))) < Decimal("1e21")
    assert bool(re.fullmatch(r"-?\d(\.\d*[1-9])?e(-|\+)[1-9]\d*", spelled)) == exponential
    assert exponential or re.fullmatch(r"-?(0|[1-9]\d*)(\.\d*[1-9])?", spelled)


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_a_confidence_that_json_cannot_say_is_refused(value: float) -> None:
    with pytest.raises(ValueError, match="no number for"):
        encode(Metadata(patterns=(Pattern(confidence=value),)))


@pytest.mark.parametrize(
    ("written", "canonical"),
    [
        ("2025-10-25T14:03:09.120304050+02:00", "2025-10-25T14:03:09.12030405+02:00"),
        ("2025-10-25T12:00:00,5Z", "2025-10-25T12:00:00.5Z"),
        ("2025-02-03T0:00:00Z", "2025-02-03T00:00:00Z"),
        ("2025-02-03T00:00:00.123456789123Z", "2025-02-03T00:00:00.123456789Z"),
        ("2025-02-03T00:00:00.000+00:00", "2025-02-03T00:00:00Z"),
        ("2000-02-29T00:00:00Z", "2000-02-29T00:00:00Z"),
    ],
)
def test_a_time_is_kept_to_the_nanosecond_and_written_as_go_writes_it(written: str, canonical: str) -> None:
    assert canonical_timestamp(written) == canonical
    assert Metadata(generated=written).generated == canonical
    assert decode(json.dumps({"generated": written}).encode()).generated == canonical


@pytest.mark.parametrize(
    "written", ["", "2025-10-25", "1900-02-29T00:00:00Z", "2025-01-01T24:00:00Z", "2025-01-01t00:00:00z"]
)
def test_what_is_not_a_time_is_refused(written: str) -> None:
    with pytest.raises(ValueError, match="RFC 3339"):
        Metadata(generated=written)
    with pytest.raises(MetadataError, match=r"^generated: expected an RFC 3339 time"):
        decode(json.dumps({"generated": written}).encode())


def test_null_and_missing_keys_are_the_empty_value_of_their_type() -> None:
    keys = ("version", "generated", "source_hash", "resources", "routes", "patterns", "dependencies")
    assert decode(json.dumps(dict.fromkeys(keys)).encode()) == decode(b"{}") == Metadata()
    inner = b'{"resources":[{"name":"A","fields":[null],"middleware":{"list":null},"details":null}],"routes":[null]}'
    document = decode(inner)
    assert document.resources[0].fields[0].name == ""
    assert document.resources[0].middleware == {"list": ()}
    assert document.routes[0].method == ""


def test_records_cannot_be_changed() -> None:
    resource = decode(b'{"resources":[{"name":"A","middleware":{"list":["auth"]}}]}').resources[0]
    with pytest.raises(AttributeError):
        resource.name = "B"  # type: ignore[misc]
    for change in (
        lambda m: m.__setitem__("list", ()),
        lambda m: m.pop("list"),
        lambda m: m.update(show=()),
        lambda m: m.__ior__({"show": ()}),
        lambda m: m.clear(),
    ):
        with pytest.raises(TypeError, match="cannot be changed"):
            change(resource.middleware)
    assert decode(b'{"resources":[{"name":"A","middleware":{}}]}').resources[0].middleware is EMPTY


@given(DOCUMENT)
@settings(max_examples=20, deadline=None)
def test_records_can_be_copied_and_pickled(document: Metadata) -> None:
    assert pickle.loads(pickle.dumps(document)) == document
    assert copy.deepcopy(document) == document


def test_unknown_keys_are_ignored_and_named_when_that_is_asked_for() -> None:
    data = b'{"x":1,"resources":[{"name":"A","y y":2,"fields":[{"name":"f","type":"t","z":3}]}]}'
    assert decode(data).resources[0].name == "A"
    with pytest.raises(MetadataError) as caught:
        decode(data, strict=True)
    assert caught.value.problems == (
        "x: unknown key",
        "resources[0]['y y']: unknown key",
        "resources[0].fields[0].z: unknown key",
    )


def test_every_wrong_value_is_named_with_its_place() -> None:
    data = (
        b'{"version":1,"resources":[{"name":"A","fields":[{"name":"id","type":3,"nullable":"no"}],'
        b'"middleware":{"list":[1],"my op":{}}},{"name":""}],"patterns":[{"confidence":"0.5"}]}'
    )
    with pytest.raises(MetadataError) as caught:
        decode(data)
    assert caught.value.path == "version"
    assert caught.value.problems == (
        "version: expected str, got int",
        "resources[0].fields[0].type: expected str, got int",
        "resources[0].fields[0].nullable: expected bool, got str",
        "resources[0].middleware.list[0]: expected str, got int",
        "resources[0].middleware['my op']: expected list, got object",
        "resources[1].name: every resource needs a name, and this one has none",
        "patterns[0].confidence: expected number, got str",
    )


def test_a_document_with_thousands_of_faults_is_answered_in_a_few_lines() -> None:
    data = json.dumps({"resources": [{"name": 1}] * 5000}).encode()
    with pytest.raises(MetadataError) as caught:
        decode(data)
    assert len(caught.value.problems) == 21
    assert caught.value.problems[-1] == "… and 4980 more"


def test_numbers_beyond_all_bounds_are_refused_with_their_place() -> None:
    with pytest.raises(MetadataError, match=r"^patterns\[0\]\.confidence: "):
        decode(b'{"patterns":[{"confidence":1e400}]}')
    nines = b"9" * 100_000
    with pytest.raises(MetadataError, match=r"^routes\[0\]\.line_number: "):
        decode(b'{"routes":[{"method":"GET","path":"/","line_number":' + nines + b"}]}")


def test_text_that_is_not_json_is_refused_with_line_and_column() -> None:
    with pytest.raises(MetadataError, match=r"line 3, column 5") as caught:
        decode(b'{\n "version": "1",\n    oops\n}')
    assert caught.value.offset == 23
    with pytest.raises(MetadataError, match="ends early, after 12 bytes"):
        decode(b'{"version":"')
    with pytest.raises(MetadataError, match="the document is empty"):
        decode(b" \n")


def test_what_is_not_utf_8_is_refused_with_the_byte() -> None:
    for data in (
        b'{"version":"\xff"}',
        b'{"unknown":"\xff"}',
        b'{"unkno\xffwn":1}',
        b'{"a":1,"b":"\xed\xa0\x80"}',
    ):
        with pytest.raises(MetadataError, match="not UTF-8: byte") as caught:
            decode(data)
        assert caught.value.offset == next(i for i, byte in enumerate(data) if byte > 127)
    with pytest.raises(MetadataError, match="byte order mark"):
        decode(b"\xef\xbb\xbf{}")
    with pytest.raises(MetadataError, match="UTF-16"):
        decode("{}".encode("utf-16"))
    with pytest.raises(MetadataError, match="surrogate pair at byte 12"):
        decode(rb'{"version":"\ud800"}')
    assert decode(rb'{"version":"\ud83d\ude80"}').version == "🚀"


@pytest.mark.parametrize("data", [b"null", b"[]", b"42", b'"x"', b"true"])
def test_a_document_must_be_an_object(data: bytes) -> None:
    with pytest.raises(MetadataError, match="expected an object, got"):
        decode(data)


def test_a_document_over_a_limit_is_refused_and_the_limit_can_be_moved() -> None:
    deep = b'{"version":"1","x":' + b"[" * 500 + b'"]"' + b"]" * 500 + b"}"
    assert decode(deep).version == "1"
    with pytest.raises(MetadataError, match="nested deeper than 100 levels"):
        decode(deep, limits=Limits(depth=100))
    with pytest.raises(MetadataError, match="nested deeper than 10,000 levels"):
        decode(b'{"x":' + b"[" * 1_000_000)
    deeper = deep.replace(b"[", b"[" * 30).replace(b"]", b"]" * 30)
    assert decode(deeper.replace(b'"' + b"]" * 30 + b'"', b'"]"'), limits=Limits(depth=20_000)).version == "1"
    with pytest.raises(MetadataError, match="the limit is 10"):
        decode(b'{"version":"1"}', limits=Limits(size_bytes=10))


def test_what_is_nested_too_deep_for_any_record_is_still_a_wrong_type_where_a_record_is_expected() -> None:
    with pytest.raises(MetadataError, match=r"^resources\[0\]: expected object, got list"):
        decode(b'{"resources":' + b"[" * 2000 + b"]" * 2000 + b"}")


def test_a_file_is_read_plain_or_compressed(tmp_path: Path) -> None:
    data = encode(Metadata(version="1.0", resources=(Resource("A"),)))
    (tmp_path / "metadata.json").write_bytes(data)
    (tmp_path / "metadata.json.gz").write_bytes(gzip.compress(data[:9]) + gzip.compress(data[9:]))
    assert read_document(tmp_path / "metadata.json") == data
    assert read_document(str(tmp_path / "metadata.json.gz")) == data


def test_a_file_that_cannot_be_read_is_named(tmp_path: Path) -> None:
    with pytest.raises(MetadataError, match=r"cannot read .*nowhere\.json: No such file"):
        read_document(tmp_path / "nowhere.json")
    with pytest.raises(MetadataError, match=r"cannot read .*: Is a directory"):
        read_document(tmp_path)


def test_a_damaged_compressed_file_is_refused(tmp_path: Path) -> None:
    whole = gzip.compress(encode(Metadata(resources=tuple(Resource(f"R{i}") for i in range(50)))))
    for damage in (whole[:-20], whole[:15], whole[:30] + bytes([whole[30] ^ 255]) + whole[31:]):
        (tmp_path / "x.json.gz").write_bytes(damage)
        with pytest.raises(MetadataError, match="not a whole gzip file"):
            read_document(tmp_path / "x.json.gz")


def test_a_decompression_bomb_is_refused_before_it_has_grown(tmp_path: Path) -> None:
    bomb = tmp_path / "bomb.json.gz"
    pusher = zlib.compressobj(9, wbits=31)
    bomb.write_bytes(b"".join(pusher.compress(bytes(1 << 20)) for _ in range(64)) + pusher.flush())
    with pytest.raises(MetadataError, match="compressed bytes become more than"):
        read_document(bomb)
    with pytest.raises(MetadataError, match="more than 4,096"):
        read_document(bomb, limits=Limits(size_bytes=1 << 12, compression=10_000_000))


def test_the_compiler_s_shape_is_brought_into_the_registry_s() -> None:
    document = decode(
        json.dumps(
            {
                "version": "1.0.0",
                "resources": [
                    {
                        "name": "Post",
                        "line": 9,
                        "fields": [
                            {"name": "id", "type": "uuid!", "nullable": False},
                            {"name": "note", "type": "string?", "nullable": True},
                        ],
                        "relationships": [
                            {
                                "name": "author",
                                "type": "User",
                                "kind": "belongs_to",
                                "foreign_key": "author_id",
                            }
                        ],
                        "hooks": [
                            {
                                "timing": "before",
                                "event": "create",
                                "has_transaction": True,
                                "has_async": False,
                                "line": 5,
                            }
                        ],
                        "middleware": ["auth", "cache(300)"],
                    }
                ],
                "patterns": [{"name": "unique_field", "template": "t", "occurrences": 4}],
                "routes": [{"method": "GET", "path": "/posts", "description": "List posts"}],
            }
        ).encode()
    )
    post = document.resources[0]
    assert post.line_number == 9
    assert [field.required for field in post.fields] == [True, False]
    assert (post.relationships[0].type, post.relationships[0].target_resource) == ("belongs_to", "User")
    hook = post.hooks[0]
    assert (hook.type, hook.transaction, hook.async_, hook.line_number) == ("before_create", True, False, 5)
    assert post.middleware == {"*": ("auth", "cache(300)")}
    assert document.patterns[0].frequency == 4
    assert document.routes[0].details is not None
    assert document.routes[0].details.documentation == "List posts"
    assert decode(encode(document)) == document


def test_a_document_of_the_registry_s_shape_is_not_taken_for_the_compiler_s() -> None:
    data = b'{"version":"1","resources":[{"name":"A","fields":[{"name":"a","type":"t","nullable":false,"line":3}]}]}'
    assert decode(data).resources[0].fields[0].required is False


def test_a_resource_without_a_name_is_refused_with_its_place() -> None:
    with pytest.raises(MetadataError, match=r"resources\[1\]\.name: every resource needs a name"):
        decode(b'{"resources": [{"name": "a"}, {"fields": []}]}')


def test_a_deep_document_that_ends_early_is_refused_with_its_length() -> None:
    data = b'{"x": ' + b"[" * 99
    with pytest.raises(MetadataError, match=f"not JSON: the document ends early, after {len(data)} bytes"):
        decode(data)


@pytest.mark.parametrize("written", ["2025-10-25T12:00:00+25:00", "2025-10-25T12:00:00-01:61"])
def test_an_offset_of_more_than_a_day_is_no_time(written: str) -> None:
    with pytest.raises(ValueError, match="its offset is more than a day"):
        canonical_timestamp(written)
