"""What a deletion reaches, against the frameworks' own answers."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

from conduit.metadata.registry import Registry
from conduit.metadata.schema import Metadata
from conduit.sources.application import Application, collect_application
from tests.sources.test_application import collect, write_app

WALK = Path(__file__).parent / "django_deletions.py"

SETTINGS = """
SECRET_KEY = "x"
INSTALLED_APPS = ["django.contrib.auth", "django.contrib.contenttypes", "shop"]
DEFAULT_AUTO_FIELD = "django.db.models.BigAutoField"
"""
MODELS = """
from django.contrib.auth.models import User
from django.contrib.contenttypes.fields import GenericForeignKey, GenericRelation
from django.contrib.contenttypes.models import ContentType
from django.db import models


class Owned(models.Model):
    owner = models.ForeignKey(User, models.CASCADE, related_name="%(class)ss")

    class Meta:
        abstract = True


class Place(Owned):
    name = models.CharField(max_length=5)
    tags = GenericRelation("Tag")
    fans = models.ManyToManyField(User, related_name="+")
    similar = models.ManyToManyField("self")


class Restaurant(Place):
    chef = models.OneToOneField(User, models.SET_NULL, null=True, related_name="kitchen")


class Diner(Restaurant):
    pass


class Bar(Place):
    pass


class Cafe(Restaurant):
    class Meta:
        proxy = True


class Tag(models.Model):
    content_type = models.ForeignKey(ContentType, models.CASCADE)
    object_id = models.PositiveIntegerField()
    thing = GenericForeignKey()


class TagNote(models.Model):
    tag = models.ForeignKey(Tag, models.CASCADE)


class Visit(models.Model):
    cafe = models.ForeignKey(Cafe, models.CASCADE)
    guest = models.ForeignKey(User, models.PROTECT)
    guide = models.ForeignKey(Place, models.DO_NOTHING, related_name="guided")


class Membership(models.Model):
    user = models.ForeignKey(User, models.CASCADE)
    club = models.ForeignKey("Club", models.CASCADE)


class Club(models.Model):
    members = models.ManyToManyField(User, through=Membership)
    parent = models.ForeignKey("self", models.CASCADE, null=True)
"""

ROWS = """
import json, sys, os
sys.path.insert(0, os.getcwd())
from django.conf import settings
os.environ["DJANGO_SETTINGS_MODULE"] = "settings"
import settings as own
own.DATABASES = {"default": {"ENGINE": "django.db.backends.sqlite3", "NAME": ":memory:"}}
import django; django.setup()
from django.apps import apps
from django.db import connection, transaction
from django.db.models import ProtectedError
from django.contrib.auth.models import User
from django.contrib.contenttypes.models import ContentType
from shop.models import *
with connection.schema_editor() as editor:
    for model in apps.get_models():
        if model._meta.managed and not model._meta.proxy: editor.create_model(model)
root, guest = User.objects.create(username="root"), User.objects.create(username="guest")
diner = Diner.objects.create(owner=root, name="d", chef=root)
bar = Bar.objects.create(owner=root, name="b")
place = Place.objects.get(pk=diner.pk)
place.fans.add(guest); place.similar.add(bar.place_ptr)
tag = Tag.objects.create(thing=place); TagNote.objects.create(tag=tag)
TagNote.objects.create(tag=Tag.objects.create(thing=diner))
cafe = Cafe.objects.get(pk=diner.pk)
Visit.objects.create(cafe=cafe, guest=guest, guide=bar.place_ptr)
club = Club.objects.create(); Membership.objects.create(user=root, club=club)
everything = [m for m in apps.get_models(include_auto_created=True) if not m._meta.proxy]
found = {}
for row in (diner, cafe, place, bar, tag, club, root, guest):
    label = type(row)._meta.label
    with transaction.atomic():
        try:
            _, by_model = row.delete()
            found[f"{label}:{row}"] = [label, sorted(name for name, count in by_model.items() if count), ""]
        except ProtectedError as error:
            found[f"{label}:{row}"] = [label, [], "protected"]
        transaction.set_rollback(True)
    row = type(row)
