"""Guards: the steps of a route that decide who may use it, and whether a change of them loosens or tightens the route.

Access is a monotone formula over requirements ("authenticated", "staff", "permission: x"): a list of alternatives,
each a set of requirements that must all hold. The steps of a chain are joined by *and*; a step may offer
alternatives itself (`A or B` of OpenAPI, `A | B` of REST framework). One formula implies another when each of its
alternatives contains one of the other's. A change loosens a route when the old formula implies the new one and not
the reverse. What the steps of the frameworks require is in a table; a step that is not in it requires something
that only it stands for, so replacing it by another gives no verdict, and removing it alone loosens.

CSRF protection is judged apart: an exemption is weaker than no check, which is weaker than a check.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from conduit.metadata.schema import Record

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from conduit.metadata.schema import Metadata, Route

Formula = frozenset[frozenset[str]]
"""Alternatives, each a set of requirements; an empty alternative is always satisfied."""

OPEN: Formula = frozenset([frozenset()])

_AUTHENTICATED = "authenticated"
_STAFF = frozenset((_AUTHENTICATED, "staff"))
_MODEL = frozenset((_AUTHENTICATED, "model permissions"))
_KNOWN: dict[str, frozenset[str]] = {
    # Django
    "login_required": frozenset((_AUTHENTICATED,)),
    "LoginRequiredMixin": frozenset((_AUTHENTICATED,)),
    "LoginRequiredMiddleware": frozenset((_AUTHENTICATED,)),
    "staff_member_required": _STAFF,
    "admin_view": _STAFF,
    "permission_required": frozenset((_AUTHENTICATED, "permission")),
    "PermissionRequiredMixin": frozenset((_AUTHENTICATED, "permission")),
    "AuthenticationMiddleware": frozenset(),  # these identify the user and refuse no request
    "RemoteUserMiddleware": frozenset(),
    "PersistentRemoteUserMiddleware": frozenset(),
    "require_http_methods": frozenset(),  # these refuse methods, not users
    "require_GET": frozenset(),
    "require_POST": frozenset(),
    "require_safe": frozenset(),
    # REST framework, as it treats requests that write; authentication classes identify the user
    "BasicAuthentication": frozenset(),
    "SessionAuthentication": frozenset(),
    "TokenAuthentication": frozenset(),
    "RemoteUserAuthentication": frozenset(),
    "AllowAny": frozenset(),
    "IsAuthenticatedOrReadOnly": frozenset((_AUTHENTICATED,)),
    "IsAuthenticated": frozenset((_AUTHENTICATED,)),
    "IsAdminUser": _STAFF,
    "DjangoModelPermissionsOrAnonReadOnly": _MODEL,
    "DjangoModelPermissions": _MODEL,
    "DjangoObjectPermissions": _MODEL | {"object permissions"},
    # Flask-Login, Flask-JWT-Extended, Flask-HTTPAuth
    "fresh_login_required": frozenset((_AUTHENTICATED, "fresh login")),
    "jwt_required": frozenset((_AUTHENTICATED,)),
    # FastAPI
    "OAuth2": frozenset((_AUTHENTICATED,)),
    "OAuth2PasswordBearer": frozenset((_AUTHENTICATED,)),
    "OAuth2AuthorizationCodeBearer": frozenset((_AUTHENTICATED,)),
    "OpenIdConnect": frozenset((_AUTHENTICATED,)),
    "HTTPBasic": frozenset((_AUTHENTICATED,)),
    "HTTPBearer": frozenset((_AUTHENTICATED,)),
    "HTTPDigest": frozenset((_AUTHENTICATED,)),
    "APIKeyHeader": frozenset((_AUTHENTICATED,)),
    "APIKeyQuery": frozenset((_AUTHENTICATED,)),
    "APIKeyCookie": frozenset((_AUTHENTICATED,)),
    # Django Ninja
    "SessionAuth": frozenset((_AUTHENTICATED,)),
    "SessionAuthSuperUser": _STAFF | {"superuser"},
    "SessionAuthIsStaff": _STAFF,
    "HttpBasicAuth": frozenset((_AUTHENTICATED,)),
    "HttpBearer": frozenset((_AUTHENTICATED,)),
}
_WITH_PARAMETERS = frozenset(
    ("permission_required", "PermissionRequiredMixin", *(name for name in _KNOWN if name.startswith("O")))
)
_CSRF_CHECKS = frozenset(("csrf_protect", "CsrfViewMiddleware"))
_CSRF_NAMES = _CSRF_CHECKS | {"csrf_exempt"}
_EXEMPTION = re.compile(
    r"exempt|not_required|anonymous_required|no_auth|without_auth|skip_auth", re.IGNORECASE
)
_GUARDING_KINDS = frozenset(("permission", "security"))
_GUARDING_WORDS = frozenset(
    "auth authenticated authentication authenticate authorize authorized authorization authorise oauth oauth2 login "  # noqa: SIM905
    "permission permissions permitted staff admin superuser role roles scope scopes signed require required requires "
    "token bearer jwt csrf member membership owner user".split()
)
_WORD = re.compile(r"[A-Z]?[a-z0-9]+|[A-Z]+(?![a-z])")
_TOKEN = re.compile(r"\s*(\(|\)|&|\||~|\band\b|\bor\b|[^\s()&|~]+(?:\((?:[^()]|\([^()]*\))*\))?)")


class GuardVerdict(Record, frozen=True):
    """How the guards of one route changed."""

    route: str
    verdict: str
    """loosened, tightened, or changed where neither can be told."""
    lost: tuple[str, ...] = ()
    """Guards that are gone; an exemption that is new is `+NAME`."""
    gained: tuple[str, ...] = ()


def is_guard(name: str, kind: str) -> bool:
    """Return whether a step decides who may use the route: by its kind, else by the words of its name."""
    if kind == "authentication":
        return False  # it identifies the user; permissions decide
    plain = name.partition("(")[0]
    words = {word.lower() for word in _WORD.findall(plain)}
    return kind in _GUARDING_KINDS or plain in _KNOWN or not words.isdisjoint(_GUARDING_WORDS)


Steps = tuple[tuple[str, str], ...]
"""The name and kind of each step of a route, in the order of execution: all that its guards follow from."""


def guard_steps(route: Route) -> Steps:
    """Return the steps of a route's own chain; a step that no chain tells more about has an empty kind."""
    chain = route.details.chain if route.details else ()
    if not chain:
        return tuple((name, "") for name in route.middleware)
    kinds = {step.name: step.kind for step in chain}
    return tuple((name, kinds.get(name, kinds.get(name.partition("(")[0], ""))) for name in route.middleware)


