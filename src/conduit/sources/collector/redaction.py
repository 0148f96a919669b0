"""Values as text: simple values as written, callables by name, secrets redacted by their name and by their form."""

from __future__ import annotations

import datetime
import decimal
import enum
import functools
import math
import re
import uuid
from collections import Counter
from itertools import pairwise
from pathlib import PurePath
from typing import Any

from .static_access import is_a, is_class, text

REDACTED = "<redacted>"
_LONGEST = 200
_LONGEST_READ = 20_000
"""Of a value only its beginning is shown, so only so many characters of it are read."""
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
_SECRET_WORDS = (
    r"pass(?:word|wd|phrase|code)?|pwd|secret|token|credential|auth|authorization|bearer|cookie|jwt|otp|dsn|sid|"
    r"api_?key|access_?key|private_?key|signing_?key|secret_?key|session_?(?:key|id)|csrf_?token|encryption_?key"
)
_SECRET_PART = re.compile(rf"(?:^|[_\W])(?:{_SECRET_WORDS})s?\d*(?:$|[_\W])", re.IGNORECASE)
# Facts about a secret are none themselves.
_ABOUT = re.compile(
    r"[_\W](?:type|ur[il]|uri|path|name|header|scheme|backend|class|classes|algorithm|field|prefix|suffix|length|"
    r"size|count|limit|min|max|ttl|lifetime|timeout|expir\w*|age|required|enabled|method|model|policy|format|"
    r"samesite|domain)$",
    re.IGNORECASE,
)
_CAMEL = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")

# Every quantifier is bounded or starts behind a boundary, so that the time stays linear in the length of the text.
_USERINFO = re.compile(r"(?<=://)(?P<secret>[^\s/'\"<>]{1,1000})@")
_PLAIN_USER = re.compile(r"[A-Za-z_.-]{1,20}")
_NAMED = re.compile(
    r"(?<![A-Za-z0-9_.-])(?P<name>[A-Za-z][A-Za-z0-9_.-]{0,60})(?P<sign>['\"]?\s{0,3}(?:=|:(?!//))\s{0,3})"
)
_ASSIGNED = re.compile(r"\"[^\"\n]{1,1000}\"|'[^'\n]{1,1000}'|[^\s,;&'\"<>()\[\]{}]{1,1000}")
_SCHEME = re.compile(
    r"\b(?:Bearer|Basic|Token|Digest|ApiKey)\s{1,3}(?P<secret>[A-Za-z0-9._~+/=-]{6,2000})", re.IGNORECASE
)
_WEBHOOK = re.compile(
    r"(?:hooks\.slack\.com/(?:services|workflows)|discord(?:app)?\.com/api/webhooks|api\.telegram\.org/bot|"
    r"[\w.-]{1,80}\.webhook\.office\.com/webhookb2|chat\.googleapis\.com/v1/spaces|hooks\.zapier\.com/hooks)"
    r"(?P<secret>[^\s'\"<>]{1,500})"
)
# Shapes that their issuers publish so that scanners can find them, and keys in PEM.
_SHAPE = re.compile(
    r"(?P<secret>-----BEGIN [A-Z ]{0,40}PRIVATE KEY|\bAKIA[0-9A-Z]{16}\b|\bgh[pousr]_[A-Za-z0-9]{20,255}|"
    r"\bgithub_pat_\w{20,255}|\bglpat-[\w-]{16,255}|\bxox[abprs]-[\w-]{10,255}|"
    r"\bsk[-_](?:live|test|proj|ant)?[-_]?[A-Za-z0-9_-]{20,255}|\beyJ[\w-]{10,2000}\.eyJ[\w-]{10,4000}\.[\w-]{1,2000}|"
    r"\bdjango-insecure-\S{1,200}|\bAIza[0-9A-Za-z_-]{30,100})"
)
_LONG_WORD = re.compile(r"(?<![\w+-])(?P<secret>[A-Za-z0-9_+/-]{32,}={0,2})(?![\w+=-])")
_CLASS_STAYS = re.compile(r"(?:[a-z](?=[a-z])|[A-Z](?=[A-Z])|[0-9](?=[0-9]))")
_HEX = re.compile(r"[0-9a-f]+|[0-9A-F]+")
_UUID = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)
_CLASS_CHANGE = re.compile(r"(?:[a-z](?=[A-Z0-9])|[A-Z](?=[a-z0-9])|[0-9](?=[A-Za-z]))")
_PLACEHOLDERS = frozenset(
    ("none", "null", "true", "false", "str", "string", "...", "…", "xxx", "***", "required", "optional")
)
_LEAST_ENTROPY_BITS = 3.5
_LEAST_ENTROPY_BITS_OF_HEX = 2.8
_LEAST_ENTROPY_BITS_OF_BASE64 = 4.0
_LEAST_CHANGES = (
    0.42  # between small letters, capitals and digits; random text has 0.65, names in camel case 0.3
)