print(json.dumps(list(found.values())))
"""


def project(folder: Path) -> Metadata:
    for name, text in {
        "settings.py": SETTINGS,
        "shop/models.py": MODELS,
        "shop/__init__.py": "",
        "rows.py": ROWS,
    }.items():
        (folder / name).parent.mkdir(exist_ok=True)
        (folder / name).write_text(text)
    return collect_application(Application(root=str(folder), django="settings")).metadata


def deleted_by_id(metadata: Metadata) -> dict[str, list[str]]:
    """Resource's id → the ids of all that is deleted with it; a table between two has no resource and keeps its label."""
    registry = Registry(metadata)
    ids = {resource.name: resource.id for resource in metadata.resources}
    return {
        ids[name]: sorted(ids.get(one, one) for one in registry.impact(name).deleted)
        for name in ids
        if registry.resource(name).kind == "django_model"
    }


def test_every_model_s_deletion_reaches_what_django_s_collector_reaches(tmp_path: Path) -> None:
    metadata = project(tmp_path)
    done = subprocess.run(
        [sys.executable, str(WALK), "settings"], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert deleted_by_id(metadata) == json.loads(done.stdout.rpartition("\n@")[2])


def test_rows_that_django_really_deletes_are_among_those_foreseen(tmp_path: Path) -> None:
    foreseen = deleted_by_id(project(tmp_path))
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "rows.py"],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=True,
    )
    rows = json.loads(done.stdout)
    assert len(rows) == 8
    for label, deleted, problem in rows:
        concrete = {"shop.Cafe": "shop.Restaurant"}.get(label, label)
        assert problem or set(deleted) <= {concrete, *foreseen[label]}
    by_label = {label: deleted for label, deleted, _ in rows}
    assert {"shop.Tag", "shop.TagNote", "shop.Place_fans", "shop.Visit"} <= set(by_label["shop.Diner"])


def test_a_key_that_children_inherit_is_affected_once(tmp_path: Path) -> None:
    effects = Registry(project(tmp_path)).impact("User").effects
    assert [e.resource for e in effects if e.relationship == "owner"] == ["Place"]
    assert len({(e.resource, e.relationship, e.chain[-1].target) for e in effects}) == len(effects)


def test_one_effect_a_resource_is_the_deletion_with_the_shortest_chain(tmp_path: Path) -> None:
    impact = Registry(project(tmp_path)).impact("Place")
    nearest = impact.nearest
    assert len({effect.resource for effect in nearest}) == len(nearest)
    assert {effect.resource for effect in nearest} == {effect.resource for effect in impact.effects}
    assert {e.resource for e in nearest if e.on_delete == "cascade"} == set(impact.deleted)
    for effect in nearest:
        same = [
            e.depth
            for e in impact.effects
            if (e.resource, e.on_delete) == (effect.resource, effect.on_delete)
        ]
        assert effect.depth == min(same)


MAPPED = """
from sqlalchemy import ForeignKey, Table, Column, Integer
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship, backref


class Base(DeclarativeBase):
    pass


tags = Table("a_tag", Base.metadata, Column("a_id", ForeignKey("a.id"), primary_key=True),
             Column("tag_id", ForeignKey("tag.id"), primary_key=True))


class A(Base):
    __tablename__ = "a"
    id: Mapped[int] = mapped_column(primary_key=True)
    type: Mapped[str]
    tags: Mapped[list["Tag"]] = relationship(secondary=tags)
    by_mapper: Mapped[list["ByMapper"]] = relationship(cascade="all, delete-orphan", back_populates="a")
    by_database: Mapped[list["ByDatabase"]] = relationship(passive_deletes=True, back_populates="a")
    nulled: Mapped[list["Nulled"]] = relationship()
    refused: Mapped[list["Refused"]] = relationship(back_populates="a")
    __mapper_args__ = {"polymorphic_on": "type", "polymorphic_identity": "a"}


class B(A):
    __tablename__ = "b"
    id: Mapped[int] = mapped_column(ForeignKey("a.id"), primary_key=True)
    of_b: Mapped[list["OfB"]] = relationship(cascade="all")
    __mapper_args__ = {"polymorphic_identity": "b"}


class Tag(Base):
    __tablename__ = "tag"
    id: Mapped[int] = mapped_column(primary_key=True)


class ByMapper(Base):
    __tablename__ = "by_mapper"
    id: Mapped[int] = mapped_column(primary_key=True)
    a_id: Mapped[int] = mapped_column(ForeignKey("a.id"))
    a: Mapped["A"] = relationship(back_populates="by_mapper")
    deep: Mapped[list["Deep"]] = relationship(cascade="all", backref="by")


class Deep(Base):
    __tablename__ = "deep"
    id: Mapped[int] = mapped_column(primary_key=True)
    by_id: Mapped[int] = mapped_column(ForeignKey("by_mapper.id"))


class ByDatabase(Base):
    __tablename__ = "by_database"
    id: Mapped[int] = mapped_column(primary_key=True)
    a_id: Mapped[int] = mapped_column(ForeignKey("a.id", ondelete="CASCADE"))
    a: Mapped["A"] = relationship(back_populates="by_database")


class Nulled(Base):
    __tablename__ = "nulled"
    id: Mapped[int] = mapped_column(primary_key=True)
    a_id: Mapped[int | None] = mapped_column(ForeignKey("a.id"))


class OnlyKey(Base):
    __tablename__ = "only_key"
    id: Mapped[int] = mapped_column(primary_key=True)
    a_id: Mapped[int] = mapped_column(ForeignKey("a.id", ondelete="CASCADE"))


class Refused(Base):
    __tablename__ = "refused"
    id: Mapped[int] = mapped_column(primary_key=True)
    a_id: Mapped[int] = mapped_column(ForeignKey("a.id"))
    a: Mapped["A"] = relationship(back_populates="refused")


class OfB(Base):
    __tablename__ = "of_b"
    id: Mapped[int] = mapped_column(primary_key=True)
    b_id: Mapped[int] = mapped_column(ForeignKey("b.id"))
"""

