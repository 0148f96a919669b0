"""`conduit introspect tasks`: work outside requests, one row per task or command."""

from __future__ import annotations

from typing import TYPE_CHECKING

from conduit.cli.introspect.shown_paths import shown_path
from conduit.cli.tables import Layout

if TYPE_CHECKING:
    from collections.abc import Sequence

    from conduit.cli.flags import FlagSet
    from conduit.cli.introspect.question import Question
    from conduit.cli.tables import Page
    from conduit.metadata.schema import Task

PART = "tasks*"


def declare(flags: FlagSet) -> None:
    """Declare the filters."""
    flags.option("kind", "only tasks of this kind, such as celery_task or django_command", metavar="KIND")
    flags.switch("all", "also those of the framework")


def run(question: Question) -> int:
    """Print the tasks in document order; those of the framework are left out and counted on standard error."""
    tasks: Sequence[Task] = question.registry.schema().tasks
    if question.flags["kind"] is not None:
        from conduit.cli.introspect.question import require_known

        require_known(question.flags["kind"], (task.kind for task in tasks), "kind of task")
        tasks = [task for task in tasks if task.kind == question.flags["kind"]]
    tasks = question.without_framework(tasks, "tasks")
    return question.answer(tasks, lambda page: _print(page, tasks))


def _print(page: Page, tasks: Sequence[Task]) -> None:
    if not tasks:
        page.line("no tasks")
        return
    header = ["NAME", "KIND", "QUEUE", "SCHEDULE", "RETRIES", "TRIGGER", "LOCATION"]
    layout = Layout(
        "NAME",
        share=0.4,
        wrap=("NAME", "SCHEDULE", "TRIGGER"),
        ends=("LOCATION",),
        whole=("KIND",),
        optional=("RETRIES", "QUEUE"),
    )
    page.tell_left_out(page.table(header, [_row(task) for task in tasks], layout=layout))


def _row(task: Task) -> list[str]:
    location = shown_path(task.file_path, task.line_number)
    return [task.name, task.kind, task.queue, task.schedule, str(task.retries or ""), task.trigger, location]
