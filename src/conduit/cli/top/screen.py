"""The screen and the keys of the live view, drawn by prompt_toolkit, which gives the terminal back as it was."""

from __future__ import annotations

import asyncio
import os
import signal
from typing import TYPE_CHECKING, Literal, NamedTuple

from prompt_toolkit.application import Application
from prompt_toolkit.buffer import Buffer
from prompt_toolkit.filters import Condition
from prompt_toolkit.key_binding import KeyBindings
from prompt_toolkit.layout import (
    BufferControl,
    ConditionalContainer,
    FormattedTextControl,
    HSplit,
    Layout,
    VSplit,
    Window,
)
from prompt_toolkit.output import ColorDepth
from prompt_toolkit.styles import Style

from conduit.cli.top.table import View, make_table, make_task_table
from conduit.control_characters import printable
from conduit.errors import ConduitError

if TYPE_CHECKING:
    from collections.abc import Callable

    from prompt_toolkit.formatted_text import StyleAndTextTuples
    from prompt_toolkit.key_binding import KeyPressEvent

    from conduit.cli.top.samples import Samples
    from conduit.cli.top.table import Table
    from conduit.cli.top.tasks import Tasks
    from conduit.profile.model import Profile

_Rows = Literal["functions", "threads", "tasks"]
_KEYS = " f flat  c cum  t threads  a tasks  / filter  space hold  s save  q quit"
_STYLE = Style.from_dict({"title": "bold ansicyan", "columns": "reverse", "message": "bold"})
# The signals that end a program: the terminal is given back first.
_ENDS = (signal.SIGTERM, signal.SIGHUP)


def show(samples: Samples, *, by_cum: bool, is_tasks: bool = False) -> int:
    """Show the samples until a key or a signal quits, or until they are over; return the exit status."""
    return asyncio.run(_Screen(samples, by_cum, "tasks" if is_tasks else "functions").run())


class _Seen(NamedTuple):
    """What can be shown; each is None before it has been read."""

    profile: Profile | None = None
    tasks: Tasks | None = None


