"""A mounted endpoint behind the real nginx: its visitors come from this machine's address, whoever they are."""

from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from typing import TYPE_CHECKING

import pytest

from conduit.http.origin import cookie_value

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

NGINX = shutil.which("nginx") or shutil.which("/usr/sbin/nginx")
TOKEN = "the token of these tests"
SERVICE = """
import conduit.debug

def hello(environ, start_response):
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [b"hello"]

async def hello_async(scope, receive, send):
    if scope["type"] == "http":
        await send({"type": "http.response.start", "status": 200, "headers": []})
        await send({"type": "http.response.body", "body": b"hello"})

wsgi = conduit.debug.wsgi_app(hello)
asgi = conduit.debug.asgi_app(hello_async)
"""
SERVERS = {
    "gunicorn": ["-m", "gunicorn", "--threads", "2", "-b", "127.0.0.1:{port}", "service:wsgi"],
    "uvicorn": ["-m", "uvicorn", "--port", "{port}", "--lifespan", "off", "service:asgi"],
    "uvicorn-trusting": [
        *("-m", "uvicorn", "--port", "{port}", "--lifespan", "off", "--forwarded-allow-ips", "*"),
        "service:asgi",
    ],
}
# The default, as most sites have it, and the headers that the rest adds.
CONFIGURATION = """
daemon off; master_process off; pid {folder}/nginx.pid; error_log {folder}/nginx.log;
events {{ worker_connections 64; }}
http {{
  access_log off;
  client_body_temp_path {folder}/b; proxy_temp_path {folder}/p; fastcgi_temp_path {folder}/f;
  uwsgi_temp_path {folder}/u; scgi_temp_path {folder}/s;
  server {{ listen 127.0.0.1:{bare}; location / {{ proxy_pass http://127.0.0.1:{service}; }} }}
  server {{
    listen 127.0.0.1:{telling};
    location / {{
      proxy_set_header Host $http_host; proxy_set_header X-Forwarded-For $proxy_add_x_forwarded_for;
      proxy_pass http://127.0.0.1:{service};
    }}
  }}
}}
"""


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def ask(port: int, path: str = "cmdline", **headers: str) -> int:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    request = urllib.request.Request(f"http://127.0.0.1:{port}/debug/pprof/{path}", headers=named)
    try:
        with urllib.request.build_opener(NoRedirect).open(request, timeout=30) as response:
            return int(response.status)
    except urllib.error.HTTPError as refused:
        return refused.code


class NoRedirect(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *_: object) -> None:
        return None


@pytest.fixture(params=SERVERS)
def ports(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[dict[str, int]]:
    if NGINX is None:
        message = "no nginx on this machine (apt-get install nginx-light)"
        if os.environ.get("CONDUIT_REQUIRE_BROWSER"):
            pytest.fail(message)
        pytest.skip(message)
    (tmp_path / "service.py").write_text(SERVICE)
    ports = {name: free_port() for name in ("service", "bare", "telling")}
    (tmp_path / "nginx.conf").write_text(CONFIGURATION.format(folder=tmp_path, **ports))
    command = [sys.executable, *(word.format(port=ports["service"]) for word in SERVERS[request.param])]
    environment = {**os.environ, "CONDUIT_DEBUG_TOKEN": TOKEN, "PYTHONPATH": str(tmp_path)}
    with (tmp_path / "log").open("wb") as log:
        processes = [
            subprocess.Popen(command, cwd=tmp_path, env=environment, stdout=log, stderr=log),
            subprocess.Popen(
                [NGINX, "-c", f"{tmp_path}/nginx.conf", "-p", str(tmp_path)], stdout=log, stderr=log
            ),
        ]
        try:
            for port in (ports["service"], ports["bare"]):
                wait_for(f"http://127.0.0.1:{port}/", processes)
            yield ports
        finally:
            for process in processes:
                process.terminate()
            for process in processes:
                process.wait(30)


def wait_for(url: str, processes: list[subprocess.Popen[bytes]]) -> None:
    for _ in range(600):
        assert all(process.poll() is None for process in processes), "a server ended at its start"
        try:
            with urllib.request.urlopen(url, timeout=10) as response:
                assert response.read() == b"hello"
                return
        except (urllib.error.URLError, ConnectionError):
            time.sleep(0.05)
    raise AssertionError(f"{url} does not answer")


def test_no_visitor_of_a_proxy_is_answered_and_the_bearer_of_the_token_is(ports: dict[str, int]) -> None:
    refused = {
        "nginx's defaults": ask(ports["bare"]),
        "a wrong token": ask(ports["bare"], Authorization="Bearer guess"),
        "a wrong cookie": ask(ports["bare"], Cookie="conduit_debug=guess"),
        "the login without the token": ask(ports["bare"], "login"),
        "a local Host": ask(ports["telling"], Host="localhost"),
        "a forged peer": ask(ports["telling"], Host="localhost", X_Forwarded_For="127.0.0.1"),
        "a forged peer on the service's port": ask(ports["service"], X_Forwarded_For="127.0.0.1"),
        "a token, but forwarded": ask(ports["telling"], Host="localhost", Authorization=f"Bearer {TOKEN}"),
        "no token on this machine": ask(ports["service"]),
    }
    assert set(refused.values()) <= {401, 403}, refused
    assert ask(ports["service"], Authorization=f"Bearer {TOKEN}") == 200
    assert ask(ports["service"], Cookie=f"conduit_debug={cookie_value(TOKEN)}") == 200
    assert ask(ports["service"], f"login?token={TOKEN.replace(' ', '+')}") == 303
