"""Long loops end when what they are for has gone, and cost nothing where nothing asks."""

from __future__ import annotations

import threading
from operator import neg
from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest

from conduit import interruption
from conduit.interruption import ROWS, GivingWay, checkpoint, interrupted_by, interruptible, interruptible_key
from conduit.profile.builder import ProfileBuilder
from conduit.profile.model import Profile, ValueType
from conduit.report.options import Options
from conduit.web.configs import SavedConfigs
from conduit.web.session import ProfileSession
from conduit.web.turns import ClientDisconnectedError, WorkLimitError, take_turn, work_check

if TYPE_CHECKING:
    from pathlib import Path

STEPS = 12  # more than a view has


class GoneError(Exception):
    pass


@pytest.fixture(scope="module")
def large_profile() -> Profile:
    builder = ProfileBuilder([ValueType("cpu", "nanoseconds")])
    for number in range(ROWS * 5):
        builder.add([(f"f{number}", "/a.py", number + 1, number + 1), ("main", "/a.py", 1, 1)], [number + 1])
    return builder.build()


@pytest.fixture
def session(large_profile: Profile, tmp_path: Path) -> ProfileSession:
    return ProfileSession(large_profile, Options(), SavedConfigs(tmp_path / "settings.json"))


def test_without_a_question_the_rows_are_the_object_itself() -> None:
    rows = [1, 2, 3]
    assert interruptible(rows) is rows
    assert interruptible_key(abs) is abs
    checkpoint()


def test_rows_are_all_there_in_order_with_a_question_for_each_few_thousand() -> None:
    asked = []
    with interrupted_by(lambda: asked.append(1)):
        assert list(interruptible(iter(range(ROWS * 3 + 1)))) == list(range(ROWS * 3 + 1))
        assert len(asked) == 4
        assert sorted(range(ROWS * 2), key=interruptible_key(neg))[0] == ROWS * 2 - 1
        assert len(asked) == 6
    assert interruptible(asked) is asked  # after the block nothing asks


def test_work_that_gives_way_sleeps_for_a_moment_and_what_others_did_then_does_not_count(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    now, slept = 0.0, []

    def sleep(seconds: float) -> None:
        nonlocal now
        slept.append(seconds)
        now += 1.0  # others took the time; none of it counts as work

    monkeypatch.setattr(interruption, "time", SimpleNamespace(perf_counter=lambda: now, sleep=sleep))
    with interrupted_by(GivingWay()):
        for _ in range(40):
            now += 0.00011
            checkpoint()
    assert slept == [GivingWay.SLEEP_S] * 20


def test_a_question_is_that_of_its_own_thread() -> None:
    def end() -> None:
        raise GoneError

    answers: list[object] = []
    with interrupted_by(end):
        other = threading.Thread(target=lambda: answers.append(interruptible(answers)))
        other.start()
        other.join()
        with pytest.raises(GoneError):
            checkpoint()
    assert answers == [answers]


@pytest.mark.parametrize("view", ["flamegraph", "top", "graph", "peek", "source", "labels"])
def test_a_view_of_many_functions_ends_inside_its_steps_when_its_client_goes(
    session: ProfileSession, view: str
) -> None:
    class Client(threading.Event):
        def __init__(self, stays_for: int) -> None:
            super().__init__()
            self.asked, self.stays_for = 0, stays_for

        def is_set(self) -> bool:
            self.asked += 1
            return self.asked > self.stays_for

    stays = Client(10**9)
    whole = session.page(view, {}, stays)
    assert stays.asked > STEPS
    for share in (4, 2):
        goes = Client(stays.asked // share)
        with pytest.raises(ClientDisconnectedError):
            session.page(view, {}, goes)
        assert goes.asked == goes.stays_for + 1  # nothing went on after the answer
    assert session.page(view, {})["views"] == whole["views"]  # the next one has its turn, and all of the data


def test_a_view_inside_an_application_ends_at_its_limit(large_profile: Profile, tmp_path: Path) -> None:
    session = ProfileSession(large_profile, Options(), SavedConfigs(tmp_path / "settings.json"), limit_s=0.0)
    with pytest.raises(WorkLimitError, match="focus on some functions"):
        session.page("flamegraph", {})


def test_the_limit_is_of_cpu_time_and_not_of_the_clock(monkeypatch: pytest.MonkeyPatch) -> None:
    used = 5.0
    monkeypatch.setattr("conduit.web.turns.time.thread_time", lambda: used)
    monkeypatch.setattr("conduit.web.turns.time.monotonic", lambda: pytest.fail("the clock was asked"))
    check = work_check(None, 60)
    used = 64.0
    check()
    used = 65.5
    with pytest.raises(WorkLimitError, match="more than 60s of CPU time"):
        check()


def test_inside_an_application_a_view_waits_for_others_up_to_the_limit() -> None:
    lock = threading.Lock()
    with lock, pytest.raises(WorkLimitError, match="try again later"), take_turn(lock, None, 0.0):
        pass
    with take_turn(lock, None, 0.0):
        assert lock.locked()
