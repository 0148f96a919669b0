"""What py-spy and pyinstrument write here and now is read with the numbers that they print."""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from conduit.fetch.foreign import decode_foreign
from conduit.profile.model import Profile

PY_SPY = shutil.which("py-spy", path=str(Path(sys.executable).parent))
WORK = """
import time
def burn():
    end = time.process_time() + 0.3
    while time.process_time() < end:
        sum(range(100))
burn()
"""
# One recording in all forms: of a session that was saved, pyinstrument writes only the first stack into speedscope's.
RECORDED = """
import pyinstrument
from pyinstrument.renderers import HTMLRenderer, JSONRenderer, SpeedscopeRenderer
with pyinstrument.Profiler() as profiler:
    exec(compile(open("work.py").read(), "work.py", "exec"), {})
for name, renderer in [("recorded", SpeedscopeRenderer()), ("json", JSONRenderer()), ("page", HTMLRenderer())]:
    with open(name, "w") as file:
        file.write(profiler.output(renderer))
profiler.last_session.save("session")
print(profiler.output_text(show_all=True))
"""


def recorded(folder: Path, name: str = "recorded") -> Profile:
    found = decode_foreign((folder / name).read_bytes())
    assert found is not None
    return found.profile


def total(profile: Profile) -> int:
    return sum(sample.values[0] for sample in profile.samples)


@pytest.mark.skipif(PY_SPY is None, reason="py-spy: not installed")
@pytest.mark.parametrize(("form", "unit"), [("raw", 1), ("speedscope", 10_000_000)])
def test_py_spys_file_has_the_samples_that_it_prints(tmp_path: Path, form: str, unit: int) -> None:
    (tmp_path / "work.py").write_text(WORK, encoding="utf-8")
    options = ("--rate", "100", "--format", form, "--output", "recorded")
    command = [str(PY_SPY), "record", *options, "--", sys.executable, "work.py"]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120)
    printed = done.stdout + done.stderr
    if done.returncode and re.search("(?i)permission|not permitted", printed):
        pytest.skip("py-spy: the kernel does not let it read its child")
    assert done.returncode == 0, printed
    count = re.search(r"Samples: (\d+)", printed)
    assert count, printed
    assert int(count[1]) > 0
    assert total(recorded(tmp_path)) == int(count[1]) * unit  # a speedscope file has 10 ms for a sample


@pytest.mark.skipif(find_spec("pyinstrument") is None, reason="pyinstrument: not installed")
def test_pyinstruments_files_have_the_duration_and_the_time_that_it_prints(tmp_path: Path) -> None:
    (tmp_path / "work.py").write_text(WORK, encoding="utf-8")
    command = [sys.executable, "-c", RECORDED]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=120)
    assert done.returncode == 0, done.stderr
    duration = re.search(r"Duration: (\d+\.\d{3})", done.stdout)
    root = re.search(r"^(\d+\.\d{3}) <module>", done.stdout, re.MULTILINE)
    assert duration, done.stdout
    assert root, done.stdout
    for name in ("recorded", "session", "json", "page"):
        profile = recorded(tmp_path, name)
        # Both are printed in whole milliseconds.
        assert profile.duration_nanos == pytest.approx(float(duration[1]) * 1e9, abs=510_000), name
        assert total(profile) == pytest.approx(float(root[1]) * 1e9, abs=510_000), name
        assert "burn" in {function.name for function in profile.functions}, name


def test_a_sample_without_a_stack_counts() -> None:
    found = decode_foreign(b"<module> (work.py:3) 10\n 1\n")  # as py-spy wrote it
    assert found is not None
    assert total(found.profile) == 11
    assert decode_foreign(b" 1\n") is None
