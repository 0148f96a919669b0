"""Recurring patterns of an application, with their coverage and outliers.

Middleware chains are found as in the original: a chain is its names in order; its frequency is the number of
(resource, operation) pairs that have it, its confidence a tenth of that, at most 1. Beyond the original, every
pattern knows its population (the occurrences that could follow it), which gives its coverage and its outliers.
Routes yield conventions of single middlewares ("40 of 42 write routes carry `auth`"), resources yield conventions
of validations, hooks and fields. Framework code (`origin`) is excluded, because the application did not choose it.

A convention needs a coverage of at least `minimum_coverage`. Ids are derived from the pattern's content, so they
are the same in every run; patterns of equal frequency are sorted by template.
"""

from __future__ import annotations

import re
from collections import Counter
from typing import TYPE_CHECKING

from msgspec.structs import replace

from conduit.metadata.dependencies import called_functions
from conduit.metadata.schema import READ_METHODS, Pattern, PatternExample, Record

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Mapping, Sequence

    from conduit.metadata.schema import Metadata, Resource, Route

WRITE_METHODS = frozenset(("POST", "PUT", "PATCH", "DELETE"))

AUTHENTICATION_WORDS = frozenset(
    "auth authn authz oauth oauth2 authed authenticate authenticated authenticates authentication authenticator "  # noqa: SIM905
    "authorise authorised authorisation authorize authorized authorizes authorization authorizer".split()
)
"""Words that classify a middleware as authentication: `require_auth` and `IsAuthenticated`, but not `author_check`.
`Auth` alone is a name of its own, as in the case-sensitive original."""

_WORD = re.compile(r"[A-Z]?[a-z0-9]+|[A-Z]+(?![a-z])")
_PARAMETERS = re.compile(r"\((.*)\)$", re.DOTALL)


class PatternOptions(Record, frozen=True, kw_only=True):
    """Thresholds for reporting a pattern."""

    minimum_frequency: int = 3
    minimum_confidence: float = 0.3
    maximum_examples: int = 5
    """Limit for each pattern's examples, and for its outliers; 0 or less means all."""
    descriptions: bool = True
    verbose_names: bool = False
    """Include the middleware's parameters and the chain's most frequent operation in names."""
    minimum_coverage: float = 0.75
    """Minimum coverage of a convention; middleware chains are reported at any coverage."""


class _Occurrence(Record, frozen=True):
    """Something that can follow a pattern: a resource's operation, a route, a field, a resource."""

    resource: str
    file_path: str
    line_number: int
    code: str

    def example(self) -> PatternExample:
        return PatternExample(self.resource, self.file_path, self.line_number, self.code)


def extract_patterns(metadata: Metadata, options: PatternOptions | None = None) -> tuple[Pattern, ...]:
    """Return all patterns of a document, the most frequent first, then by template."""
    options = options or PatternOptions()
    resources = [resource for resource in metadata.resources if resource.origin != "framework"]
    found = [*middleware_patterns(resources, options), *route_conventions(metadata, options)]
    found += [*validation_conventions(resources, options), *hook_conventions(resources, options)]
    found += field_conventions(resources, options)
    return tuple(sorted(found, key=_by_frequency))


def _by_frequency(pattern: Pattern) -> tuple[int, str, str]:
    return -pattern.frequency, pattern.template, pattern.id


# --- chains of middleware


def middleware_patterns(resources: Iterable[Resource], options: PatternOptions) -> list[Pattern]:
    """Return the middleware chains that several operations share."""
    chains: dict[str, tuple[str, ...]] = {}
    users: dict[str, list[tuple[str, _Occurrence]]] = {}
    operations: dict[str, list[tuple[str, _Occurrence]]] = {}
    for resource in resources:
        for operation in sorted(resource.middleware):
            chain = resource.middleware[operation]
            key = "|".join(chain)
            chains.setdefault(key, chain)
            code = _chain_code(operation, chain)
            occurrence = _Occurrence(resource.name, resource.file_path, resource.line_number, code)
            users.setdefault(key, []).append((operation, occurrence))
            operations.setdefault(operation, []).append((key, occurrence))
    patterns = [_middleware_pattern(chains[key], key, users[key], operations, options) for key in chains]
    return sorted([pattern for pattern in patterns if _is_reported(pattern, options)], key=_by_frequency)


