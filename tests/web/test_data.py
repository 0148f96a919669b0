"""What the original's pages show, against what ours are made of."""

from __future__ import annotations

import html
import json
import time
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, urlsplit

import pytest

from conduit.profile.codec import decode
from conduit.report.formats.flame_tree import build_flame_tree
from conduit.report.options import Options
from conduit.report.pipeline import prepare_report
from conduit.web.application import ViewError
from conduit.web.configs import SavedConfigs
from conduit.web.session import ProfileSession

if TYPE_CHECKING:
    from collections.abc import Iterator

GOLDEN = Path(__file__).resolve().parents[3] / "shared" / "golden" / "pprof"
PAGES = GOLDEN / "web_pages.json"
CASES = json.loads(PAGES.read_text()) if PAGES.exists() else []


@pytest.fixture(autouse=True)
def _in_utc(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with monkeypatch.context() as patch:
        patch.setenv("TZ", "UTC")
        time.tzset()
        yield
    time.tzset()


@cache
def session(name: str) -> ProfileSession:
    profile = decode((GOLDEN / "profiles" / f"{name}.pb.gz").read_bytes())
    # The original was started beside a folder `app` with sources, whose name it cuts from paths.
    options = Options(source_path="src/app") if name.startswith("py.") else Options()
    return ProfileSession(profile, options, SavedConfigs(Path("/nonexistent/settings.json")))


def names_of(view: str, content: dict[str, Any]) -> list[str]:
    if view == "top":
        return [row["name"] for row in content["rows"]]
    return ["", *content["names"].values()]


@pytest.mark.skipif(not CASES, reason=f"the complete goldens are not on this machine (no {PAGES})")
@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case['profile']}{case['url']}")
def test_a_page_shows_the_originals_data(case: dict[str, Any]) -> None:
    url = urlsplit(case["url"])
    view = url.path.removeprefix("/ui/")
    if case["code"] != 200:
        with pytest.raises(ViewError) as refused:
            session(case["profile"]).page(view, dict(parse_qsl(url.query)))
        assert (refused.value.status, f"{refused.value}\n") == (case["code"], case["body"])
        return
    page = session(case["profile"]).page(view, dict(parse_qsl(url.query)))
    content = page["views"][view]
    assert page["title"] == case["title"]
    assert page["errors"] == case["errors"]
    assert page["legend"] == [html.unescape(line) for line in case["legend"]]
    if view in ("top", "graph"):
        assert names_of(view, content) == (case.get("nodes") or [])
    if view == "peek":
        assert (
            peek_text(case["profile"], dict(parse_qsl(url.query)), content).strip()
            == html.unescape(case["text"]).strip()
        )
    if view == "flamegraph":
        expected = case["stacks"]
        assert content["total"] == expected["Total"]
        assert content["unit"] == {"scale": pytest.approx(expected["Scale"]), "name": expected["Unit"]}
        assert paths(content) == summed(expected)


def peek_text(profile: str, parameters: dict[str, str], content: dict[str, Any]) -> str:
    """The lines of all pages of Peek, each page's last one (its end) left out but for the last page's."""
    lines = [line for line, _ in content["lines"]]
    for first in range(content["page"], content["functions"], content["page"]):
        more = session(profile).page("peek", {**parameters, "first": str(first)})["views"]["peek"]["lines"]
        texts = [line for line, _ in more]
        lines = lines[:-1] + texts[next(n for n, line in enumerate(texts) if "calls%" in line) + 1 :]
    return "\n".join(lines)


def paths(content: dict[str, Any]) -> dict[tuple[str, ...], int]:
    """The tree's columns as full paths with what ends there, where that is not 0."""
    names, path_of = content["names"], [()] * len(content["parents"])
    found: dict[tuple[str, ...], int] = {}
    negatives = content["negatives"] or [0] * len(path_of)
    for node, parent in enumerate(content["parents"]):
        path_of[node] = (*path_of[parent], names[content["sources"][node]]) if node else ()
        value = content["values"][node] - negatives[node]
        if value:
            found[path_of[node]] = found.get(path_of[node], 0) + value
    return found


def summed(stacks: dict[str, Any]) -> dict[tuple[str, ...], int]:
    found: dict[tuple[str, ...], int] = {}
    for stack in stacks["Stacks"]:
        path = tuple(stacks["Sources"][source]["FullName"] for source in stack["Sources"][1:])
        found[path] = found.get(path, 0) + stack["Value"]
    return {path: value for path, value in found.items() if value}


@pytest.mark.skipif(not CASES, reason=f"the complete goldens are not on this machine (no {PAGES})")
def test_what_is_left_out_of_a_large_picture_is_counted_and_its_value_kept() -> None:
    profile = decode((GOLDEN / "profiles" / "go.cpu.pb.gz").read_bytes())
    report = prepare_report(profile, "flame", Options(), lambda _: None)
    _, whole = build_flame_tree(report)
    _, cut = build_flame_tree(report, smallest_share=0.02, keep_all_below=10)
    assert 0 < cut.omitted <= len(whole.parents) - len(cut.parents)
    assert whole.omitted == 0
    assert sum(cut.positive) == sum(whole.positive)
    assert all(parent < node for node, parent in enumerate(cut.parents) if node)