def compare_guards(
    key: str, before: Steps, after: Steps, old: Iterable[str], new: Iterable[str]
) -> GuardVerdict | None:
    """Return how a route's guards changed; None where they ask for the same.

    `before` and `after` are the steps of the route, `old` and `new` the middleware of the application.
    """
    earlier, later = _Guards(before, old), _Guards(after, new)
    verdicts = [_of_access(earlier, later), _of_csrf(earlier, later)]
    verdict = next((word for word in ("loosened", "changed", "tightened") if word in verdicts), "")
    if not verdict:
        return None
    lost = [name for name in earlier.names if name not in later.names and not earlier.is_exemption(name)]
    lost += [f"+{name}" for name in later.names if later.is_exemption(name) and name not in earlier.names]
    gained = [name for name in later.names if name not in earlier.names and not later.is_exemption(name)]
    gained += [f"-{name}" for name in earlier.names if earlier.is_exemption(name) and name not in later.names]
    return GuardVerdict(key, verdict, tuple(dict.fromkeys(lost)), tuple(dict.fromkeys(gained)))


class RouteGuards(Record, frozen=True):
    """Who may use one route, as far as its own chain and the known middleware of the application say."""

    names: tuple[str, ...]
    """The steps that decide, in the order of execution."""
    exemptions: tuple[str, ...]
    """The steps that open the route, `csrf_exempt` among them."""
    is_open: bool
    """Whether nothing is required of the user."""
    checks_csrf: bool


def route_guards(route: Route, document: Metadata) -> RouteGuards:
    """Return the guards of a route.

    Of the application's middleware only known names count, such as `LoginRequiredMiddleware`: by its name alone,
    `ExternalAuthMiddleware` may identify the user or refuse the request. `possible_guards` names those.
    """
    application = [name for name in document.middleware if name in _KNOWN or name in _CSRF_NAMES]
    guards = _Guards(guard_steps(route), application)
    deciding = [name for name in guards.names if not guards.is_exemption(name) and _decides(name)]
    exemptions = [name for name in guards.names if guards.is_exemption(name)]
    return RouteGuards(
        tuple(dict.fromkeys(deciding)),
        tuple(dict.fromkeys(exemptions)),
        guards.access == OPEN,
        guards.csrf > 1,
    )


