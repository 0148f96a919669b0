"""The served history page keeps the rules of the profile page, and shows benchstat's table."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import pytest

from conduit.errors import ConduitError
from conduit.history.findings import find_all
from conduit.http.messages import Request
from conduit.web.access import AccessRules
from conduit.web.history_application import HistoryApplication, serve_history
from conduit.web.history_page import history_file
from tests.web.test_history_page import COMMITS, series_of, stepped

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from tests.web.conftest import Visitor

TABLE = "A  1.0µ  1.2µ  +20.00% (p=0.002 n=6)\n<b>not markup</b>"


class Source:
    def __init__(self) -> None:
        self.asked: list[tuple[str, str]] = []

    def document(self) -> bytes:
        series = [series_of("shop:Slower-2", stepped(1.2))]
        return history_file("shop", series, find_all(series), {}, is_served=True)

    def compare(self, old: str, new: str) -> str:
        self.asked.append((old, new))
        if old == "dead":
            raise ConduitError("no run of dead is kept")
        return TABLE


def ask(
    path: str,
    *,
    query: str = "",
    method: str = "GET",
    headers: Mapping[str, str] | None = None,
    peer: str = "127.0.0.1",
    rules: AccessRules | None = None,
) -> tuple[int, str]:
    application = HistoryApplication(Source(), rules or AccessRules())
    request = Request(method, path, query, {"host": "localhost:8080", **(headers or {})}, peer)
    answer = application.answer(request)
    return answer.status, bytes(answer.body).decode()


def test_a_client_that_goes_while_others_are_answered_costs_no_work() -> None:
    source = Source()
    application = HistoryApplication(source, AccessRules())
    cancelled = threading.Event()
    cancelled.set()
    request = Request("GET", "/compare", "old=aa&new=bb", {"host": "localhost:8080"}, "127.0.0.1")
    with application._lock:
        assert application.answer(request, cancelled).status == 500
    assert source.asked == []
    assert application.answer(request, threading.Event()).status == 200


@pytest.mark.parametrize(
    ("changes", "status"),
    [
        ({}, 200),
        ({"peer": "192.0.2.7"}, 403),
        ({"headers": {"host": "evil.example"}}, 403),
        ({"headers": {"x-forwarded-for": "192.0.2.7"}}, 403),
        ({"headers": {"origin": "https://evil.example"}}, 403),
        ({"method": "POST"}, 405),
        ({"rules": AccessRules(remote=True, prefix="/secret")}, 404),
    ],
)
def test_a_request_from_elsewhere_is_refused(changes: dict[str, object], status: int) -> None:
    assert ask("/", **changes)[0] == status  # type: ignore[arg-type]


def test_beyond_this_machine_every_path_stands_behind_the_secret() -> None:
    rules = AccessRules(hosts=frozenset({"0.0.0.0"}), remote=True, prefix="/secret")
    answers = {
        path: ask(path, rules=rules, peer="192.0.2.7")[0]
        for path in ("/secret/", "/secret", "/secrex/", "/compare")
    }
    assert answers == {"/secret/": 200, "/secret": 307, "/secrex/": 404, "/compare": 404}


@pytest.mark.parametrize(
    ("query", "status", "said"),
    [
        ("old=abc&new=def", 200, "+20.00% (p=0.002 n=6)"),
        ("old=abc", 400, "expected old and new"),
        ("old=--upload-pack%3Dx&new=def", 400, "expected ids of commits"),
        ("old=&new=def", 400, "expected"),
        ("old=dead&new=def", 400, "no run of dead is kept"),
    ],
)
def test_two_commits_are_compared_and_a_wrong_request_is_told(query: str, status: int, said: str) -> None:
    answer = ask("/compare", query=query)
    assert (answer[0], said in answer[1]) == (status, True), answer


@pytest.fixture
def served() -> Iterator[tuple[str, Source]]:
    source = Source()
    server = serve_history(source, ":0")
    thread = threading.Thread(target=server.serve)
    thread.start()
    yield server.url, source
    server.close()
    thread.join()
    server.release()


def test_two_clicks_show_benchstats_table_and_its_text_is_no_markup(
    visitor: Visitor, served: tuple[str, Source]
) -> None:
    url, source = served
    page = visitor.open(url, width=1200)
    page.locator(".tile").click()
    page.keyboard.press("Tab")
    chart = page.locator("#chart")
    chart.focus()
    for key in ("Home", "Enter", "End", "Enter"):
        chart.press(key)
    table = page.locator("#comparison-text")
    table.wait_for(state="visible")
    assert table.inner_text() == TABLE
    assert source.asked == [(COMMITS[0], COMMITS[-1])]
    assert not page.locator("#comparison-facts").is_visible()
    page.get_by_role("button", name="relative").click()
    assert page.get_by_role("button", name="relative").get_attribute("aria-pressed") == "true"
