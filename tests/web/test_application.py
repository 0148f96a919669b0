from __future__ import annotations

import json
import re
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest

from conduit.errors import ConduitError, UsageError
from conduit.http.messages import Request, Response
from conduit.profile.builder import ProfileBuilder
from conduit.profile.merge import merge, scale_values, set_label
from conduit.profile.model import Profile, ValueType
from conduit.report.options import Options
from conduit.report.pipeline import prepare_report, print_report
from conduit.web import single_file_report
from conduit.web.application import Application
from conduit.web.configs import SavedConfigs
from conduit.web.page import SCRIPTS, inert_json
from conduit.web.server import PageServer, parse_address
from conduit.web.session import ProfileSession
from conduit.web.source_view import lines_document
from conduit.web.turns import ClientDisconnectedError
from tests.report.making import profile_of

if TYPE_CHECKING:
    from pathlib import Path


def small_profile(name: str = "work", *values: int) -> Profile:
    builder = ProfileBuilder([ValueType("samples", "count"), ValueType("cpu", "nanoseconds")])
    for value in values or (10,):
        builder.add([(name, "/app/a.py", 3, 1)], [1, value * 10**7], labels={"thread": "Main"})
    return builder.build()


class Pages:
    """An application and how a browser on this machine asks it."""

    def __init__(self, folder: Path, profile: Profile | None = None, **session: Any) -> None:
        self.configs = SavedConfigs(folder / "settings.json")
        self.profile = profile or small_profile()
        self.session = ProfileSession(self.profile, Options(), self.configs, **session)
        self.application = Application(self.session)

    def get(
        self, target: str, *, peer: str = "127.0.0.1", host: str = "localhost:8080", **headers: str
    ) -> Response:
        path, _, query = target.partition("?")
        return self.application.answer(Request("GET", path, query, {"host": host, **headers}, peer))

    def post(self, target: str, body: str = "", *, token: str | None = None, **headers: str) -> Response:
        sent = {
            "host": "localhost:8080",
            "x-conduit-token": self.application.token if token is None else token,
        }
        return self.application.answer(
            Request("POST", target, "", {**sent, **headers}, "127.0.0.1", body.encode())
        )


@pytest.fixture
def pages(tmp_path: Path) -> Pages:
    return Pages(tmp_path)


def data_of(response: Response) -> dict[str, Any]:
    found = re.search(rb'<script type="application/json" id="data">(.*?)</script>', response.body, re.DOTALL)
    assert found
    return dict(json.loads(found[1]))


@pytest.mark.parametrize(
    ("target", "status", "location"),
    [
        ("/", 307, "/ui"),
        ("/ui", 307, "/ui/"),
        ("/ui/?si=cpu", 301, "flamegraph?si=cpu"),
        ("/ui/flamegraph2", 301, "flamegraph"),
        ("/ui/flamegraphold?f=x", 301, "flamegraph?f=x"),
    ],
)
def test_old_and_short_addresses_lead_where_the_originals_lead(
    pages: Pages, target: str, status: int, location: str
) -> None:
    response = pages.get(target)
    assert (response.status, dict(response.headers)["Location"]) == (status, location)


@pytest.mark.parametrize("view", ["flamegraph", "top", "graph", "peek", "source"])
def test_every_view_is_a_page_under_a_policy_that_lets_only_its_own_scripts_run(
    pages: Pages, view: str
) -> None:
    response = pages.get(f"/ui/{view}")
    policy = dict(response.headers)["Content-Security-Policy"]
    assert response.status == 200
    assert "script-src 'self'" in policy
    assert "unsafe" not in policy
    assert not re.search(rb"<[^>]+ (on\w+|style)=", response.body)
    assert view in data_of(response)["views"]


