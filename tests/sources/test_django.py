from __future__ import annotations

from conduit.metadata.schema import Metadata, Relationship
from tests.sources.conftest import resource_of, routes_of


def relationships(metadata: Metadata, name: str) -> dict[str, Relationship]:
    return {r.name: r for r in resource_of(metadata, name).relationships}


def test_models_have_their_labels_for_ids_and_their_own_names_where_these_are_unique(
    library: Metadata,
) -> None:
    own = {r.id: r.name for r in library.resources if r.origin == "project" and r.kind == "django_model"}
    assert own == {
        f"books.{n}": n for n in ("AudioBook", "Author", "Book", "Classic", "Editing", "Loan", "Note")
    }


def test_on_delete_is_one_of_djangos_seven(library: Metadata) -> None:
    book, loan = relationships(library, "Book"), relationships(library, "Loan")
    assert (book["author"].on_delete, book["sequel_to"].on_delete) == ("protect", "set_null")
    assert (loan["book"].on_delete, loan["reader"].on_delete) == ("cascade", "set")


def test_the_other_side_is_a_view_of_the_same_edge(library: Metadata) -> None:
    books = relationships(library, "Author")["books"]
    assert (books.type, books.target_resource, books.on_delete) == ("has_many", "Book", "")
    assert books.details and books.details.inverse and books.details.inverse_name == "author"
    author = relationships(library, "Book")["author"]
    assert author.details and author.details.inverse_name == "books" and not author.details.inverse


def test_a_hidden_accessor_gives_no_view(library: Metadata) -> None:
    assert not [r for r in resource_of(library, "Book").relationships if r.target_resource == "Loan"]


def test_a_many_to_many_names_the_model_that_it_goes_through(library: Metadata) -> None:
    editors = relationships(library, "Book")["editors"]
    assert (editors.type, editors.through_table) == ("has_many_through", "books_editing")
    assert editors.details and editors.details.through == "Editing"


def test_generic_keys_point_to_anything(library: Metadata) -> None:
    about, notes = relationships(library, "Note")["about"], relationships(library, "Book")["notes"]
    assert (about.type, about.target_resource) == ("generic", "*")
    assert notes.details and notes.details.generic and notes.details.inverse


def test_a_child_table_inherits_and_a_proxy_shows_its_models_rows(library: Metadata) -> None:
    parent, proxy = (
        relationships(library, "AudioBook")["book_ptr"],
        relationships(library, "Classic")["proxy"],
    )
    assert (parent.type, parent.target_resource) == ("inherits", "Book")
    assert (proxy.type, proxy.target_resource) == ("proxies", "Book")
    inherited = {
        f.name for f in resource_of(library, "AudioBook").fields if f.details and f.details.inherited_from
    }
    assert "title" in inherited and "minutes" not in inherited


def test_fields_say_null_required_defaults_choices_and_help(library: Metadata) -> None:
    fields = {field.name: field for field in resource_of(library, "Book").fields}
    assert fields["id"].default_value == "uuid.uuid4()"
    assert fields["binding"].details and fields["binding"].details.choices == ("H", "P")
    assert fields["shelf"].nullable and not fields["shelf"].required
    assert fields["title"].required and fields["title"].constraints == ("@max_length(200)",)
    author = {field.name: field for field in resource_of(library, "Author").fields}
    assert author["name"].documentation == "As printed on the cover."


def test_a_field_of_an_abstract_base_has_the_line_of_the_base(library: Metadata) -> None:
    book = resource_of(library, "Book")
    created = next(field for field in book.fields if field.name == "created_at")
    assert 0 < created.line_number < book.line_number


def test_a_key_that_django_added_has_the_line_of_its_class_and_says_that_it_is_inferred(
    library: Metadata,
) -> None:
    loan = resource_of(library, "Loan")
    key = next(field for field in loan.fields if field.name == "id")
    assert key.line_number == loan.line_number
    assert key.details and key.details.inferred == ("line_number",)


def test_validators_constraints_and_indexes_are_kept(library: Metadata) -> None:
    book = resource_of(library, "Book")
    assert [(v.field, v.type, v.value) for v in book.validations] == [
        ("isbn", "RegexValidator", r"^\d{13}$"),
        ("copies", "MinValueValidator", "0"),
    ]
    assert [c.name for c in book.constraints] == ["copies_not_negative", "one_title_an_author"]
    assert book.details and [i.fields for i in book.details.indexes] == [("shelf", "title")]
    assert [c.condition for c in resource_of(library, "Editing").constraints] == ["unique(book, author)"]


