"""Prints what Django's deletion collector reaches from each model, by Django's own enumeration; run in its interpreter.

`python django_deletions.py SETTINGS` prints a JSON object: label → sorted labels of the models whose rows are deleted with a
row of it, itself left out.
"""

import json
import os
import sys
from pathlib import Path

import django
from django.apps import apps
from django.db.models import CASCADE
from django.db.models.deletion import get_candidate_relations_to_delete

sys.path.insert(0, str(Path.cwd()))
os.environ["DJANGO_SETTINGS_MODULE"] = sys.argv[1]
django.setup()
DATABASE_CASCADE = getattr(__import__("django.db.models", fromlist=["x"]), "DB_CASCADE", None)


def neighbours(model):
    for relation in get_candidate_relations_to_delete(model._meta):
        if relation.field.remote_field.on_delete in (CASCADE, DATABASE_CASCADE):
            yield relation.related_model, True
    for field in model._meta.private_fields:
        if hasattr(field, "bulk_related_objects"):
            yield field.related_model, True
    for parent in model._meta.concrete_model._meta.get_parent_list():
        yield parent, False  # Collector.collect: its row, not its related objects


def closure(start):
    start = start._meta.concrete_model
    deleted, followed, waiting = {start}, {start}, [start]
    while waiting:
        for model, follow in neighbours(waiting.pop()):
            model = model._meta.concrete_model
            deleted.add(model)
            if follow and model not in followed:
                followed.add(model)
                waiting.append(model)
    return sorted(model._meta.label for model in deleted - {start})


found = {model._meta.label: closure(model) for model in apps.get_models()}
sys.__stdout__.write("\n@" + json.dumps(found))
