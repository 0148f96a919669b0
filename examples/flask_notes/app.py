"""Notes with Flask, small enough to read in a minute.

conduit collect --app "app:create_app()" -o metadata.json      (in this folder)
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from typing import Any

from flask import Blueprint, Flask, abort, request
from flask.views import MethodView
from sqlalchemy import ForeignKey
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column, relationship


class Base(DeclarativeBase):
    pass


class Folder(Base):
    __tablename__ = "folder"
    id: Mapped[int] = mapped_column(primary_key=True)


class Note(Base):
    __tablename__ = "note"
    id: Mapped[int] = mapped_column(primary_key=True)
    folder_id: Mapped[int] = mapped_column(ForeignKey("folder.id", ondelete="CASCADE"))
    folder: Mapped[Folder] = relationship()


def signed_in(view: Callable[..., Any]) -> Callable[..., Any]:
    @functools.wraps(view)
    def check(*args: Any, **kwargs: Any) -> Any:
        return view(*args, **kwargs) if request.authorization else abort(401)

    return check


notes = Blueprint("notes", __name__, url_prefix="/notes")
archive = Blueprint("archive", __name__, url_prefix="/archive")


@notes.before_request
def open_session() -> None:
    """Would open a database session."""


@archive.before_request
def check_archive_key() -> None:
    """Would look at a header."""


@notes.get("/<int:note_id>")
@signed_in
def show_note(note_id: int) -> str:
    return f"{Note.__tablename__} {note_id}"


class NoteList(MethodView):
    decorators = [signed_in]

    def get(self) -> str:
        return ""

    def post(self) -> str:
        return str(Note())


notes.add_url_rule("/", view_func=NoteList.as_view("list"))


@archive.get("/")
def list_archive() -> str:
    return ""


notes.register_blueprint(archive)


class Prefixed:
    def __init__(self, wsgi_app: Callable[..., Any]) -> None:
        self.wsgi_app = wsgi_app

    def __call__(self, environ: Any, start_response: Any) -> Any:
        return self.wsgi_app(environ, start_response)


def create_app() -> Flask:
    app = Flask(__name__)
    app.config["SECRET_KEY"] = "an-example-that-guards-nothing"
    app.register_blueprint(notes)

    @app.before_request
    def count_request() -> None:
        """Would count."""

    @app.errorhandler(404)
    def not_found(error: Any) -> tuple[str, int]:
        return str(error), 404

    @app.route("/ping")
    def ping() -> str:
        return "pong"

    app.wsgi_app = Prefixed(app.wsgi_app)  # type: ignore[method-assign]
    return app
