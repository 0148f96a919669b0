from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from conduit.bench.result import AllocationCount, Measurement, MeasurementWarning
from conduit.bench.run.events import (
    Ended,
    Event,
    Measured,
    Measuring,
    Started,
    Warned,
    decode_event,
    encode_event,
)

texts = st.text(max_size=20)
counts = st.integers(0, 2**60)
warnings = st.builds(MeasurementWarning, texts, texts, texts)
measurements = st.builds(
    Measurement,
    name=texts,
    processors=st.integers(1, 64),
    n=counts,
    elapsed_ns=counts,
    cpu_ns=counts,
    processed_bytes=counts,
    shows_allocations=st.booleans(),
    allocations=st.none() | st.builds(AllocationCount, st.integers(1, 100), counts, counts),
    loop_ns=st.floats(0, 100),
    metrics=st.dictionaries(texts, st.floats(allow_nan=False), max_size=3),
    log=st.lists(texts, max_size=3).map(tuple),
    warnings=st.lists(warnings, max_size=2).map(tuple),
)
events = st.one_of(
    st.builds(Started, texts),
    st.builds(Measuring, texts),
    st.builds(Measured, measurements),
    st.builds(Warned, texts, st.integers(1, 64), warnings),
    st.builds(Ended, texts, st.sampled_from(["failed", "skipped", "parent"]), st.lists(texts).map(tuple)),
)


@given(events)
def test_an_event_that_went_to_another_process_is_the_same_event(event: Event) -> None:
    assert decode_event(json.loads(json.dumps(encode_event(event)))) == event
