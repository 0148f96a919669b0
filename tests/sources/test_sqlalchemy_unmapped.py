"""Mapped classes that cannot be configured: each loses only itself, and says so once."""

from __future__ import annotations

from pathlib import Path

import pytest

from conduit.metadata.schema import Metadata
from tests.sources.test_application import collect, write_app

HEAD = """
from sqlalchemy import ForeignKey
from sqlalchemy.ext.declarative import DeferredReflection
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship, backref
class Base(DeclarativeBase): pass
class Other(Base):
    __tablename__ = "other"
    id: Mapped[int] = mapped_column(primary_key=True)
    good: Mapped[list["Good"]] = relationship(back_populates="other")
class Good(Base):
    __tablename__ = "good"
    id: Mapped[int] = mapped_column(primary_key=True)
    other_id: Mapped[int] = mapped_column(ForeignKey("other.id"))
    other: Mapped["Other"] = relationship(back_populates="good")
"""
TAIL = "\nfrom fastapi import FastAPI\napp = FastAPI()\n"


def relations(found: Metadata) -> dict[str, list[tuple[str, str]]]:
    return {r.name: [(one.name, one.target_resource) for one in r.relationships] for r in found.resources}


def test_a_class_that_is_reflected_later_loses_only_itself(tmp_path: Path) -> None:
    later = "class Reflected(DeferredReflection):\n    __abstract__ = True\n"
    later += "class Later(Reflected, Base):\n    __tablename__ = 'later'\n"
    found = collect(write_app(tmp_path, HEAD + later + TAIL))
    assert relations(found) == {"Good": [("other", "Other")], "Other": [("good", "Good")]}
    assert [error.source for error in found.errors] == ["sqlalchemy class app:Later"]
    assert "is not mapped yet" in found.errors[0].message


@pytest.mark.parametrize(
    "wrong",
    [
        "x: Mapped['Missing'] = relationship()",  # no such class
        "x: Mapped['Other'] = relationship()",  # no key leads there
        "x: Mapped['Other'] = relationship(primaryjoin='Bad.id == Nowhere.id')",
        "x: Mapped['Other'] = relationship(back_populates='nothing', primaryjoin='foreign(Bad.id) == Other.id')",
    ],
)
def test_a_wrong_relationship_loses_only_itself(wrong: str, tmp_path: Path) -> None:
    bad = (
        "class Bad(Base):\n    __tablename__ = 'bad'\n    id: Mapped[int] = mapped_column(primary_key=True)\n"
        "    a_id: Mapped[int] = mapped_column(ForeignKey('good.id'))\n"
        "    a: Mapped['Good'] = relationship()\n"
        f"    {wrong}\n"
        "    z: Mapped['Good'] = relationship(viewonly=True)\n"
    )
    found = collect(write_app(tmp_path, HEAD + bad + TAIL))
    assert relations(found) == {
        "Bad": [("a", "Good"), ("z", "Good")],
        "Good": [("other", "Other")],
        "Other": [("good", "Good")],
    }
    assert [error.source for error in found.errors] == ["sqlalchemy relationship app:Bad.x"]
    assert [len(r.fields) for r in found.resources] == [2, 2, 1]


def test_two_wrong_classes_are_two_errors_and_the_application_still_fails_afterwards(tmp_path: Path) -> None:
    bad = "".join(
        f"class {name}(Base):\n    __tablename__ = '{name}'\n    id: Mapped[int] = mapped_column(primary_key=True)\n"
        "    x: Mapped['Missing'] = relationship()\n"
        for name in ("Bad", "Worse")
    )
    check = (
        "\nif __name__ == '__main__':\n"
        "    from sqlalchemy.orm import configure_mappers\n"
        "    from conduit.sources import collect\n"
        "    found = collect(models=Base)\n"
        "    print(sorted(error.source for error in found.errors), len(found.resources))\n"
        "    try:\n        configure_mappers()\n"
        "    except Exception as error:\n        print(type(error).__name__)\n"
    )
    write_app(tmp_path, HEAD + bad + check)
    import subprocess
    import sys

    done = subprocess.run(
        [sys.executable, "app.py"], cwd=tmp_path, capture_output=True, text=True, check=True, timeout=60
    )
    assert done.stdout.splitlines() == [
        "['sqlalchemy relationship __main__:Bad.x', 'sqlalchemy relationship __main__:Worse.x'] 4",
        "InvalidRequestError",
    ]
