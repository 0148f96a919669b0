from __future__ import annotations

from conduit.metadata.registry import Registry
from conduit.metadata.schema import Metadata, Relationship
from tests.sources.conftest import resource_of


def relationships(metadata: Metadata, name: str) -> dict[tuple[str, str], Relationship]:
    return {(r.name, r.type): r for r in resource_of(metadata, name).relationships}


def test_every_mapped_class_is_a_resource_and_a_table_without_a_class_too(shop: Metadata) -> None:
    kinds = {r.name: r.kind for r in shop.resources if r.details and r.details.role == "table"}
    mapped = ("Book", "Customer", "Order", "OrderLine", "Product", "Tag")
    assert kinds == dict.fromkeys(mapped, "sqlalchemy_mapper") | {"product_tag": "table"}


def test_both_ends_of_a_relation_name_one_edge_and_the_key_is_on_one_side(shop: Metadata) -> None:
    owning = relationships(shop, "Order")["customer", "belongs_to"]
    view = relationships(shop, "Customer")["orders", "has_many"]
    assert (owning.on_delete, owning.foreign_key) == ("cascade", "customer_id")
    assert owning.details and owning.details.inverse_name == "orders" and not owning.details.inverse
    assert view.details and view.details.inverse_name == "customer" and view.details.inverse
    assert view.on_delete == "" and view.details.database_on_delete == "cascade"
    assert "delete-orphan" in view.details.cascade


def test_a_view_of_an_edge_is_no_edge_of_the_graph_so_two_ends_are_no_cycle(shop: Metadata) -> None:
    registry = Registry(shop)
    assert [(e.from_, e.to) for e in registry.dependencies("OrderLine", reverse=True).edges] == []
    assert {e.to for e in registry.dependencies("OrderLine", depth=1).edges} == {"Order", "Product"}
    assert [cycle.names for cycle in registry.cycles()] == [
        ("Customer",),
        ("Order",),
    ]  # each refers to itself


def test_a_backref_has_the_line_of_the_side_that_declares_it_and_says_so(shop: Metadata) -> None:
    found = relationships(shop, "Customer")
    assert found["invited", "has_many"].line_number == found["invited_by", "belongs_to"].line_number
    details = found["invited", "has_many"].details
    assert details and details.inferred == ("line_number",)


def test_a_foreign_key_that_no_relationship_uses_is_an_edge_of_its_own(shop: Metadata) -> None:
    found = relationships(shop, "Order")
    assert found["shipped_with_id", "references"].target_resource == "Order"
    assert ("customer_id", "references") not in found


def test_a_many_to_many_names_its_table_and_is_owned_by_one_end(shop: Metadata) -> None:
    ends = [
        relationships(shop, name)[key]
        for name, key in (
            ("Product", ("tags", "has_many_through")),
            ("Tag", ("products", "has_many_through")),
        )
    ]
    assert [end.through_table for end in ends] == ["product_tag", "product_tag"]
    assert sorted(bool(end.details and end.details.inverse) for end in ends) == [False, True]


def test_joined_inheritance_is_an_edge_and_inherited_columns_say_whose_they_are(shop: Metadata) -> None:
    book = resource_of(shop, "Book")
    assert [(r.target_resource, r.on_delete) for r in book.relationships if r.type == "inherits"] == [
        ("Product", "cascade")
    ]
    fields = {field.name: field for field in book.fields}
    assert fields["name"].details and fields["name"].details.inherited_from == "Product"
    assert book.details and book.details.polymorphic_identity == "book"


def test_a_callable_default_is_named_and_a_secret_one_is_not_shown(shop: Metadata) -> None:
    fields = {field.name: field for field in resource_of(shop, "Customer").fields}
    assert fields["created_at"].default_value == "models.now()"
    assert fields["api_token"].default_value == "<redacted>"


def test_columns_carry_choices_limits_server_defaults_and_documentation(shop: Metadata) -> None:
    order = {field.name: field for field in resource_of(shop, "Order").fields}
    customer = {field.name: field for field in resource_of(shop, "Customer").fields}
    assert order["status"].details and order["status"].details.choices == ("open", "paid", "sent")
    assert order["placed_at"].details and order["placed_at"].details.server_default == "now()"
    assert customer["email"].constraints == ("@unique", "@max_length(254)")
    assert customer["email"].documentation == "Where receipts go."


def test_a_column_of_a_mixin_has_the_mixins_line(shop: Metadata) -> None:
    created = [
        f for name in ("Customer", "Order") for f in resource_of(shop, name).fields if f.name == "created_at"
    ]
    assert len({field.line_number for field in created}) == 1
    assert created[0].line_number < resource_of(shop, "Customer").line_number


def test_constraints_and_indexes_are_those_of_the_table(shop: Metadata) -> None:
    product = resource_of(shop, "Product")
    assert [(c.name, c.kind, c.condition) for c in product.constraints] == [
        ("one_name_a_kind", "unique", "unique(name, kind)"),
        ("price_is_not_negative", "check", "price_cents >= 0"),
    ]
    assert product.details and [(i.name, i.fields) for i in product.details.indexes] == [
        ("product_by_price", ("price_cents",))
    ]


def test_validators_hybrids_proxies_and_listeners_are_found(shop: Metadata) -> None:
    assert [(v.field, v.handler) for v in resource_of(shop, "Customer").validations] == [
        ("email", "models:Customer.check_email")
    ]
    assert [c.name for c in resource_of(shop, "Product").computed_fields] == ["price", "tag_names"]
    assert [(h.type, h.handler, h.certainty) for h in resource_of(shop, "Order").hooks] == [
        ("before_insert", "models:number_order", "observed")
    ]
