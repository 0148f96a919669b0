"""Files of other tools, made by these tools: the totals are the ones that each tool prints."""

from __future__ import annotations

import cProfile
import json
import marshal
import pstats
import re
from pathlib import Path
from typing import Any

import pytest

from conduit.errors import MalformedProfileError
from conduit.fetch.foreign import decode_foreign
from conduit.fetch.foreign.pstats import divide
from conduit.fetch.inputs import Request, fetch_profile
from conduit.profile.model import Profile

FILES = Path(__file__).parent / "foreign"


def read(name: str) -> Profile:
    found = decode_foreign((FILES / name).read_bytes())
    assert found is not None
    return found.profile


def totals(profile: Profile) -> list[int]:
    return [
        sum(sample.values[column] for sample in profile.samples)
        for column in range(len(profile.sample_types))
    ]


def cumulative(profile: Profile, name: str, column: int) -> int:
    return sum(
        sample.values[column]
        for sample in profile.samples
        if any(line.function and line.function.name == name for at in sample.locations for line in at.lines)
    )


def inner() -> int:
    return sum(range(2_000))


def middle() -> int:
    return sum([inner() for _ in range(50)])


def recursive(depth: int) -> int:
    return inner() + (recursive(depth - 1) if depth else 0)


def outer() -> None:
    for _ in range(20):
        middle()
    recursive(30)


def test_cprofiles_file_has_the_calls_and_times_that_pstats_prints(tmp_path: Path) -> None:
    path = tmp_path / "work.pstats"
    recorder = cProfile.Profile()
    recorder.runcall(outer)
    recorder.dump_stats(path)
    truth = pstats.Stats(str(path))
    said: list[str] = []
    profile = fetch_profile(Request([str(path)]), said.append)
    assert [(one.type, one.unit) for one in profile.sample_types] == [
        ("calls", "count"),
        ("time", "nanoseconds"),
    ]
    calls, time_ns = totals(profile)
    assert calls == truth.total_calls  # type: ignore[attr-defined]
    assert time_ns == pytest.approx(truth.total_tt * 1e9, abs=100)  # type: ignore[attr-defined]
    assert "own times (flat) are exact" in said[0]


def test_cumulative_times_of_functions_that_do_not_recurse_are_cprofiles(tmp_path: Path) -> None:
    recorder = cProfile.Profile()
    recorder.runcall(middle)
    path = tmp_path / "work.pstats"
    recorder.dump_stats(path)
    found = decode_foreign(path.read_bytes())
    assert found is not None
    for (_, _, name), (_, _, _, seconds, _) in pstats.Stats(str(path)).stats.items():  # type: ignore[attr-defined]
        if name in ("middle", "inner"):
            # Branches under a ten-thousandth of the total end early.
            assert cumulative(found.profile, name, 1) == pytest.approx(seconds * 1e9, rel=0.01)


def test_profiling_samplings_statistics_have_the_samples_that_it_reported() -> None:
    profile = read("profiling-sampling.pstats")
    assert [one.type for one in profile.sample_types] == ["samples", "time"]
    # `Captured 538 samples`, of which 7.25 % could not be read.
    assert totals(profile) == [499, 499_000_000]


def test_profiling_samplings_stacks_keep_file_line_and_thread() -> None:
    profile = read("profiling-sampling.txt")
    assert totals(profile) == [533]
    assert cumulative(profile, "fetch", 0) == 299
    (leaf,) = {
        (line.function.filename, line.line)
        for sample in profile.samples
        for line in sample.locations[0].lines
        if line.function and line.function.name == "fetch"
    }
    assert leaf == ("work.py", 15)
    assert {label for sample in profile.samples for label in sample.labels["thread"]} == {"tid:10328"}


def test_py_spys_stacks_have_the_samples_that_it_reported() -> None:
    assert totals(read("py-spy.txt")) == [87]  # "Samples: 87 Errors: 0"


def test_py_spys_speedscope_file_has_its_samples_at_100_a_second() -> None:
    assert totals(read("py-spy.speedscope.json")) == [650_000_000]  # "Samples: 65 Errors: 0"


def test_pyinstruments_speedscope_file_has_the_time_in_which_a_frame_was_open() -> None:
    document = json.loads((FILES / "pyinstrument.speedscope.json").read_text(encoding="utf-8"))
    last = document["profiles"][0]["events"][-1]["at"]
    profile = read("pyinstrument.speedscope.json")
    assert totals(profile) == [pytest.approx(last * 1e9, abs=1)]
    # pyinstrument prints it as "Duration".
    assert profile.duration_nanos == pytest.approx(document["profiles"][0]["endValue"] * 1e9, abs=1)