def looks_secret(name: str) -> bool:
    """Return whether a setting, field or argument with this name usually holds a secret."""
    plain = _CAMEL.sub("_", name[:200])
    return _SECRET_PART.search(plain) is not None and _ABOUT.search(plain) is None


def _entropy_bits(word: str) -> float:
    """Return the entropy of the word's characters, in bits per character."""
    return -sum(n / len(word) * math.log2(n / len(word)) for n in Counter(word).values())


def _is_random(word: str) -> bool:
    """Return whether a word without separators has as many different characters as a random one."""
    digits = len(re.findall(r"\d", word))
    least = _LEAST_ENTROPY_BITS_OF_HEX if _HEX.fullmatch(word) else _LEAST_ENTROPY_BITS
    return 3 <= digits < len(word) and _entropy_bits(word) >= least and not _is_alphabet(word)


def _is_alphabet(word: str) -> bool:
    """Return whether most characters are successors of the previous one, as in `ABCDEFGHIJKLMNOPQRSTUVWXYZ234567`."""
    return sum(ord(second) - ord(first) == 1 for first, second in pairwise(word)) > len(word) / 2


def _is_token(word: str) -> bool:
    """Return whether a long word is random, possibly with symbols in it, as in base64."""
    sample = word[:200]
    if _UUID.fullmatch(sample):
        return False
    if any(len(piece) >= 32 and _is_random(piece) for piece in re.split("[-_/]", sample)):
        return True
    if not re.search(r"\d", sample):  # a name in camel case
        return False
    changes, same = len(_CLASS_CHANGE.findall(sample)), len(_CLASS_STAYS.findall(sample))
    return (
        changes >= _LEAST_CHANGES * (changes + same)
        and _entropy_bits(sample) >= _LEAST_ENTROPY_BITS_OF_BASE64
    )


class Redactor:
    """Turns values into text without secrets, by name and by form, in time linear in their length.

    `secrets` are texts that must not appear in any value shown; those shorter than 6 characters are ignored, since they
    would match ordinary words. `allowed` are values that are shown although they look secret. `count` is the number of
    redacted values.
    """

    def __init__(self, secrets: Any = (), allowed: Any = ()) -> None:
        self._secrets: list[str] = []
        self._allowed = frozenset(allowed)
        self.count = 0
        self.add(secrets)

    def add(self, secrets: Any) -> None:
        """Add texts that must not be shown."""
        known = {text for text in secrets if type(text) is str and len(text) >= 6} - self._allowed
        self._secrets = sorted(known.union(self._secrets), key=lambda text: (-len(text), text))

    def text(self, text: str) -> str:
        """Return the text without the secrets in it; for texts that a person wrote."""
        if text in self._allowed:
            return text
        for secret in self._secrets:
            if secret in text:
                self.count += text.count(secret)
                text = text.replace(secret, REDACTED)
        if "@" in text:
            text = _USERINFO.sub(self._user, text)
        text = _WEBHOOK.sub(self._hidden, text)
        text = _SCHEME.sub(self._credentials, text)
        text = _SHAPE.sub(self._hidden, text)
        if "=" in text or ":" in text:
            text = self._assigned(text)
        return _LONG_WORD.sub(self._random, text) if len(text) >= 32 else text

    def named(self, text: str, name: str) -> str:
        """Return the text without secrets; if the name of its holder is that of a secret, redact it completely."""
        if text and looks_secret(name) and text not in self._allowed:
            self.count += 1
            return REDACTED
        return self.text(text)

    def _hidden(self, found: re.Match[str]) -> str:
        secret = found["secret"]
        if secret in self._allowed or found[0] in self._allowed:
            return found[0]
        self.count += 1
        start, end = found.start("secret") - found.start(), found.end("secret") - found.start()
        return found[0][:start] + REDACTED + found[0][end:]

    def _user(self, found: re.Match[str]) -> str:
        """Hide a password, and a token in place of a user; keep a plain user name, and a regular expression."""
        secret = found["secret"]
        is_pattern = secret.startswith("(?") or "[^" in secret
        return found[0] if is_pattern or _PLAIN_USER.fullmatch(secret) else self._hidden(found)

    def _credentials(self, found: re.Match[str]) -> str:
        return self._hidden(found) if re.search(r"\d", found["secret"]) else found[0]

    def _assigned(self, text: str) -> str:
        """Hide the text after a secret name and `=` or `:`."""
        written: list[str] = []
        copied = position = 0
        while name := _NAMED.search(text, position):
            position = name.end()
            value = _ASSIGNED.match(text, position) if looks_secret(name["name"]) else None
            if value is not None and self._is_assigned_secret(name["sign"], value[0]):
                self.count += 1
                written += (text[copied : value.start()], REDACTED)
                copied = position = value.end()
        return "".join((*written, text[copied:]))

    def _is_assigned_secret(self, sign: str, value: str) -> bool:
        secret = value.strip("'\"")
        if not secret or secret.lower() in _PLACEHOLDERS or secret[0] in "<{$[*%" or secret in self._allowed:
            return False
        # `token: the token` is prose; a value behind a colon has a digit or stands in quotes
        return "=" in sign or value[0] in "'\"" or re.search(r"\d", secret) is not None

    def _random(self, found: re.Match[str]) -> str:
        return self._hidden(found) if _is_token(found["secret"]) else found[0]

    def value(self, value: Any, name: str = "") -> str:
        """Return the value as written in code, at most 200 characters; `name` is the name of its holder.

        Callables are named and never called. An object that is neither simple nor callable is named by its class, since
        its repr is the application's code and may contain addresses, which differ from run to run.
        """
        if type(value) is str and value in self._allowed:
            return repr(value)[:_LONGEST]
        if is_a(value, (str, bytes)) and value and looks_secret(name):
            self.count += 1
            return REDACTED
        written = self.text(_written(value)[:_LONGEST_READ])
        return written if len(written) <= _LONGEST else written[: _LONGEST - 1] + "…"


