from __future__ import annotations

from conduit.metadata.schema import Metadata
from tests.sources.conftest import resource_of, routes_of


def test_rules_of_nested_blueprints_are_listed_without_what_flask_adds(notes: Metadata) -> None:
    listed = {(r.method, r.path) for r in notes.routes if r.origin == "project"}
    assert listed == {
        ("GET", "/notes/<int:note_id>"),
        ("GET", "/notes/"),
        ("POST", "/notes/"),
        ("GET", "/notes/archive/"),
        ("GET", "/ping"),
    }


def test_functions_of_outer_blueprints_run_before_those_of_inner_ones(notes: Metadata) -> None:
    assert routes_of(notes, "/notes/archive/")["GET"].middleware == ("open_session", "check_archive_key")


def test_decorators_of_functions_and_of_classes_are_in_the_chain(notes: Metadata) -> None:
    assert routes_of(notes, "/notes/<int:note_id>")["GET"].middleware == ("open_session", "signed_in")
    assert routes_of(notes, "/notes/")["POST"].middleware == ("open_session", "signed_in")


def test_what_surrounds_the_application_is_named_outermost_first(notes: Metadata) -> None:
    assert notes.middleware == ("Prefixed", "count_request")


def test_a_handler_below_a_decorator_is_the_function_that_was_written(notes: Metadata) -> None:
    route = routes_of(notes, "/notes/<int:note_id>")["GET"]
    assert route.handler == "app:show_note"
    assert route.details and route.details.file_path == "app.py"
    assert route.resource == "Note"


def test_models_beside_the_application_are_collected_too(notes: Metadata) -> None:
    assert [(r.name, r.target_resource, r.on_delete) for r in resource_of(notes, "Note").relationships] == [
        ("folder", "Folder", "cascade")
    ]
