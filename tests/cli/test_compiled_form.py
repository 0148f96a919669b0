"""The compiled form of a large document: the same answers as the document, and never in the way."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from benchmarks.documents import rich_document
from conduit.cli import introspect
from conduit.cli.introspect.compiling import compile_document
from conduit.cli.introspect.data import print_arrays, print_data
from conduit.cli.introspect.question import Question
from conduit.cli.introspect.records import selected_records, stored_records
from conduit.errors import ConduitError
from conduit.metadata import compiled, compiled_file
from conduit.metadata.compiled_file import packed_numbers
from conduit.metadata.registry import load

Run = Callable[..., subprocess.CompletedProcess[str]]

OFF = {**os.environ, "CONDUIT_COMPILED": "off"}

PARTS = [
    "names",
    "relations",
    "routes",
    "resources",
    "diagram",
    "tasks",
    "compared",
    "answer:stats",
    "answer:patterns",
    "answer:rare patterns",
    "answer:open routes",
    "answer:possible guards",
    "answer:own routes",
    "columns:routes",
    "answer:warnings",
    "text:routes",
    "text:resources",
]


@pytest.fixture
def large(tmp_path: Path) -> Path:
    document = tmp_path / "metadata.json"
    document.write_bytes(rich_document(200))
    assert document.stat().st_size > compiled_file.SMALLEST_BYTES
    return document


def form_of(document: Path) -> Path:
    return Path(compiled_file.compiled_path(str(document)))


def asked(run: Run, document: Path, *words: str, **options: object) -> tuple[int, str, str]:
    done = run("introspect", *words, "--metadata", str(document), **options)
    return done.returncode, done.stdout, done.stderr


QUESTIONS = [
    ["resources"],
    ["resources", "--sort", "fields"],
    ["resources", "--format", "json"],
    ["resource", "NAME"],
    ["resource", "NAME", "--format", "json"],
    ["resource", "NAME", "--verbose"],
    ["resource", "Nobody"],
    ["routes"],
    ["routes", "--all"],
    ["routes", "--sort", "path"],
    ["routes", "--verbose"],
    ["routes", "--resource", "NAME", "--sort", "path"],
    ["routes", "--resource", "NAME"],
    ["routes", "--resource", "NAME", "--method", "post", "--verbose"],
    ["routes", "--resource", ""],
    ["routes", "--method", "Post"],
    ["routes", "--method", "none", "--all"],
    ["routes", "--middleware", "auth"],
    ["routes", "--resource", "Nobody"],
    ["routes", "--format", "json"],
    ["routes", "--format", "yaml", "--all", "--verbose"],
    ["routes", "--format", "json", "--method", "post", "--sort", "path"],
    ["routes", "--format", "json", "--path", "/none"],
    ["routes", "--format", "yaml", "--resource", "NAME"],
    ["routes", "--open", "--method", "get"],
    ["routes", "--open", "--all", "--sort", "handler"],
    ["routes", "--open", "--format", "json", "--sort", "name"],
    ["routes", "--without", "auth", "--sort", "method", "--verbose"],
    ["routes", "--without", "autj"],
    ["routes", "--middleware", "none"],
    ["routes", "--path", "*:id", "--handler", "*.Update"],
    ["routes", "--handler", "nowhere", "--format", "yaml"],
    ["routes", "--match", "GET /none"],
    ["routes", "--match", "nothing"],
    ["routes", "--match", "BREW /order0s/5"],
    ["routes", "--match", "/order0s/5", "--format", "json"],
    ["routes", "--match", "/order0s/5", "--sort", "resource"],
    ["deps", "NAME", "--depth", "0"],
    ["deps", "NAME", "--format", "json"],
    ["impact", "NAME", "--all"],
    ["impact", "NAME", "--format", "json"],
    ["cycles"],
    ["patterns"],
    ["patterns", "--min-frequency", "1"],
    ["patterns", "--min-frequency", "40"],
    ["patterns", "--format", "json"],
    ["stats"],
    ["stats", "--format", "json"],
    ["stats", "--verbose"],
    ["patterns", "--verbose"],
    ["resources", "--verbose"],
    ["impact", "NAME", "--verbose"],
    ["tasks"],
    ["diagram", "NAME"],
    ["diagram", "--around", "NAME", "--keys-only", "--format", "dot"],
]


def answer(capfd: pytest.CaptureFixture[str], *words: str) -> tuple[str, str, str]:
    """What a question prints in this process: standard output, standard error, the error that it ends with."""
    trouble = ""
    try:
        introspect.run([*words])
    except ConduitError as error:
        trouble = str(error)
    sys.stdout.flush()
    return (*capfd.readouterr(), trouble)


def test_every_question_has_the_same_answer_from_the_compiled_form(
    large: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    name = load(large).resources()[7].name
    compile_document(
        str(large), compiled_file.stamp_of(large.stat()), load(large), [*PARTS, f"resource:{name}"]
    )
    written = form_of(large).read_bytes()
    for given in QUESTIONS:
        words = [*(word.replace("NAME", name) for word in given), "--metadata", str(large)]
        monkeypatch.setenv("CONDUIT_COMPILED", "off")
        expected = answer(capfd, *words)
        monkeypatch.delenv("CONDUIT_COMPILED")
        assert answer(capfd, *words) == expected, words
    assert form_of(large).read_bytes() == written


def test_filters_of_routes_decode_no_records(
    large: Path, capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    compile_document(str(large), compiled_file.stamp_of(large.stat()), load(large), PARTS)
    name = load(large).resources()[7].name
    decoded: list[str] = []
    monkeypatch.setattr(Question, "load_document", lambda self, path: decoded.append(path))
    monkeypatch.setattr(Question, "_compiled_part", lambda self, part: decoded.append(part))
    asked = [words for words in QUESTIONS if words[0] == "routes" and not {"Nobody", ""}.intersection(words)]
    assert len(asked) > 20
    for words in asked:
        answer(capfd, *(word.replace("NAME", name) for word in words), "--metadata", str(large))
        assert not decoded, words


def test_cells_that_were_escaped_are_not_compared_with_a_filter(
    large: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    document = json.loads(large.read_text())
    document["routes"][3]["path"] = "/a\u0007b"
    large.write_text(json.dumps(document))
    words = ["routes", "--path", "/a\u0007b", "--metadata", str(large)]
    first = answer(capfd, *words)
    assert r"/a\x07b" in first[0]
    assert answer(capfd, *words) == first


def parts_of(document: Path) -> set[str]:
    form = compiled_file.open_compiled(str(document))
    assert form is not None
    names = {name.partition(":")[0] if name.startswith("resource:") else name for name in form.names()}
    form.close()
    return names


def test_a_question_adds_what_it_would_have_taken_and_nothing_else(
    large: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    document = json.loads(large.read_text())
    large.write_text(json.dumps({**document, "middleware": ["ExternalAuthMiddleware"]}))
    name = load(large).resources()[7].name
    known: set[str] = set()
    for words, added in (
        (["cycles"], {"relations"}),
        (["impact", name], set()),
        (["routes", "--path", "/*"], {"routes", "columns:routes", "answer:own routes"}),
        (["routes"], set()),
        (["routes", "--sort", "path", "--verbose"], {"answer:warnings"}),
        (["stats"], {"answer:stats"}),
        (["routes", "--open"], {"answer:open routes", "answer:possible guards"}),
        (["routes", "--format", "json", "--open", "--method", "post"], {"text:routes", "ends:routes"}),
        (["routes", "--open", "--verbose"], set()),
        (["resource", name], {"names", "resource"}),
        (["resource", "Nobody"], set()),
        (["diff", "LARGE", "LARGE"], {"compared", "compared resources", "compared routes", "deletions"}),
        (["patterns"], {"answer:patterns"}),
        (["path", name, name], set()),
    ):
        arguments = [str(large) if word == "LARGE" else word for word in words]
        arguments += ["--metadata", str(large)]
        first = answer(capfd, *arguments)
        known |= added
        assert parts_of(large) == known, words
        assert answer(capfd, *arguments) == first, words


def test_a_question_for_which_no_form_is_read_writes_none(large: Path, conduit_command: Run) -> None:
    assert asked(conduit_command, large, "routes", "--profile", os.devnull, "--format", "json")[0] == 1
    assert asked(conduit_command, large, "resource", "Nobody", env=OFF)[0] == 1
    assert not form_of(large).exists()


def test_parts_of_an_earlier_state_of_the_document_are_not_kept(large: Path, conduit_command: Run) -> None:
    asked(conduit_command, large, "cycles")
    large.write_bytes(rich_document(210))
    asked(conduit_command, large, "stats")
    assert parts_of(large) == {"answer:stats", "answer:warnings"}


def test_a_form_is_rebuilt_when_its_document_changes(large: Path, conduit_command: Run) -> None:
    first = asked(conduit_command, large, "stats")
    os.utime(large, ns=(large.stat().st_atime_ns, large.stat().st_mtime_ns))
    large.write_bytes(rich_document(210))
    second = asked(conduit_command, large, "stats")
    assert first != second
    assert asked(conduit_command, large, "stats") == second
    form = compiled_file.open_compiled(str(large))
    assert form is not None
    form.close()


@pytest.mark.parametrize("positions", [[], [0], [2], [0, 1, 2], [0, 2], [2, 1, 0], [1, 2], [0, 1, 0, 1]])
def test_records_are_cut_out_of_the_text_in_any_order(positions: list[int]) -> None:
    records = [{"at": 0}, {"at": 1, "text": "a,b]"}, {"at": 2}]
    text, ends = stored_records(records)
    parts = {"text:routes": text, "ends:routes": packed_numbers(ends)}
    found = selected_records(parts.get, "routes", positions)
    assert found is not None
    assert [record for array in found for record in json.loads(array)] == [records[at] for at in positions]


@pytest.mark.parametrize("form", ["json", "yaml"])
@pytest.mark.parametrize("count", [0, 1, 2, 5])
def test_records_printed_piece_by_piece_are_what_they_are_at_once(
    form: str, count: int, monkeypatch: pytest.MonkeyPatch, capsysbinary: pytest.CaptureFixture[bytes]
) -> None:
    monkeypatch.setattr("conduit.cli.introspect.records._PIECE_BYTES", 100)
    records = [{"path": f"/orders/<{at}>", "guards": ["a: b"] * at} for at in range(count)]
    text, ends = stored_records(records)
    parts = {"text:routes": text, "ends:routes": packed_numbers(ends)}
    found = selected_records(parts.get, "routes", range(count))
    assert found is not None
    arrays = [*found]
    assert len(arrays) == {0: 0, 1: 1, 2: 1, 5: 4}[count]  # the first two are short enough for one
    print_arrays(arrays, form)
    pieces = capsysbinary.readouterr().out
    print_data(records, form)
    assert pieces == capsysbinary.readouterr().out


def damaged(data: bytes) -> dict[str, bytes]:
    middle = len(data) // 2
    return {
        "empty": b"",
        "cut": data[:middle],
        "cut in the header": data[:40],
        "of another format": b"CONDUIT-COMPILED-9\n" + data[19:],
        "with a changed byte": data[:-100] + bytes([data[-100] ^ 1]) + data[-99:],
        "with all parts changed": data[:-200_000] + bytes(200_000),
        "foreign": os.urandom(5000),
    }


def test_a_damaged_or_foreign_form_is_ignored_and_replaced(large: Path, conduit_command: Run) -> None:
    expected = asked(conduit_command, large, "routes")
    good = form_of(large).read_bytes()
    for what, data in damaged(good).items():
        form_of(large).write_bytes(data)
        assert asked(conduit_command, large, "routes") == expected, what
        assert asked(conduit_command, large, "stats") == asked(conduit_command, large, "stats", env=OFF), what


def test_data_from_a_form_whose_records_are_damaged_is_read_from_the_document(
    large: Path, conduit_command: Run
) -> None:
    words = ("routes", "--format", "json", "--method", "post")
    expected = asked(conduit_command, large, *words)
    data = form_of(large).read_bytes()
    at = data.rindex(b'[{"method":')
    form_of(large).write_bytes(data[: at + 20] + b"?" + data[at + 21 :])
    assert asked(conduit_command, large, *words) == expected


def test_the_form_of_another_document_is_ignored(large: Path, conduit_command: Run, tmp_path: Path) -> None:
    other = tmp_path / "other.json"
    other.write_bytes(rich_document(205))
    asked(conduit_command, other, "stats")
    form_of(large).write_bytes(form_of(other).read_bytes())
    assert compiled_file.open_compiled(str(large)) is None
    assert asked(conduit_command, large, "stats") == asked(conduit_command, large, "stats", env=OFF)


def test_a_form_of_another_version_is_ignored(large: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    parts = compiled.document_parts(load(large).schema(), "names")
    assert compiled_file.write_compiled(str(large), compiled_file.stamp_of(large.stat()), parts)
    form = compiled_file.open_compiled(str(large))
    assert form is not None
    assert compiled.read_part(form, "names") is not None
    assert compiled.read_part(form, "of no such name") is None
    form.close()
    monkeypatch.setattr(compiled_file, "__version__", "0.0.0.other")
    assert compiled_file.open_compiled(str(large)) is None


def test_a_link_in_its_place_is_not_followed(large: Path, tmp_path: Path) -> None:
    assert compiled_file.write_compiled(str(large), compiled_file.stamp_of(large.stat()), {"names": b""})
    form_of(large).rename(tmp_path / "elsewhere")
    form_of(large).symlink_to(tmp_path / "elsewhere")
    assert compiled_file.open_compiled(str(large)) is None


def test_a_place_that_cannot_be_written_costs_only_the_time(
    large: Path, conduit_command: Run, monkeypatch: pytest.MonkeyPatch
) -> None:
    form_of(large).mkdir()  # a folder cannot be replaced by a file
    expected = asked(conduit_command, large, "stats", env=OFF)
    assert asked(conduit_command, large, "stats") == expected
    assert [path.name for path in large.parent.iterdir() if path.name.startswith("metadata")] == [
        "metadata.json",
        "metadata.json.compiled",
    ] or len(list(large.parent.glob("metadata*"))) == 2
    monkeypatch.setattr(os, "access", lambda *_, **__: False)
    assert not compiled_file.write_compiled(str(large), (), {})


def test_small_documents_and_pipes_leave_no_form(tmp_path: Path, conduit_command: Run) -> None:
    document = tmp_path / "metadata.json"
    document.write_bytes(rich_document(3))
    asked(conduit_command, document, "stats")
    assert not form_of(document).exists()


def changed(document: Path, kind: str) -> Path:
    """Return another version of a document, of another kind of change."""
    content = json.loads(document.read_bytes())
    resources, routes = content["resources"], content["routes"]
    writing = [route for route in routes if route["method"] in ("POST", "DELETE")]
    if kind == "parts":
        resources[3]["fields"][2]["type"] = "other|`<b>`"
        del resources[5]["fields"][4], resources[9], routes[20:25]
        resources.append({**resources[0], "name": "Newest"})
        routes[7]["handler"] = "Moved.here"
    elif kind == "deletions":
        for relationship in resources[4]["relationships"] + resources[6]["relationships"]:
            relationship["on_delete"] = (
                "cascade" if relationship.get("on_delete") != "cascade" else "restrict"
            )
    elif kind == "lost guards":
        writing[0]["middleware"] = []
        writing[1]["middleware"] = [*writing[1]["middleware"], "csrf_exempt"]
    elif kind == "unclear guards":
        writing[2]["middleware"] = ["require_owner"]
    elif kind == "middleware":
        content["middleware"] = ["gzip", "LoginRequiredMiddleware"]
    elif kind == "order":
        routes.reverse()
        resources.reverse()
    other = document.with_name(f"{kind}.json")
    other.write_text(json.dumps(content, separators=(",", ":")), encoding="utf-8")
    return other


KINDS = ["nothing", "parts", "deletions", "lost guards", "unclear guards", "middleware", "order"]


@pytest.mark.parametrize("kind", KINDS)
def test_a_comparison_by_forms_is_that_of_the_documents(kind: str, large: Path, conduit_command: Run) -> None:
    other = changed(large, kind)
    first = compared(conduit_command, large, other)
    assert form_of(large).exists()
    assert form_of(other).exists()
    assert (first[0], first[1]) == compared(conduit_command, large, other, env=OFF)[:2]
    back = [(other, large, ["--gate"])]
    forth = [
        (large, other, words)
        for words in ([], ["--format=json"], ["--format=yaml"], ["--format=markdown", "--gate"])
    ]
    for earlier, later, words in forth + back:
        expected = compared(conduit_command, earlier, later, *words, env=OFF)
        assert compared(conduit_command, earlier, later, *words) == expected, (earlier, words)


def compared(run: Run, old: Path, new: Path, *words: str, **options: object) -> tuple[int, str, str]:
    done = run("introspect", "diff", str(old), str(new), *words, **options)
    return done.returncode, done.stdout, done.stderr


def test_forms_close_the_gate_that_their_documents_close(large: Path, conduit_command: Run) -> None:
    other = changed(large, "lost guards")
    compared(conduit_command, large, other)
    status, _, errors = compared(conduit_command, large, other, "--gate")
    assert status == 1
    assert "gate closed: " in errors


def test_a_comparison_by_damaged_or_foreign_forms_is_that_of_the_documents(
    large: Path, conduit_command: Run
) -> None:
    other = changed(large, "parts")
    expected = compared(conduit_command, large, other)
    good = form_of(other).read_bytes()
    ruined = damaged(good)
    for part in (b"compared resources", b"compared routes", b"deletions"):
        at = good.index(part)  # the name in the header: its checksum is then wrong
        ruined[f"without {part.decode()}"] = good[:at] + b"x" + good[at + 1 :]
    facts = good.index(b"Moved.here")
    ruined["with changed facts"] = good[:facts] + b"X" + good[facts + 1 :]
    ruined["of the other document"] = form_of(large).read_bytes()
    for what, data in ruined.items():
        form_of(other).write_bytes(data)
        assert compared(conduit_command, large, other) == expected, what


def test_a_comparison_rebuilds_the_form_of_a_changed_document_only(large: Path, conduit_command: Run) -> None:
    other = changed(large, "parts")
    compared(conduit_command, large, other)
    kept = form_of(large).stat().st_ino
    before = form_of(other).read_bytes()
    other.write_bytes(changed(large, "deletions").read_bytes())
    expected = compared(conduit_command, large, other, env=OFF)
    assert compared(conduit_command, large, other) == expected
    assert form_of(large).stat().st_ino == kept
    assert form_of(other).read_bytes() != before
