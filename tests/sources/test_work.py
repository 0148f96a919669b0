"""Work outside requests beside Celery: actors, jobs, receivers of signals, hooks of an application's life."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from conduit.metadata.schema import Metadata
from conduit.sources.application import Application, collect_application

DRAMATIQ = '''
import dramatiq
from dramatiq.brokers.stub import StubBroker
dramatiq.set_broker(StubBroker())
@dramatiq.actor(queue_name="mail", max_retries=5)
def send(to):
    """Sends a mail."""
@dramatiq.actor
async def later(): ...
'''
RQ = """
from redis import Redis
from rq import Retry, cron
from rq.decorators import job
@job("low", connection=Redis(), retry=Retry(max=3))
def resize(path): ...
def sweep(): ...
cron.register(sweep, "nightly", cron="0 3 * * *")
"""
FASTAPI = """
import contextlib
from fastapi import BackgroundTasks, FastAPI
import mails
def count(n): ...
@contextlib.asynccontextmanager
async def life(app):
    yield
app = FastAPI(lifespan=life)
@app.post("/a")
def a(tasks: BackgroundTasks):
    tasks.add_task(count, 1)
@app.post("/b")
async def b(tasks: BackgroundTasks):
    tasks.add_task(count, 1)
    tasks.add_task(mails.send)
"""
DJANGO = """
from django.core.signals import request_finished
from django.db.models.signals import post_save, pre_delete
from django.dispatch import Signal, receiver
paid = Signal()
@receiver([post_save, pre_delete], sender="auth.User")
def user_changed(sender, **kwargs): ...
@receiver(request_finished)
def finished(sender, **kwargs): ...
@receiver(paid)
def paid_for(sender, **kwargs): ...
"""


def collected(folder: Path, **files: str) -> Metadata:
    for name, text in files.items():
        (folder / f"{name}.py").write_text(text)
    metadata = collect_application(Application(root=str(folder), app="shop")).metadata
    assert metadata.errors == ()
    return metadata


def test_dramatiq_actors_are_those_of_the_broker(tmp_path: Path) -> None:
    pytest.importorskip("dramatiq")
    tasks = collected(tmp_path, shop=DRAMATIQ).tasks
    code = "import json, shop\nprint(json.dumps(sorted(shop.dramatiq.get_broker().get_declared_actors())))"
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert [task.name for task in tasks] == json.loads(done.stdout)
    later, send = tasks
    assert (send.kind, send.queue, send.retries) == ("dramatiq_actor", "mail", 5)
    assert (send.handler, send.documentation) == ("shop:send", "Sends a mail.")
    assert (later.queue, later.retries, later.line_number) == ("default", 20, 8)


def test_rq_jobs_are_decorated_functions_and_what_its_cron_has(tmp_path: Path) -> None:
    pytest.importorskip("rq.cron")
    tasks = {task.name: task for task in collected(tmp_path, shop=RQ).tasks}
    assert set(tasks) == {"shop.resize", "shop.sweep"}
    assert (tasks["shop.resize"].queue, tasks["shop.resize"].retries) == ("low", 3)
    assert (tasks["shop.sweep"].queue, tasks["shop.sweep"].schedule) == ("nightly", "cron 0 3 * * *")


FLASK_RQ = """
import flask, flask_rq
app = flask.Flask("shop")
rq = flask_rq.RQ(app)
@rq.job(queue="low")
def resize(): ...
@rq.job
def count():
    "Counts."
again = resize
"""


def test_flask_rqs_jobs_are_the_functions_that_it_wraps(tmp_path: Path) -> None:
    pytest.importorskip("flask_rq")
    tasks = collected(tmp_path, shop=FLASK_RQ).tasks
    assert [(task.name, task.queue, task.line_number, task.documentation) for task in tasks] == [
        ("shop.count", "default", 7, "Counts."),
        ("shop.resize", "low", 5, ""),
    ]


def test_a_lifespan_and_the_background_functions_of_handlers_are_tasks(tmp_path: Path) -> None:
    pytest.importorskip("fastapi")
    (tmp_path / "mails.py").write_text("def send(): ...\n")
    tasks = collected(tmp_path, shop=FASTAPI).tasks
    assert [(task.name, task.kind, task.trigger, task.certainty) for task in tasks] == [
        ("life", "lifespan_hook", "lifespan", ""),
        ("count", "background_task", "POST /a; POST /b", "inferred"),
        ("send", "background_task", "POST /b", "inferred"),
    ]
    assert tasks[2].handler == "mails:send"


def test_receivers_of_djangos_signals_are_tasks_with_their_senders(tmp_path: Path) -> None:
    pytest.importorskip("django")
    (tmp_path / "settings.py").write_text(
        "SECRET_KEY = 'x'\nINSTALLED_APPS = ['django.contrib.auth', 'django.contrib.contenttypes', 'heard']\n"
        "DEFAULT_AUTO_FIELD = 'django.db.models.AutoField'\n"
    )
    package = tmp_path / "heard"
    package.mkdir()
    (package / "__init__.py").write_text("")
    (package / "listeners.py").write_text(DJANGO)
    (package / "apps.py").write_text(
        "from django.apps import AppConfig\nclass HeardConfig(AppConfig):\n    name = 'heard'\n"
        "    def ready(self):\n        from . import listeners\n"
    )
    metadata = collect_application(Application(root=str(tmp_path), django="settings")).metadata
    own: dict[str, Any] = {
        task.name: task.trigger
        for task in metadata.tasks
        if task.kind == "django_signal" and task.origin == "project"
    }
    assert own == {
        "user_changed": "post_save of auth.User; pre_delete of auth.User",
        "finished": "request_finished",
        "paid_for": "paid",
    }