def possible_guards(document: Metadata) -> tuple[str, ...]:
    """Return the middleware of the application that may guard every route, by the words of their names."""
    return tuple(
        name
        for name in document.middleware
        if name not in _KNOWN and name not in _CSRF_NAMES and is_guard(name, "middleware")
    )


def _decides(name: str) -> bool:
    """Return whether a guard may refuse a user, rather than identify the user or check for forged requests."""
    return name not in _CSRF_NAMES and _KNOWN.get(name.partition("(")[0]) != frozenset()


class _Guards:
    """What one route asks for."""

    def __init__(self, own: Steps, application: Iterable[str]) -> None:
        steps = [*((name, "middleware") for name in application), *own]
        self.names = tuple(name for name, kind in steps if is_guard(name, kind) or name in _CSRF_NAMES)
        self.csrf = _csrf_level(self.names)
        self.access = OPEN
        exempt = "login_not_required" in self.names
        for name in self.names:
            if (
                name in _CSRF_NAMES
                or self.is_exemption(name)
                or (exempt and name == "LoginRequiredMiddleware")
            ):
                continue
            self.access = _both(self.access, _formula(name))
        self.exemptions = frozenset(
            name for name in self.names if self.is_exemption(name) and name not in _CSRF_NAMES
        )

    @staticmethod
    def is_exemption(name: str) -> bool:
        """Return whether the step opens a route rather than guarding it."""
        return _EXEMPTION.search(name) is not None


def _of_access(before: _Guards, after: _Guards) -> str:
    weaker = _implies(before.access, after.access) and before.exemptions <= after.exemptions
    stronger = _implies(after.access, before.access) and after.exemptions <= before.exemptions
    if weaker and stronger:
        return ""
    return "loosened" if weaker else "tightened" if stronger else "changed"


def _of_csrf(before: _Guards, after: _Guards) -> str:
    if before.csrf == after.csrf:
        return ""
    return "loosened" if after.csrf < before.csrf else "tightened"


def _csrf_level(names: Iterable[str]) -> int:
    """Return 0 for an exemption, 1 for no check, 2 for a check; the innermost decorator decides."""
    level = 1
    for name in names:
        if name in _CSRF_CHECKS:
            level = 2
        elif name == "csrf_exempt":
            level = 0
    return level


def _implies(first: Formula, second: Formula) -> bool:
    return all(any(weaker <= alternative for weaker in second) for alternative in first)


def _both(first: Formula, second: Formula) -> Formula:
    return _shortest(one | other for one in first for other in second)


def _shortest(alternatives: Iterable[frozenset[str]]) -> Formula:
    """Drop alternatives that ask for more than another one; at most 64 are kept, the least demanding."""
    found: list[frozenset[str]] = []
    for one in sorted(set(alternatives), key=lambda each: (len(each), sorted(each))):
        if not any(other <= one for other in found):
            found.append(one)
    return frozenset(found[:64])


def _formula(text: str) -> Formula:
    tokens = iter([*(match[1] for match in _TOKEN.finditer(text)), ""])
    parser = _Parser(tokens)
    return parser.alternatives()


class _Parser:
    """Reads `(A & B) | ~C` of REST framework and `A and B or none` of OpenAPI."""

    def __init__(self, tokens: Iterator[str]) -> None:
        self._tokens = tokens
        self._next = next(tokens)

    def _advance(self) -> str:
        token, self._next = self._next, next(self._tokens, "")
        return token

    def alternatives(self) -> Formula:
        found = self._conjunction()
        while self._next in ("|", "or"):
            self._advance()
            found = _shortest([*found, *self._conjunction()])
        return found

    def _conjunction(self) -> Formula:
        found = self._one()
        while self._next in ("&", "and"):
            self._advance()
            found = _both(found, self._one())
        return found

    def _one(self) -> Formula:
        token = self._advance()
        if token == "(":
            found = self.alternatives()
            self._advance()
            return found
        if token == "~":
            return frozenset([frozenset([f"not {sorted(map(sorted, self._one()))}"])])
        return frozenset([_requirements(token)])


def _requirements(step: str) -> frozenset[str]:
    name, _, inside = step.partition("(")
    parameters = [part.strip() for part in inside.rstrip(")").split(",") if part.strip()]
    if name == "none" or "optional" in parameters:
        return frozenset()
    known = _KNOWN.get(name)
    if known is None:
        return frozenset([f"step {step}"])
    return known | {f"permission {part}" for part in parameters if name in _WITH_PARAMETERS}
