"""Values as text that may be shown: simple values as written, callables by name, secrets not at all."""

from __future__ import annotations

import datetime
import decimal
import enum
import functools
import re
import uuid
from pathlib import PurePath
from typing import Any

from .static_access import is_a, is_class, text

REDACTED = "<redacted>"
_LONGEST = 200
_SIMPLE = (
    bool,
    int,
    float,
    complex,
    bytes,
    type(None),
    decimal.Decimal,
    datetime.date,
    datetime.time,
    datetime.timedelta,
    uuid.UUID,
    PurePath,
)
_SECRET_NAME = re.compile(
    r"(?:^|[_\W])(?:pass(?:word|wd|phrase)?|pwd|secret|token|api_?key|access_?key|private_?key|signing_?key|"
    r"secret_?key|credential|dsn)s?(?:$|[_\W])",
    re.IGNORECASE,
)
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_USERINFO = re.compile(
    r"(?P<scheme>[a-zA-Z][a-zA-Z0-9+.-]*://)(?P<user>[^/\s:@'\"]*):(?P<password>[^\s'\"]+)@(?=[^@\s]*)"
)
# Shapes that their issuers publish so that scanners can find them, and keys in PEM.
_SECRET_VALUE = re.compile(
    r"-----BEGIN [A-Z ]*PRIVATE KEY|\bAKIA[0-9A-Z]{16}\b|\bgh[pousr]_[A-Za-z0-9]{20,}|\bgithub_pat_\w{20,}|"
    r"\bglpat-[\w-]{16,}|\bxox[abprs]-[\w-]{10,}|\bsk[-_](?:live|test|proj|ant)?[-_]?[A-Za-z0-9_-]{20,}|"
    r"\beyJ[\w-]{10,}\.eyJ[\w-]{10,}\.[\w-]+|\bdjango-insecure-\S+|\bAIza[0-9A-Za-z_-]{30,}"
)
_RANDOM = re.compile(r"(?=[^\s]*\d)(?=[^\s]*[A-Za-z])[A-Za-z0-9+/=_-]{40,}")


def looks_secret(name: str) -> bool:
    """True when a setting, field or argument of this name usually holds something that must not be shown."""
    return _SECRET_NAME.search(_CAMEL.sub("_", name)) is not None


class Redactor:
    """Turns values into text; knows the application's own secrets, and never lets one through.

    `secrets` are texts that must not appear in any value shown; shorter ones than 6 characters are left out, since
    they would hit ordinary words.
    """

    def __init__(self, secrets: Any = ()) -> None:
        self._secrets: list[str] = []
        self.add(secrets)

    def add(self, secrets: Any) -> None:
        """Learns more texts that must not be shown."""
        known = {text for text in secrets if isinstance(text, str) and len(text) >= 6}
        self._secrets = sorted(known.union(self._secrets), key=lambda text: (-len(text), text))

    def text(self, text: str) -> str:
        """The text without the secrets in it; used on everything that a person wrote."""
        for secret in self._secrets:
            if secret in text:
                text = text.replace(secret, REDACTED)
        text = _USERINFO.sub(lambda found: found["scheme"] + REDACTED + "@", text)
        return _SECRET_VALUE.sub(REDACTED, text)

    def value(self, value: Any, name: str = "") -> str:
        """The value as it would be written, at most 200 characters; `name` is what it is the value of.

        Callables are named and never called; an object that is neither simple nor callable is named by its class,
        since its repr is the application's code and may hold addresses, which differ from run to run.
        """
        if is_a(value, (str, bytes)) and value and (looks_secret(name) or _is_random(value)):
            return REDACTED
        text = self.text(_written(value))
        return text if len(text) <= _LONGEST else text[: _LONGEST - 1] + "…"


def _is_random(value: Any) -> bool:
    text = value.decode("latin-1") if isinstance(value, bytes) else value
    return _RANDOM.fullmatch(text) is not None


def _written(value: Any) -> str:
    if is_a(value, enum.Enum):
        return f"{type(value).__qualname__}.{value.name}"
    if type(value) is str or is_a(value, _SIMPLE):
        return repr(value) if not is_a(value, PurePath) else repr(str(value))
    if is_a(value, str):  # a subclass may have any repr
        return repr(str.__str__(value))
    if is_a(value, dict):
        return "{" + ", ".join(f"{_written(key)}: {_written(item)}" for key, item in value.items()) + "}"
    if is_a(value, (set, frozenset)):
        return (
            "{" + ", ".join(sorted(_written(item) for item in value)) + "}"
            if value
            else f"{type(value).__name__}()"
        )
    if is_a(value, (list, tuple)):
        inner = ", ".join(_written(item) for item in value)
        return f"[{inner}]" if is_a(value, list) else f"({inner},)" if len(value) == 1 else f"({inner})"
    return _named(value)


def _named(value: Any) -> str:
    if is_a(value, functools.partial):
        return f"partial({_named(value.func)})"
    if is_class(value):
        return (
            value.__qualname__
            if value.__module__ == "builtins"
            else f"{value.__module__}.{value.__qualname__}"
        )
    name = text(value, "__qualname__")
    if callable(value) and name:
        module = text(value, "__module__")
        return f"{module}.{name}" if module and module != "builtins" else name
    return f"<{type(value).__module__}.{type(value).__qualname__}>"