# A string or comment of Python source with the name that it is assigned to, if any. A string that a cut leaves open
# ends where the text does, so that the ones behind it are not taken for code.
_LITERAL = re.compile(
    r"""(?:(?<!\w)(?P<name>\w{1,60})(?P<sign>['"]?\s{0,3}(?:=(?!=)|:)\s{0,3}))?(?P<prefix>\b[rbuf]{1,2}(?=['"]))?"""
    r"""(?:(?P<quote>\"{3}|'{3})(?P<long>(?:[^\\]|\\.)*?)(?:(?P=quote)|\Z)"""
    r"""|"(?P<double>(?:[^"\\\n]|\\.)*)"|'(?P<single>(?:[^'\\\n]|\\.)*)'|(?P<comment>\#[^\n]*))""",
    re.IGNORECASE | re.DOTALL,
)


_LITERAL_GROUPS = ("long", "double", "single", "comment")
_NAMES_NEXT = re.compile(r"['\"]\s{0,3}[:,]\s{0,3}[rbufRBUF]{0,2}")
_LOOKS_UP = re.compile(r"\b(?:get|getenv|pop|setdefault|env|config|str)\(\s*$")


class CodeRedactor(Redactor):
    """Redacts source code: strings and comments by name and shape, the code around them by shape only.

    `password = forms.CharField()` stays; of `password = "hunter2"` and of `"password=hunter2"` the value goes.
    """

    def _assigned(self, text: str) -> str:
        written: list[str] = []
        copied, name = 0, ""
        for found in _LITERAL.finditer(text):
            group = next(each for each in _LITERAL_GROUPS if found[each] is not None)
            key = name if _NAMES_NEXT.fullmatch(text, copied, found.start()) else ""
            named = looks_secret(found["name"] or key) and group != "comment"
            content = found[group]
            shown = self._whole(content) if named else super()._assigned(content)
            written += (text[copied : found.start(group)], shown)
            copied = found.end(group)
            # `"api_key": "…"` and `environ.get("API_KEY", "…")`: this string names the next one.
            is_default = _LOOKS_UP.search(text, max(0, found.start() - 40), found.start())
            name = content if text[copied + 1 : copied + 4].lstrip()[:1] == ":" or is_default else ""
        return "".join((*written, text[copied:]))

    def _whole(self, content: str) -> str:
        plain = content.strip()
        # The value is a text for people or a placeholder: it has spaces, or stands for another one.
        if (
            not plain
            or plain.lower() in _PLACEHOLDERS
            or plain[0] in "<{$[*%"
            or plain in self._allowed
            or " " in plain
        ):
            return super()._assigned(content)
        self.count += 1
        return REDACTED


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
