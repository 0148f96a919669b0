"""Labels for samples taken while a block or a function runs, as Go's `pprof.Do` sets them.

Every CPU, wall, heap, block, mutex and gil sample taken inside carries the labels, and a trace has a span for the
block. Labels live in a context variable: they follow awaits, tasks that are started inside, `asyncio.to_thread` and
`contextvars.copy_context().run`. Other threads start without labels; `carry_labels` passes them to another thread.
`conduit/_native/labels.c` describes how a sample reads them. Without the C extension, or on an interpreter whose
context variables it does not know, labels have no effect, and recordings have a warning with the reason.
"""

from __future__ import annotations

import functools
import inspect
from typing import TYPE_CHECKING, Any, ParamSpec, TypeVar

from conduit._native import available, reason

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Generator, Mapping
    from contextvars import Context
    from types import FrameType, TracebackType
    from typing import Self

    Pairs = tuple[tuple[str, str], ...]

P = ParamSpec("P")
R = TypeVar("R")

OWN_LABELS = frozenset(
    ("thread", "task", "wait", "lock", "state", "daemon", "awaited_by", "bytes", "pid", "labels")
)
"""The labels that recordings set themselves."""

_used_without_effect = False


def check_labels(labels: Mapping[str, object]) -> Pairs:
    """Return the labels as pairs of key and text, sorted by key, without those whose text is empty.

    Raise `ValueError` for an empty key, for a key of `OWN_LABELS`, and if there are no labels.
    """
    if not labels:
        raise ValueError('there is no label: expected keywords, such as conduit.label(tenant="a")')
    for key in labels:
        if not key:
            raise ValueError("a label without a key: readers refuse the whole profile for one")
        if key in OWN_LABELS:
            raise ValueError(f"the label {key!r} is set by the recordings themselves: choose another key")
    pairs = ((key, _text(value)) for key, value in labels.items())
    return tuple(sorted(pair for pair in pairs if pair[1]))


def _text(value: object) -> str:
    text = value if type(value) is str else str(value)
    return text.encode("utf-8", "replace").decode()  # a lone surrogate cannot be written


def _decorate(owner: Any, function: Any) -> Any:
    """Return the function with every call, or every step of a generator, inside the label."""
    if inspect.isasyncgenfunction(function):

        @functools.wraps(function)
        async def labelled_async_generator(*arguments: Any, **keywords: Any) -> AsyncGenerator[Any, Any]:
            async for value in _each_async_step(owner, function(*arguments, **keywords)):
                yield value

        return labelled_async_generator
    if inspect.iscoroutinefunction(function):

        @functools.wraps(function)
        async def labelled_coroutine(*arguments: Any, **keywords: Any) -> Any:
            with owner:
                return await function(*arguments, **keywords)

        return labelled_coroutine
    if inspect.isgeneratorfunction(function):

        @functools.wraps(function)
        def labelled_generator(*arguments: Any, **keywords: Any) -> Generator[Any, Any, Any]:
            with owner:  # it holds while this generator runs
                return (yield from function(*arguments, **keywords))

        return labelled_generator

    @functools.wraps(function)
    def labelled(*arguments: Any, **keywords: Any) -> Any:
        with owner:
            return function(*arguments, **keywords)

    return labelled


async def _each_async_step(owner: Any, generator: AsyncGenerator[Any, Any]) -> AsyncGenerator[Any, Any]:
    with owner:
        try:
            async for value in generator:
                yield value
        finally:
            await generator.aclose()


if TYPE_CHECKING or not available():

    class label:  # noqa: N801 (reads as a verb's object: `with label(tenant="a"):`)
        """Label every sample that is taken inside, as a context manager or a decorator.

        Keys are keywords; values are texts, others are taken as `str` gives them. Labels follow awaits, and tasks that
        are started inside; see `carry_labels` for threads. Nested labels add up, and the inner one wins. In a
        generator, they hold while it runs, and not for its caller between two values.
        """

        __slots__ = ()

        def __init__(self, **labels: object) -> None:
            check_labels(labels)

        def __enter__(self) -> Self:
            global _used_without_effect
            _used_without_effect = True
            return self

        def __exit__(
            self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
        ) -> None:
            """End the block."""

        def __call__(self, function: Callable[P, R]) -> Callable[P, R]:
            """Return the function with every call inside the label."""
            decorated: Callable[P, R] = _decorate(self, function)
            return decorated

        def assign(self, pairs: Pairs) -> None:
            """Add labels that became known inside (of a late label alone)."""

else:
    from conduit._native import _core

    label = _core.label
    _core.labels_install(check_labels, _decorate)


def late_label(pairs: Pairs) -> label:
    """Return a label for one block that gets more labels inside the block, by `assign(pairs)`.

    Pairs are sorted by key, and their texts are not empty.
    """
    if not available():
        return label(**dict(pairs))
    from conduit._native import _core

    made: label = _core.labels_late(pairs)
    return made


def current_labels() -> dict[str, str]:
    """Return the labels that a sample taken now would carry."""
    return dict(current_pairs())


def current_pairs() -> Pairs:
    """Return the current labels as pairs of key and text, sorted by key."""
    if not available():
        return ()
    from conduit._native import _core

    return _core.labels_current()


def carry_labels(function: Callable[P, R]) -> Callable[P, R]:
    """Return `function` with the current labels attached, to be called in another thread.

    `executor.submit(conduit.carry_labels(work), item)` gives the work in the executor's thread the caller's labels.
    Other context variables are not passed on (`contextvars.copy_context().run` passes all of them).
    """
    pairs = current_pairs()
    if not pairs:
        return function
    return label(**dict(pairs))(function)


def labels_beside(
    frames: Callable[[], dict[int, FrameType]],
) -> tuple[dict[int, FrameType], dict[int, Pairs]]:
    """Return `frames()`, and the labels of threads that have some, by thread ident, from the same moment."""
    if not available():
        return frames(), {}
    from conduit._native import _core

    return _core.labels_beside(frames)


def labels_of_context(context: Context | None) -> Pairs:
    """Return the labels of a context, such as that of a task, whether it is entered or not."""
    if context is None or not available():
        return ()
    from conduit._native import _core

    return _core.labels_of_context(context)


def watch_labels(note: Callable[[object, Pairs, bool], None] | None) -> None:
    """Have `note(label, pairs, begins)` called when labels are entered and left; None stops it."""
    if available():
        from conduit._native import _core

        _core.labels_trace(note)


def labels_warning() -> str:
    """Return why labels that this program has set are in no sample; an empty text if they are, or none were set."""
    if not available():
        return f"samples have no labels of conduit.label: {reason()}" if _used_without_effect else ""
    from conduit._native import _core
    from conduit._native.self_check import sentence

    if not _core.labels_refused():
        return ""
    return "samples have no labels of conduit.label: " + sentence("the context variables")