def _middleware_pattern(
    chain: tuple[str, ...],
    key: str,
    users: list[tuple[str, _Occurrence]],
    operations: Mapping[str, list[tuple[str, _Occurrence]]],
    options: PatternOptions,
) -> Pattern:
    counts = Counter(operation for operation, _ in users)
    concerned = [each for operation in sorted(counts) for each in operations[operation]]
    name = "_".join([*map(_name_part, chain), "handler"])
    if options.verbose_names:
        name += _verbose_part(chain, min(counts, key=lambda operation: (-counts[operation], operation)))
    return _pattern(
        options,
        kind="middleware",
        key=key,
        name=name,
        category=chain_category(chain),
        description=f"Handler with {' + '.join(chain)} middleware",
        template=f"@on <operation>: [{', '.join(chain)}]",
        followers=[
            replace(occurrence, code=_chain_code(operation, chain)) for operation, occurrence in users
        ],
        others=[occurrence for other, occurrence in concerned if other != key],
    )


def _chain_code(operation: str, chain: tuple[str, ...]) -> str:
    return f"@on {operation}: [{', '.join(chain)}]"


def _name_part(middleware: str) -> str:
    base = middleware.partition("(")[0]
    if _is_authentication(base):
        return "authenticated"
    for sign, name in (
        ("cache", "cached"),
        ("rate_limit", "rate_limited"),
        ("cors", "cors_enabled"),
        ("log", "logged"),
    ):
        if sign in base:
            return name
    return base


def _verbose_part(chain: tuple[str, ...], operation: str) -> str:
    parameters = [match[1] for match in map(_PARAMETERS.search, chain) if match is not None and match[1]]
    written = "_".join(parameters).replace("/", "_per_").replace(" ", "_")
    return f"{'_with_' if parameters else ''}{written}_for_{operation}"


def chain_category(chain: Iterable[str]) -> str:
    """Return the category of the first middleware that has one, else general.

    The others are authentication, caching, rate_limiting and cors.
    """
    for middleware in chain:
        if _is_authentication(middleware):
            return "authentication"
        for sign, category in (("cache", "caching"), ("rate_limit", "rate_limiting"), ("cors", "cors")):
            if sign in middleware:
                return category
    return "general"


def _is_authentication(text: str) -> bool:
    for name in re.findall(r"[A-Za-z0-9]+", text):
        words = _WORD.findall(name)
        if name in AUTHENTICATION_WORDS:
            return True
        if len(words) > 1 and any(word.lower() in AUTHENTICATION_WORDS for word in words):
            return True
    return False


# --- conventions


def route_conventions(metadata: Metadata, options: PatternOptions) -> list[Pattern]:
    """Return the middlewares that nearly all write or read routes carry, and once those of the whole application."""
    routes = {(route.method, route.path): route for route in metadata.routes if route.origin != "framework"}
    found = _application_convention(metadata, list(routes.values()), options)
    whole = frozenset(metadata.middleware)
    for label, methods in (("write", WRITE_METHODS), ("read", READ_METHODS)):
        concerned = [route for route in routes.values() if route.method.upper() in methods]
        counts = Counter(name for route in concerned for name in dict.fromkeys(route.middleware))
        for middleware, count in counts.items():
            if middleware not in whole and _may_be_convention(count, len(concerned), options):
                found.append(_route_convention(label, middleware, concerned, options))
    return [pattern for pattern in found if _is_convention(pattern, options)]


def _may_be_convention(count: int, population: int, options: PatternOptions) -> bool:
    return count >= options.minimum_frequency and count >= options.minimum_coverage * population


def _application_convention(
    metadata: Metadata, routes: list[Route], options: PatternOptions
) -> list[Pattern]:
    middleware = metadata.middleware
    if not middleware or len(routes) < options.minimum_frequency:
        return []
    listed = ", ".join(middleware)
    return [
        _pattern(
            options,
            kind="all routes",
            key="|".join(middleware),
            name="all_routes_pass_the_application_middleware",
            category=chain_category(middleware),
            description=f"all {len(routes)} routes pass the application's {listed}",
            template=f"<route>: [{listed}]",
            followers=_route_occurrences(routes, options),
            others=[],
            counts=(len(routes), 0),
        )
    ]