SESSION = """
import json
from sqlalchemy import create_engine, event, func, select
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session
from app import *
engine = create_engine("sqlite://")
event.listen(engine, "connect", lambda connection, _: connection.execute("pragma foreign_keys=on"))
Base.metadata.create_all(engine)
def count(session):
    return {name: session.scalar(select(func.count()).select_from(table)) for name, table in Base.metadata.tables.items()}
found = {}
for name, make in {
    "A": lambda: A(by_mapper=[ByMapper(deep=[Deep()])], by_database=[ByDatabase()], nulled=[Nulled()], tags=[Tag()]),
    "B": lambda: B(of_b=[OfB()], by_mapper=[ByMapper()], by_database=[ByDatabase()]),
    "ByMapper": lambda: ByMapper(a=A(), deep=[Deep()]),
    "Refused": lambda: A(refused=[Refused()]),
}.items():
    with Session(engine) as session:
        row = make()
        session.add(row); session.flush(); session.add(OnlyKey(a_id=row.id) if isinstance(row, A) else Tag()); session.flush()
        session.expire_all()
        before = count(session)
        session.delete(row)
        try:
            session.flush()
        except IntegrityError:
            found[name] = "refused"; continue
        after = count(session)
        found[name] = sorted(table for table in before if after[table] < before[table])
        session.rollback()
print(json.dumps(found))
"""


