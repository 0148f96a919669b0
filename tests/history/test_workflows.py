"""The workflows of the how-to page, run line by line with local repositories in place of a forge."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import yaml

from tests.history.repositories import BENCHMARK, git

PAGE = Path(__file__).parents[2] / "docs" / "how-to" / "benchmark-history.md"
# Lines for the forge itself: no local repository has a forge's interface.
FORGE = re.compile(r"^(pip install|gh |git remote set-url)")


def scripts(kind: str) -> dict[str, list[str]]:
    """The commands of each job, without those for the forge."""
    blocks = [yaml.safe_load(text) for text in re.findall(r"```yaml\n(.*?)```", PAGE.read_text(), re.DOTALL)]
    document: dict[str, Any] = blocks[0 if kind == "github" else 1]
    if kind == "github":
        jobs = {
            name: [step.get("run", "") for step in job["steps"]] for name, job in document["jobs"].items()
        }
    else:
        jobs = {name.partition(":")[2]: job["script"] for name, job in document.items()}
    return {name: [line for line in lines if line and not FORGE.match(line)] for name, lines in jobs.items()}


class Forge:
    """A bare repository, and checkouts of it as jobs get them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.origin = folder / "origin.git"
        self.author = folder / "author"
        git(folder, "init", "--quiet", "--bare", "--initial-branch=main", str(self.origin))
        git(folder, "clone", "--quiet", str(self.origin), str(self.author))
        git(self.author, "checkout", "--quiet", "-B", "main")
        (self.author / "benchmarks").mkdir()
        (self.author / "benchmarks" / "bench_shop.py").write_text(BENCHMARK)
        self.environment = {
            **os.environ,
            "PATH": f"{Path(sys.executable).parent}:{os.environ['PATH']}",
            "XDG_CACHE_HOME": str(folder / "cache"),
            "GITHUB_STEP_SUMMARY": str(folder / "summary.md"),
            "GITHUB_BASE_REF": "main",
            "CI_MERGE_REQUEST_TARGET_BRANCH_NAME": "main",
            **{
                f"GIT_{who}_{what}": "ci@example.org"
                for who in ("AUTHOR", "COMMITTER")
                for what in ("NAME", "EMAIL")
            },
        }

    def push(self, branch: str, objects: int) -> str:
        text = f"def total():\n    return [object() for _ in range({objects})]\n"
        (self.author / "shop.py").write_text(text)
        git(self.author, "checkout", "--quiet", "-B", branch)
        git(self.author, "add", ".")
        git(self.author, "commit", "--quiet", "-m", f"{objects} objects")
        git(self.author, "push", "--quiet", "origin", branch)
        return git(self.author, "rev-parse", "HEAD")

    def run(self, job: str, lines: list[str], branch: str) -> tuple[int, str, Path]:
        """Run a job in a new clone, as bash with -e; return its status, what it said, and the clone."""
        clone = self.folder / f"job-{job}-{len(list(self.folder.iterdir()))}"
        git(self.folder, "clone", "--quiet", "--branch", branch, str(self.origin), str(clone))
        script = (
            "\n".join(lines)
            .replace("--budget=300s", "--budget=3s")
            .replace("-count=6", "-count=2 -benchtime=20x")
        )
        ran = subprocess.run(
            ["bash", "-e", "-c", script],
            cwd=clone,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
        )
        return ran.returncode, ran.stdout + ran.stderr, clone


@pytest.mark.parametrize("kind", ["github", "gitlab"])
def test_main_keeps_its_runs_and_a_request_is_compared_with_the_last_of_them(
    kind: str, tmp_path: Path
) -> None:
    jobs = scripts(kind)
    forge = Forge(tmp_path)
    measured = []
    for objects in (10, 11):
        measured.append(forge.push("main", objects))
        status, said, clone = forge.run("save", jobs["save"], "main")
        assert status == 0, said
        assert (clone / "history.html").is_file()
    noted = git(forge.origin, "notes", "--ref=refs/notes/conduit-bench", "list").split()[1::2]
    assert sorted(noted) == sorted(measured)
    forge.push("main", 12)  # whose run is not there yet
    forge.push("request", 2000)
    status, said, clone = forge.run("compare", jobs["compare"], "request")
    assert status == 1, said
    assert "closed: " in said
    comment = (clone / "comparison.md").read_text()
    assert f"{measured[1][:10]}" in comment
    assert "allocs/op" in comment
    assert (kind == "gitlab") or comment.startswith("<!-- conduit bench -->")


def test_a_request_that_changes_nothing_passes_also_where_main_has_no_run_yet(tmp_path: Path) -> None:
    forge = Forge(tmp_path)
    first = forge.push("main", 10)
    git(forge.author, "push", "--quiet", "origin", "main:request")
    status, said, clone = forge.run("compare", scripts("github")["compare"], "request")
    assert status == 0, said
    assert "no commit up to origin/main has a run from" in said
    assert first[:10] in (clone / "comparison.md").read_text()
