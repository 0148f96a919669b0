"""What Python 3.15's `profiling.sampling` writes here and now is read with the number of samples that it prints."""

from __future__ import annotations

import re
import subprocess
import sys
from pathlib import Path

import pytest

from conduit.fetch.foreign import decode_foreign

WORK = """
import threading, time
def burn():
    end = time.monotonic() + 0.3
    while time.monotonic() < end:
        sum(range(100))
other = threading.Thread(target=burn)
other.start()
burn()
other.join()
"""


def sampling(folder: Path, *arguments: str) -> str:
    command = [sys.executable, "-m", "profiling.sampling", *arguments]
    done = subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=120)
    printed = done.stdout + done.stderr
    if done.returncode and re.search("(?i)permission|not permitted", printed):
        pytest.skip("profiling.sampling: it may not read its child here")
    assert done.returncode == 0, printed
    return printed


@pytest.mark.skipif(sys.version_info < (3, 15), reason="profiling.sampling: from Python 3.15 on")
def test_each_format_of_one_recording_has_the_number_of_samples_that_was_printed(tmp_path: Path) -> None:
    (tmp_path / "work.py").write_text(WORK, encoding="utf-8")
    to_binary = ("--binary", "--compression", "none", "-o", "recorded")
    printed = sampling(tmp_path, "run", "--all-threads", *to_binary, "work.py")
    found = re.search(r"written to \S+ \((\d+) samples\)", printed)
    assert found, printed
    formats = ("--collapsed", "--gecko", "--pstats")
    for form in formats:
        sampling(tmp_path, "replay", form, "-o", form.strip("-"), "recorded")
    totals = {}
    for name in ("recorded", *(form.strip("-") for form in formats)):
        read = decode_foreign((tmp_path / name).read_bytes())
        assert read is not None, name
        column = [kind.type for kind in read.profile.sample_types].index("samples")
        totals[name] = sum(sample.values[column] for sample in read.profile.samples)
    assert totals == dict.fromkeys(totals, int(found[1]))
    assert totals["recorded"] > 0