def test_receivers_are_observed_and_those_of_every_sender_are_shown_with_each_model(
    library: Metadata,
) -> None:
    hooks = {(h.type, h.handler, h.sender, h.certainty) for h in resource_of(library, "Loan").hooks}
    assert hooks == {
        ("save", "books.models:Loan.save", "", ""),
        ("after_save", "books.models:count_loan", "", "observed"),
        ("after_save", "books.models:log_everything", "*", "observed"),
    }
    assert ("signal:returned", "books.models:remind_waiting") in {(h.type, h.handler) for h in library.hooks}


def test_queryset_methods_and_properties_are_found(library: Metadata) -> None:
    book = resource_of(library, "Book")
    assert [(s.name, s.parameters) for s in book.scopes] == [("objects.available", ("at_least",))]
    assert [(c.name, c.type) for c in book.computed_fields] == [("is_loanable", "bool")]


def test_a_function_that_limits_no_method_answers_any_and_says_that_it_is_unknown(library: Metadata) -> None:
    home = routes_of(library, "/")
    assert list(home) == ["ANY"]
    assert home["ANY"].details and "method" in home["ANY"].details.unknown


def test_decorators_stand_in_the_order_in_which_they_run_and_limit_the_methods(library: Metadata) -> None:
    found = routes_of(library, "/loans/<int:pk>/return/")
    assert list(found) == ["POST"]
    assert found["POST"].middleware == ("login_required", "require_http_methods")
    assert found["POST"].resource == "Loan"


def test_mixins_and_decorators_of_a_class_are_in_its_chain(library: Metadata) -> None:
    assert routes_of(library, "/loans/")["GET"].middleware == ("LoginRequiredMixin",)
    author = routes_of(library, "/authors/<slug>/")["GET"]
    assert author.middleware == ("never_cache",)
    assert author.resource == "Author"
    assert author.details and author.details.pattern == r"^authors/(?P<slug>[-\w]+)/$"


def test_each_action_of_a_view_set_is_a_route_with_its_own_permissions(library: Metadata) -> None:
    listed = routes_of(library, "/api/books/")
    assert {method: route.operation for method, route in listed.items()} == {"GET": "list", "POST": "create"}
    assert listed["GET"].middleware[-1] == "(IsAuthenticated & (IsAdminUser | AllowAny))"
    retire = next(r for r in library.routes if r.operation == "retire")
    assert retire.middleware[-1] == "IsAdminUser"
    assert retire.handler == "books.views:BookViewSet.retire"


def test_an_api_view_is_the_function_that_was_written(library: Metadata) -> None:
    found = routes_of(library, "/api/health/")
    assert sorted(found) == ["GET", "POST"]
    assert {route.handler for route in found.values()} == {"books.views:health"}
    assert found["GET"].middleware[-1] == "AllowAny"


def test_serializers_are_resources_and_bodies(library: Metadata) -> None:
    listed = routes_of(library, "/api/books/")
    assert (listed["GET"].response_body, listed["POST"].request_body) == (
        "[]BookSerializer",
        "BookSerializer",
    )
    fields = {field.name: field for field in resource_of(library, "BookSerializer").fields}
    assert list(fields) == ["id", "title", "isbn", "author", "secret", "is_loanable"]
    assert fields["secret"].details and fields["secret"].details.write_only
    assert fields["is_loanable"].details and "type" in fields["is_loanable"].details.unknown


def test_the_admins_routes_are_the_frameworks_and_its_model_routes_name_their_model(
    library: Metadata,
) -> None:
    admin = [route for route in library.routes if route.path.startswith("/admin/")]
    assert admin and {route.origin for route in admin} == {"framework"}
    assert {route.resource for route in admin if "/books/book/" in route.path} >= {"Book"}


def test_no_settings_value_enters_the_document(library: Metadata) -> None:
    from conduit.metadata.codec import encode

    written = encode(library)
    assert b"never-written-anywhere" not in written
    assert b"an-example-that-guards-nothing" not in written
