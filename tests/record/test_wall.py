from __future__ import annotations

import sys
import threading
import time
from collections import Counter
from pathlib import Path

import pytest

from conduit import record
from conduit.errors import ProfilerBusyError
from conduit.profile.codec import decode


def wait_for(event: threading.Event) -> None:
    event.wait()


def test_a_thread_that_waits_has_all_of_its_time_where_it_waits(tmp_path: Path) -> None:
    path = tmp_path / "wall.prof"
    done = threading.Event()
    thread = threading.Thread(target=wait_for, args=(done,), name="waiter")
    thread.start()
    begin = time.perf_counter()
    with record.wall(path):
        time.sleep(0.5)
    elapsed = time.perf_counter() - begin
    done.set()
    thread.join()
    profile = decode(path.read_bytes())
    waited: Counter[str] = Counter()
    for sample in profile.samples:
        names = [
            line.function.name for location in sample.locations for line in location.lines if line.function
        ]
        if f"{__name__}.wait_for" in names:
            waited[sample.labels["thread"][0]] += sample.values[1]
    assert 0.45 <= waited["waiter"] / 1e9 <= elapsed
    assert [(kind.type, kind.unit) for kind in profile.sample_types] == [
        ("samples", "count"),
        ("wall", "nanoseconds"),
    ]


def test_the_sampler_thread_is_not_in_the_profile_and_is_gone_afterwards() -> None:
    before = threading.active_count()
    with record.wall() as recording:
        time.sleep(0.1)
    assert recording.profile is not None
    assert threading.active_count() == before
    assert not any("WallRecording._sample" in function.name for function in recording.profile.functions)


def test_a_second_start_is_refused() -> None:
    with record.wall(), pytest.raises(ProfilerBusyError, match="a wall profile is being taken already"):
        record.wall().start()


@pytest.mark.parametrize("rate", [0, 1001])
def test_a_rate_out_of_range_is_refused(rate: int) -> None:
    with pytest.raises(ValueError, match="from 1 to 1000"):
        record.wall(rate_hz=rate)


def test_with_times_each_sample_says_when_it_was_taken() -> None:
    began = time.time_ns()
    with record.wall(times=True) as recording:
        time.sleep(0.1)
    ended = time.time_ns()
    assert recording.profile is not None
    samples = [sample for sample in recording.profile.samples if sample.labels["thread"] == ["MainThread"]]
    times = [sample.numeric_labels["end_timestamp_ns"][0] for sample in samples]
    assert len(times) > 1
    assert len(set(times)) == len(times)
    assert all(began <= each <= ended for each in times)
    assert all(sample.values[0] == 1 for sample in samples)


def test_beyond_the_most_times_samples_are_added_up_and_a_warning_says_so(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(sys.modules["conduit.record.wall"], "MAX_TIMES", 1)
    with record.wall(times=True) as recording:
        time.sleep(0.1)
    assert recording.profile is not None
    timed = [sample for sample in recording.profile.samples if sample.numeric_labels]
    assert len(timed) == 1
    assert sum(sample.values[0] for sample in recording.profile.samples) > 1
    assert recording.warnings[-1] == "only the first sample has the time at which it was taken"
