"""Work for a CPU profile to see, whatever else the machine is doing."""

from __future__ import annotations

import time


def burn(cpu_seconds: float) -> None:
    """Computes for so long, and sleeps in between.

    The kernel looks at a thread's timer at its ticks, and when it is looked at a thread makes up for the time before. One that
    never sleeps, beside others that never do, may run between ticks alone for half a second; one that sleeps now
    and then is met by chance. What is lost is its time since the last look, some 15 ms on average beside two busy programs.
    """
    end = time.thread_time() + cpu_seconds
    while (begin := time.thread_time()) < end:
        while time.thread_time() < min(begin + 0.005, end):
            pass
        time.sleep(0.002)
