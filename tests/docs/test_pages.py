"""README and every page under docs/ are run: each command and each Python block, with the output that they show."""

from __future__ import annotations

import contextlib
import doctest
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import PROJECT
from tests.docs.blocks import Block, FreePorts, agrees, read_blocks, read_commands

PAGES = [PROJECT / "README.md", *sorted((PROJECT / "docs").rglob("*.md"))]
TIME_LIMIT_S = 300  # for one command, which hangs; beside others the longest took more than 120 s


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(PROJECT)))
def test_every_example_of_the_page_runs_and_prints_what_the_page_shows(page: Path, tmp_path: Path) -> None:
    blocks = read_blocks(page.read_text(encoding="utf-8"))
    uses_curl = any("curl " in block.text for block in blocks if block.language == "console")
    if uses_curl and not shutil.which("curl"):
        pytest.skip("curl is not on this machine (apt-get install curl)")
    run = PageRun(page, tmp_path)
    try:
        for number, block in enumerate(blocks):
            following = blocks[number + 1] if number + 1 < len(blocks) else None
            output = following.text if following is not None and following.language == "output" else None
            run.block(block, output)
    finally:
        end_what_runs_in(tmp_path)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(PROJECT)))
def test_no_command_of_the_page_escapes_from_being_run(page: Path) -> None:
    for block in read_blocks(page.read_text(encoding="utf-8")):
        if block.language != "console" and "file" not in block.directives and "skip" not in block.directives:
            strays = [line for line in block.text.splitlines() if line.lstrip().startswith("$ ")]
            assert not strays, f"{page.name}:{block.line}: {strays[0]!r} stands in a block that is not run"


def end_what_runs_in(folder: Path) -> None:
    """A page that fails half-way would leave its services, and their ports, to the next run."""
    for process in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            if process.joinpath("cwd").readlink() == folder:
                os.kill(int(process.name), signal.SIGKILL)


def test_a_service_that_a_page_leaves_running_is_ended(tmp_path: Path) -> None:
    with subprocess.Popen(["sleep", "60"], cwd=tmp_path) as process:
        end_what_runs_in(tmp_path)
        assert process.wait(10) == -signal.SIGKILL


class PageRun:
    """The blocks of one page, run one after the other in one folder."""

    def __init__(self, page: Path, folder: Path) -> None:
        self.page = page
        self.folder = folder
        self.ports = FreePorts()
        self.environment = {
            **{key: value for key, value in os.environ.items() if not key.startswith(("CONDUIT", "COLUMNS"))},
            "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
            "NO_COLOR": "1",
            "LC_ALL": "C.UTF-8",
            "PYTHONIOENCODING": "utf-8",
            "PYTHONDONTWRITEBYTECODE": "1",
            # Without the plugins of our own environment, which take a second of each start of pytest.
            "PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1",
            "PYTEST_PLUGINS": "conduit.pytest_plugin",
        }

    def block(self, block: Block, output: str | None) -> None:
        """Runs one block, or writes it to a file, as its language and directives say."""
        if "files" in block.directives:
            self._copy(block.directives["files"])
        if "skip" in block.directives:
            assert block.directives["skip"], f"{self.page.name}:{block.line}: a skipped block needs a reason"
        elif "file" in block.directives:
            target = self.folder / block.directives["file"]
            target.parent.mkdir(parents=True, exist_ok=True)
            target.write_text(self.ports.put(block.text), encoding="utf-8")
        elif block.language == "console":
            self._console(block)
        elif block.language in ("python", "pycon"):
            self._python(block, output)

    def _copy(self, patterns: str) -> None:
        for pattern in patterns.split():
            found = sorted(PROJECT.glob(pattern))
            assert found, f"{self.page.name}: no file {pattern}"
            for source in found:
                shutil.copy(source, self.folder / source.name)

    def _console(self, block: Block) -> None:
        commands = read_commands(block)
        for number, command in enumerate(commands):
            done = self._run(["bash", "-c", self.ports.put(command.words)])
            place = f"{self.page.name}:{command.line}: $ {command.words}"
            self._compare(place, done.stdout, command.expected)
            last = number == len(commands) - 1
            expected_status = int(block.directives.get("exit", "0")) if last else 0
            assert done.returncode == expected_status, (
                f"{place}\nexit status {done.returncode}, expected {expected_status}\n{done.stdout}"
            )

    def _python(self, block: Block, output: str | None) -> None:
        place = f"{self.page.name}:{block.line}"
        if ">>> " in block.text:
            self._session(block, place)
            return
        script = self.folder / f"_block_{block.line}.py"
        script.write_text(self.ports.put(block.text), encoding="utf-8")
        done = self._run([sys.executable, str(script)])
        assert done.returncode == 0, f"{place}: the block failed\n{done.stdout}"
        self._compare(place, done.stdout, output or "")

    def _session(self, block: Block, place: str) -> None:
        """An interactive session runs in a process of its own too, so that it cannot disturb the tests."""
        script = self.folder / f"_block_{block.line}.py"
        flags = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE
        script.write_text(
            "import doctest\n"
            f"session = doctest.DocTestParser().get_doctest({block.text!r}, {{}}, {place!r}, None, 0)\n"
            f"raise SystemExit(doctest.DocTestRunner(optionflags={flags}).run(session).failed)\n",
            encoding="utf-8",
        )
        done = self._run([sys.executable, str(script)])
        assert done.returncode == 0, f"{place}: the session failed\n{done.stdout}"

    def _run(self, command: list[str]) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            command,
            cwd=self.folder,
            env=self.environment,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            encoding="utf-8",
            timeout=TIME_LIMIT_S,
        )

    def _compare(self, place: str, printed: str, expected: str) -> None:
        printed = self.ports.put_back(printed)
        if not agrees(printed, expected, self.folder):
            pytest.fail(f"{place}\n--- the page shows\n{expected}\n--- it prints\n{printed}", pytrace=False)
