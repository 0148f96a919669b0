"""What the tests of the command share: its type, and a benchmark that is well."""

from __future__ import annotations

import subprocess
from collections.abc import Callable

Command = Callable[..., subprocess.CompletedProcess[str]]
GOOD = "def bench_call(b):\n    for _ in b:\n        pass\n"
