"""What an application does again and again, and who does not."""

from __future__ import annotations

import pytest

from conduit.metadata import Metadata, PatternOptions, Registry, Resource, Route, extract_patterns
from conduit.metadata.patterns import chain_category
from conduit.metadata.schema import Field, FrozenDict, Hook, RouteDetails, Validation


def by_name(metadata: Metadata, **options: object) -> dict[str, object]:
    return {each.name: each for each in extract_patterns(metadata, PatternOptions(**options))}


def test_a_middleware_that_nearly_all_write_routes_carry_is_told_with_those_that_do_not() -> None:
    routes = [Route("POST", f"/a{i}", middleware=("auth", "log")) for i in range(40)]
    routes += [Route("delete", "/x", resource="X", line_number=7), Route("PUT", "/y", middleware=("log",))]
    routes += [Route("GET", f"/a{i}") for i in range(10)]
    patterns = by_name(Metadata(routes=tuple(routes)))
    auth = patterns["write_routes_carry_auth"]
    assert auth.description == "40 of 42 write routes carry `auth`; 2 do not"
    assert (auth.frequency, auth.population, auth.category) == (40, 42, "authentication")
    assert auth.coverage == pytest.approx(40 / 42)
    assert [(each.resource, each.line_number, each.code) for each in auth.outliers] == [
        ("X", 7, "delete /x: []"),
        ("", 0, "PUT /y: [log]"),
    ]
    assert len(auth.examples) == 5
    assert patterns["write_routes_carry_log"].population == 42
    assert not any(name.startswith("read_routes") for name in patterns)


def test_a_route_counts_once_and_a_framework_s_own_routes_do_not() -> None:
    own = [Route("POST", f"/{i}", middleware=("auth",)) for i in (1, 2, 3, 3)]
    foreign = [Route("POST", f"/admin{i}", details=RouteDetails(origin="framework")) for i in range(20)]
    auth = by_name(Metadata(routes=tuple(own + foreign)))["write_routes_carry_auth"]
    assert auth.description == "all 3 write routes carry `auth`"
    assert auth.outliers == ()


def test_the_middleware_of_the_whole_application_is_told_once_for_all_routes() -> None:
    routes = [Route(method, f"/{i}") for i in range(3) for method in ("GET", "POST")]
    found = by_name(Metadata(routes=tuple(routes), middleware=("gzip", "cors")))
    assert list(found) == ["all_routes_pass_the_application_middleware"]
    assert found["all_routes_pass_the_application_middleware"].template == "<route>: [gzip, cors]"
    assert found["all_routes_pass_the_application_middleware"].frequency == 6


def test_an_outlier_shows_its_own_middleware_and_not_that_of_the_whole_application() -> None:
    routes = [Route("POST", f"/a{i}", middleware=("auth",)) for i in range(9)]
    routes.append(Route("POST", "/b", middleware=("token",)))
    found = by_name(Metadata(routes=tuple(routes), middleware=("gzip", "cors")))
    assert [each.code for each in found["write_routes_carry_auth"].outliers] == ["POST /b: [token]"]


def test_conventions_of_routes_are_named_by_the_words_of_the_middleware_itself() -> None:
    chain = ("login_not_required", "log", "limit(3)", "limit(4)")
    found = by_name(Metadata(routes=tuple(Route("POST", f"/{i}", middleware=chain) for i in range(4))))
    assert sorted(found) == [
        "write_routes_carry_limit_3",
        "write_routes_carry_limit_4",
        "write_routes_carry_log",
        "write_routes_carry_login_not_required",
    ]


def test_a_choice_that_half_of_them_make_is_no_convention() -> None:
    routes = [Route("POST", f"/{i}", middleware=("auth",) if i % 2 else ()) for i in range(20)]
    assert by_name(Metadata(routes=tuple(routes))) == {}
    assert by_name(Metadata(routes=tuple(routes)), minimum_coverage=0.5)


def test_a_chain_of_middleware_knows_the_operations_that_could_have_it() -> None:
    resources = tuple(
        Resource(f"R{i}", middleware=FrozenDict({"create": ("auth",) if i else ("log",), "list": ()}))
        for i in range(5)
    )
    auth = by_name(Metadata(resources=resources))["authenticated_handler"]
    assert (auth.frequency, auth.population) == (4, 5)
    assert [(each.resource, each.code) for each in auth.outliers] == [("R0", "@on create: [log]")]


def test_fields_validations_and_hooks_have_conventions_too() -> None:
    def resource(i: int) -> Resource:
        usual = i != 3
        return Resource(
            f"R{i}",
            fields=(
                Field("id", "uuid!"),
                Field("email", "string!", constraints=("@unique", "@min(3)") if usual else ("@min(3)",)),
                Field("slug", "string!" if usual else "text!"),
            ),
            validations=(Validation("email", "format"),) if usual else (),
            hooks=(Hook("before_create", source_code="self.slug = String.slugify(x)" if usual else "pass"),),
        )

    found = by_name(Metadata(resources=tuple(resource(i) for i in range(8))))
    assert found["id_field"].description == "all 8 resources have the field `id: uuid!`"
    assert found["slug_field"].description == "7 of 8 resources have the field `slug: string!`; 1 does not"
    assert found["slug_field"].outliers[0].code == "id: uuid!, email: string!, slug: text!"
    assert (
        found["email_unique_validation"].description
        == "7 of 8 fields `email` are checked by `unique`; 1 is not"
    )
    assert found["email_min_validation"].outliers == ()
    assert found["email_format_validation"].frequency == 7
    hook = found["before_create_calls_String.slugify"]
    assert hook.category == "hook"
    assert [each.resource for each in hook.outliers] == ["R3"]


def test_ids_are_the_same_on_every_run_and_differ_between_patterns() -> None:
    routes = tuple(Route("POST", f"/{i}", middleware=("auth", "log")) for i in range(4))
    first = extract_patterns(Metadata(routes=routes))
    assert [each.id for each in first] == [
        each.id for each in extract_patterns(Metadata(routes=routes[::-1]))
    ]
    assert len({each.id for each in first}) == len(first)
    assert first[0].id == "write-routes-11f32627f40b"


@pytest.mark.parametrize(
    ("middleware", "category"),
    [
        ("auth", "authentication"),
        ("require_auth", "authentication"),
        ("jwt_auth(admin)", "authentication"),
        ("IsAuthenticated", "authentication"),
        ("django.contrib.auth.middleware.AuthenticationMiddleware", "authentication"),
        ("rate_limit(auth)", "authentication"),
        ("author_check", "general"),
        ("authority", "general"),
        ("Auth", "general"),
        ("cache(300)", "caching"),
        ("rate_limit(5/hour)", "rate_limiting"),
        ("cors", "cors"),
        ("log", "general"),
    ],
)
def test_the_word_decides_about_authentication(middleware: str, category: str) -> None:
    assert chain_category(("log", middleware)) == category


def test_a_registry_keeps_its_conventions() -> None:
    registry = Registry(
        Metadata(routes=tuple(Route("POST", f"/{i}", middleware=("auth",)) for i in range(4)))
    )
    assert registry.conventions() is registry.conventions()
    strict = PatternOptions(minimum_frequency=5)
    assert registry.conventions(strict) == ()
    assert len(registry.conventions()) == 1
