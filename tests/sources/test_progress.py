"""The time limit goes by progress: told by a clock and a CPU time that the test sets."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from conduit.sources.application import Application, CollectingError, collect_application
from conduit.sources.progress import Progress, _cpu_time_of


class Machine:
    def __init__(self) -> None:
        self.now_s = self.cpu_s = 0.0

    def clock(self) -> float:
        return self.now_s

    def cpu_time(self, pid: int) -> float:
        return self.cpu_s


def watch(machine: Machine) -> Progress:
    return Progress(-1, -1, "/", 60.0, machine.clock, machine.cpu_time)


@pytest.fixture(autouse=True)
def no_process(monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> None:
    if "tmp_path" not in request.fixturenames:
        monkeypatch.setattr("conduit.sources.progress._stack_of", lambda pid, stacks: "")


def test_a_start_that_uses_the_cpu_is_waited_for_beyond_the_limit() -> None:
    machine = Machine()
    progress = watch(machine)
    for _ in range(500):
        machine.now_s += 1
        machine.cpu_s += 0.3
        assert progress.check("app") == ""


def test_a_start_that_waits_is_given_up_after_the_limit_without_progress() -> None:
    machine = Machine()
    progress = watch(machine)
    machine.now_s = machine.cpu_s = 20
    assert progress.check("app") == ""
    machine.now_s = 79
    assert progress.check("app") == ""
    machine.now_s = 80
    assert progress.check("app").startswith("app was not loaded within 60 s without progress")


def test_a_start_without_an_end_is_given_up_after_ten_limits() -> None:
    machine = Machine()
    progress = watch(machine)
    while machine.now_s < 599:
        machine.now_s += 1
        machine.cpu_s += 1
        assert progress.check("app") == ""
    machine.now_s += 1
    assert progress.check("app").startswith("app was not loaded within 600 s;")


def test_the_refusal_names_the_line_of_the_project_that_is_waited_for(tmp_path: Path) -> None:
    (tmp_path / "app.py").write_text("import time\n\ndef connect():\n    time.sleep(600)\n\nconnect()\n")
    with pytest.raises(CollectingError, match=r"it is at app\.py:4 in connect") as caught:
        collect_application(Application(root=str(tmp_path), app="app:app"), time_limit_s=1.5)
    assert os.sep + "collector" not in str(caught.value)


@pytest.mark.skipif(
    not Path("/proc/self/schedstat").exists(), reason="the kernel does not count waiting for a CPU"
)
def test_time_that_a_process_waited_for_a_cpu_counts_as_progress() -> None:
    def waited_s() -> float:
        return int(Path("/proc/self/schedstat").read_text().split()[1]) / 1e9

    def own_s() -> float:
        times = os.times()
        return times.user + times.system + times.children_user + times.children_system

    tick = 2 / os.sysconf("SC_CLK_TCK")
    before = waited_s() + own_s()
    told = _cpu_time_of(os.getpid())
    assert before - tick <= told <= waited_s() + own_s() + tick
