"""The formats that other tools read: collapsed stacks, speedscope, JSON rows, pictures."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from xml.etree import ElementTree

import pytest

from conduit.fetch.foreign.gecko import decode as decode_gecko
from conduit.profile.builder import ProfileBuilder
from conduit.profile.codec import decode
from conduit.profile.model import TIME_LABEL, TIME_UNIT, Profile, ValueType
from conduit.report.formats.graphviz import GraphvizMissingError, draw
from conduit.report.options import Options
from conduit.report.pipeline import prepare_report, print_report
from conduit.web.time_order import has_times
from tests.report.making import CPU, MILLISECOND, profile_of

PROFILE = profile_of(
    [
        ([("main", "m.py", 1), ("a;b", "a.py", 2)], [3, 30 * MILLISECOND]),
        ([("main", "m.py", 1)], [1, 10 * MILLISECOND]),
        ([("main", "m.py", 5), ("a;b", "a.py", 4)], [2, 20 * MILLISECOND]),
    ],
    duration_nanos=10**9,
)


def _print(name: str, profile: Profile = PROFILE, **options: object) -> str:
    return print_report(prepare_report(profile, name, Options(**options), pytest.fail)).decode()


def test_collapsed_stacks_are_added_up_by_function_and_separators_are_kept_out_of_names() -> None:
    assert _print("collapsed").splitlines() == ["main 10000000", "main;a:b 50000000"]
    assert _print("collapsed", granularity="lines").splitlines() == [
        "main m.py:1 10000000",
        "main m.py:1;a:b a.py:2 30000000",
        "main m.py:5;a:b a.py:4 20000000",
    ]


def test_collapsed_stacks_add_up_to_the_total_where_samples_have_no_stack() -> None:
    profile = profile_of([([("main", "m.py", 1)], [3, 30]), ([], [2, 20])])
    assert _print("collapsed", profile).splitlines() == ["[no stack] 20", "main 30"]
    assert _print("folded", profile) == _print("collapsed", profile)
    assert prepare_report(profile, "top", Options(), pytest.fail).total == 50


def test_a_speedscope_document_has_the_stacks_root_first_with_their_weights() -> None:
    document = json.loads(_print("speedscope"))
    (profile,) = document["profiles"]
    names = [frame["name"] for frame in document["shared"]["frames"]]
    assert document["$schema"] == "https://www.speedscope.app/file-format-schema.json"
    assert [[names[number] for number in stack] for stack in profile["samples"]] == [
        ["main", "a;b"],
        ["main"],
        ["main", "a;b"],
    ]
    assert (profile["type"], profile["unit"]) == ("sampled", "nanoseconds")
    assert profile["weights"] == [30 * MILLISECOND, 10 * MILLISECOND, 20 * MILLISECOND]
    assert profile["endValue"] == sum(profile["weights"])
    assert {"name": "a;b", "file": "a.py", "line": 4} in document["shared"]["frames"]


@pytest.mark.parametrize(
    ("unit", "named", "weight"),
    [("bytes", "bytes", 7), ("kb", "bytes", 7168), ("count", "none", 7), ("hours", "seconds", 25200)],
)
def test_units_that_speedscope_does_not_know_are_converted(unit: str, named: str, weight: int) -> None:
    profile = profile_of([([("f", "f.py", 1)], [7])], [ValueType("x", unit)])
    (sampled,) = json.loads(_print("speedscope", profile))["profiles"]
    assert (sampled["unit"], sampled["weights"]) == (named, [weight])


def test_rows_as_json_have_raw_values_and_shares() -> None:
    document = json.loads(_print("json"))
    assert (document["sample_type"], document["unit"], document["total"]) == (
        "cpu",
        "nanoseconds",
        60 * MILLISECOND,
    )
    assert document["rows"][0] == {
        "name": "a;b",
        "flat": 50 * MILLISECOND,
        "cum": 50 * MILLISECOND,
        "flat_share": 50 / 60,
        "cum_share": 50 / 60,
        "inline": "",
    }


def test_topproto_holds_the_rows_of_top_as_samples() -> None:
    report = prepare_report(PROFILE, "topproto", Options(), pytest.fail)
    profile = decode(print_report(report))
    assert [kind.type for kind in profile.sample_types] == ["cum", "flat"]
    rows = {sample.locations[0].lines[0].function.name: sample.values for sample in profile.samples}  # type: ignore[union-attr]
    assert rows == {"a;b": [50, 50], "main": [60, 10]}
    assert profile.sample_types[0].unit == "ms"


def test_proto_divides_and_filters() -> None:
    report = prepare_report(PROFILE, "proto", Options(divide_by=10.0, focus="a;b"), pytest.fail)
    profile = decode(print_report(report))
    assert sorted(sample.values[1] for sample in profile.samples) == [2 * MILLISECOND, 3 * MILLISECOND]


def test_without_graphviz_its_name_and_the_command_that_installs_it_are_given(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    with pytest.raises(
        GraphvizMissingError, match=r"-svg needs Graphviz's program dot.*apt-get install graphviz"
    ):
        draw(b"digraph {}", "svg")


@pytest.mark.skipif(shutil.which("dot") is None, reason="Graphviz is not installed")
def test_an_svg_is_xml_that_shows_the_functions_and_fills_the_window() -> None:
    hostile = profile_of([([('q"<&>\\', "a.py", 1), ("end", "b.py", 1)], [1, MILLISECOND])], CPU)
    source = print_report(prepare_report(hostile, "svg", Options(), pytest.fail))
    root = ElementTree.fromstring(draw(source, "svg"))
    assert root.get("width") == root.get("height") == "100%"
    texts = {element.text for element in root.iter("{http://www.w3.org/2000/svg}text")}
    assert 'q"<&>\\' in texts


@pytest.mark.skipif(shutil.which("dot") is None, reason="Graphviz is not installed")
def test_a_png_and_a_pdf_begin_as_such_files_do() -> None:
    source = print_report(prepare_report(PROFILE, "png", Options(), pytest.fail))
    assert draw(source, "png").startswith(b"\x89PNG")
    assert draw(source, "pdf").startswith(b"%PDF")


def test_a_document_for_the_firefox_profiler_has_the_tables_that_profiling_sampling_writes() -> None:
    truth = json.loads(
        (Path(__file__).parent / "foreign" / "profiling-sampling.gecko.json").read_text("utf-8")
    )
    document = json.loads(_print("gecko"))
    assert set(document) == set(truth)
    assert set(document["shared"]) == set(truth["shared"])
    version = "preprocessedProfileVersion"
    assert document["meta"][version] == truth["meta"][version]
    (thread,) = document["threads"]
    assert set(thread) == set(truth["threads"][0])
    for name, table in truth["threads"][0].items():
        if isinstance(table, dict):
            assert set(thread[name]) == set(table), name
            columns = [column for column in thread[name].values() if isinstance(column, list)]
            assert {len(column) for column in columns} == {thread[name]["length"]}, name


def timed(*, all_of_them: bool = True) -> Profile:
    """Two threads that take turns, recorded out of order; on request one sample without a time."""
    builder = ProfileBuilder(
        [ValueType("wall", "nanoseconds")],
        period_type=ValueType("wall", "nanoseconds"),
        period=10 * MILLISECOND,
    )
    for thread, name, end in (
        ("worker", "wait", 30),
        ("main", "b", 20),
        ("main", "a", 10),
        ("worker", "wait", 10),
    ):
        times = {TIME_LABEL: 10**18 + end * MILLISECOND}
        builder.add([(name, "t.py", 1, 1)], [10 * MILLISECOND], {"thread": thread}, times, TIME_UNIT)
    if not all_of_them:
        builder.add([("late", "t.py", 1, 1)], [MILLISECOND], {"thread": "main"})
    return builder.build()


def test_samples_with_times_are_a_track_for_each_thread_and_read_back_as_they_were() -> None:
    data = _print("gecko", timed()).encode()
    document = json.loads(data)
    found = {thread["name"]: thread["samples"] for thread in document["threads"]}
    assert list(found) == ["main", "worker"]
    assert (found["main"]["time"], found["main"]["weight"]) == ([0, 10], [10, 10])
    assert found["worker"]["time"] == [0, 20]
    assert document["meta"]["interval"] == 10
    read = decode_gecko(data, times=True)
    assert read is not None
    columns = read.profile.columns
    seen = {
        (labels.labels["thread"][0], labels.numeric_labels[TIME_LABEL][0], value)
        for labels, value in zip(
            (columns.label_sets[at] for at in columns.label_of), columns.values[0], strict=True
        )
    }
    ten = 10 * MILLISECOND
    assert seen == {("main", 0, ten), ("main", ten, ten), ("worker", 0, ten), ("worker", 2 * ten, ten)}


def test_where_a_sample_has_no_time_none_is_made_up() -> None:
    data = _print("gecko", timed(all_of_them=False)).encode()
    assert len(json.loads(data)["threads"]) == 1
    read = decode_gecko(data, times=True)
    assert read is not None
    assert not has_times(read.profile)


def test_a_document_for_the_firefox_profiler_has_the_stacks_and_their_values_in_milliseconds() -> None:
    document = json.loads(_print("gecko"))
    (thread,) = document["threads"]
    stacks, frames, functions = thread["stackTable"], thread["frameTable"], thread["funcTable"]

    def names(stack: int | None) -> list[str]:
        if stack is None:
            return []
        text = functions["name"][frames["func"][stacks["frame"][stack]]]
        return [*names(stacks["prefix"][stack]), document["shared"]["stringArray"][text]]

    assert [names(stack) for stack in thread["samples"]["stack"]] == [
        ["main", "a;b"],
        ["main"],
        ["main", "a;b"],
    ]
    assert (thread["samples"]["weightType"], thread["samples"]["weight"]) == ("tracing-ms", [30, 10, 20])
