from __future__ import annotations

import pytest

from conduit.debug import Access
from conduit.debug.access import TOKEN_VARIABLE, require_token
from conduit.http.messages import Request


def refusal(access: Access, *, peer: str = "127.0.0.1", **headers: str) -> int | None:
    found = access.refusal(Request("GET", "/debug/pprof/", "", {"host": "localhost:6060", **headers}, peer))
    return found and found[0]


def test_this_machine_may_ask_by_a_local_name() -> None:
    assert refusal(Access()) is None
    assert refusal(Access(), peer="::1", host="[::1]:6060") is None
    assert refusal(Access(), peer="") is None  # a Unix socket


@pytest.mark.parametrize("peer", ["10.0.0.7", "203.0.113.9", "::ffff:10.0.0.7", "testclient"])
def test_another_machine_is_refused_unless_told_otherwise(peer: str) -> None:
    assert refusal(Access(), peer=peer) == 403
    assert refusal(Access(remote=True), peer=peer) is None


@pytest.mark.parametrize(
    "host", ["evil.example", "localhost.evil.example:6060", "127.0.0.1.evil.example", ""]
)
def test_a_foreign_host_name_is_refused_even_from_this_machine(host: str) -> None:
    assert refusal(Access(), host=host) == 403


def test_further_host_names_can_be_allowed_by_name_or_all_at_once() -> None:
    assert refusal(Access(hosts=("app.internal",)), host="app.internal:80") is None
    assert refusal(Access(hosts=("*",)), host="anything") is None


@pytest.mark.parametrize("header", ["", "Bearer wrong", "Basic secret", "Bearer", "secret"])
def test_a_token_must_be_borne_exactly(header: str) -> None:
    assert refusal(Access(token="secret"), authorization=header) == 401
    assert refusal(Access(token="secret"), authorization="Bearer secret") is None
    assert refusal(Access(token="secret"), authorization="bearer secret ") is None


def test_a_token_of_other_letters_than_ascii_is_compared_too() -> None:
    assert refusal(Access(token="sécret"), authorization="Bearer secret") == 401


def test_authorize_has_the_last_word_and_sees_the_request() -> None:
    seen: list[Request] = []

    def authorize(request: Request) -> bool:
        seen.append(request)
        return False

    assert refusal(Access(authorize=authorize)) == 403
    assert seen[0].path == "/debug/pprof/"
    assert refusal(Access(authorize=authorize), peer="10.0.0.7") == 403
    assert len(seen) == 1  # what is refused before is not asked about


@pytest.mark.parametrize("header", ["x-forwarded-for", "forwarded", "via", "x-real-ip"])
def test_a_forwarded_request_is_refused_even_with_the_token_unless_remote(header: str) -> None:
    headers = {header: "127.0.0.1", "authorization": "Bearer secret"}
    assert refusal(Access(token="secret"), **headers) == 403
    assert refusal(Access(token="secret", remote=True), **headers) is None


def test_a_page_of_another_origin_is_refused_even_with_the_token() -> None:
    for headers in ({"origin": "http://evil.example"}, {"sec_fetch_site": "cross-site"}):
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        assert refusal(Access(token="secret"), authorization="Bearer secret", **sent) == 403


def test_a_token_comes_from_the_argument_the_environment_or_is_made_and_printed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    said: list[str] = []
    monkeypatch.delenv(TOKEN_VARIABLE, raising=False)
    made = [require_token(None, said.append).token for _ in range(2)]
    assert made[0] != made[1]
    assert all(token and len(token) >= 32 and token in line for token, line in zip(made, said, strict=True))
    assert require_token(Access(token="given"), said.append).token == "given"
    monkeypatch.setenv(TOKEN_VARIABLE, "of the environment")
    assert require_token(Access(max_seconds=5), said.append) == Access(
        max_seconds=5, token="of the environment"
    )
    assert require_token(Access(open=True), said.append).token is None
    assert len(said) == 2


def test_an_empty_token_is_refused() -> None:
    with pytest.raises(ValueError, match="the token is empty"):
        Access(token="")
