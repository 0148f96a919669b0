"""The flame graph's data are those of pprof's page: every stack, and every source with its names, places and colour.

What the page makes of them, and its other views, are compared with the original's in tests/web/test_data.py.
"""

from __future__ import annotations

import json
from html import unescape
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

import pytest

from conduit.profile.builder import ProfileBuilder
from conduit.profile.codec import decode
from conduit.profile.model import ValueType
from conduit.report.formats.flame import Flame
from conduit.report.options import OPTIONS, Options
from conduit.report.pipeline import prepare_report
from conduit.report.report import Report, whole_labels
from tests.report.pprof_goldens import prepare

BY_PARAMETER = {option.url_parameter: option.name for option in OPTIONS.values() if option.url_parameter}


def _report(page: dict[str, object], golden: Path) -> tuple[Report, list[str]]:
    options = Options(source_path="src/app", trim_path="/app")  # as the goldens were made
    for name, value in parse_qsl(urlsplit(str(page["url"])).query):
        options.assign(BY_PARAMETER[name], value)
    options = options.copy(granularity=options.granularity or "filefunctions", trim=False)
    profile = decode((golden / "pprof" / "profiles" / f"{page['profile']}.pb.gz").read_bytes())
    warnings: list[str] = []
    return prepare_report(profile, "collapsed", options, warnings.append), warnings


def _pages(shared_golden: Path) -> list[dict[str, object]]:
    pages = json.loads((shared_golden / "pprof" / "web_pages.json").read_text(encoding="utf-8"))
    return [page for page in pages if page["code"] == 200 and urlsplit(page["url"]).path == "/ui/flamegraph"]


def _unescaped(lines: object) -> list[str]:
    """Text as the page means it, not as its markup writes it."""
    assert isinstance(lines, list)
    return [unescape(line) for line in lines]


@pytest.mark.usefixtures("restore_zone")
def test_the_flame_graph_s_stacks_are_those_of_the_original(
    shared_golden: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepare(shared_golden / "pprof", monkeypatch)
    pages = _pages(shared_golden)
    assert len(pages) > 10
    for page in pages:
        report, warnings = _report(page, shared_golden)
        flame = Flame(report)
        assert _as_document(flame, report) == _comparable(page["stacks"]), page["url"]
        assert ["", *(source.full_name for source in flame.sources[1:])] == page["nodes"]
        assert warnings == page["errors"]
        assert whole_labels(report) == _unescaped(page["legend"])


def _comparable(document: object) -> dict[str, object]:
    """Without the names and colours that Conduit's page makes itself."""
    assert isinstance(document, dict)
    for source in document["Sources"]:
        del source["Display"], source["Color"], source["UniqueName"]
    return document


def _as_document(flame: Flame, report: Report) -> dict[str, object]:
    columns = report.profile.columns
    paths = [
        [0, *(source for location in reversed(stack) for source in flame.sources_of[location])]
        for stack in columns.stacks()
    ]
    values = columns.values[report.values.index].tolist()
    places: list[list[dict[str, int]]] = [[] for _ in flame.sources]
    own = [0] * len(flame.sources)
    for number, (path, value) in enumerate(zip(paths, values, strict=True)):
        own[path[-1]] += value
        for source in dict.fromkeys(path):
            places[source].append({"Stack": number, "Pos": path.index(source)})
    return {
        "Total": flame.total,
        "Scale": flame.scale,
        "Type": flame.type,
        "Unit": flame.unit,
        "Stacks": [{"Value": value, "Sources": path} for value, path in zip(values, paths, strict=True)],
        "Sources": [
            {
                "FullName": source.full_name,
                "FileName": source.file_name,
                "Inlined": source.inlined,
                "Places": places[number],
                "Self": own[number],
            }
            for number, source in enumerate(flame.sources)
        ],
    }


def test_a_function_of_the_flame_graph_has_the_line_at_which_it_begins_where_it_is_only_one() -> None:
    builder = ProfileBuilder([ValueType("cpu", "nanoseconds")])
    for name, line, begin in (("work", 12, 10), ("work", 14, 10), ("twin", 2, 1), ("twin", 8, 7)):
        builder.add([(name, "/srv/a.py", line, begin)], [1])
    for granularity, expected in (
        ("filefunctions", {"work": 10, "twin": 0}),
        ("functions", {"work": 0, "twin": 0}),
    ):
        report = prepare_report(builder.build(), "top", Options(granularity=granularity, trim=False), print)
        begins = {source.full_name: source.start_line for source in Flame(report).sources[1:]}
        assert begins == expected
