"""Declared parameters and set-up: decorators for benchmark functions, with the same result wherever they run.

    from conduit import bench

    @bench.parametrize(n=[10, 1_000], kind={"list": list, "tuple": tuple})
    @bench.setup(lambda n, kind: kind(range(n)))
    def bench_sum(b, numbers, n, kind):
        for _ in b:
            sum(numbers)

runs `BenchmarkSum/n=10/kind=list` and three more. Several `parametrize` multiply; the first written varies slowest.
"""

from __future__ import annotations

import functools
import inspect
import itertools
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping
    from typing import Protocol

    Function = Callable[..., Any]
    Decorator = Callable[[Function], Function]

    class Benchmark(Protocol):
        """The part of a benchmark's `b` that is used here."""

        def start_timer(self) -> None:
            """Start the timer."""

        def stop_timer(self) -> None:
            """Stop the timer."""

        def reset_timer(self) -> None:
            """Discard what was measured so far."""

        def run(self, name: str, function: Function) -> bool:
            """Run a sub-benchmark."""


_DECLARATION = "__conduit_declaration__"


class _Declaration:
    """What the decorators of one function declared, and the values that set-ups made and that are still in use."""

    def __init__(self, function: Function) -> None:
        self.function = function
        self.parameters: list[dict[str, list[tuple[str, Any]]]] = []
        self.setup: Function | None = None
        self.teardown: Function | None = None
        self.per = "run"
        self.made: dict[str, tuple[Any, dict[str, Any]]] = {}

    def cases(self) -> Iterator[tuple[str, dict[str, Any]]]:
        """Yield the name and the values of every combination."""
        axes = [(name, values) for group in self.parameters for name, values in group.items()]
        for choice in itertools.product(*(values for _, values in axes)):
            named = list(zip((name for name, _ in axes), choice, strict=True))
            yield (
                "/".join(f"{name}={label}" for name, (label, _) in named),
                {name: value for name, (_, value) in named},
            )

    def prepare(self, case: str, values: dict[str, Any]) -> tuple[Any, ...]:
        """Return the arguments after `b`: what the set-up makes, if there is one."""
        if self.setup is None:
            return ()
        if self.per == "run":
            return (self.setup(**values),)
        if case not in self.made:
            self.made[case] = (self.setup(**values), values)
        return (self.made[case][0],)

    def clean(self, prepared: tuple[Any, ...]) -> None:
        """Tear down after a run."""
        if self.teardown is not None and self.per == "run":
            self.teardown(*prepared)

    def close(self) -> None:
        """Tear down what was set up for whole benchmarks."""
        made, self.made = self.made, {}
        for value, _ in made.values():
            if self.teardown is not None:
                self.teardown(value)


def parametrize(**parameters: Iterable[Any] | Mapping[str, Any]) -> Decorator:
    """Run a benchmark for every combination of values, as sub-benchmarks `/name=value`.

    A parameter is a sequence of values, or a mapping of labels to values. The function receives them by name. Raises
    `ValueError` for a parameter without values.
    """
    labelled = {name: _labelled(name, values) for name, values in parameters.items()}

    def decorate(function: Function) -> Function:
        declaration = _declaration_of(function)
        declaration.parameters.insert(0, labelled)
        return _wrap(declaration)

    return decorate


def setup(
    make: Function, teardown: Function | None = None, *, per: Literal["run", "benchmark"] = "run"
) -> Decorator:
    """Give a benchmark what `make` returns as the argument after `b`; neither it nor `teardown` is timed.

    `make` receives the parameters by name. With `per="run"` it is called for each run of the function, which is one
    batch of `b.n` iterations, with `per="benchmark"` once for all runs. `teardown` receives what `make` returned.
    """
    if per not in ("run", "benchmark"):
        raise ValueError(f"per={per!r}: expected run or benchmark")

    def decorate(function: Function) -> Function:
        declaration = _declaration_of(function)
        if declaration.setup is not None:
            raise ValueError(f"{function.__name__}: has two set-ups; let one function make everything")
        declaration.setup, declaration.teardown, declaration.per = make, teardown, per
        return _wrap(declaration)

    return decorate


def close_declared(function: Function) -> None:
    """Tear down what was set up for a benchmark as a whole; nothing for a function without such a set-up."""
    declaration = getattr(function, _DECLARATION, None)
    if declaration is not None:
        declaration.close()


def _labelled(name: str, values: Iterable[Any] | Mapping[str, Any]) -> list[tuple[str, Any]]:
    items = getattr(values, "items", None)
    found = (
        [(str(label), value) for label, value in items()]
        if items
        else [(str(value), value) for value in values]
    )
    if not found:
        raise ValueError(f"parametrize: {name} has no values")
    return found


def _declaration_of(function: Function) -> _Declaration:
    existing = getattr(function, _DECLARATION, None)
    return existing if isinstance(existing, _Declaration) else _Declaration(function)


def _wrap(declaration: _Declaration) -> Function:
    if declaration.parameters:

        def parent(b: Benchmark) -> None:
            for case, values in declaration.cases():
                b.run(case, _runner(declaration, case, values))

        wrapped: Function = parent
    else:
        wrapped = _runner(declaration, "", {})
    functools.update_wrapper(wrapped, declaration.function)
    del wrapped.__wrapped__  # type: ignore[attr-defined]  # its signature is (b), not the function's
    setattr(wrapped, _DECLARATION, declaration)
    return wrapped


def _runner(declaration: _Declaration, case: str, values: dict[str, Any]) -> Callable[[Benchmark], Any]:
    function = declaration.function
    if inspect.iscoroutinefunction(function):

        async def run_async(b: Benchmark) -> None:
            prepared = _prepared(declaration, b, case, values)
            try:
                await function(b, *prepared, **values)
            finally:
                b.stop_timer()
                declaration.clean(prepared)

        return run_async

    def run(b: Benchmark) -> None:
        prepared = _prepared(declaration, b, case, values)
        try:
            function(b, *prepared, **values)
        finally:
            b.stop_timer()
            declaration.clean(prepared)

    return run


def _prepared(declaration: _Declaration, b: Benchmark, case: str, values: dict[str, Any]) -> tuple[Any, ...]:
    b.stop_timer()
    prepared = declaration.prepare(case, values)
    b.start_timer()
    b.reset_timer()
    return prepared