def test_the_whole_page_loads_under_300_kb(pages: Pages) -> None:
    page = pages.get("/ui/flamegraph").body
    assets = re.findall(rb'(?:src|href)="\./(static/[^"]+)"', page)
    assert len(assets) == 2  # style and scripts, each in one answer
    assert len(page) + sum(len(pages.get(f"/ui/{name.decode()}").body) for name in assets) < 300_000


def test_scripts_may_be_kept_where_their_address_names_what_they_hold(pages: Pages) -> None:
    (address,) = re.findall(rb'src="\./(static/scripts\.js\?v=[0-9a-f]+)"', pages.get("/ui/top").body)
    named = pages.get(f"/ui/{address.decode()}")
    assert "immutable" in dict(named.headers)["Cache-Control"]
    plain = pages.get("/ui/static/scripts.js")
    assert dict(plain.headers)["Cache-Control"] == "no-cache"
    assert plain.body == named.body
    for name in SCRIPTS:
        assert pages.get(f"/ui/static/{name}").body in plain.body


def test_names_full_of_markup_stay_text_in_every_view_and_in_the_single_file(tmp_path: Path) -> None:
    name = "</script><script>alert(1)</script><!--<img src=x onerror=alert(1)>"
    pages = Pages(tmp_path, small_profile(name))
    documents = [pages.get(f"/ui/{view}").body for view in ("flamegraph", "top", "graph", "peek")]
    documents.append(single_file_report(small_profile(name), Options(), lambda _: None))
    for document in documents:
        assert b"<script>alert" not in document
        assert b"<img" not in document
        assert (
            name in json.dumps(data_of(Response(200, (), document))).replace('\\"', '"')
            or b"\\u003c/script>" in document
        )


def test_json_cannot_end_its_script_element() -> None:
    text = inert_json({"a": "</script><!-- \u2028"})
    assert "<" not in text
    assert json.loads(text) == {"a": "</script><!-- \u2028"}


@pytest.mark.parametrize(
    "query",
    [
        *("nf=-inf", "nf=1e400", "ef=nan", "nf=1e308", "n=99999999999999999999"),
        *("si=²", "si=--1", "si=" + "9" * 5000),
        *("unit=\x00", "f=(?i", "tf=9kb:1kb:", "config=nosuch", "&".join("a=b" for _ in range(2000))),
    ],
)
@pytest.mark.parametrize("view", ["flamegraph", "top", "graph", "peek", "source"])
def test_a_strange_parameter_is_answered(pages: Pages, view: str, query: str) -> None:
    assert pages.get(f"/ui/{view}?{query}").status in (200, 400)


def test_texts_of_the_table_are_those_of_the_report(tmp_path: Path) -> None:
    base = set_label(small_profile("f", 3), "pprof::base", ["true"])
    pages = Pages(tmp_path, merge([small_profile("f", 10), small_profile("g", 1), scale_values(base, -1)]))
    rows = {row["name"]: row for row in data_of(pages.get("/ui/top"))["views"]["top"]["rows"]}
    printed = print_report(prepare_report(pages.profile, "top", Options(), lambda _: None)).decode()
    assert printed.splitlines()[-2].split() == [
        *(rows["f"][key] for key in ("flatText", "flatPercent", "sumByFlat", "cumText", "cumPercent")),
        "f",
    ]
    assert rows["f"]["flatPercent"] == "233.33%"


def test_a_proxy_and_a_page_of_another_origin_are_refused_but_a_link_is_followed(pages: Pages) -> None:
    assert pages.get("/ui/top", **{"x-forwarded-for": "127.0.0.1"}).status == 403
    assert pages.get("/ui/top", origin="http://evil.example").status == 403
    site = {"sec-fetch-site": "cross-site"}
    assert pages.get("/ui/top", **site).status == 403
    assert (
        pages.get("/ui/top", **site, **{"sec-fetch-mode": "navigate", "sec-fetch-dest": "document"}).status
        == 200
    )


