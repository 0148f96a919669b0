"""The reader of pages is tested too: a page whose examples are wrong has to fail."""

from __future__ import annotations

import re
import socket
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests.docs.blocks import FreePorts, agrees, read_blocks, read_commands
from tests.docs.test_pages import PageRun

FOLDER = Path("/nowhere/at/all")
FRESH = "Type: cpu\nTime: 2026-11-23 00:38:45 UTC\n      flat  flat%   sum%        cum   cum%\n     {flat} {share} {share}      {flat} {share}  work\n"
"""A table from a profile taken just now."""


def test_a_command_keeps_the_output_that_follows_it_and_goes_on_after_a_backslash() -> None:
    (block,) = read_blocks("```console\n$ a \\\n> b\none\ntwo\n$ c\n```\n")
    assert [(one.words, one.expected) for one in read_commands(block)] == [
        ("a \\\nb", "one\ntwo\n"),
        ("c", ""),
    ]


def test_directives_belong_to_the_next_block_only() -> None:
    first, second = read_blocks("<!-- exit: 1 -->\n```console\n$ false\n```\n\n```console\n$ true\n```\n")
    assert first.directives == {"exit": "1"}
    assert second.directives == {}


def test_a_block_that_is_never_closed_is_an_error() -> None:
    with pytest.raises(ValueError, match="never closed"):
        read_blocks("```console\n$ true\n")


@pytest.mark.parametrize(
    ("printed", "expected"),
    [
        ("took 1.5ms\n", "took 27.3ms\n"),
        ("Load ns/op acceptable\nLoad B/op target met\n", "Load ns/op target met\nLoad B/op target met\n"),
        ("at 0x7f00aa\n", "at 0x55bbccdd\n"),
        ("a\nb\nc\n", "a\n…\nc\n"),
        ("version 1.2.3 of it\n", "version … of it\n"),
        (f"{FOLDER}/x\n", f"{FOLDER}/x\n"),
        (
            "BenchmarkA-8   \t 12\t 1.5 ns/op\t 80 B/op\t 0 allocs/op\n--- WARN: BenchmarkA-8\n    busy\n",
            "BenchmarkA-2 \t 7000\t 99 ns/op\t 96 B/op\t 0 allocs/op\n",
        ),
        (FRESH.format(flat="0.90s", share="98.9%"), FRESH.format(flat="1.25s", share="100%")),
        (
            FRESH.format(flat="0.90s", share="74.0%")
            + "     0.32s 26.0% 100%      0.32s 26.0%  [not sampled]\n",
            FRESH.format(flat="1.25s", share="100%"),
        ),
        (
            FRESH.format(flat="0.90s", share="99.0%").replace(
                "      flat", "Dropped 1 node (cum <= 5ms)\n      flat"
            )
            + "     0.01s  1.0% 100%      0.01s  1.0%  [no Python frames]\n",
            FRESH.format(flat="1.25s", share="100%").replace(
                "      flat", "Dropped 7 nodes (cum <= 9ms)\n      flat"
            ),
        ),
        ("conduit: a: only 1 sample: 0.01s of CPU time was used\nb\n", "b\n"),
        (
            "conduit: a: only 72 samples: 2.00s of CPU time was used while the profile was taken\nconduit: wrote a\n",
            "conduit: wrote a\n",
        ),
        (
            "conduit: a: 0.32s of CPU time was not sampled, and is charged to the threads that used it\ndone\n",
            "done\n",
        ),
        ("conduit: a: 3 samples were lost: signals came faster than they could be stored\ndone\n", "done\n"),
        ("conduit: a: 1 sample was lost: signals came faster than they could be stored\ndone\n", "done\n"),
        (
            f"ROUTINE === work in {FOLDER}/a.py\n  10ms  20ms  4:  x\n",
            "ROUTINE === work in …/a.py\n 1.10s 1.20s 4:  x\n",
        ),
    ],
)
def test_what_differs_from_run_to_run_is_compared_by_rule(printed: str, expected: str) -> None:
    assert agrees(printed, expected, FOLDER)


