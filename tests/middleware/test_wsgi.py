"""Route labels of Flask: the registry's own names, mounted and streamed too."""

# mypy: disable-error-code="untyped-decorator, misc"

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from conduit._native import available
from conduit.middleware import WSGIRouteLabels
from conduit.record.labels import current_labels
from conduit.sources import collect

pytest.importorskip("flask")
from flask import Blueprint, Flask, Response
from werkzeug.middleware.dispatcher import DispatcherMiddleware
from werkzeug.test import Client

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.skipif(not available(), reason="labels need the C extension")


def notes() -> Flask:
    app = Flask(__name__)
    blueprint = Blueprint("folders", __name__, url_prefix="/folders")

    @blueprint.get("/<int:folder>/notes/<path:name>")
    def note(folder: int, name: str) -> dict[str, str]:
        return current_labels()

    app.register_blueprint(blueprint)

    @app.route("/stream")
    def stream() -> Response:
        def parts() -> Iterator[str]:
            yield current_labels()["route"]
            yield ";"

        return Response(parts())

    @app.errorhandler(404)
    def not_found(error: Any) -> tuple[dict[str, str], int]:
        return current_labels(), 404

    return app


def client_of(app: Any) -> Client:
    return Client(WSGIRouteLabels(app))


def test_a_request_has_the_rule_as_the_registry_names_it() -> None:
    app = notes()
    route = "GET /folders/<int:folder>/notes/<path:name>"
    assert client_of(app).get("/folders/3/notes/a/b").json == {"route": route}
    assert route in {f"{one.method} {one.path}" for one in collect(app).routes}
    assert current_labels() == {}


def test_the_application_may_be_wrapped_in_place() -> None:
    app = notes()
    app.wsgi_app = WSGIRouteLabels(app.wsgi_app)
    assert app.test_client().get("/folders/3/notes/x").json == {
        "route": "GET /folders/<int:folder>/notes/<path:name>"
    }


def test_the_parts_of_a_streamed_response_are_under_the_label() -> None:
    assert client_of(notes()).get("/stream").text == "GET /stream;"
    assert current_labels() == {}


def test_a_request_that_no_rule_serves_has_no_route() -> None:
    assert client_of(notes()).get("/nowhere").json == {"route": "(no route)"}


def test_a_mounted_application_has_the_path_of_its_mount() -> None:
    app = DispatcherMiddleware(notes(), {"/archive": notes()})
    answer = client_of(app).get("/archive/folders/3/notes/x", environ_overrides={"REMOTE_ADDR": "127.0.0.1"})
    assert answer.json == {"route": "GET /archive/folders/<int:folder>/notes/<path:name>"}


def test_an_application_without_a_known_framework_has_no_route() -> None:
    def plain(environ: Any, start_response: Any) -> list[bytes]:
        start_response("200 OK", [])
        return [current_labels()["route"].encode()]

    assert client_of(plain).get("/x").text == "(no route)"


def test_an_error_in_the_application_ends_the_label() -> None:
    def broken(environ: Any, start_response: Any) -> list[bytes]:
        raise RuntimeError("broken")

    with pytest.raises(RuntimeError, match="broken"):
        client_of(broken).get("/x")
    assert current_labels() == {}
