"""The machine: the configuration lines above the results, and conditions that affected a measurement.

A `Watch` is opened before a timed run and read after it. It uses the kernel's counters: how long the thread was ready
but had no CPU (`schedstat`), how long a control group was throttled (`cpu.stat`), how often the cores reached their
thermal limit, and which frequency governor is set. If a file is missing, nothing is reported.
"""

from __future__ import annotations

import os
import platform
import sys
from pathlib import Path
from time import perf_counter_ns

from conduit.bench.names import GOARCH
from conduit.bench.result import MeasurementWarning
from conduit.units import counted

WAITING_SHARE = 0.05  # of wall time, ready but without a CPU
THROTTLED_SHARE = 0.01  # of wall time, held back by a control group

MEASURABLE_NS = 1_000_000


def config_lines(package: str) -> list[str]:
    """Return the `key: value` lines that hold for the results below them, in Go's order, with ours behind."""
    machine = platform.machine()
    lines = [f"goos: {sys.platform}", f"goarch: {GOARCH.get(machine, machine)}", f"pkg: {package}"]
    cpu = cpu_model()
    if cpu:
        lines.append(f"cpu: {cpu}")
    lines.append(f"python: {python_version()}")
    return lines


def python_version() -> str:
    """Return `3.11.7` for CPython; with the implementation's name before it for any other."""
    name = platform.python_implementation()
    return platform.python_version() if name == "CPython" else f"{name} {platform.python_version()}"


def cpu_model() -> str:
    """Return the processor's name as the kernel gives it, or an empty text."""
    for line in _read("/proc/cpuinfo").splitlines():
        key, _, value = line.partition(":")
        if key.strip() in ("model name", "Hardware", "cpu model"):
            return value.strip()
    return platform.processor()


def processors() -> int:
    """Return how many processors this process may use: the `-N` of the names."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


class Watch:
    """The kernel's counters at one moment; `warnings` compares them with now."""

    def __init__(self) -> None:
        self._waiting_ns = _waiting_ns()
        self._throttled_ns = _throttled_ns()
        self._thermal_events = _thermal_events()
        self._opened_ns = perf_counter_ns()

    def warnings(self) -> list[MeasurementWarning]:
        """Return warnings about disturbances since the watch was opened; none for less than a millisecond."""
        wall_ns = perf_counter_ns() - self._opened_ns
        if wall_ns < MEASURABLE_NS:
            return []
        found = []
        waited = (_waiting_ns() - self._waiting_ns) / wall_ns
        if waited > WAITING_SHARE:
            found.append(_loaded(waited))
        throttled = (_throttled_ns() - self._throttled_ns) / wall_ns
        if throttled > THROTTLED_SHARE:
            found.append(_throttled(throttled))
        events = _thermal_events() - self._thermal_events
        if events > 0:
            found.append(_overheated(events))
        return found


def machine_warnings() -> list[MeasurementWarning]:
    """Return warnings about the machine, found before the first run and given once."""
    governors = frequency_governors()
    if not governors or governors == ["performance"]:
        return []
    return [
        MeasurementWarning(
            "frequency-scaled",
            f"the CPU's frequency follows its load (scaling governor: {', '.join(governors)})",
            "set it with `cpupower frequency-set -g performance` while measuring",
        )
    ]


def _loaded(share: float) -> MeasurementWarning:
    return MeasurementWarning(
        "loaded-machine",
        f"other processes used the CPU for {share:.0%} of this run",
        "close other programs, pin with `taskset -c 1 conduit bench …`, or raise -benchtime and -count",
    )


def _throttled(share: float) -> MeasurementWarning:
    return MeasurementWarning(
        "throttled",
        f"the control group's CPU quota held this process back for {share:.0%} of this run",
        "raise the container's CPU limit, or measure outside it",
    )


def _overheated(events: int) -> MeasurementWarning:
    return MeasurementWarning(
        "overheated",
        f"the CPU reached its thermal limit {counted(events, 'time')} during this run",
        "let the machine cool, and disable turbo in its settings",
    )


def _waiting_ns() -> int:
    # /proc/thread-self/schedstat: time on CPU, time waiting on a run queue (both ns), time slices.
    fields = _read("/proc/thread-self/schedstat").split()
    return int(fields[1]) if len(fields) >= 2 and fields[1].isdigit() else 0


def _throttled_ns() -> int:
    for folder in _cpu_control_groups():
        values = dict(line.split()[:2] for line in _read(folder / "cpu.stat").splitlines() if " " in line)
        if "throttled_usec" in values:
            return int(values["throttled_usec"]) * 1000
        if "throttled_time" in values:
            return int(values["throttled_time"])
    return 0


def _cpu_control_groups() -> list[Path]:
    """Return folders that may hold this process's `cpu.stat`, the likeliest first.

    Version 2 comes before version 1, the process's own group before the root.
    """
    folders = []
    for line in _read("/proc/self/cgroup").splitlines():
        _, controllers, path = line.split(":", 2)
        names = controllers.split(",")
        if controllers and "cpu" not in names:
            continue
        base = Path("/sys/fs/cgroup") / ("cpu" if controllers else "")
        folders += [base / path.lstrip("/"), base]
    return folders


def _thermal_events() -> int:
    events = 0
    for path in Path("/sys/devices/system/cpu").glob("cpu[0-9]*/thermal_throttle/core_throttle_count"):
        text = _read(path).strip()
        events += int(text) if text.isdigit() else 0
    return events


def frequency_governors() -> list[str]:
    """Return the frequency governors that are set, each once, by name; empty if the kernel shows none."""
    paths = Path("/sys/devices/system/cpu").glob("cpu[0-9]*/cpufreq/scaling_governor")
    return sorted({text for path in paths if (text := _read(path).strip())})


def cpu_quota() -> float | None:
    """Return how many processors' time the control group grants this process; None if it sets no limit."""
    for folder in _cpu_control_groups():
        quota = _read(folder / "cpu.max").split() or [
            _read(folder / name).strip() for name in ("cpu.cfs_quota_us", "cpu.cfs_period_us")
        ]
        if len(quota) == 2 and all(text.isdigit() for text in quota) and int(quota[1]):
            return int(quota[0]) / int(quota[1])
    return None


def _read(path: str | Path) -> str:
    """Return a kernel file's text; empty if it does not exist or may not be read, which means: nothing is known."""
    try:
        return Path(path).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
