"""A number that JSON allows and no float can hold is a fault of the document, whatever else is wrong with it."""

from __future__ import annotations

import pytest

from conduit.errors import MetadataError
from conduit.metadata import decode


@pytest.mark.parametrize(
    "data", [b'{"x":1e400}', b'{"x":1e400}]', b'{"x":1e400, 5: 1}', b'{"x":1e400', b'[1e999, {"a" 1}]']
)
def test_a_number_beyond_all_bounds_is_a_metadata_error_also_in_a_broken_document(data: bytes) -> None:
    with pytest.raises(MetadataError):
        decode(data)