def test_a_deletion_by_sqlalchemy_s_session_reaches_the_tables_foreseen(tmp_path: Path) -> None:
    write_app(tmp_path, MAPPED)
    write_app(tmp_path, SESSION, "rows.py")
    metadata = collect(tmp_path, "", sqlalchemy="app:Base")
    registry = Registry(metadata)
    tables = {r.name: r.details.table for r in metadata.resources if r.details}
    done = subprocess.run(
        [sys.executable, "rows.py"], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    real = json.loads(done.stdout)
    assert real.pop("Refused") == "refused"
    for name, reached in real.items():
        foreseen = {tables[one] for one in (name, *registry.impact(name).deleted)}
        assert set(reached) <= foreseen, name
    of_a = {(e.resource, e.relationship): e.on_delete for e in registry.impact("A").effects if e.depth == 1}
    assert of_a["Refused", "a"] == "restrict"
    assert of_a["Nulled", "a_id"] == "set_null"
    assert {tables[one] for one in ("A", *registry.impact("A").deleted)} == {*real["A"], "b", "of_b"}


BOTH = """
from sqlalchemy import ForeignKey, Table, Column
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column as column, relationship


class Base(DeclarativeBase):
    id: Mapped[int] = column(primary_key=True)


def between(name, left, right):
    return Table(name, Base.metadata, Column("left", ForeignKey(f"{left}.id", ondelete="CASCADE"), primary_key=True),
                 Column("right", ForeignKey(f"{right}.id", ondelete="CASCADE"), primary_key=True))


seen, shared = between("seen", "root", "label"), between("shared", "root", "label")


class Root(Base):
    __tablename__ = "root"
    owned_id: Mapped[int] = column(ForeignKey("owned.id"))
    owned: Mapped["Owned"] = relationship(cascade="all, delete-orphan", single_parent=True)
    kept: Mapped[list["Kept"]] = relationship()                          # set to null before the database can delete
    left: Mapped[list["Left"]] = relationship(passive_deletes="all")     # the database deletes
    mapped: Mapped[list["Mapped_"]] = relationship(cascade="all", passive_deletes=False)
    watched: Mapped[list["Watched"]] = relationship(viewonly=True)
    loose: Mapped[list["Loose"]] = relationship(cascade="all", primaryjoin="foreign(Loose.about) == Root.id")
    shared: Mapped[list["Label"]] = relationship(secondary=shared, cascade="all, delete")
    seen: Mapped[list["Label"]] = relationship(secondary=seen, viewonly=True)


class Owned(Base):
    __tablename__ = "owned"


class Label(Base):
    __tablename__ = "label"


class Kept(Base):
    __tablename__ = "kept"
    root_id: Mapped[int | None] = column(ForeignKey("root.id", ondelete="CASCADE"))


class Left(Base):
    __tablename__ = "left"
    root_id: Mapped[int] = column(ForeignKey("root.id", ondelete="CASCADE"))
    below: Mapped[list["BelowLeft"]] = relationship(cascade="all")       # not asked: the database deletes the row


class BelowLeft(Base):
    __tablename__ = "below_left"
    left_id: Mapped[int | None] = column(ForeignKey("left.id", ondelete="SET NULL"))


class Mapped_(Base):
    __tablename__ = "mapped"
    root_id: Mapped[int] = column(ForeignKey("root.id"))
    below: Mapped[list["BelowMapped"]] = relationship(cascade="all")


class BelowMapped(Base):
    __tablename__ = "below_mapped"
    mapped_id: Mapped[int | None] = column(ForeignKey("mapped.id", ondelete="SET NULL"))


class Watched(Base):
    __tablename__ = "watched"
    root_id: Mapped[int] = column(ForeignKey("root.id", ondelete="CASCADE"))


class Loose(Base):
    __tablename__ = "loose"
    about: Mapped[int]


class Composed(Base):
    __tablename__ = "composed"
    whole: Mapped[list["Part"]] = relationship()


class Part(Base):
    __tablename__ = "part"
    composed_id: Mapped[int] = column(ForeignKey("composed.id", ondelete="CASCADE"), primary_key=True)
"""

BOTH_SESSION = """
import json
from sqlalchemy import create_engine, event, insert, select
from sqlalchemy.orm import Session
from app import *
engine = create_engine("sqlite://")
event.listen(engine, "connect", lambda connection, _: connection.execute("pragma foreign_keys=on"))
Base.metadata.create_all(engine)
found = {}
def rows(session):
    return {name: session.execute(select(table)).all() for name, table in Base.metadata.tables.items()}
for kind in (Root, Left, Label, Composed):
    with Session(engine) as session:
        for table in Base.metadata.sorted_tables:
            session.execute(insert(table).values({column.name: 1 for column in table.columns}))
        before = rows(session)
        session.delete(session.get(kind, 1))
        try:
            session.flush()
        except AssertionError:  # a primary key would be set to null
            found[kind.__name__] = "refused"; continue
        after = rows(session)
        found[kind.__name__] = [sorted(name for name in before if not after[name]),
                                sorted(name for name in before if after[name] and after[name] != before[name])]
print(json.dumps(found))
"""


def test_sqlalchemy_s_mapper_acts_before_the_database_and_only_on_rows_that_it_deletes(
    tmp_path: Path,
) -> None:
    write_app(tmp_path, BOTH)
    write_app(tmp_path, BOTH_SESSION, "rows.py")
    metadata = collect(tmp_path, "", sqlalchemy="app:Base")
    registry = Registry(metadata)
    tables = {r.name: r.details.table for r in metadata.resources if r.details}
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "rows.py"], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    real = json.loads(done.stdout)
    assert real.pop("Composed") == "refused"
    assert [effect.resource for effect in registry.impact("Composed").blocked_by] == ["Part"]
    assert real["Root"][1] == ["below_left", "kept"]
    for name, (deleted, nulled) in real.items():
        effects = registry.impact(name).effects
        gone = {tables[one] for one in (name, *registry.impact(name).deleted)}
        assert sorted(gone) == deleted, name
        changed = {tables[one.resource] for one in effects if one.on_delete == "set_null"} - gone
        assert sorted(changed) == nulled, name
