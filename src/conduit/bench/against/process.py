"""Client for the worker processes of `--against`."""

from __future__ import annotations

import json
import os
import subprocess
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from conduit.errors import ConduitError

if TYPE_CHECKING:
    from collections.abc import Sequence
    from types import TracebackType

    from conduit.bench.against.worktree import Checkout

_WORKER = Path(__file__).with_name("worker.py")
_HARNESS = str(Path(__file__).parents[3])
_PATIENCE_SECONDS = 5.0


class ProcessEndedError(ConduitError):
    """A worker process ended or did not start; the text has the end of its error output."""


class BenchmarkProcess:
    """A process that runs a checkout's benchmarks; a context manager that ends it.

    `hash_seed` is its PYTHONHASHSEED; None leaves the environment's. `wrapper` is a command that runs the interpreter.
    """

    def __init__(
        self,
        checkout: Checkout,
        setup: dict[str, Any],
        hash_seed: int | None = None,
        wrapper: Sequence[str] = (),
    ) -> None:
        self.checkout = checkout
        environment = dict(os.environ)
        if hash_seed is not None:
            environment["PYTHONHASHSEED"] = str(hash_seed)
        if environment.get("PYTHONPATH"):
            environment["PYTHONPATH"] = checkout.python_path(environment["PYTHONPATH"])
        self._words = tempfile.TemporaryFile()  # noqa: SIM115 (closed in __exit__)
        self._process = subprocess.Popen(
            [*wrapper, checkout.python, "-P", "-B", "-u", str(_WORKER)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=self._words,
            env=environment,
            text=True,
            encoding="utf-8",
        )
        where = {"root": str(checkout.root), "import_from": list(checkout.import_from), "harness": _HARNESS}
        self.send({**setup, **where})

    def __enter__(self) -> BenchmarkProcess:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        process = self._process
        if kind is not None:
            process.kill()
        for pipe in (process.stdin, process.stdout):
            if pipe is not None:
                try:
                    pipe.close()
                except BrokenPipeError:
                    continue  # it is gone already
        try:
            process.wait(_PATIENCE_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        self._words.close()

    def pin_to_cores(self, cores: Sequence[int]) -> None:
        """Pin the process's main thread, and threads started later, to some processors (Linux)."""
        try:
            os.sched_setaffinity(self._process.pid, cores)
        except OSError:
            # It has just ended, which the next request says better, or a container does not allow it.
            return

    def finish(self) -> str:
        """Let the process end by itself and return its error output."""
        if self._process.stdin is not None:
            self._process.stdin.close()
        self._process.wait()
        self._words.seek(0)
        return self._words.read().decode("utf-8", "replace")

    def ask(self, request: dict[str, Any]) -> dict[str, Any]:
        """Send a request and return its answer. Raises `ProcessEndedError` if the process has ended."""
        self.send(request)
        return self.receive()

    def receive(self) -> dict[str, Any]:
        """Wait for an answer; the first, without a request, lists the benchmarks."""
        line = self._process.stdout.readline() if self._process.stdout else ""
        if not line:
            raise ProcessEndedError(f"{self.checkout.name}: the process ended ({self._ending()})")
        answer: dict[str, Any] = json.loads(line)
        if "broken" in answer:
            raise ProcessEndedError(f"{self.checkout.name}: {answer['broken']}")
        return answer

    def send(self, request: dict[str, Any]) -> None:
        """Send a request, whose answer `receive` returns. Raises `ProcessEndedError` if the process has ended."""
        if self._process.stdin is None:
            return
        try:
            self._process.stdin.write(json.dumps(request) + "\n")
            self._process.stdin.flush()
        except BrokenPipeError:
            raise ProcessEndedError(f"{self.checkout.name}: the process ended ({self._ending()})") from None

    def _ending(self) -> str:
        try:
            status = self._process.wait(_PATIENCE_SECONDS)
        except subprocess.TimeoutExpired:
            return "its output is closed"
        self._words.seek(0)
        words = self._words.read().decode("utf-8", "replace").strip().splitlines()[-8:]
        ending = f"signal {-status}" if status < 0 else f"exit status {status}"
        return "\n".join([ending, *words])
