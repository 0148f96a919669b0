"""What the page shows is what pprof's page shows: the data of its flame graph, top table, graph and peek views."""

from __future__ import annotations

import json
from html import unescape
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

import pytest

from conduit.profile.codec import decode
from conduit.report.dot import compute_drawing
from conduit.report.flame import Flame, compute_flame
from conduit.report.header import whole_labels
from conduit.report.options import OPTIONS, Options
from conduit.report.pipeline import prepare_report, print_report
from conduit.report.top import compute_top
from conduit.report.view import Report
from tests.report.pprof_goldens import prepare

BY_PARAMETER = {option.url_parameter: option.name for option in OPTIONS.values() if option.url_parameter}
# What a view insists on, whatever its parameters say.
VIEWS = {
    "top": ("top", {"nodecount": 500}),
    "flamegraph": ("collapsed", {"trim": False}),
    "graph": ("svg", {}),
    "peek": ("peek", {"granularity": "lines"}),
}


def _options(query: str, view: str, changes: dict[str, object]) -> Options:
    options = Options(source_path="src/app", trim_path="/app")  # as the goldens were made
    for name, value in parse_qsl(query):
        options.assign(BY_PARAMETER[name], value)
    if view == "flamegraph" and not options.granularity:
        options.granularity = "filefunctions"
    return options.copy(**changes)


def _rows(page: dict[str, object], golden: Path) -> tuple[Report, list[str], str]:
    view = urlsplit(str(page["url"]))
    name = view.path.removeprefix("/ui/")
    format_name, changes = VIEWS[name]
    options = _options(view.query, name, changes)
    argument = options.focus if name == "peek" else ""
    profile = decode((golden / "pprof" / "profiles" / f"{page['profile']}.pb.gz").read_bytes())
    warnings: list[str] = []
    return prepare_report(profile, format_name, options, warnings.append, argument), warnings, name


def _pages(shared_golden: Path, view: str) -> list[dict[str, object]]:
    pages = json.loads((shared_golden / "pprof" / "web_pages.json").read_text(encoding="utf-8"))
    return [page for page in pages if page["code"] == 200 and urlsplit(page["url"]).path == f"/ui/{view}"]


def _unescaped(lines: object) -> list[str]:
    """Text as the page means it, not as its markup writes it."""
    assert isinstance(lines, list)
    return [unescape(line) for line in lines]


@pytest.mark.usefixtures("restore_zone")
def test_the_flame_graph_s_stacks_are_those_of_the_original(
    shared_golden: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepare(shared_golden / "pprof", monkeypatch)
    pages = _pages(shared_golden, "flamegraph")
    assert len(pages) > 10
    for page in pages:
        report, warnings, _ = _rows(page, shared_golden)
        flame = compute_flame(report)
        assert _comparable(_as_document(flame)) == _comparable(page["stacks"]), page["url"]
        assert ["", *(source.full_name for source in flame.sources[1:])] == page["nodes"]
        assert warnings == page["errors"]
        assert whole_labels(report) == _unescaped(page["legend"])


def _comparable(document: object) -> dict[str, object]:
    """Without the names and colours made of Go's own paths: those were renamed in the golden after it was printed."""
    assert isinstance(document, dict)
    for source in document["Sources"]:
        if source["FullName"].startswith(("/usr/local/go/", "/build/")):
            del source["Display"], source["Color"]
    return document


def _as_document(flame: Flame) -> dict[str, object]:
    return {
        "Total": flame.total,
        "Scale": flame.scale,
        "Type": flame.type,
        "Unit": flame.unit,
        "Stacks": [{"Value": stack.value, "Sources": stack.sources} for stack in flame.stacks],
        "Sources": [
            {
                "FullName": source.full_name,
                "FileName": source.file_name,
                "UniqueName": source.unique_name,
                "Inlined": source.inlined,
                "Display": source.display,
                "Places": [{"Stack": stack, "Pos": position} for stack, position in source.places],
                "Self": source.own,
                "Color": source.color,
            }
            for source in flame.sources
        ],
    }


@pytest.mark.usefixtures("restore_zone")
def test_the_top_table_s_rows_and_header_are_those_of_the_original(
    shared_golden: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepare(shared_golden / "pprof", monkeypatch)
    pages = _pages(shared_golden, "top")
    assert len(pages) > 10
    for page in pages:
        report, warnings, _ = _rows(page, shared_golden)
        top = compute_top(report)
        assert [row.name for row in top.rows] == (page.get("nodes") or []), page["url"]
        assert top.labels == _unescaped(page["legend"]), page["url"]
        assert warnings == page["errors"]


@pytest.mark.usefixtures("restore_zone")
def test_the_drawn_nodes_are_those_of_the_original(
    shared_golden: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepare(shared_golden / "pprof", monkeypatch)
    pages = [page for page in _pages(shared_golden, "graph") if "calltree" not in str(page["url"])]
    assert pages
    for page in pages:
        report, _, _ = _rows(page, shared_golden)
        drawing = compute_drawing(report)
        assert ["", *(node.name for node in drawing.nodes)] == page["nodes"], page["url"]


@pytest.mark.usefixtures("restore_zone")
def test_the_peek_view_s_text_is_that_of_the_original(
    shared_golden: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    prepare(shared_golden / "pprof", monkeypatch)
    for page in _pages(shared_golden, "peek"):
        report, _, _ = _rows(page, shared_golden)
        assert print_report(report).decode().strip() == unescape(str(page["text"])).strip(), page["url"]
