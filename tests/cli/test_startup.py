"""Start-up time is a feature: what a command may import is said here; how long it takes, in benchmarks/startup.py."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.conftest import OWN_GOLDEN


def imported_by(code: str) -> set[str]:
    """The modules that a program imports beyond those that the interpreter had at its start."""
    program = (
        f"import sys; had = set(sys.modules)\n{code}\n"
        "sys.stderr.write(' '.join(sorted(set(sys.modules) - had)))"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    return set(done.stderr.split())


def test_the_package_itself_imports_nothing_but_its_version_and_its_errors() -> None:
    found = imported_by("import conduit")
    assert found == {"__future__", "conduit", "conduit._version", "conduit.errors"}


def test_the_list_of_commands_loads_none_of_them() -> None:
    found = imported_by("from conduit.cli import main; main(['--help'])")
    assert {name for name in found if name.startswith("conduit.")} == {
        "conduit._version",
        "conduit.cli",
        "conduit.errors",
    }


def test_an_answer_about_one_resource_loads_only_what_it_needs() -> None:
    document = str(OWN_GOLDEN / "registry" / "03_bench3.json")
    found = imported_by(
        f"from conduit.cli import main; main(['introspect', 'resource', 'Post', '--metadata', {document!r}])"
    )
    heavy = {"argparse", "asyncio", "dataclasses", "difflib", "json", "logging", "pathlib", "socket", "yaml"}
    assert not found & (heavy | {"inspect", "typing_extensions"})
    unneeded = ("dependencies", "diagnosis", "impact", "patterns", "warnings")
    assert not found & {f"conduit.metadata.{name}" for name in unneeded}


def test_the_top_of_a_profile_loads_only_what_it_needs() -> None:
    profile = str(OWN_GOLDEN / "pprof" / "profiles" / "py.cpu.pb.gz")
    found = imported_by(f"from conduit.cli import main; main(['pprof', '-top', {profile!r}])")
    heavy = {"argparse", "asyncio", "dataclasses", "http", "inspect", "json", "logging", "pathlib"}
    assert not found & (heavy | {"subprocess", "threading", "urllib", "yaml"})


def test_what_an_answer_did_without_can_be_imported_after_it() -> None:
    pytest.importorskip("typing_extensions")
    found = imported_by(
        "from conduit.cli import main; main(['introspect', 'stats', '--metadata', '/nowhere'])\n"
        "import msgspec, typing_extensions; typing_extensions.TypedDict"
    )
    assert {"msgspec", "typing_extensions"} <= found


def test_a_program_with_something_to_do_at_its_exit_still_does_it() -> None:
    code = (
        "import atexit, sys; atexit.register(print, 'done')\n"
        "sys.argv = ['conduit', '--version']\n"
        "from conduit.cli import program; program()"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0
    assert done.stdout.splitlines()[1:] == ["done"]
