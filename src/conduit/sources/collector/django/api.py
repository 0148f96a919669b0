"""The one module that imports Django and Django REST framework: the parts that the collector needs, Django 4.2 to 6."""

from __future__ import annotations

import os
import sys
from types import SimpleNamespace
from typing import Any

from ..redaction import looks_secret
from ..static_access import is_a


def set_up(settings_module: str) -> None:
    """Set the settings module and load every installed application. Errors of either are raised."""
    os.environ["DJANGO_SETTINGS_MODULE"] = settings_module
    import django

    django.setup()


def open_django() -> Any:
    """Return the parts of Django that the collector needs; `None` if the process has not set up Django."""
    if "django" not in sys.modules:
        return None
    try:
        import django
        from django.apps import apps
        from django.conf import settings
    except ImportError:
        return None
    if not settings.configured or not apps.models_ready:
        return None
    return SimpleNamespace(
        version=django.get_version(),
        settings_module=getattr(settings, "SETTINGS_MODULE", "") or "",
        setting=lambda name, default=None: getattr(settings, name, default),
        secret_values=lambda: list(
            _secrets({name: getattr(settings, name) for name in dir(settings) if name.isupper()})
        ),
        apps=apps,
        **_models(),
        **_urls(),
    )


def open_migrations() -> Any:
    """Return the parts that comparing models with migrations needs; Django must be set up.

    The project's own `makemigrations` is loaded as `manage.py` does: it may bring a detector, or change on import how
    fields are compared.
    """
    from django.apps import apps
    from django.core.management import get_commands, load_command_class
    from django.db.migrations.autodetector import MigrationAutodetector
    from django.db.migrations.loader import MigrationLoader
    from django.db.migrations.questioner import NonInteractiveMigrationQuestioner
    from django.db.migrations.state import ProjectState
    from django.utils import translation

    home = get_commands()["makemigrations"]
    command = load_command_class(home, "makemigrations") if isinstance(home, str) else home
    return SimpleNamespace(
        apps=apps,
        MigrationAutodetector=getattr(command, "autodetector", MigrationAutodetector),
        MigrationLoader=MigrationLoader,
        NonInteractiveMigrationQuestioner=NonInteractiveMigrationQuestioner,
        ProjectState=ProjectState,
        without_translations=lambda: translation.override(None),
    )


def import_tasks(setting: str, default: tuple[str, ...]) -> None:
    """Import the modules of each Django application that a setting names, as a worker does."""
    from django.conf import settings
    from django.utils.module_loading import autodiscover_modules

    autodiscover_modules(*getattr(settings, setting, default))


def _models() -> dict[str, Any]:
    from django.db import models
    from django.db.models import signals
    from django.dispatch import Signal

    try:
        from django.contrib.contenttypes.fields import GenericForeignKey
    except Exception:  # without the contenttypes application the module refuses in one of several ways
        GenericForeignKey = None  # noqa: N806 (it stands for the class)
    return {
        "Model": models.Model,
        "Signal": Signal,
        "GenericForeignKey": GenericForeignKey,
        "NOT_PROVIDED": models.NOT_PROVIDED,
        "GeneratedField": getattr(models, "GeneratedField", None),
        "UniqueConstraint": models.UniqueConstraint,
        "CheckConstraint": models.CheckConstraint,
        "signals": {
            name: getattr(signals, name)
            for name in (
                "pre_init",
                "post_init",
                "pre_save",
                "post_save",
                "pre_delete",
                "post_delete",
                "m2m_changed",
                "class_prepared",
            )
        },
    }


def _urls() -> dict[str, Any]:
    from django.urls import URLPattern, URLResolver, get_resolver
    from django.utils.module_loading import import_string
    from django.views import View

    return {
        "URLPattern": URLPattern,
        "URLResolver": URLResolver,
        "get_resolver": get_resolver,
        "import_string": import_string,
        "View": View,
        "simplify_regex": _simplify_regex(),
    }


def _simplify_regex() -> Any:
    try:
        from django.contrib.admindocs.views import simplify_regex
    except Exception:  # its module imports models, which some settings forbid; the raw pattern is then shown
        return None
    return simplify_regex


def open_rest() -> Any:
    """Return the parts of REST framework that the collector needs; `None` if it was not imported."""
    if "rest_framework" not in sys.modules:
        return None
    try:
        import rest_framework
        from rest_framework import serializers
        from rest_framework.settings import api_settings
        from rest_framework.views import APIView
    except Exception:  # installed but not configured: Django itself is still read
        return None
    return SimpleNamespace(
        version=getattr(rest_framework, "VERSION", ""),
        APIView=APIView,
        BaseSerializer=serializers.BaseSerializer,
        ListSerializer=serializers.ListSerializer,
        Serializer=serializers.Serializer,
        api_settings=api_settings,
    )


def _secrets(value: Any, name: str = "") -> Any:
    """Return the texts below settings whose names indicate secrets, at any depth."""
    if is_a(value, dict):
        for key, item in value.items():
            yield from _secrets(
                item,
                key
                if isinstance(key, str) and looks_secret(key)
                else name
                if looks_secret(name)
                else str(key),
            )
    elif is_a(value, (list, tuple)):
        for item in value:
            yield from _secrets(item, name)
    elif is_a(value, str) and looks_secret(name):
        yield value