def test_pages_beyond_the_loopback_address_need_the_token_in_their_address(tmp_path: Path) -> None:
    session = ProfileSession(small_profile(), Options(), SavedConfigs(tmp_path / "settings.json"))
    server = PageServer(session, "0.0.0.0:0")
    try:
        path = "/" + server.url.rpartition("/")[2]
        statuses = {
            target: server.application.answer(
                Request("GET", target, "", {"host": "0.0.0.0:80"}, "10.0.0.7")
            ).status
            for target in ("/", "/ui/top", "/guess/ui/top", f"{path}x/ui/top", path, f"{path}/ui/top")
        }
        assert len(path) > 30
        assert list(statuses.values()) == [404, 404, 404, 404, 307, 200]
    finally:
        server.release()


def test_a_slow_drawing_by_graphviz_does_not_keep_another_view_waiting(
    pages: Pages, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    started, release = tmp_path / "started", tmp_path / "release"
    dot = tmp_path / "dot"
    dot.write_text(
        f"#!/bin/sh\ntouch {started}\nwhile [ ! -e {release} ]; do sleep 0.05; done\necho '<svg/>'\n"
    )
    dot.chmod(0o755)
    monkeypatch.setattr("conduit.web.call_graph.shutil.which", lambda _: str(dot))
    drawn: list[Response] = []
    thread = threading.Thread(target=lambda: drawn.append(pages.get("/ui/graph")))
    thread.start()
    while not started.exists():
        time.sleep(0.01)
    assert pages.get("/ui/top").status == 200
    release.touch()
    thread.join()
    assert data_of(drawn[0])["views"]["graph"]["svg"] == "<svg/>\n"


def test_a_client_that_disconnects_ends_graphviz_and_its_place_in_the_queue(
    pages: Pages, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    dot = tmp_path / "dot"
    dot.write_text(f"#!/bin/sh\n: > {tmp_path}/started\nexec sleep 600\n")
    dot.chmod(0o755)
    monkeypatch.setattr("conduit.web.call_graph.shutil.which", lambda _: str(dot))

    class GoesWhileDrawing(threading.Event):
        def is_set(self) -> bool:
            return (tmp_path / "started").exists()

    cancelled = GoesWhileDrawing()
    page = pages.session.page("graph", {}, cancelled)
    assert "Graphviz was stopped" in page["views"]["graph"]["note"]
    assert page["views"]["graph"]["nodes"]
    with pages.session._one_at_a_time, pytest.raises(ClientDisconnectedError):
        pages.session.page("top", {}, cancelled)


@pytest.mark.parametrize("view", ["flamegraph", "top", "graph", "peek", "source", "labels"])
def test_a_view_ends_between_its_steps_when_the_client_has_gone(pages: Pages, view: str) -> None:
    class GoesAfterItsTurn(threading.Event):
        asked = 0

        def is_set(self) -> bool:
            self.asked += 1
            return self.asked > 1

    with pytest.raises(ClientDisconnectedError):
        pages.session.page(view, {}, GoesAfterItsTurn())
    assert pages.session.page(view, {})["views"]  # the next one has its turn


@pytest.mark.parametrize(
    ("script", "reason"), [("exit 3", "failed with status 3"), ("sleep 600", "needed more than 0 s")]
)
def test_the_page_says_why_graphviz_drew_nothing(
    pages: Pages, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, script: str, reason: str
) -> None:
    dot = tmp_path / "dot"
    dot.write_text(f"#!/bin/sh\nexec {script}\n" if "sleep" in script else f"#!/bin/sh\n{script}\n")
    dot.chmod(0o755)
    monkeypatch.setattr("conduit.web.call_graph.shutil.which", lambda _: str(dot))
    monkeypatch.setattr("conduit.web.call_graph._TIMEOUT_S", 0.2 if "sleep" in script else 60.0)
    assert reason in data_of(pages.get("/ui/graph"))["views"]["graph"]["note"]


def functions_profile(count: int) -> Profile:
    """`count` functions that main calls, the first the heaviest."""
    builder = ProfileBuilder([ValueType("cpu", "nanoseconds")])
    for number in range(count):
        builder.add(
            [(f"f{number:03}", f"/nowhere/m{number}.py", 1, 1), ("main", "/nowhere/main.py", 1, 1)],
            [count - number],
        )
    return builder.build()


@pytest.mark.parametrize(("view", "page"), [("peek", 100), ("source", 20)])
def test_a_bare_tab_shows_the_heaviest_functions_and_the_others_on_further_pages(
    tmp_path: Path, view: str, page: int
) -> None:
    pages = Pages(tmp_path, functions_profile(130))
    seen: list[str] = []
    for first in range(0, 140, page):
        content = data_of(pages.get(f"/ui/{view}?first={first}"))["views"][view]
        assert (content["first"], content["page"]) == (first, page)
        if view == "peek":
            seen += [
                line.split("| ")[1].split()[0] for line, _ in content["lines"] if line[50:60].strip() == "|"
            ]
        else:
            assert content["missing"]["count"] <= page
            seen += [one["name"] for one in content["missing"]["named"]]
    assert seen[:2] == ["f000", "f001"]  # not main, which only calls them
    assert len(seen) == 131 if view == "peek" else len(seen) >= 7 * 8 - 5
    assert pages.get(f"/ui/{view}?first=-1").status == 400


def test_the_calls_on_a_page_of_peek_are_those_of_the_whole_report() -> None:
    from conduit.profile.codec import decode
    from conduit.report.formats.tree import print_tree
    from conduit.web.peek import PAGE, peek_document

    from .conftest import PROFILES

    for name in ("py.cpu", "go.cpu", "go.heap"):
        profile = decode((PROFILES / f"{name}.pb.gz").read_bytes())
        for changes in ({}, {"mean": True}, {"noinlines": True}, {"sort": "cum"}):
            options = Options().copy(granularity="lines", **changes)
            whole = list(print_tree(prepare_report(profile, "peek", options, lambda _: None, ".")))
            lines: list[str] = []
            for first in range(0, 10_000, PAGE):
                document = peek_document(prepare_report(profile, "peek", options, lambda _: None, "."), first)
                body = [line for line, _ in document["lines"]]
                lines += (
                    body if not first else body[body.index(next(x for x in body if "calls%" in x)) + 1 :]
                )[:-1]
                if first + PAGE >= document["functions"]:
                    break
            assert [*lines, whole[-1]] == whole


def test_a_name_in_peek_leads_to_a_page_that_has_it(tmp_path: Path) -> None:
    pages = Pages(tmp_path, small_profile("a.B.<locals>.c (d)"))
    lines = data_of(pages.get("/ui/peek"))["views"]["peek"]["lines"]
    expression = next(link for _, link in lines if link)
    from urllib.parse import quote

    assert pages.get(f"/ui/peek?f={quote(expression)}").status == 200


def test_functions_without_a_source_file_have_their_line_numbers_and_the_reason_is_told_once(
    tmp_path: Path,
) -> None:
    content = data_of(Pages(tmp_path, functions_profile(60)).get("/ui/source"))["views"]["source"]
    assert len(content["functions"]) == 20
    first = content["functions"][0]
    assert first["textMissing"]
    assert [(line["number"], line["text"]) for line in first["lines"]] == [(1, "")]
    assert first["lines"][0]["flat"] == first["flat"]
    assert content["missing"]["count"] == 20
    assert "no such file" in content["missing"]["reason"]
    assert json.dumps(content).count("no such file") == 1


def test_a_long_listing_has_the_lines_near_samples_and_says_how_many_are_between(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    source = tmp_path / "long.py"
    source.write_text("".join(f"value_{number} = 0\n" for number in range(1, 3001)), encoding="utf-8")
    builder: ProfileBuilder = ProfileBuilder([ValueType("samples", "count")])
    for line in (1, 2000):
        builder.add([("<module>", str(source), line, 1)], [5])
    content = data_of(Pages(tmp_path, builder.build()).get("/ui/source"))["views"]["source"]
    (function,) = content["functions"]
    numbers = [line["number"] for line in function["lines"]]
    gaps = [line["text"] for line in function["lines"] if line["number"] == "…"]
    assert numbers == [*range(1, 22), "…", *range(1980, 2006)]
    assert gaps == ["(1,958 lines without samples)"]
    assert {line["number"] for line in function["lines"] if line["share"]} == {1, 2000}


@pytest.mark.parametrize(
    ("source", "sampled", "last"),
    [
        ("def f():\n    a()\n    b()\n\n\ndef g():\n    c()\n", 2, 3),
        ("@cached\ndef f(\n    a,\n):\n    b()\n\n@cached\ndef g():\n    c()\n", 5, 5),
        ("@cached\ndef f():\n    a()\n    b()\nx = 1\n", 1, 4),
        ("    def f():\n        a()\n# note\n        b()\n    def g():\n        c()\n", 2, 4),
        ("def f():\n    a()\n\n", 2, 2),
        ("x = [f() for f in fs]\ny = 1\nz = 2\n", 1, 3),
    ],
)
def test_the_listing_of_a_function_ends_with_the_function(
    tmp_path: Path, source: str, sampled: int, last: int
) -> None:
    file = tmp_path / "a.py"
    file.write_text(source, encoding="utf-8")
    profile = profile_of([([("f", str(file), sampled)], [1, 1])])
    report = prepare_report(profile, "list", Options(source_path=str(tmp_path)), pytest.fail, "f")
    (listing,) = lines_document(report)["functions"]
    assert [line["number"] for line in listing["lines"]] == list(range(1, last + 1))


def test_a_label_with_one_value_is_in_no_graph_unless_asked_for(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    drawn: list[str] = []

    def run(program: str, source: bytes, cancelled: object) -> tuple[None, str]:
        drawn.append(source.decode())
        return None, "is not asked"

    monkeypatch.setattr("conduit.web.call_graph.shutil.which", lambda _: "dot")
    monkeypatch.setattr("conduit.web.call_graph._run_graphviz", run)
    two = merge([small_profile("a", 5), set_label(small_profile("b", 5), "route", ["/x"])])
    two = merge([two, set_label(small_profile("c", 5), "route", ["/y"])])
    pages = Pages(tmp_path, two)
    content = data_of(pages.get("/ui/graph?tf=thread=Main"))["views"]["graph"]
    assert content["constantLabels"] == ["thread:Main"]
    assert "thread:Main" not in drawn[-1]
    assert "route:/x" in drawn[-1]
    assert data_of(pages.get("/ui/graph?tags=t"))["views"]["graph"]["constantLabels"] == []
    assert "thread:Main" in drawn[-1]


def test_a_browser_is_shown_why_there_is_no_view_and_a_script_gets_json(pages: Pages) -> None:
    refused = pages.get("/ui/top?f=(", accept="text/html,*/*")
    assert refused.status == 400
    assert "focus" in data_of(refused)["failed"]
    asked = pages.get("/ui/top", accept="application/json")
    assert json.loads(bytes(asked.body))["views"]["top"]["rows"]
    assert dict(asked.headers)["Vary"] == "Accept"
    assert b"parsing focus regexp" in bytes(pages.get("/ui/top?f=(", accept="application/json").body)


def test_another_machine_and_a_foreign_host_name_are_refused(pages: Pages) -> None:
    assert pages.get("/ui/top", peer="10.0.0.7").status == 403
    assert pages.get("/ui/top", host="evil.example").status == 403


def test_nothing_is_changed_by_looking(pages: Pages) -> None:
    assert pages.get("/ui/saveconfig?config=x").status == 404
    assert pages.get("/ui/deleteconfig?config=x").status == 404
    assert pages.configs.all() == {}


@pytest.mark.parametrize(
    ("token", "headers"),
    [("", {}), ("wrong", {}), (None, {"origin": "http://evil.example"}), (None, {"origin": "null"})],
)
def test_a_change_needs_the_pages_token_and_origin(
    pages: Pages, token: str | None, headers: dict[str, str]
) -> None:
    assert pages.post("/ui/saveconfig", "config=x&f=y", token=token, **headers).status == 403
    assert pages.configs.all() == {}


def test_a_configuration_is_saved_used_marked_and_deleted(pages: Pages) -> None:
    assert (
        pages.post("/ui/saveconfig", "config=mine&f=work&sort=cum", origin="http://localhost:8080").status
        == 200
    )
    shown = data_of(pages.get("/ui/top?config=mine"))
    assert "   focus=work" in shown["legend"]
    assert [(config["name"], config["current"]) for config in shown["configs"]] == [
        ("Default", False),
        ("mine", True),
    ]
    assert pages.post("/ui/deleteconfig", "config=mine").status == 200
    assert pages.get("/ui/top?config=mine").status == 400
    assert pages.post("/ui/deleteconfig", "config=mine").status == 400


def test_a_damaged_settings_file_is_named_and_not_overwritten(tmp_path: Path) -> None:
    path = tmp_path / "settings.json"
    path.write_text("{half")
    with pytest.raises(ConduitError, match="cannot read the saved configurations"):
        SavedConfigs(path).save("x", Options())
    assert path.read_text() == "{half"


@pytest.mark.parametrize(
    ("target", "message"),
    [
        ("/ui/top?si=9", "sample_index 9 is outside the range"),
        ("/ui/top?g=furlongs", "granularity"),
        ("/ui/top?f=(", "focus"),
        ("/ui/peek?f=nosuch", "no matches found for regexp: nosuch"),
        ("/ui/disasm", "no machine code"),
        ("/ui/nosuch", "404"),
    ],
)
def test_a_bad_parameter_is_told_in_plain_text(pages: Pages, target: str, message: str) -> None:
    response = pages.get(target)
    assert response.status in (400, 404)
    assert dict(response.headers)["Content-Type"].startswith("text/plain")
    assert message in bytes(response.body).decode()


def test_files_outside_the_static_folder_are_not_served(pages: Pages) -> None:
    for name in ("../session.py", "..%2fsession.py", "page.html", "/etc/passwd"):
        assert pages.get(f"/ui/static/{name}").status == 404


def test_live_sources_are_fetched_again_by_post(tmp_path: Path) -> None:
    pages = Pages(tmp_path, small_profile("before"), fetch=lambda: small_profile("after"))
    assert data_of(pages.get("/ui/top"))["live"] is True
    assert pages.post("/ui/refresh").status == 200
    assert data_of(pages.get("/ui/top"))["views"]["top"]["rows"][0]["name"] == "after"


def test_a_profile_from_files_has_nothing_to_fetch_again(pages: Pages) -> None:
    assert pages.post("/ui/refresh").status == 400


def test_downloads_are_profiles(pages: Pages) -> None:
    from conduit.profile.codec import decode

    response = pages.get("/ui/download")
    assert dict(response.headers)["Content-Disposition"] == "attachment; filename=profile.pb.gz"
    assert len(decode(bytes(response.body)).samples) == 1


@pytest.mark.parametrize("address", ["8080", "localhost", "localhost:http", "localhost:99999"])
def test_an_address_of_another_form_is_a_wrong_call(address: str) -> None:
    with pytest.raises(UsageError, match="expected"):
        parse_address(address)


def test_a_taken_port_is_told_with_the_remedy(tmp_path: Path) -> None:
    session = ProfileSession(small_profile(), Options(), SavedConfigs(tmp_path / "settings.json"))
    first = PageServer(session, "localhost:0")
    try:
        with pytest.raises(ConduitError, match=r"Choose another port"):
            PageServer(session, first.url.removeprefix("http://"))
    finally:
        first.release()
