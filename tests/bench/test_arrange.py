"""The rows of benchstat: sorted by change, only the significant ones, as a page; and files that cannot be compared."""

from __future__ import annotations

import re
from html.parser import HTMLParser
from pathlib import Path

import pytest

from tests.bench.commands import Command


def write(path: Path, times: dict[str, float], cpu: str = "one") -> None:
    lines = [f"cpu: {cpu}"]
    for name, nanoseconds in times.items():
        lines += [f"Benchmark{name} 100 {nanoseconds * (1 + 0.001 * i)} ns/op" for i in range(6)]
    path.write_text("\n".join(lines) + "\n")


@pytest.fixture
def files(tmp_path: Path) -> Path:
    write(tmp_path / "old.txt", {"Same": 100, "Faster": 100, "Slower": 100, "Slowest": 100})
    write(tmp_path / "new.txt", {"Same": 100, "Faster": 50, "Slower": 120, "Slowest": 300})
    return tmp_path


def names(stdout: str) -> list[str]:
    return re.findall(r"^(S\w+|Faster)\b", stdout, re.MULTILINE)


@pytest.mark.parametrize(
    ("order", "expected"),
    [
        ("none", ["Same", "Faster", "Slower", "Slowest"]),
        ("delta", ["Slowest", "Slower", "Same", "Faster"]),
        ("-delta", ["Faster", "Same", "Slower", "Slowest"]),
        ("name", ["Faster", "Same", "Slower", "Slowest"]),
        ("-name", ["Slowest", "Slower", "Same", "Faster"]),
    ],
)
def test_rows_are_sorted_by_change_or_name(
    files: Path, conduit_command: Command, order: str, expected: list[str]
) -> None:
    run = conduit_command("benchstat", f"-sort={order}", "old.txt", "new.txt", cwd=files)
    assert names(run.stdout) == expected


def test_where_higher_is_better_the_largest_loss_is_first(tmp_path: Path, conduit_command: Command) -> None:
    for name, rates in (("old", {"A": 100.0, "B": 100.0}), ("new", {"A": 150.0, "B": 50.0})):
        write(tmp_path / f"{name}.txt", rates)
        path = tmp_path / f"{name}.txt"
        path.write_text(path.read_text().replace("ns/op", "MB/s"))
    run = conduit_command("benchstat", "-sort=delta", "old.txt", "new.txt", cwd=tmp_path)
    assert re.findall(r"^([AB])\b", run.stdout, re.MULTILINE) == ["B", "A"]


def test_only_significant_rows_are_shown_and_the_others_counted(
    files: Path, conduit_command: Command
) -> None:
    run = conduit_command("benchstat", "-only-significant", "old.txt", "new.txt", cwd=files)
    assert names(run.stdout) == ["Faster", "Slower", "Slowest"]
    assert "1 row without a significant difference not shown" in run.stderr


def test_hidden_rows_still_count_for_the_gate(files: Path, conduit_command: Command) -> None:
    run = conduit_command("benchstat", "-only-significant", "-gate", "old.txt", "new.txt", cwd=files)
    assert "of 4 comparisons" in run.stderr
    assert run.returncode == 1


class Texts(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []

    def handle_starttag(self, tag: str, attrs: object) -> None:
        self.tags.append(tag)


def test_the_page_is_one_file_with_the_verdicts_and_escapes_names(
    files: Path, conduit_command: Command
) -> None:
    for name in ("old", "new"):
        path = files / f"{name}.txt"
        path.write_text(path.read_text().replace("BenchmarkSame", "BenchmarkSame/<script>"))
    run = conduit_command("benchstat", "-format=html", "old.txt", "new.txt", cwd=files)
    page = Texts()
    page.feed(run.stdout)
    assert {"link", "script", "img"}.isdisjoint(page.tags)
    assert page.tags.count("tr") == 6  # a header, four benchmarks, the mean
    assert "Same/&lt;script&gt;" in run.stdout
    assert "major regression" in run.stdout
    assert "prefers-color-scheme: dark" in run.stdout


def test_files_of_different_processors_are_told_how_to_be_compared(
    tmp_path: Path, conduit_command: Command
) -> None:
    write(tmp_path / "old.txt", {"A": 100}, cpu="one")
    write(tmp_path / "new.txt", {"A": 100}, cpu="two")
    run = conduit_command("benchstat", "old.txt", "new.txt", cwd=tmp_path)
    assert "the files differ in cpu; -ignore cpu compares them" in run.stderr
    compared = conduit_command("benchstat", "-ignore=cpu", "old.txt", "new.txt", cwd=tmp_path)
    assert "vs base" in compared.stdout
    assert compared.stderr == ""


@pytest.mark.parametrize(
    ("flags", "says"),
    [(["-ignore=python"], True), (["-col=python"], True), (["-format=classic"], True), ([], False)],
)
def test_a_comparison_across_versions_of_python_says_that_it_is_one(
    flags: list[str], says: bool, tmp_path: Path, conduit_command: Command
) -> None:
    for name, version in (("old", "3.11.7"), ("new", "3.14.10")):
        write(tmp_path / f"{name}.txt", {"A": 100})
        whole = f"python: {version}\n{(tmp_path / f'{name}.txt').read_text()}"
        (tmp_path / f"{name}.txt").write_text(whole)
    run = conduit_command("benchstat", *flags, "old.txt", "new.txt", cwd=tmp_path)
    assert ("this compares Python 3.11.7 with 3.14.10" in run.stderr) is says
    assert ("nothing is compared" in run.stderr) is not says
    assert "Python" not in conduit_command("benchstat", *flags, "old.txt", "old.txt", cwd=tmp_path).stderr


def test_a_strict_gate_is_closed_by_a_benchmark_of_one_side_only(
    tmp_path: Path, conduit_command: Command
) -> None:
    write(tmp_path / "old.txt", {"A": 100, "B": 100})
    write(tmp_path / "new.txt", {"A": 100})
    assert conduit_command("benchstat", "-gate", "old.txt", "new.txt", cwd=tmp_path).returncode == 0
    run = conduit_command("benchstat", "-gate=strict", "old.txt", "new.txt", cwd=tmp_path)
    assert run.returncode == 1
    assert "closed: on one side only: B" in run.stderr