@pytest.mark.parametrize(
    ("printed", "expected"),
    [
        ("7 routes\n", "8 routes\n"),
        ("Load B/op acceptable\n", "Load B/op target met\n"),
        ("Load ns/op missed\n", "Load ns/op target met\n"),
        ("BenchmarkA-2 \t 1\t 1 ns/op\t 8 B/op\n", "BenchmarkA-2 \t 1\t 1 ns/op\t 0 B/op\n"),
        ("BenchmarkA-2 \t 1\t 1 ns/op\n", "BenchmarkB-2 \t 1\t 1 ns/op\n"),
        ("a\nb\n", "a\n"),
        (
            FRESH.format(flat="1.25s", share="100%"),
            FRESH.format(flat="1.25s", share="100%").replace("work", "rest"),
        ),
        ("  10 5% 5% 10 5%  work\n", "  11 5% 5% 10 5%  work\n"),
        ("ROUTINE === work in a.py\n  10  20  4:  x\n", "ROUTINE === work in a.py\n  11  20  4:  x\n"),
        ("a\n", "a\nb\n"),
        ("a\n", ""),
        ("", "a\n"),
    ],
)
def test_any_other_difference_counts(printed: str, expected: str) -> None:
    assert not agrees(printed, expected, FOLDER)


@pytest.mark.parametrize(
    "text",
    [
        "```console\n$ echo one\ntwo\n```\n",
        "```console\n$ false\n```\n",
        "<!-- exit: 1 -->\n```console\n$ true\n```\n",
        "```python\nraise SystemExit(3)\n```\n",
        "```python\n>>> 1 + 1\n3\n```\n",
        "```python\nprint(1)\n```\n```output\n2\n```\n",
        "<!-- skip: -->\n```console\n$ true\n```\n",
    ],
)
def test_a_page_whose_example_is_wrong_fails(text: str, tmp_path: Path) -> None:
    blocks = read_blocks(text)
    output = blocks[1].text if len(blocks) > 1 else None
    with pytest.raises((AssertionError, pytest.fail.Exception)):
        PageRun(Path("page.md"), tmp_path).block(blocks[0], output)


def test_a_page_whose_examples_are_right_passes(tmp_path: Path) -> None:
    text = (
        "<!-- file: data/x.txt -->\n```text\nhello\n```\n```console\n$ cat data/x.txt\nhello\n```\n"
        "```python\nprint(1)\n```\n```output\n1\n```\n```python\n>>> 1 + 1\n2\n```\n"
    )
    blocks = read_blocks(text)
    run = PageRun(Path("page.md"), tmp_path)
    for number, block in enumerate(blocks):
        output = blocks[number + 1].text if number + 1 < len(blocks) else None
        run.block(
            block, output if number + 1 < len(blocks) and blocks[number + 1].language == "output" else None
        )


def test_a_page_runs_on_free_ports_and_shows_its_own() -> None:
    ports = FreePorts()
    put = ports.put("serve :6071 and localhost:6072/x, again 6071; not 16071 or 8080")
    first, second, again, *others = re.findall(r"\d+", put)
    assert first == again != second
    assert others == ["16071", "8080"]
    assert first != "6071"
    for port in (first, second):
        with socket.socket() as free:
            free.bind(("", int(port)))
    assert ports.put_back(put) == "serve :6071 and localhost:6072/x, again 6071; not 16071 or 8080"


def test_pages_that_run_at_the_same_time_have_ports_of_their_own(tmp_path: Path) -> None:
    page = read_blocks(
        "```python\nimport socket, time\nsocket.create_server(('', 6071)); time.sleep(1)\n```\n"
    )
    with ThreadPoolExecutor(2) as both:
        list(both.map(lambda name: PageRun(Path(name), _made(tmp_path / name)).block(page[0], None), "ab"))


def _made(folder: Path) -> Path:
    folder.mkdir()
    return folder
