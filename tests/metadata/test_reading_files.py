"""How files are read: in no more memory than they take, whatever the limit is, and pipes too."""

from __future__ import annotations

import os
import threading
import tracemalloc
from pathlib import Path

import pytest

from conduit.errors import MetadataError
from conduit.metadata.codec import Limits, read_document


def test_reading_a_document_asks_for_no_more_memory_than_it_takes(tmp_path: Path) -> None:
    path = tmp_path / "metadata.json"
    path.write_bytes(b" " * 300_000)
    tracemalloc.start()
    try:
        assert len(read_document(path)) == 300_000
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert most < 1_000_000


@pytest.mark.parametrize("size", [0, 1, 5_000, 3_000_000])
def test_a_pipe_is_read_to_its_end(size: int, tmp_path: Path) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    writer = threading.Thread(target=path.write_bytes, args=(b"x" * size,))
    writer.start()
    try:
        assert read_document(path) == b"x" * size
    finally:
        writer.join()


def test_a_pipe_that_brings_more_than_the_limit_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "pipe"
    os.mkfifo(path)
    writer = threading.Thread(target=path.write_bytes, args=(b"x" * 1_001,))
    writer.start()
    try:
        with pytest.raises(MetadataError, match="1,000 bytes"):
            read_document(path, limits=Limits(size_bytes=1_000))
    finally:
        writer.join()
