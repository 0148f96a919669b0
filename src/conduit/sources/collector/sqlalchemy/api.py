"""The one file that imports SQLAlchemy, 1.4 to 2.1."""

from __future__ import annotations

import sys
from types import SimpleNamespace
from typing import Any


def connect_to_memory() -> Any:
    """Return a connection to an empty SQLite database in memory."""
    from sqlalchemy import create_engine

    return create_engine("sqlite://").connect()


def open_sqlalchemy() -> Any:
    """Return the parts of SQLAlchemy that the collector needs; `None` if the application has not imported it."""
    if "sqlalchemy" not in sys.modules:
        return None
    try:
        import sqlalchemy
        from sqlalchemy import (
            CheckConstraint,
            ForeignKeyConstraint,
            MetaData,
            PrimaryKeyConstraint,
            UniqueConstraint,
        )
    except ImportError:
        return None
    try:
        from sqlalchemy import event, orm
        from sqlalchemy.ext.associationproxy import AssociationProxy
        from sqlalchemy.ext.hybrid import hybrid_method, hybrid_property
        from sqlalchemy.orm import interfaces
    except ImportError:
        return None
    return SimpleNamespace(
        version=sqlalchemy.__version__,
        inspect=sqlalchemy.inspect,
        MetaData=MetaData,
        CheckConstraint=CheckConstraint,
        ForeignKeyConstraint=ForeignKeyConstraint,
        PrimaryKeyConstraint=PrimaryKeyConstraint,
        UniqueConstraint=UniqueConstraint,
        Mapper=orm.Mapper,
        registry=orm.registry,
        RelationshipProperty=orm.RelationshipProperty,
        EXT_SKIP=interfaces.EXT_SKIP,
        event=event,
        configure_mappers=orm.configure_mappers,
        AssociationProxy=AssociationProxy,
        hybrid_property=hybrid_property,
        hybrid_method=hybrid_method,
        sqlmodel_version=getattr(sys.modules.get("sqlmodel"), "__version__", ""),
    )
