"""The flame graph's data are those of pprof's page: every stack, and every source with its names, places and colour.

What the page makes of them, and its other views, are compared with the original's in tests/web/test_data.py.
"""

from __future__ import annotations

import json
from html import unescape
from pathlib import Path
from urllib.parse import parse_qsl, urlsplit

import pytest

from conduit.profile.codec import decode
from conduit.report.formats.flame import Flame, compute_flame
from conduit.report.header import whole_labels
from conduit.report.options import OPTIONS, Options
from conduit.report.pipeline import prepare_report
from conduit.report.report import Report
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
