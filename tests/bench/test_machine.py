"""What the kernel says about a measurement, with the kernel's files played by a folder."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from conduit.bench.run import machine
from conduit.bench.run.machine import Watch, config_lines, cpu_model, machine_warnings

SECOND = 1_000_000_000


class Kernel:
    """The texts of the kernel's files, and the clock."""

    def __init__(self) -> None:
        self.files: dict[str, str] = {}
        self.now_ns = 0

    def read(self, path: str | Path) -> str:
        return self.files.get(str(path), "")


@pytest.fixture
def kernel(monkeypatch: pytest.MonkeyPatch) -> Iterator[Kernel]:
    kernel = Kernel()
    monkeypatch.setattr(machine, "_read", kernel.read)
    monkeypatch.setattr(machine, "perf_counter_ns", lambda: kernel.now_ns)
    yield kernel


def waited(kernel: Kernel, waiting_ns: int) -> None:
    kernel.files["/proc/thread-self/schedstat"] = f"123456 {waiting_ns} 7\n"


def codes(watch: Watch) -> list[str]:
    return [warning.code for warning in watch.warnings()]


def test_a_thread_that_waited_for_a_cpu_says_that_the_machine_is_loaded(kernel: Kernel) -> None:
    waited(kernel, 5)
    watch = Watch()
    waited(kernel, 5 + SECOND // 5)
    kernel.now_ns = SECOND
    [warning] = watch.warnings()
    assert warning.code == "loaded-machine"
    assert "20%" in warning.cause
    assert "taskset" in warning.remedy


def test_a_little_waiting_is_no_warning(kernel: Kernel) -> None:
    waited(kernel, 0)
    watch = Watch()
    waited(kernel, SECOND // 25)
    kernel.now_ns = SECOND
    assert codes(watch) == []


def test_of_less_than_a_millisecond_nothing_is_said(kernel: Kernel) -> None:
    waited(kernel, 0)
    watch = Watch()
    waited(kernel, 900_000)
    kernel.now_ns = 999_999
    assert codes(watch) == []


@pytest.mark.parametrize(
    ("group", "file", "text"),
    [
        (
            "0::/user.slice/app",
            "/sys/fs/cgroup/user.slice/app/cpu.stat",
            "nr_throttled 3\nthrottled_usec {usec}\n",
        ),
        (
            "3:cpu,cpuacct:/docker/1",
            "/sys/fs/cgroup/cpu/docker/1/cpu.stat",
            "nr_throttled 3\nthrottled_time {usec}000\n",
        ),
        ("3:cpu:/docker/1", "/sys/fs/cgroup/cpu/cpu.stat", "throttled_time {usec}000\n"),
    ],
)
def test_a_control_group_that_throttles_is_noticed_in_both_versions(
    kernel: Kernel, group: str, file: str, text: str
) -> None:
    kernel.files["/proc/self/cgroup"] = f"5:memory:/elsewhere\n{group}\n"
    kernel.files[file] = text.format(usec=1000)
    watch = Watch()
    kernel.files[file] = text.format(usec=501_000)
    kernel.now_ns = SECOND
    [warning] = watch.warnings()
    assert warning.code == "throttled"
    assert "50%" in warning.cause


def test_cores_that_slow_down_for_heat_are_noticed(kernel: Kernel, monkeypatch: pytest.MonkeyPatch) -> None:
    count = iter([4, 9])
    monkeypatch.setattr(machine, "_thermal_events", lambda: next(count))
    watch = Watch()
    kernel.now_ns = SECOND
    [warning] = watch.warnings()
    assert warning.code == "overheated"
    assert "5 times" in warning.cause


@pytest.mark.parametrize(
    ("governors", "warninged"),
    [({"powersave"}, True), ({"performance", "schedutil"}, True), ({"performance"}, False), (set(), False)],
)
def test_a_governor_that_scales_the_frequency_is_said_once(
    monkeypatch: pytest.MonkeyPatch, governors: set[str], warninged: bool
) -> None:
    monkeypatch.setattr(machine, "frequency_governors", lambda: sorted(governors))
    assert [warning.code for warning in machine_warnings()] == (["frequency-scaled"] if warninged else [])


def test_where_the_kernel_says_nothing_nothing_is_claimed(kernel: Kernel) -> None:
    watch = Watch()
    kernel.now_ns = SECOND
    assert codes(watch) == []


def test_garbage_in_a_kernel_file_claims_nothing(kernel: Kernel) -> None:
    kernel.files["/proc/thread-self/schedstat"] = "not numbers at all"
    kernel.files["/proc/self/cgroup"] = "0::/\n"
    kernel.files["/sys/fs/cgroup/cpu.stat"] = "one_word\n"
    watch = Watch()
    kernel.now_ns = SECOND
    assert codes(watch) == []


def test_the_header_has_gos_lines_and_the_python(kernel: Kernel) -> None:
    kernel.files["/proc/cpuinfo"] = "processor : 0\nmodel name\t: AMD EPYC\nmodel name\t: AMD EPYC\n"
    lines = config_lines("benchmarks/bench_x")
    assert [line.partition(": ")[0] for line in lines] == ["goos", "goarch", "pkg", "cpu", "python"]
    assert "cpu: AMD EPYC" in lines
    assert cpu_model() == "AMD EPYC"