def _route_convention(
    label: str, middleware: str, concerned: list[Route], options: PatternOptions
) -> Pattern:
    followers = [route for route in concerned if middleware in route.middleware]
    others = [route for route in concerned if middleware not in route.middleware]
    return _pattern(
        options,
        kind=f"{label} routes",
        key=middleware,
        name=f"{label}_routes_carry_{_snake(middleware)}",
        category=chain_category((middleware,)),
        description=_sentence(
            followers, others, f"{label} route", f"carry `{middleware}`", f"carries `{middleware}`"
        ),
        template=f"<{label} route>: {middleware}",
        followers=_route_occurrences(followers, options),
        others=_route_occurrences(others, options),
        counts=(len(followers), len(others)),
    )


def _route_occurrences(routes: list[Route], options: PatternOptions) -> list[_Occurrence]:
    """Return the occurrences that are shown; an application has thousands of routes, and a few are."""
    limit = options.maximum_examples if options.maximum_examples > 0 else len(routes)
    return [_route_place(route) for route in routes[:limit]]


def _snake(middleware: str) -> str:
    """Return the words of a middleware, with its parameters: `rate_limit(10)` is `rate_limit_10`."""
    return re.sub(r"\W+", "_", middleware).strip("_")


def _route_place(route: Route) -> _Occurrence:
    """Return a route with its own middleware; that of the whole application is a pattern of its own."""
    file_path = route.details.file_path if route.details else ""
    code = f"{route.method} {route.path}: [{', '.join(route.middleware)}]"
    return _Occurrence(route.resource, file_path, route.line_number, code)


def validation_conventions(resources: list[Resource], options: PatternOptions) -> list[Pattern]:
    """Return the validations and constraints that nearly all fields of one name have."""
    fields: dict[str, list[_Occurrence]] = {}
    checks: dict[tuple[str, str], set[int]] = {}
    for resource in resources:
        validations: dict[str, list[str]] = {}
        for validation in resource.validations:
            validations.setdefault(validation.field, []).append(validation.type)
        for field in resource.fields:
            occurrences = fields.setdefault(field.name, [])
            constraints = [_constraint_name(text) for text in field.constraints]
            for check in [*validations.get(field.name, ()), *constraints]:
                checks.setdefault((field.name, check), set()).add(len(occurrences))
            code = f"{field.name}: {field.type}"
            occurrences.append(_Occurrence(resource.name, resource.file_path, field.line_number, code))
    patterns = []
    for (name, check), followed in checks.items():
        followers, others = _split(fields[name], followed)
        patterns.append(
            _pattern(
                options,
                kind="validation",
                key=f"{name}|{check}",
                name=f"{name}_{check}_validation",
                category="validation",
                description=_sentence(
                    followers,
                    others,
                    f"field `{name}`",
                    f"are checked by `{check}`",
                    f"is checked by `{check}`",
                ),
                template=f"{name}: <type> @{check}",
                followers=followers,
                others=others,
            )
        )
    return [pattern for pattern in patterns if _is_convention(pattern, options)]


def _constraint_name(text: str) -> str:
    return text.partition("(")[0].strip().lstrip("@")


def hook_conventions(resources: list[Resource], options: PatternOptions) -> list[Pattern]:
    """Return the functions that nearly all hooks of one type call or are."""
    moments: dict[str, list[_Occurrence]] = {}
    actions: dict[tuple[str, str], set[int]] = {}
    for resource in resources:
        for moment in dict.fromkeys(hook.type for hook in resource.hooks):
            hooks = [hook for hook in resource.hooks if hook.type == moment]
            done = [
                action
                for hook in hooks
                for action in (*called_functions(hook.source_code), hook.handler)
                if action
            ]
            occurrences = moments.setdefault(moment, [])
            for action in done:
                actions.setdefault((moment, action), set()).add(len(occurrences))
            occurrences.append(
                _Occurrence(
                    resource.name,
                    resource.file_path,
                    hooks[0].line_number,
                    hooks[0].source_code or hooks[0].handler,
                )
            )
    patterns = []
    for (moment, action), followed in actions.items():
        followers, others = _split(moments[moment], followed)
        patterns.append(
            _pattern(
                options,
                kind="hook",
                key=f"{moment}|{action}",
                name=f"{moment}_calls_{action}",
                category="hook",
                description=_sentence(
                    followers,
                    others,
                    f"resource with `{moment}`",
                    f"call `{action}` in it",
                    f"calls `{action}` in it",
                ),
                template=f"@{moment.replace('_', ' ')} {{ {action}(…) }}",
                followers=followers,
                others=others,
            )
        )
    return [pattern for pattern in patterns if _is_convention(pattern, options)]


