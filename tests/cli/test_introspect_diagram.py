"""`conduit introspect diagram` and `path`: what the flags choose, and which pictures are refused."""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from conduit.cli import introspect
from conduit.errors import UsageError

Run = Callable[..., "subprocess.CompletedProcess[str]"]
Ask = Callable[..., str]


def resource(name: str, app: str, *targets: str) -> dict[str, Any]:
    keys = [{"name": target.lower(), "type": "ForeignKey", "nullable": False, "required": True,
             "details": {"references": target}} for target in targets]  # fmt: skip
    return {
        "name": name,
        "id": f"{app}.{name}",
        "kind": "django_model",
        "file_path": "",
        "fields": [
            {"name": "id", "type": "int", "nullable": False, "required": True, "details": {"primary_key": True}},
            {"name": "title", "type": "str", "nullable": False, "required": True},
            *keys,
        ],
        "relationships": [
            {"name": target.lower(), "type": "belongs_to", "target_resource": target, "on_delete": "cascade",
             "details": {}} for target in targets
        ],
    }  # fmt: skip


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Order → Customer → Country, and a hub with 60 resources around it in two other applications."""
    rows = [
        resource("Country", "people"),
        resource("Customer", "people", "Country"),
        resource("Order", "shop", "Customer"),
        resource("Hub", "audit"),
        *(resource(f"Log{n}", "audit" if n < 40 else "trace", "Hub") for n in range(60)),
    ]
    path = tmp_path_factory.mktemp("shop") / "metadata.json"
    path.write_text(json.dumps({"version": "1.0", "generated": "0001-01-01T00:00:00Z", "resources": rows}))
    return path


@pytest.fixture
def ask(shop: Path, capsys: pytest.CaptureFixture[str]) -> Ask:
    def asked(*words: str) -> str:
        assert introspect.run([*words, "--metadata", str(shop)]) == 0
        return capsys.readouterr().out

    return asked


def entities(text: str) -> list[str]:
    return re.findall(r'^  "(\w+)"(?: \{)?$', text, re.MULTILINE)


def test_around_depth_and_keys_only_choose_what_is_drawn(ask: Ask) -> None:
    near = ask("diagram", "--around", "Order", "--depth", "1", "--keys-only")
    assert entities(near) == ["Customer", "Order"]
    assert "title" not in near and "    int id PK" in near and "    ForeignKey customer FK" in near
    assert ask("diagram", "-around=Order", "-depth=1", "-keys-only") == near
    assert ask("diagram", "Order", "--keys-only") == near
    assert entities(ask("diagram", "--around", "shop.Order", "--depth", "2")) == [
        "Country",
        "Customer",
        "Order",
    ]
    assert "    str title" in ask("diagram", "--around", "Order")


@pytest.mark.parametrize("form", ["mermaid", "flowchart", "dot"])
def test_every_form_takes_them(ask: Ask, form: str) -> None:
    text = ask("diagram", "--around", "Order", "--keys-only", "--format", form)
    assert "customer (cascade)" in text and "Customer" in text
    assert "Country" not in text and "title" not in text


def test_a_part_of_the_application_is_drawn_alone(ask: Ask) -> None:
    assert entities(ask("diagram", "--app", "people")) == ["Country", "Customer"]
    assert entities(ask("diagram", "--around", "Customer", "--app", "people")) == ["Country", "Customer"]


def test_a_picture_that_is_too_large_is_refused_with_smaller_ones(
    conduit_command: Run, ask: Ask, shop: Path
) -> None:
    done = conduit_command("introspect", "diagram", "--metadata", str(shop))
    assert (done.returncode, done.stdout) == (2, "")
    assert "too large to be read: 64 boxes (at most 50)" in done.stderr
    ways = re.findall(r"^  (--.*?) +(\d+) box", done.stderr, re.MULTILINE)
    assert (
        len(ways) >= 4
        and any("--app" in way for way, _ in ways)
        and any("--around" in way for way, _ in ways)
    )
    for way, boxes in ways:
        assert len(entities(ask("diagram", *way.split()))) == int(boxes)


@pytest.mark.parametrize("form", ["mermaid", "flowchart", "dot", "svg"])
def test_every_form_refuses_and_can_be_forced(ask: Ask, form: str) -> None:
    around = ("--around", "Hub", "--depth", "0")
    with pytest.raises(
        UsageError, match=r"61 boxes \(at most 50\)(.|\n)*--app audit --keys-only +41 boxes(.|\n)*--force"
    ):
        ask("diagram", *around, "--format", form)
    if form != "svg":
        assert ask("diagram", *around, "--format", form, "--force").count("(cascade)") == 60


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("Order", "--around", "Customer"), "give one of them"),
        (("--depth", "2"), "name it with --around NAME"),
        (("--around", ""), "needs the name"),
        (("--around", "Order", "--depth", "-1"), "expected a number from 0"),
    ],
)
def test_flags_without_an_effect_are_refused(ask: Ask, words: tuple[str, ...], message: str) -> None:
    with pytest.raises(UsageError, match=message):
        ask("diagram", *words)


def test_a_path_is_shown_with_its_relationships(ask: Ask) -> None:
    assert ask("path", "Country", "shop.Order") == (
        "2 steps\n  Country ←[country, cascade]— Customer ←[customer, cascade]— Order\n"
    )
    found = json.loads(ask("path", "Order", "Country", "--dependencies", "--format", "json"))
    assert [path["resources"] for path in found["paths"]] == [["Order", "Customer", "Country"]]
    assert found["paths"][0]["steps"][0] == {
        "from": "Order",
        "to": "Customer",
        "relationships": ["customer"],
        "reverse": False,
        "on_delete": "cascade",
    }


def test_that_there_is_no_path_is_an_answer(ask: Ask) -> None:
    assert ask("path", "Order", "Hub") == "Order is not connected with Hub\n"
    assert ask("path", "Country", "Order", "--dependencies") == "Country does not depend on Order\n"


def test_a_path_from_a_resource_to_itself_is_a_wrong_call(ask: Ask) -> None:
    with pytest.raises(UsageError, match="introspect cycles"):
        ask("path", "Order", "Order")
