"""Objects that must not be touched: any attribute access evaluates them, and evaluating raises, hangs or is counted."""

from __future__ import annotations

from pathlib import Path

import pytest

from conduit.sources.application import Application, collect_application

HOSTILE = """
import sys, time, types


def touched(name):
    with open("TOUCHED", "a") as file:
        file.write(name + "\\n")


class Counting:
    def __getattribute__(self, name):
        touched("Counting." + name)
        return object.__getattribute__(self, name)


class Raising:
    def __getattribute__(self, name):
        touched("Raising." + name)
        raise ConnectionError("no database at import time")


class Hanging:
    @property
    def __class__(self):
        touched("Hanging.__class__")
        time.sleep(600)


class Proxy:
    def __init__(self, make):
        object.__setattr__(self, "_make", make)

    @property
    def __class__(self):
        touched("Proxy.__class__")
        return self._make().__class__

    @property
    def __dict__(self):
        touched("Proxy.__dict__")
        raise ConnectionError

    def __getattr__(self, name):
        touched("Proxy." + name)
        raise ConnectionError

    def __call__(self, *args):
        touched("Proxy()")

    def __eq__(self, other):
        touched("Proxy ==")
        raise ConnectionError

    __hash__ = None


class Meta(type):
    def __getattribute__(cls, name):
        touched("Meta." + name)
        raise ConnectionError

    def __eq__(cls, other):
        touched("Meta ==")
        raise ConnectionError

    def __hash__(cls):
        touched("hash(Meta)")
        raise ConnectionError


class Class(metaclass=Meta):
    pass


class LazyModule(types.ModuleType):
    def __getattribute__(self, name):
        touched("LazyModule." + name)
        raise ImportError


counting, raising, hanging, proxy = Counting(), Raising(), Hanging(), Proxy(dict)
sys.modules["lazy_module"] = LazyModule("lazy_module")
sys.modules["no_module"] = Proxy(dict)
"""

FASTAPI = """
import functools
from fastapi import FastAPI
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column
from hostile import *


class Base(DeclarativeBase):
    pass


class Item(Base):
    __tablename__ = "item"
    id: Mapped[int] = mapped_column(primary_key=True)


def guarded(function, client=proxy, other=raising):
    @functools.wraps(function)
    def inner():
        return client, other, hanging, Class, function()

    return inner


app = FastAPI()


@app.get("/items")
@guarded
def items() -> int:
    return Item, proxy, raising, hanging, Class
"""

FLASK = """
from flask import Flask
from hostile import *

app = Flask(__name__)


@app.get("/x")
def x():
    return proxy, raising, hanging, Class
"""

SETTINGS = """
from django.utils.functional import SimpleLazyObject
from hostile import *

LAZY = SimpleLazyObject(lambda: touched("SimpleLazyObject"))
SECRET_KEY = "x"
COUNTING, RAISING, PROXY, CLASS = counting, raising, proxy, Class
NESTED = {"a": [raising, hanging], "PASSWORD": proxy}
ROOT_URLCONF = "urls"
INSTALLED_APPS = ["django.contrib.contenttypes", "shop"]
"""
URLS = """
from django.urls import path
from hostile import *

def view(request):
    return proxy, raising, hanging, Class

urlpatterns = [path("x/", view)]
"""
MODELS = """
from django.db import models
from django.dispatch import Signal
from hostile import *

paid = Signal()


class Item(models.Model):
    name = models.CharField(max_length=5, default=proxy)
"""


def collect(folder: Path, files: dict[str, str], **wanted: str) -> tuple[int, int]:
    for name, text in {"hostile.py": HOSTILE, **files}.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text)
    found = collect_application(Application(root=str(folder), **wanted), 60).metadata  # type: ignore[arg-type]
    assert [error.message for error in found.errors] == []
    touched = (folder / "TOUCHED").read_text().splitlines() if (folder / "TOUCHED").exists() else []
    assert touched == []
    return len(found.resources), len(found.routes)


def test_a_fastapi_application_with_lazy_objects_keeps_its_models_and_evaluates_none(tmp_path: Path) -> None:
    assert collect(tmp_path, {"main.py": FASTAPI}, app="main:app") == (1, 5)


def test_a_flask_application_with_lazy_objects_keeps_its_routes_and_evaluates_none(tmp_path: Path) -> None:
    assert collect(tmp_path, {"main.py": FLASK}, app="main:app") == (0, 2)


def test_a_django_project_with_lazy_settings_and_globals_evaluates_none(tmp_path: Path) -> None:
    files = {"settings.py": SETTINGS, "urls.py": URLS, "shop/models.py": MODELS, "shop/__init__.py": ""}
    assert collect(tmp_path, files, django="settings") == (2, 1)


def test_unset_django_settings_in_the_process_leave_the_models_of_sqlalchemy(tmp_path: Path) -> None:
    text = "import django.conf\nfrom django.conf import settings\n" + FASTAPI
    assert collect(tmp_path, {"main.py": text}, app="main:app") == (1, 5)


@pytest.mark.parametrize("name", ["counting", "raising", "hanging", "proxy", "Class"])
def test_each_lazy_object_is_recognised_by_its_type_alone(name: str, tmp_path: Path) -> None:
    files = {"main.py": f"from fastapi import FastAPI\nfrom hostile import {name}\napp = FastAPI()\n"}
    assert collect(tmp_path, files, app="main:app") == (0, 4)
