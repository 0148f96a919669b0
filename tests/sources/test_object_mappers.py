"""Peewee, Tortoise and Beanie: models, fields and relations against what the mapper itself says."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from conduit.metadata.registry import Registry
from conduit.sources.application import Application, collect_application

PEEWEE = '''
from peewee import *
db = SqliteDatabase(":memory:")
class Base(Model):
    class Meta: database = db
class User(Base):
    """A user."""
    name = CharField(unique=True, max_length=50)
    parent = ForeignKeyField("self", null=True, backref="children", on_delete="SET NULL")
class Tweet(Base):
    user = ForeignKeyField(User, backref="tweets", on_delete="CASCADE")
    text = TextField(index=True, default="x")
    likes = ManyToManyField(User, backref="liked")
    class Meta:
        table_name = "tw"
        indexes = ((("user", "text"), True),)
class Note(Base):
    tweet = ForeignKeyField(Tweet, on_delete="CASCADE")
'''
TORTOISE = '''
from tortoise import fields
from tortoise.models import Model
class Tournament(Model):
    """A cup."""
    name = fields.CharField(max_length=255, unique=True)
    class Meta: table = "cup"
class Event(Model):
    tournament = fields.ForeignKeyField("models.Tournament", related_name="events", on_delete=fields.CASCADE)
    name = fields.TextField(null=True, default="x")
    participants = fields.ManyToManyField("models.Team", related_name="events", through="event_team")
    class Meta: unique_together = (("name", "tournament"),)
class Team(Model):
    name = fields.TextField()
    captain = fields.OneToOneField("models.Event", null=True, related_name="led", on_delete=fields.SET_NULL)
'''
BEANIE = '''
from typing import Annotated
from beanie import BackLink, Document, Indexed, Insert, Link, before_event
from pydantic import BaseModel, Field
class Address(BaseModel):
    street: str
class Door(Document):
    height: int = Field(2, ge=1)
class House(Document):
    """A house."""
    name: Annotated[str, Indexed(unique=True)]
    door: Link[Door]
    windows: list[Link["Window"]] = []
    address: Address
    class Settings:
        name = "houses"
    @before_event(Insert)
    def tidy(self): ...
class Window(Document):
    x: int
    house: BackLink[House] = Field(json_schema_extra={"original_field": "windows"})
House.model_rebuild()
'''


def collected(folder: Path, text: str) -> Registry:
    (folder / "shop.py").write_text(text)
    metadata = collect_application(Application(root=str(folder), app="shop")).metadata
    assert metadata.errors == ()
    return Registry(metadata)


def answer(folder: Path, code: str) -> Any:
    done = subprocess.run(
        [sys.executable, "-c", code], cwd=folder, capture_output=True, text=True, check=True
    )
    return json.loads(done.stdout.splitlines()[-1])


def relations(registry: Registry, name: str) -> list[tuple[str, str, str, str]]:
    return [
        (one.name, one.type, one.target_resource, one.on_delete)
        for one in registry.resource(name).relationships
    ]


def test_peewee_models_are_those_that_have_tables(tmp_path: Path) -> None:
    pytest.importorskip("peewee")
    registry = collected(tmp_path, PEEWEE)
    truth = answer(
        tmp_path,
        "import json, shop\nm = [shop.Note, shop.Tweet, shop.User]\n"
        "print(json.dumps({c.__name__: [c._meta.table_name, c._meta.sorted_field_names] for c in m}))",
    )
    found = {
        r.name: [r.details.table if r.details else "", [f.name for f in r.fields]]
        for r in registry.resources()
    }
    assert found == truth
    assert relations(registry, "Tweet") == [
        ("note_set", "has_many", "Note", ""),
        ("user", "belongs_to", "User", "cascade"),
        ("likes", "has_many_through", "User", ""),
    ]
    assert ("tweets", "has_many", "Tweet", "") in relations(registry, "User")
    assert registry.resource("User").documentation == "A user."


def test_deleting_a_peewee_row_deletes_what_peewee_deletes(tmp_path: Path) -> None:
    pytest.importorskip("peewee")
    registry = collected(tmp_path, PEEWEE)
    truth = answer(
        tmp_path,
        "import json, shop\nshop.db.pragma('foreign_keys', 1, permanent=True)\n"
        "through = shop.Tweet.likes.get_through_model()\n"
        "shop.db.create_tables([shop.User, shop.Tweet, shop.Note, through])\n"
        "a = shop.User.create(name='a'); b = shop.User.create(name='b', parent=a); t = shop.Tweet.create(user=a)\n"
        "shop.Note.create(tweet=t); before = [c.select().count() for c in (shop.Tweet, shop.Note, shop.User)]\n"
        "shop.User.delete().where(shop.User.id == a.id).execute()\n"
        "after = [c.select().count() for c in (shop.Tweet, shop.Note, shop.User)]\n"
        "print(json.dumps([x - y for x, y in zip(before, after)]))",
    )
    assert truth == [1, 1, 1]
    assert set(registry.impact("User").deleted) >= {"Tweet", "Note"}
    assert "children" not in registry.impact("User").deleted


def test_tortoise_models_are_what_tortoise_describes_after_its_start(tmp_path: Path) -> None:
    pytest.importorskip("tortoise")
    registry = collected(tmp_path, TORTOISE)
    truth = answer(
        tmp_path,
        "import asyncio, json\nfrom tortoise import Tortoise\n"
        "async def main():\n"
        "    await Tortoise.init(db_url='sqlite://:memory:', modules={'models': ['shop']})\n"
        "    found = Tortoise.describe_models()\n"
        "    await Tortoise.close_connections()\n"
        "    keys = ('data_fields', 'fk_fields', 'o2o_fields', 'm2m_fields')\n"
        "    raw = {f['raw_field'] for m in found.values() for k in ('fk_fields', 'o2o_fields') for f in m[k]}\n"
        "    return {n.rpartition('.')[2]: [m['table'], sorted({m['pk_field']['name'], *(f['name'] for k in keys"
        " for f in m[k] if f['name'] not in raw)})] for n, m in found.items()}\n"
        "print(json.dumps(asyncio.run(main())))",
    )
    backwards = {("Team", "events")}  # declared by Event; here it is a relationship backwards
    expected = {
        name: [table, [field for field in fields if (name, field) not in backwards]]
        for name, (table, fields) in truth.items()
    }
    found = {
        r.name: [r.details.table if r.details else "", sorted(f.name for f in r.fields)]
        for r in registry.resources()
    }
    assert found == expected
    assert ("tournament", "belongs_to", "Tournament", "cascade") in relations(registry, "Event")
    assert ("led", "has_one", "Team", "") in relations(registry, "Event")
    assert registry.impact("Tournament").deleted[0] == "Event"


def test_beanie_documents_have_their_links_collections_and_actions(tmp_path: Path) -> None:
    pytest.importorskip("beanie")
    registry = collected(tmp_path, BEANIE)
    truth = answer(
        tmp_path,
        "import json, shop\nprint(json.dumps({c.__name__: list(c.model_fields) for c in"
        " (shop.Door, shop.House, shop.Window)}))",
    )
    documents = [r for r in registry.resources() if r.kind == "beanie_document"]
    assert {r.name: [f.name for f in r.fields] for r in documents} == truth
    house = registry.resource("House")
    assert house.details is not None
    assert (house.details.table, house.documentation) == ("houses", "A house.")
    assert [(hook.type, hook.handler) for hook in house.hooks] == [("before_insert", "shop:House.tidy")]
    assert [r[:3] for r in relations(registry, "House")] == [
        ("door", "belongs_to", "Door"),
        ("windows", "has_many", "Window"),
        ("address", "belongs_to", "Address"),
    ]
    assert [r[:3] for r in relations(registry, "Window")] == [("house", "has_one", "House")]
    name = next(field for field in house.fields if field.name == "name")
    assert name.details is not None
    assert name.details.unique