def test_time_of_a_speedscope_file_that_no_stack_has_is_said() -> None:
    document = json.loads((FILES / "pyinstrument.speedscope.json").read_text(encoding="utf-8"))

    def caveat() -> str:
        found = decode_foreign(json.dumps(document).encode())
        assert found is not None
        return found.caveat

    assert caveat() == ""
    events = [{"type": kind, "at": at, "frame": 0} for kind, at in (("O", 0.0), ("C", 0.25))]
    document["profiles"][0].update(events=events, startValue=0.0, endValue=1.0)
    assert caveat() == "a frame was open for 250ms of 1s: the rest is in no stack of the file"


def test_damaged_files_are_refused_at_every_length(tmp_path: Path) -> None:
    whole = (FILES / "profiling-sampling.pstats").read_bytes()
    for length in range(2, len(whole)):
        with pytest.raises(MalformedProfileError, match="pstats"):
            decode_foreign(whole[:length])


@pytest.mark.parametrize("number", [float("inf"), -1e308, float("nan"), 10**400, -(10**400), 1e300])
def test_numbers_that_no_clock_gives_are_refused_in_every_column(number: float) -> None:
    for column in range(2):
        entry = [1, 1, 0.5, 0.5]
        entry[column + 1] = number  # the calls, or the own time
        for value in ((*entry, {}), (1, 1, 0.5, 0.5, {("f", 2, "h"): (1, *entry[1:3], number)})):
            with pytest.raises(MalformedProfileError, match="pstats"):
                decode_foreign(marshal.dumps({("f", 1, "g"): value}))
    text = (FILES / "pyinstrument.speedscope.json").read_text(encoding="utf-8")
    document = json.loads(text)
    document["profiles"][0]["events"][-1]["at"] = number
    with pytest.raises(MalformedProfileError, match="speedscope"):
        decode_foreign(json.dumps(document).encode())


def test_statistics_that_would_take_for_ever_to_read_are_refused() -> None:
    key: Any = ("f", 1, "g")
    for _ in range(15):
        key = (key,) * 100
    with pytest.raises(MalformedProfileError, match="nested key"):
        # A dictionary with this key cannot be made: Python would hash it.
        decode_foreign(b"{" + marshal.dumps(key) + marshal.dumps(1) + b"0")
    with pytest.raises(MalformedProfileError, match="digits"):
        decode_foreign(marshal.dumps({("f", 1, "g"): (1 << 10_000, 1, 0.0, 0.0, {})}))


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"type": "other"}, "field is missing"),
        ({"unit": "parsecs"}, "field is missing"),
        ({"samples": [[0], [99]]}, "field is missing"),
        ({"samples": [[0], [-1]]}, "negative|missing"),
        ({"samples": [[0]]}, "1 samples, 2 weights"),
        ({"weights": [1, float("inf")]}, "not a weight"),
    ],
)
def test_a_damaged_speedscope_file_is_refused_with_its_fault(change: dict[str, object], reason: str) -> None:
    profile = {
        "type": "sampled",
        "unit": "none",
        "name": "x",
        "samples": [[0], [0]],
        "weights": [1, 2],
        **change,
    }
    document = {
        "$schema": "https://www.speedscope.app/file-format-schema.json",
        "shared": {"frames": [{"name": "f"}]},
        "profiles": [profile],
    }
    with pytest.raises(MalformedProfileError, match=reason):
        decode_foreign(json.dumps(document).encode())


def test_other_text_is_no_profile(tmp_path: Path) -> None:
    path = tmp_path / "words.txt"
    path.write_text("not a profile\n", encoding="utf-8")
    assert decode_foreign(path.read_bytes()) is None
    said: list[str] = []
    with pytest.raises(Exception, match="failed to fetch"):
        fetch_profile(Request([str(path)]), said.append)
    assert re.search("unrecognized profile format", said[0])


def test_shares_are_whole_numbers_that_add_up_to_the_value() -> None:
    assert divide(10, [1.0, 1.0, 1.0]) == [3, 4, 3]
    assert sum(divide(2**62, [0.1] * 7)) == 2**62
    assert divide(5, [0.0, 0.0]) == [0, 0]
