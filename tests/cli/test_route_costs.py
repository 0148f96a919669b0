"""`conduit introspect routes -profile`: what each route costs beside the table."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from conduit.cli.introspect.page_costs import cost_data
from conduit.cli.introspect.route_costs import read_costs
from conduit.errors import ConduitError
from conduit.metadata.codec import decode as decode_document
from conduit.metadata.codec import encode as encode_document
from conduit.metadata.schema import Metadata, Route
from conduit.profile.builder import ProfileBuilder
from conduit.profile.codec import decode, encode
from conduit.profile.model import ValueType

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path
    from subprocess import CompletedProcess

MS = 1_000_000
STACK = [("work", "app.py", 3, 1)]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    routes = (
        Route(method="GET", path="/cheap"),
        Route(method="GET", path="/orders/{id}", resource="Order"),
        Route(method="ANY", path="/any"),
        Route(method="POST", path="/any"),
        Route(method="GET", path="/idle"),
    )
    (tmp_path / "metadata.json").write_bytes(encode_document(Metadata(routes=routes)))
    cpu = {
        "GET /cheap": 50,
        "GET /orders/{id}": 300,
        "HEAD /orders/{id}": 100,
        "PUT /any": 150,
        "POST /any": 200,
        "(no route)": 120,
        "": 80,
    }
    _write(tmp_path / "cpu.prof", ("cpu", "nanoseconds"), {name: value * MS for name, value in cpu.items()})
    _write(tmp_path / "mutex.prof", ("delay", "nanoseconds"), {"GET /cheap": 30 * MS}, lock="app.py:1")
    return tmp_path


def _write(path: Path, kind: tuple[str, str], values: dict[str, int], **labels: str) -> None:
    builder = ProfileBuilder([ValueType("samples", "count"), ValueType(*kind)])
    for route, value in values.items():
        builder.add(STACK, [1, value], {"route": route, **labels})
    path.write_bytes(encode(builder.build()))


def test_the_table_has_a_column_for_each_profile_and_adds_up(
    folder: Path, conduit_command: Callable[..., CompletedProcess[str]]
) -> None:
    done = conduit_command(
        "introspect", "routes", "-profile", "cpu.prof", "-profile", "mutex.prof", cwd=folder
    )
    assert done.returncode == 0, done.stderr
    lines = [line.split() for line in done.stdout.splitlines()]
    assert lines[0] == ["METHOD", "PATH", "RESOURCE", "CPU", "LOCKS", "HELD"]
    assert lines[1:8] == [
        ["GET", "/orders/{id}", "Order", "400ms", "40.00%"],
        ["POST", "/any", "200ms", "20.00%"],
        ["ANY", "/any", "150ms", "15.00%"],
        ["GET", "/cheap", "50ms", "5.00%", "30ms", "100%"],
        ["GET", "/idle"],
        ["(no", "route)", "120ms", "12.00%"],
        ["(outside", "of", "requests)", "80ms", "8.00%"],
    ]
    assert "CPU: cpu of cpu.prof, 1s in all" in done.stdout


def test_as_json_each_route_has_its_costs(
    folder: Path, conduit_command: Callable[..., CompletedProcess[str]]
) -> None:
    done = conduit_command(
        "introspect", "routes", "-profile", "cpu.prof", "-format", "json", "-sort", "path", cwd=folder
    )
    answer: dict[str, Any] = json.loads(done.stdout)
    assert [f"{one['method']} {one['path']}" for one in answer["routes"]] == [
        "ANY /any",
        "POST /any",
        "GET /cheap",
        "GET /idle",
        "GET /orders/{id}",
    ]
    assert answer["routes"][4]["costs"] == [
        {"file": "cpu.prof", "type": "cpu", "unit": "nanoseconds", "value": 400 * MS, "percent": 40.0}
    ]
    assert [one["route"] for one in answer["others"]] == ["(no route)", "(outside of requests)"]
    everything = answer["routes"] + answer["others"]
    assert sum(one["costs"][0]["value"] for one in everything) == 1000 * MS


def test_a_filter_leaves_only_its_routes_and_their_share_of_the_whole(
    folder: Path, conduit_command: Callable[..., CompletedProcess[str]]
) -> None:
    done = conduit_command("introspect", "routes", "-resource", "Order", "-profile", "cpu.prof", cwd=folder)
    assert done.stdout.splitlines()[1].split() == ["GET", "/orders/{id}", "Order", "400ms", "40.00%"]
    assert "(no route)" not in done.stdout


def test_a_profile_without_route_labels_is_refused_with_the_remedy(
    folder: Path, conduit_command: Callable[..., CompletedProcess[str]]
) -> None:
    _write(folder / "plain.prof", ("cpu", "nanoseconds"), {"": MS})
    done = conduit_command("introspect", "routes", "-profile", "plain.prof", cwd=folder)
    assert done.returncode == 1
    assert done.stderr == (
        "conduit: plain.prof: no sample has the label 'route'; expected a profile of an application with route labels"
        " (conduit.middleware)\n"
    )
    missing = conduit_command("introspect", "routes", "-profile", "missing.prof", cwd=folder)
    assert missing.returncode == 1
    assert "missing.prof" in missing.stderr
    assert "Traceback" not in missing.stderr


def test_the_page_and_the_messages_hold_no_password_of_a_profile_s_address(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    source = "http://pprof:s3cret@localhost/debug/pprof/profile"
    file = "cpu.prof"
    monkeypatch.setattr(
        "conduit.cli.introspect.route_costs.read_profile", lambda _: decode((folder / file).read_bytes())
    )
    document = decode_document((folder / "metadata.json").read_bytes())
    data = cost_data(document, [source])
    assert [column["file"] for column in data["columns"]] == [source.replace("s3cret", "***")]
    assert "s3cret" not in json.dumps(data)
    _write(folder / "none.prof", ("cpu", "nanoseconds"), {})
    file = "none.prof"
    with pytest.raises(ConduitError) as raised:
        read_costs([source])
    assert "s3cret" not in str(raised.value)
    assert "pprof:***@localhost" in str(raised.value)
