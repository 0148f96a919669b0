from __future__ import annotations

import asyncio
import gc
import re
import threading
import time

import pytest

from conduit import record
from conduit._native import available
from conduit.debug import Access
from conduit.debug.endpoint import Endpoint
from conduit.debug.kinds import KINDS, CumulativeProfile
from conduit.http.messages import Request, Response
from conduit.interruption import GivingWay
from conduit.profile.builder import ProfileBuilder
from conduit.profile.codec import decode


def get(path: str, query: str = "", *, access: Access | None = None, **headers: str) -> Response:
    endpoint = Endpoint(access)
    return endpoint.answer(Request("GET", path, query, {"host": "localhost", **headers}, "127.0.0.1"))


CUMULATIVE = sorted(name for name, kind in KINDS.items() if isinstance(kind, CumulativeProfile))


@pytest.mark.parametrize("name", CUMULATIVE)
def test_every_cumulative_profile_is_a_profile_that_the_strictest_reader_accepts(name: str) -> None:
    profile = decode(get(f"/debug/pprof/{name}").body)
    profile.check_valid()
    assert [location.id for location in profile.locations] == list(range(1, len(profile.locations) + 1))
    assert [function.id for function in profile.functions] == list(range(1, len(profile.functions) + 1))
    assert [mapping.id for mapping in profile.mappings] == [1]
    addresses = [location.address for location in profile.locations]
    assert all(addresses)
    assert len(set(addresses)) == len(addresses)
    assert all(key for sample in profile.samples for key in (*sample.labels, *sample.numeric_labels))
    assert len(profile.sample_types) <= 4  # more make Alloy drop the scrape


@pytest.mark.parametrize("name", CUMULATIVE)
def test_times_of_successive_profiles_increase(name: str) -> None:
    first, second = (decode(get(f"/debug/pprof/{name}").body).time_nanos for _ in range(2))
    assert 0 < first < second


@pytest.mark.parametrize("name", CUMULATIVE)
def test_every_cumulative_profile_has_a_text_form_with_its_kind_in_the_first_line(name: str) -> None:
    text = get(f"/debug/pprof/{name}", "debug=1").body.decode()
    word = {"block": "contention", "gil": "contention", "allocs": "heap"}.get(name, name)
    assert word in text.splitlines()[0]


