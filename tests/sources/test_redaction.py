from __future__ import annotations

import base64
import datetime
import decimal
import enum
import functools
import uuid
from collections.abc import Callable
from random import Random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from conduit.sources.collector.redaction import REDACTED, Redactor, looks_secret


class Colour(enum.Enum):
    RED = "r"


class Loud:
    def __repr__(self) -> str:
        raise AssertionError("the repr of an application's object is not asked")

    def __call__(self) -> None:
        raise AssertionError("a default is not called")


def fresh() -> list[int]:
    raise AssertionError("a default is not called")


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        (3, "3"),
        ("open", "'open'"),
        (None, "None"),
        (Colour.RED, "Colour.RED"),
        (decimal.Decimal("1.50"), "Decimal('1.50')"),
        (datetime.timedelta(days=1), "datetime.timedelta(days=1)"),
        (uuid.UUID(int=0), "UUID('00000000-0000-0000-0000-000000000000')"),
        ({"b", "a"}, "{'a', 'b'}"),
        ((1,), "(1,)"),
        ({"k": [1, "x"]}, "{'k': [1, 'x']}"),
        (dict, "dict"),
        (fresh, "tests.sources.test_redaction.fresh"),
        (functools.partial(fresh), "partial(tests.sources.test_redaction.fresh)"),
    ],
)
def test_values_are_written_as_in_source_and_callables_by_name(value: Any, shown: str) -> None:
    assert (
        Redactor()
        .value(value)
        .replace("sources.test_redaction", "tests.sources.test_redaction")
        .replace("tests.tests.", "tests.")
        == shown
    )


def test_an_object_is_named_by_its_class_and_never_asked() -> None:
    assert Redactor().value(Loud()).endswith("test_redaction.Loud>")
    assert Redactor().value([Loud()]).startswith("[<")


@pytest.mark.parametrize(
    "name",
    ["password", "api_key", "apiKey", "SECRET_KEY", "db_dsn", "accessToken", "privateKeys", "user-token"],
)
def test_names_that_are_usually_secret_hide_their_texts(name: str) -> None:
    assert looks_secret(name)
    assert Redactor().value("hunter2!", name) == REDACTED


@pytest.mark.parametrize(
    "name", ["passenger", "tokenize", "keyboard", "author", "secretary", "compass", "key"]
)
def test_words_decide_not_substrings(name: str) -> None:
    assert not looks_secret(name)
    assert Redactor().value("plain", name) == "'plain'"


@pytest.mark.parametrize(
    "secret",
    [
        "ghp_0123456789abcdefghij0123456789abcdef",
        "AKIAABCDEFGHIJKLMNOP",
        "-----BEGIN RSA PRIVATE KEY-----",
        "xoxb-1234567890-abcdef",
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0In0.c2lnbmF0dXJl",
        "a1B2c3D4e5F6a1B2c3D4e5F6a1B2c3D4e5F6a1B2c3D4",
    ],
)
def test_texts_in_the_shape_of_keys_are_hidden_whatever_their_name(secret: str) -> None:
    assert secret not in Redactor().value(secret, "greeting")


@pytest.mark.parametrize("wrap", [lambda text: text, lambda text: [text], lambda text: {"url": (text,)}])
def test_passwords_in_addresses_are_hidden_at_any_depth(wrap: Callable[[str], Any]) -> None:
    shown = Redactor().value(wrap("postgres://me:hun@ter2@db:5432/shop"))
    assert "postgres://<redacted>@db:5432/shop" in shown
    assert "ter2" not in shown


@given(
    secret=st.text(st.characters(min_codepoint=33, max_codepoint=126), min_size=6, max_size=30),
    around=st.text(max_size=20),
)
def test_a_known_secret_never_appears_in_a_text(secret: str, around: str) -> None:
    if secret in REDACTED or REDACTED in secret:
        return
    shown = Redactor([secret]).text(around + secret + around)
    assert secret not in shown.replace(REDACTED, "")


def test_a_long_value_is_cut() -> None:
    assert len(Redactor().value("x y" * 500)) == 200


PLANTED = {
    "db": "postgresql://db/x?user=u&password=hunter2AAA",
    "link": "https://x/?token=hunter2BBB&a=1",
    "libpq": "host=db user=u password=hunter2CCC",
    "odbc": "Driver=x;UID=sa;PWD=hunter2DDD;",
    "header": "Bearer hunter2EEE",
    "text": "sessionid=hunter2FFF",
    "password1": "hunter2GGG",
    "db_url": "postgres://user:hunter2HHH@db/x",
    "hook": "https://hooks.slack.com/services/T000/B000/hunter2III",
    "auth": "hunter2JJJ",
    "cookie": "hunter2KKK",
    "jwt": "hunter2LLL",
    "otp": "hunter2MMM",
    "session_key": "hunter2NNN",
    "address": "https://hunter2OOO@host/x",
    "command": "curl -H 'Authorization: Bearer hunter2PPP' https://u:hunter2QQQ@x/",
    "quoted": 'connect(password="hunter2 RRR")',
    "nested": "url=https://x/?api_key=hunter2SSS",
}