def field_conventions(resources: list[Resource], options: PatternOptions) -> list[Pattern]:
    """Return the fields, with types, that nearly all resources have."""
    owners: dict[tuple[str, str], set[int]] = {}
    occurrences = [
        _Occurrence(each.name, each.file_path, each.line_number, _types_of(each))
        for each in resources
        if each.fields
    ]
    for index, resource in enumerate([each for each in resources if each.fields]):
        for field in resource.fields:
            owners.setdefault((field.name, field.type), set()).add(index)
    patterns = []
    for (name, kind), followed in owners.items():
        if len(followed) < options.minimum_frequency or len(followed) < options.minimum_coverage * len(
            occurrences
        ):
            continue
        followers, others = _split(occurrences, followed)
        patterns.append(
            _pattern(
                options,
                kind="field",
                key=f"{name}|{kind}",
                name=f"{name}_field",
                category="field",
                description=_sentence(
                    followers,
                    others,
                    "resource",
                    f"have the field `{name}: {kind}`",
                    f"has the field `{name}: {kind}`",
                ),
                template=f"{name}: {kind}",
                followers=[
                    _Occurrence(each.resource, each.file_path, each.line_number, f"{name}: {kind}")
                    for each in followers
                ],
                others=others,
            )
        )
    return [pattern for pattern in patterns if _is_convention(pattern, options)]


def _types_of(resource: Resource) -> str:
    shown = ", ".join([f"{field.name}: {field.type}" for field in resource.fields[:5]])
    return f"{shown}, …" if len(resource.fields) > 5 else shown


# --- what all of them share


def _split(occurrences: list[_Occurrence], followed: set[int]) -> tuple[list[_Occurrence], list[_Occurrence]]:
    return (
        [occurrence for index, occurrence in enumerate(occurrences) if index in followed],
        [occurrence for index, occurrence in enumerate(occurrences) if index not in followed],
    )


def _sentence(
    followers: Sequence[object], others: Sequence[object], noun: str, plural_verb: str, verb: str
) -> str:
    total = len(followers) + len(others)
    if not others:
        return f"all {total} {_plural(noun)} {plural_verb}"
    one, many = ("is", "are") if plural_verb.startswith("are ") else ("does", "do")
    rest = f"1 {one} not" if len(others) == 1 else f"{len(others)} {many} not"
    return (
        f"{len(followers)} of {total} {_plural(noun)} {verb if len(followers) == 1 else plural_verb}; {rest}"
    )


def _plural(noun: str) -> str:
    first, _, rest = noun.partition(" ")
    if rest.startswith(("`", "with")):
        return f"{first}s {rest}"
    return f"{noun}s"


def _pattern(
    options: PatternOptions,
    *,
    kind: str,
    key: str,
    name: str,
    category: str,
    description: str,
    template: str,
    followers: list[_Occurrence],
    others: list[_Occurrence],
    counts: tuple[int, int] | None = None,
) -> Pattern:
    """Return the pattern; `counts` are the numbers of followers and others where not all of these are given."""
    frequency, outliers = counts or (len(followers), len(others))
    return Pattern(
        id=_stable_id(kind, key),
        name=name,
        category=category,
        description=description if options.descriptions else "",
        template=template,
        examples=tuple(_shown(followers, options)),
        frequency=frequency,
        confidence=min(frequency / 10, 1.0),
        population=frequency + outliers,
        outliers=tuple(_shown(others, options)),
    )


def _shown(occurrences: list[_Occurrence], options: PatternOptions) -> Iterator[PatternExample]:
    limit = options.maximum_examples if options.maximum_examples > 0 else len(occurrences)
    return (occurrence.example() for occurrence in occurrences[:limit])


def _stable_id(kind: str, key: str) -> str:
    from hashlib import blake2b

    digest = blake2b(f"{kind}\0{key}".encode(), digest_size=6).hexdigest()
    return f"{kind.replace(' ', '-')}-{digest}"


def _is_reported(pattern: Pattern, options: PatternOptions) -> bool:
    return pattern.frequency >= options.minimum_frequency and pattern.confidence >= options.minimum_confidence


def _is_convention(pattern: Pattern, options: PatternOptions) -> bool:
    return _is_reported(pattern, options) and pattern.coverage >= options.minimum_coverage