@pytest.mark.parametrize("name", ["goroutine", "threadcreate"])
def test_an_answer_may_give_way_before_each_of_its_locations(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked = 0

    def ask(_: GivingWay) -> None:
        nonlocal asked
        asked += 1

    monkeypatch.setattr(GivingWay, "__call__", ask)
    profile = decode(get(f"/debug/pprof/{name}").body)
    assert asked > len(profile.locations) > 0


def test_the_goroutine_profile_counts_threads_and_labels_them() -> None:
    release = threading.Event()
    workers = [threading.Thread(target=release.wait, name="parked") for _ in range(3)]
    for worker in workers:
        worker.start()
    try:
        profile = decode(get("/debug/pprof/goroutine").body)
    finally:
        release.set()
        for worker in workers:
            worker.join()
    parked = [sample for sample in profile.samples if sample.labels.get("thread") == ["parked"]]
    assert sum(sample.values[0] for sample in parked) == 3
    assert profile.sample_types[0].type == "goroutine"


def test_tasks_are_in_the_goroutine_profile_with_the_chain_of_awaiters_in_the_text() -> None:
    async def main() -> tuple[bytes, bytes]:
        task = asyncio.create_task(asyncio.sleep(30), name="napper")
        await asyncio.sleep(0)
        answers = [await asyncio.to_thread(get, "/debug/pprof/goroutine", query) for query in ("", "debug=2")]
        task.cancel()
        return answers[0].body, answers[1].body

    profile, text = asyncio.run(main())
    assert any(sample.labels.get("task") == ["napper"] for sample in decode(profile).samples)
    assert b'task "napper" [waiting]' in text


def test_a_delta_holds_only_what_changed_and_says_how_long_it_took() -> None:
    profile = decode(get("/debug/pprof/threadcreate", "seconds=1").body)
    assert profile.duration_nanos >= 10**9
    assert [s for s in profile.samples if s.labels.get("thread") == ["MainThread"]] == []


def test_a_client_that_goes_away_frees_the_waiting_request_at_once() -> None:
    gone = threading.Event()
    timer = threading.Timer(0.1, gone.set)
    timer.start()
    started = time.monotonic()
    request = Request("GET", "/debug/pprof/goroutine", "seconds=60", {"host": "localhost"}, "127.0.0.1")
    response = Endpoint().answer(request, gone)
    timer.join()
    assert time.monotonic() - started < 30
    assert response.status == 500


def test_seconds_beyond_the_cap_are_refused_with_the_cap() -> None:
    for path, query in (("goroutine", "seconds=31"), ("trace", "seconds=30.5")):
        response = get(f"/debug/pprof/{path}", query, access=Access(max_seconds=30))
        assert (response.status, b"at most 30" in response.body) == (400, True)


def test_only_so_many_requests_may_wait_at_once() -> None:
    endpoint, gone = Endpoint(Access(max_waiting=1)), threading.Event()
    request = Request("GET", "/debug/pprof/goroutine", "seconds=60", {"host": "localhost"}, "127.0.0.1")
    waiting = threading.Thread(target=endpoint.answer, args=(request, gone))
    waiting.start()
    try:
        while endpoint._waiting.acquire(blocking=False):
            endpoint._waiting.release()
        assert endpoint.answer(request).status == 503
    finally:
        gone.set()
        waiting.join()


@pytest.mark.parametrize(
    ("path", "location"),
    [
        ("/debug/pprof", "/debug/pprof/"),
        ("/app/debug/pprof", "/app/debug/pprof/"),
        ("//evil.example/debug/pprof", "/evil.example/debug/pprof/"),
    ],
)
def test_the_missing_slash_is_added_and_never_leads_to_another_host(path: str, location: str) -> None:
    response = get(path)
    assert (response.status, dict(response.headers)["Location"]) == (307, location)


def test_a_path_in_a_redirect_is_never_markup() -> None:
    assert b"<script>" not in get("/<script>alert(1)</script>/debug/pprof").body


def test_symbol_answers_a_line_for_each_address() -> None:
    body = get("/debug/pprof/symbol", "0x401000+0x2+junk").body.decode()
    assert body == "num_symbols: 1\n0x401000 \n0x2 \n"


def test_columns_of_the_text_form_are_aligned_by_tabs() -> None:
    text = get("/debug/pprof/goroutine", "debug=1").body.decode()
    block = next(part for part in text.split("\n\n") if part.count("\n#\t") > 2)
    starts = {
        len(line[: line.rindex("\t") + 1].expandtabs(8))
        for line in block.splitlines()
        if line.startswith("#\t")
    }
    assert len(starts) == 1


def index_counts() -> dict[str, int]:
    page = get("/debug/pprof/").body.decode()
    return {
        name: int(number)
        for number, name in re.findall(r"<tr><td>(\d+)</td><td><a href='(\w+)\?debug=1'>", page)
    }


def test_the_index_counts_threads_and_tasks_as_they_are() -> None:
    # Tasks that other tests left to the collector are counted, too, until it finds them.
    gc.collect()
    before = index_counts()

    async def main() -> dict[str, int]:
        tasks = [asyncio.create_task(asyncio.sleep(60)) for _ in range(7)]
        await asyncio.sleep(0)
        counts = index_counts()
        for task in tasks:
            task.cancel()
        return counts

    with_tasks = asyncio.run(main())
    release = threading.Event()
    workers = [threading.Thread(target=release.wait) for _ in range(3)]
    for worker in workers:
        worker.start()
    with_threads = index_counts()
    release.set()
    for worker in workers:
        worker.join()
    others = before["goroutine"] - before["threadcreate"]
    assert with_tasks["goroutine"] - with_tasks["threadcreate"] == 8 + others  # with the one that asks
    assert with_threads["threadcreate"] >= 4
    assert with_threads["goroutine"] - with_threads["threadcreate"] <= others


@pytest.mark.skipif(not available(), reason="the C extension is not built here")
def test_the_index_counts_waits_and_heap_sites_without_making_a_profile(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    with record.block() as waiting, record.heap(rate=1) as recording:
        time.sleep(0.001)
        assert recording.profile is None
        with monkeypatch.context() as patched:
            patched.setattr(ProfileBuilder, "__init__", None)  # calling it fails
            counts = index_counts()
    assert counts["heap"] == counts["allocs"] > 0
    assert waiting.profile is not None
    assert counts["block"] >= len(waiting.profile.samples) > 0


def test_the_login_address_exchanges_the_token_for_a_cookie_that_is_accepted() -> None:
    access = Access(token="secret")
    response = get("/app/debug/pprof/login", "token=secret", access=access)
    headers = dict(response.headers)
    assert (response.status, headers["Location"]) == (303, "./")
    cookie, *attributes = headers["Set-Cookie"].split("; ")
    assert "secret" not in cookie
    assert {"HttpOnly", "SameSite=Strict"} <= set(attributes)
    assert get("/app/debug/pprof/cmdline", access=access, cookie=cookie).status == 200
    assert get("/app/debug/pprof/login", "token=guess", access=access).status == 401
    assert get("/debug/pprof/login", "token=guess").status == 404


def test_a_redirect_holds_no_control_characters_of_the_path() -> None:
    response = get("/\r\nSet-Cookie: x=y/debug/pprof")
    assert dict(response.headers)["Location"] == "/%0D%0ASet-Cookie:%20x=y/debug/pprof/"


def test_a_query_of_too_many_parameters_is_a_bad_request() -> None:
    assert get("/debug/pprof/heap", "&".join("a=b" for _ in range(2000))).status == 400
