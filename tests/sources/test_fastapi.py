from __future__ import annotations

from conduit.metadata.schema import Metadata
from tests.sources.conftest import resource_of, routes_of


def test_routes_of_included_routers_are_listed_with_their_full_paths(shop: Metadata) -> None:
    listed = {(r.method, r.path) for r in shop.routes if r.origin == "project"}
    assert listed == {
        ("GET", "/products"),
        ("POST", "/products"),
        ("DELETE", "/products/{product_id}"),
        ("GET", "/orders/{order_id}"),
        ("POST", "/orders"),
        ("GET", "/v2/orders/{order_id}"),
        ("POST", "/v2/orders"),
        ("GET", "/pages/robots.txt"),
        ("GET", "/pages/deep/robots.txt"),
        ("WEBSOCKET", "/updates"),
    }


def test_dependencies_stand_in_the_order_in_which_they_run(shop: Metadata) -> None:
    assert routes_of(shop, "/v2/orders")["POST"].middleware == (
        "rate_limit(…)",
        "OAuth2PasswordBearer",
        "session",
        "current_customer(orders)",
        "rate_limit(…)",
    )


def test_a_router_included_twice_keeps_the_dependencies_of_each_inclusion(shop: Metadata) -> None:
    assert "rate_limit(…)" not in routes_of(shop, "/orders/{order_id}")["GET"].middleware
    assert "rate_limit(…)" in routes_of(shop, "/v2/orders/{order_id}")["GET"].middleware


def test_a_decorator_below_wraps_is_seen_in_the_handler_and_marked_observed(shop: Metadata) -> None:
    route = routes_of(shop, "/products")["POST"]
    assert route.middleware[-1] == "audited"
    assert route.details and route.details.observed == ("middleware",)
    assert route.details.chain[-1].certainty == "observed"


def test_a_route_that_asks_nobody_has_an_empty_chain(shop: Metadata) -> None:
    assert routes_of(shop, "/products/{product_id}")["DELETE"].middleware == ()


def test_a_handler_is_given_with_file_and_line(shop: Metadata) -> None:
    route = routes_of(shop, "/products/{product_id}")["DELETE"]
    assert route.handler == "main:delete_product"
    assert route.details and route.details.file_path == "main.py"
    assert route.line_number > 1


def test_bodies_name_the_models_and_say_when_there_are_several(shop: Metadata) -> None:
    listing, creating = routes_of(shop, "/products")["GET"], routes_of(shop, "/products")["POST"]
    assert (listing.response_body, creating.request_body, creating.response_body) == (
        "[]ProductOut",
        "ProductIn",
        "ProductOut",
    )


def test_a_resource_that_is_only_named_in_the_code_is_marked_inferred(shop: Metadata) -> None:
    route = routes_of(shop, "/products")["GET"]
    assert route.resource == "Product"
    assert route.details and "resource" in route.details.inferred


def test_a_route_without_any_sign_of_a_resource_says_unknown(shop: Metadata) -> None:
    route = routes_of(shop, "/products/{product_id}")["DELETE"]
    assert route.resource == ""
    assert route.details and "resource" in route.details.unknown


def test_parameters_have_place_type_and_default(shop: Metadata) -> None:
    details = routes_of(shop, "/products")["GET"].details
    assert details is not None
    found = {(p.name, p.location, p.type, p.required, p.default_value) for p in details.parameters}
    assert found == {
        ("limit", "query", "int", False, "20"),
        ("accept-language", "header", "str | None", False, ""),
    }


def test_middleware_of_the_application_stands_beside_the_routes_outermost_first(shop: Metadata) -> None:
    assert shop.middleware == ("add_request_id", "GZipMiddleware")


def test_middleware_of_a_mounted_application_is_in_the_chain_of_its_routes_only(shop: Metadata) -> None:
    assert routes_of(shop, "/pages/deep/robots.txt")["GET"].middleware == ("GZipMiddleware",)
    assert [(m.path, m.kind) for m in shop.mounts] == [
        ("/pages", "application"),
        ("/pages/deep", "application"),
    ]


def test_the_frameworks_own_routes_are_marked_as_such(shop: Metadata) -> None:
    origins = {route.path: route.origin for route in shop.routes}
    assert origins["/openapi.json"] == "framework"
    assert origins["/products"] == "project"


def test_a_pydantic_model_has_limits_defaults_and_validators(shop: Metadata) -> None:
    product = resource_of(shop, "ProductIn")
    fields = {field.name: field for field in product.fields}
    assert fields["name"].constraints == ("@min_length(1)", "@max_length(100)")
    assert fields["tags"].default_value == "list()"
    assert [(v.field, v.type, v.handler) for v in product.validations] == [
        ("name", "after_validator", "main:ProductIn.strip_name")
    ]


def test_an_inherited_pydantic_field_names_the_model_that_declares_it(shop: Metadata) -> None:
    fields = {field.name: field for field in resource_of(shop, "ProductOut").fields}
    assert fields["name"].details and fields["name"].details.inherited_from == "ProductIn"
    assert fields["id"].details is None


def test_a_computed_field_and_an_alias_are_kept(shop: Metadata) -> None:
    assert [c.name for c in resource_of(shop, "ProductOut").computed_fields] == ["price"]
    note = next(f for f in resource_of(shop, "OrderIn").fields if f.name == "note")
    assert note.details and note.details.alias == "remark"
    assert note.nullable and not note.required


def test_a_list_of_models_is_a_has_many_to_them(shop: Metadata) -> None:
    found = [(r.name, r.type, r.target_resource) for r in resource_of(shop, "OrderIn").relationships]
    assert found == [("lines", "has_many", "OrderLineIn")]
