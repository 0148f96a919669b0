"""Tasks and commands, against the frameworks' own enumeration."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from conduit.metadata.schema import Metadata
from conduit.sources.application import Application, collect_application
from tests.sources.test_application import collect, write_app

WORK = """
from celery import Celery, shared_task
from celery.schedules import crontab

app = Celery("work", broker="memory://")
app.conf.beat_schedule = {
    "a": {"task": "app.add", "schedule": 30.0},
    "b": {"task": "app.clean", "schedule": crontab(minute=0, hour=3)},
    "c": {"task": "app.clean", "schedule": 60},
}
app.conf.task_routes = {"app.clean": {"queue": "slow"}}


@app.task(max_retries=5)
def add(x, y):
    \"\"\"Adds two.\"\"\"
    raise AssertionError("no task is run")


@shared_task
def clean(): ...


@app.task(bind=True, name="named.one")
def other(self): ...
"""


def test_the_tasks_of_celery_are_those_of_its_registry_with_queue_schedule_and_line(tmp_path: Path) -> None:
    pytest.importorskip("celery")
    found = collect(write_app(tmp_path, WORK))
    assert found.errors == ()
    shown = {
        task.name: (task.handler, task.queue, task.schedule, task.retries, task.line_number)
        for task in found.tasks
    }
    assert shown == {
        "app.add": ("app:add", "celery", "every 30 s", 5, 14),
        "app.clean": ("app:clean", "slow", "cron 0 3 * * *; every 60 s", 3, 20),
        "named.one": ("app:other", "celery", "", 3, 24),
    }
    assert {task.documentation for task in found.tasks} == {"Adds two.", ""}
    code = "from app import app; print(sorted(n for n in app.tasks if not n.startswith('celery.')))"
    listed = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert sorted(shown) == json.loads(listed.stdout.replace("'", '"'))


def test_the_commands_of_django_are_those_that_it_lists_with_file_and_line(tmp_path: Path) -> None:
    for name in ("shop/__init__.py", "shop/management/__init__.py", "shop/management/commands/__init__.py"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("")
    (tmp_path / "shop/management/commands/__init__.py").write_text(
        "raise AssertionError('nor is its package, which Django itself only lists')\n"
    )
    (tmp_path / "settings.py").write_text('SECRET_KEY = "x"\nINSTALLED_APPS = ["shop"]\n')
    (tmp_path / "shop/management/commands/restock.py").write_text(
        "raise AssertionError('no command is imported')\nclass Command: ...\n"
    )
    found: Metadata = collect_application(Application(root=str(tmp_path), django="settings")).metadata
    code = "import django, json; django.setup(); from django.core.management import get_commands; print(json.dumps(sorted(get_commands())))"
    listed = subprocess.run(
        [sys.executable, "-c", code],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
        env={"DJANGO_SETTINGS_MODULE": "settings", "PYTHONPATH": str(tmp_path)},
    )
    assert [task.name for task in found.tasks] == json.loads(listed.stdout)
    own = [task for task in found.tasks if task.origin == "project"]
    assert [(task.name, task.file_path, task.line_number) for task in own] == [
        ("restock", "shop/management/commands/restock.py", 2)
    ]


def test_a_framework_that_is_not_read_is_named_with_another_way(tmp_path: Path) -> None:
    (tmp_path / "litestar").mkdir()
    (tmp_path / "litestar/__init__.py").write_text("class Litestar: ...\n")
    found = collect(write_app(tmp_path, "from litestar import Litestar\napp = Litestar()\n"))
    assert [error.message for error in found.errors] == [
        "Litestar is not read; collect from its OpenAPI document with --openapi"
    ]