class _Screen:
    def __init__(self, samples: Samples, by_cum: bool, rows: _Rows) -> None:
        self._samples = samples
        self._by_cum = by_cum
        self._kind = rows
        self._samples.wants_tasks = rows == "tasks"
        self._held: _Seen | None = None
        self._latest = _Seen()
        self._pattern = ""
        self._matches: Callable[[str], bool] = lambda _: True
        self._message = ""
        self._input = Buffer(multiline=False, accept_handler=self._filter)
        self._application: Application[int] = self._make_application()

    async def run(self) -> int:
        """Draw until the end."""
        loop = asyncio.get_running_loop()
        for number in _ENDS:
            loop.add_signal_handler(number, self._exit, 128 + number)
        self._samples.start(lambda: loop.call_soon_threadsafe(self._update))
        try:
            return await self._application.run_async()
        finally:
            self._samples.stop()  # the loop is closed after this

    def _make_application(self) -> Application[int]:
        rows = Window(FormattedTextControl(self._text, focusable=True), wrap_lines=False)
        is_asked = Condition(lambda: self._application.layout.has_focus(self._input))
        question = VSplit(
            [Window(FormattedTextControl(" filter: "), width=9), Window(BufferControl(self._input))], height=1
        )
        keys = Window(FormattedTextControl(self._last_line), height=1)
        self._rows = rows
        return Application(
            layout=Layout(
                HSplit([rows, ConditionalContainer(question, is_asked, alternative_content=keys)]), rows
            ),
            key_bindings=self._bindings(is_asked),
            style=_STYLE,
            color_depth=ColorDepth.DEPTH_1_BIT if os.environ.get("NO_COLOR") else None,
            full_screen=True,
        )

    def _bindings(self, is_asked: Condition) -> KeyBindings:
        bindings = KeyBindings()
        actions: dict[str, Callable[[], None]] = {
            "f": lambda: self._sort(False),
            "c": lambda: self._sort(True),
            "t": lambda: self._switch("threads"),
            "a": lambda: self._switch("tasks"),
            "space": self._hold,
            "s": self._save,
            "/": self._ask,
            "q": lambda: self._exit(0),
        }
        for key, action in actions.items():
            bindings.add(key, filter=~is_asked)(_without_event(action))
        for key in ("c-c", "<sigint>"):
            bindings.add(key, eager=True)(_without_event(lambda: self._exit(0)))
        bindings.add("escape", filter=is_asked, eager=True)(_without_event(self._close_question))
        bindings.add("c-z")(lambda event: event.app.suspend_to_background())
        return bindings

    def _update(self) -> None:
        """Take over what the thread has recorded."""
        if self._samples.is_over:
            self._exit(0)
            return
        self._latest = _Seen(self._samples.profile(), self._samples.tasks)
        self._application.invalidate()

    def _exit(self, status: int) -> None:
        if self._application.is_running and not self._application.is_done:
            self._application.exit(result=status)

    def _sort(self, by_cum: bool) -> None:
        self._by_cum = by_cum
        self._show("functions")

    def _switch(self, kind: _Rows) -> None:
        self._show("functions" if self._kind == kind else kind)

    def _show(self, kind: _Rows) -> None:
        self._kind, self._message = kind, ""
        self._samples.wants_tasks = kind == "tasks"

    def _hold(self) -> None:
        self._message = ""
        self._held = self._latest if self._held is None else None

    def _seen(self) -> _Seen:
        return self._latest if self._held is None else self._held

    def _save(self) -> None:
        from conduit.files import write_file_whole
        from conduit.profile.codec import encode

        seen = self._seen()
        is_tasks = self._kind == "tasks"
        profile = (seen.tasks and seen.tasks.profile) if is_tasks else seen.profile
        if profile is None:
            self._message = "there are no tasks to write" if is_tasks else "nothing has been recorded yet"
            return
        file = f"{'goroutine' if is_tasks else 'cpu'}-{self._samples.file}"
        try:
            write_file_whole(file, encode(profile))
        except ConduitError as error:
            self._message = str(error)
            return
        self._message = f"written: {file}"

    def _ask(self) -> None:
        self._message = ""
        self._input.text = self._pattern
        self._input.cursor_position = len(self._pattern)
        self._application.layout.focus(self._input)

    def _close_question(self) -> None:
        self._application.layout.focus(self._rows)

    def _filter(self, buffer: Buffer) -> bool:
        """Take the regular expression that was typed; a wrong one changes nothing."""
        from conduit.regexps import PatternError, compile_pattern

        self._close_question()
        text = buffer.text
        try:
            self._matches = compile_pattern(text).matches if text else lambda _: True
        except PatternError as error:
            self._message = str(error)
            return False
        self._pattern = text
        return False

    def _text(self) -> StyleAndTextTuples:
        size = self._application.output.get_size()
        filtered = f", filter {self._pattern}" if self._pattern else ""
        title = f"conduit top: {self._samples.name}{filtered}{', held' if self._held is not None else ''}"
        table, order = self._table()
        if table is None:
            return [("class:title", printable(title)), ("", f"\n\n{order}")]
        count = max(size.rows - 4, 0)
        return [
            ("class:title", printable(title) + "\n"),
            ("", printable(f"{table.recorded}; {order}") + "\n"),
            ("class:columns", table.columns.ljust(size.columns) + "\n"),
            ("", "\n".join(table.rows[:count])),
        ]

    def _table(self) -> tuple[Table | None, str]:
        """Return the table and its order; or None, and the line to show instead."""
        seen = self._seen()
        if self._kind == "tasks":
            if seen.tasks is None:
                return (
                    None,
                    "reading the tasks …" if self._held is None else "no tasks were read before it was held",
                )
            return make_task_table(seen.tasks, self._matches), "tasks"
        if seen.profile is None:
            return None, "recording …"
        table = make_table(seen.profile, View(self._by_cum, self._kind == "threads", self._matches))
        functions = f"functions by {'cum' if self._by_cum else 'flat'}"
        return table, "threads" if self._kind == "threads" else functions

    def _last_line(self) -> StyleAndTextTuples:
        return [("class:message", f" {printable(self._message)}")] if self._message else [("", _KEYS)]


def _without_event(action: Callable[[], None]) -> Callable[[KeyPressEvent], None]:
    return lambda _: action()