@pytest.mark.parametrize("name", PLANTED)
def test_a_planted_secret_is_redacted_and_counted_and_shown_when_it_is_allowed(name: str) -> None:
    redactor = Redactor()
    assert "hunter2" not in redactor.value(PLANTED[name], name)
    assert redactor.count >= 1
    assert Redactor(allowed=[PLANTED[name]]).value(PLANTED[name], name) == repr(PLANTED[name])


@pytest.mark.parametrize(
    "text",
    [
        "token: the token to send with each request",
        "Basic authentication, or a Bearer token",
        "password=None",
        r"^(?:[a-z0-9.+-]*)://(?:[^\s:@/]+(?::[^\s:@/]*)?@)?(?:localhost)",
        "password=<password>",
        "ssh://git@github.com/x.git",
        "https://example.org/a/very/long/path/that/goes/on/and/on/2024/10/11/index.html",
        "/usr/lib/python3.11/site-packages/fastapi/security/oauth2.py",
        "a_long_identifier_of_many_words_with_the_number_2_in_it",
        "OAuth2AuthorizationCodeBearerDependencyFactory",
        "12345678901234567890123456789012345678901234567890",
    ],
)
def test_prose_addresses_and_identifiers_stay_as_they_are(text: str) -> None:
    redactor = Redactor()
    assert (redactor.text(text), redactor.count) == (text, 0)


@pytest.mark.parametrize(
    "name", ["token_type", "token_url", "password_min_length", "cookie_name", "auth_header", "jwt_lifetime"]
)
def test_what_is_said_about_a_secret_is_none(name: str) -> None:
    assert Redactor().value("bearer", name) == "'bearer'"


@pytest.mark.parametrize(
    "unit",
    ["a1", "eyJ-", "a:", "password=", "x@", "://a", "Bearer ", "a.", "'", "-----BEGIN ", "A1b2=", "=:"],
)
def test_long_texts_are_read_in_linear_time(unit: str) -> None:
    text = unit * (300_000 // len(unit))
    assert Redactor().text(text) is not None  # quadratic time would not end within an hour


def test_a_value_of_megabytes_is_shown_by_its_beginning() -> None:
    assert len(Redactor().value("data:image/png;base64," + "abcdefghij" * 400_000)) <= 200


KRATOS = "a19iOVAbdzdgl70Rq1QZmrKmcjDtdsviCTZx7m9a9yHIUS8Wa9T-QUgYqdQuoA_LF1phxgRCUfIrCLQOkolX5nv3ze_f=="


def test_a_token_with_signs_in_it_is_hidden_whole() -> None:
    assert Redactor().text(f"sent as `ory_kratos_session={KRATOS}`.") == (
        f"sent as `ory_kratos_session={REDACTED}`."
    )


@pytest.mark.parametrize(
    "make",
    [
        lambda random: base64.urlsafe_b64encode(random.randbytes(32)).rstrip(b"=").decode(),
        lambda random: base64.b64encode(random.randbytes(48)).decode(),
        lambda random: random.randbytes(16).hex(),
        lambda random: random.randbytes(32).hex().upper(),
    ],
    ids=["token_urlsafe", "base64", "hexadecimal", "hexadecimal, capitals"],
)
def test_of_a_thousand_random_tokens_at_most_one_in_a_hundred_is_shown(make: Callable[[Random], str]) -> None:
    random = Random(1)
    redactor = Redactor()
    shown = [
        token
        for token in (make(random) for _ in range(1000))
        if redactor.text(f"key {token}") != f"key {REDACTED}"
    ]
    assert len(shown) <= 10, shown


@pytest.mark.parametrize(
    "word",
    [
        "550e8400-e29b-41d4-a716-446655440000",
        "ABCDEFGHIJKLMNOPQRSTUVWXYZ234567",
        "removeAllConfigsNotInRuleStopState",
        "test_utf8_and_latin1_names_are_read_in_2_steps",
        "/usr/lib/python3.11/site-packages/django/contrib/auth/models",
        "django-contrib-auth-password-validation-2",
    ],
)
def test_names_paths_and_identifiers_are_no_tokens(word: str) -> None:
    assert Redactor().text(word) == word
