"""The machine: its hardware, and conditions that make measurements on it noisy."""

from __future__ import annotations

import os
import platform
import sys

from conduit.cli.doctor.finding import Finding
from conduit.units import counted

_BUSY_SHARE = 0.3  # of the processors, already taken by others


def examine() -> list[Finding]:
    """Return the findings about platform, frequency, quota and load."""
    return [_platform(), _frequency(), *quota(), load()]


def _platform() -> Finding:
    from conduit.bench.run.machine import cpu_model, processors

    parts = [f"{sys.platform} {platform.release()} {platform.machine()}", cpu_model()]
    parts.append(counted(processors(), "processor"))
    return Finding("platform", ", ".join(part for part in parts if part))


def _frequency() -> Finding:
    from conduit.bench.run.machine import frequency_governors, machine_warnings

    for warning in machine_warnings():
        effect = "times of the same code differ from run to run by several percent"
        return Finding("CPU governor", warning.cause, "note", effect, warning.remedy)
    governors = frequency_governors()
    hidden = "not visible, as in most virtual machines: nothing can be said about the frequency"
    return Finding("CPU governor", ", ".join(governors) or hidden)


def quota() -> list[Finding]:
    """Return the CPU limit of the control group, where there is one."""
    from conduit.bench.run.machine import cpu_quota, processors

    allowed = cpu_quota()
    if allowed is None:
        return []
    found = f"the control group allows {allowed:.2g} of {processors()} processors"
    if allowed >= processors():
        return [Finding("CPU quota", found)]
    effect = "a process that uses it up stands still for the rest of each period, which shows as outliers"
    return [Finding("CPU quota", found, "note", effect, "raise the container's CPU limit while measuring")]


def load() -> Finding:
    """Return how busy the machine is with other work."""
    from conduit.bench.run.machine import processors

    if not hasattr(os, "getloadavg"):
        return Finding("load", "not known on this system")
    loads = os.getloadavg()
    found = f"{loads[0]:.2f} in the last minute, {loads[1]:.2f} in the last five, of {processors()}"
    if loads[0] <= _BUSY_SHARE * processors():
        return Finding("load", found)
    effect = "small differences drown: intervals widen, and comparisons stay unresolved"
    remedy = "close other programs, pin with `taskset`, or compare with `conduit bench -against`, which takes turns"
    return Finding("load", found, "note", effect, remedy)
