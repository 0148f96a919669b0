from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from conduit import _native
from conduit.cli.doctor import examination, machine, next_step
from conduit.cli.doctor.finding import Finding

if TYPE_CHECKING:
    from collections.abc import Callable

    Command = Callable[..., subprocess.CompletedProcess[str]]


def test_the_doctor_names_what_it_looked_at_and_exits_by_whether_anything_is_lost(
    conduit_command: Command,
) -> None:
    answer = conduit_command("doctor")
    assert answer.returncode == (0 if _native.available() else 1)
    *lines, blank, last = answer.stdout.splitlines()
    assert (blank, last[:6]) == ("", "Next: ")
    rows = [line for line in lines if not line.startswith(" ")]
    assert all(row[17:21].strip() in ("ok", "note", "lost") for row in rows), answer.stdout
    names = {row[:15].strip() for row in rows}
    assert names >= {
        "conduit",
        "python",
        "C extension",
        "self-check",
        "CPU timers",
        "clock",
        "other processes",
    }
    assert "patterns" in names
    assert names >= {"PyYAML", "viztracer", "Graphviz", "browser", "git", "platform", "CPU governor", "load"}
    assert "self-test" not in answer.stdout


def test_every_finding_that_is_not_ok_comes_with_its_effect() -> None:
    for finding in [*examination.examine(), *machine.examine()]:
        assert (finding.state == "ok") == (not finding.effect), finding
        assert finding.found


def test_without_the_extension_the_doctor_says_why_what_is_lost_and_exits_with_1(
    conduit_command: Command,
) -> None:
    answer = conduit_command("doctor", env=os.environ | {"CONDUIT_NATIVE": "off"})
    assert answer.returncode == 1
    assert "lost  the C extension is turned off by CONDUIT_NATIVE=off" in answer.stdout
    assert "Effect: B/op and allocs/op are n/a" in answer.stdout
    assert "Remedy: unset CONDUIT_NATIVE" in answer.stdout


def test_the_self_test_compares_known_benchmarks_with_themselves(conduit_command: Command) -> None:
    answer = conduit_command("doctor", "-self-test", "-budget", "2s")
    heading, *said = answer.stdout[answer.stdout.index("self-test: ") :].splitlines()
    assert said[-1].startswith("Next: ")
    assert heading == "self-test: identical code measured against itself for 2s"
    assert "no result" not in said[0]
    assert any("comparisons of this checkout with itself" in line for line in said), answer.stdout


def test_programs_that_are_missing_are_notes_and_leave_the_exit_status(
    conduit_command: Command, tmp_path: Path
) -> None:
    answer = conduit_command("doctor", env=os.environ | {"PATH": str(tmp_path)})
    assert "no program dot on the PATH" in answer.stdout
    assert "Remedy: apt-get install graphviz" in answer.stdout
    assert "no `conduit bench -against REV`" in answer.stdout
    assert answer.returncode == (0 if _native.available() else 1)


def test_a_program_that_only_fails_is_reported_and_not_believed(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    program = tmp_path / "dot"
    program.write_text("#!/bin/sh\nexit 3\n")
    program.chmod(program.stat().st_mode | stat.S_IXUSR)
    monkeypatch.setenv("PATH", f"{tmp_path}:{os.environ['PATH']}")
    assert "exit status 3, says no version" in examination.graphviz().found


@pytest.mark.parametrize(
    ("scope", "capabilities", "state"),
    [("0", 0, "ok"), ("", 0, "ok"), ("1", 0, "note"), ("3", 0, "note"), ("1", 1 << 19, "ok")],
)
@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="Yama and capabilities are Linux's")
def test_the_right_to_read_other_processes_is_what_the_kernel_says(
    monkeypatch: pytest.MonkeyPatch, scope: str, capabilities: int, state: str
) -> None:
    files = {
        "/proc/sys/kernel/yama/ptrace_scope": scope,
        "/proc/self/status": f"Name:\tx\nCapEff:\t{capabilities:016x}\n",
    }
    monkeypatch.setattr(examination, "_kernel_text", files.__getitem__)
    assert examination.other_processes().state == state


def test_without_compiler_and_headers_the_remedy_names_both(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CONDUIT_NATIVE", raising=False)
    monkeypatch.setattr(_native, "_REASON", "the C extension was not built")
    monkeypatch.setattr(examination, "_include_folder", lambda: str(tmp_path))
    finding = examination.extension()
    assert finding.state == "lost"
    assert "a C compiler (none of cc, gcc, clang is on the PATH)" in finding.remedy
    assert f"{tmp_path}/Python.h does not exist" in finding.remedy


@pytest.mark.parametrize("finding", [("CPython", (3, 16), False), ("CPython", (3, 14), True)])
def test_no_compiler_is_advised_for_an_interpreter_that_the_extension_does_not_know(
    monkeypatch: pytest.MonkeyPatch, finding: tuple[str, tuple[int, int], bool]
) -> None:
    implementation, version, is_free_threaded = finding
    unknown = examination.python(implementation, version, is_free_threaded=is_free_threaded)
    monkeypatch.delenv("CONDUIT_NATIVE", raising=False)
    monkeypatch.setattr(_native, "_REASON", "the C extension does not know this version")
    monkeypatch.setattr(examination, "_python", lambda: unknown)
    assert examination.extension().remedy == unknown.remedy
    assert "pip" not in unknown.remedy


def test_a_loaded_machine_is_noted_and_an_idle_one_is_not(monkeypatch: pytest.MonkeyPatch) -> None:
    from conduit.bench.run import machine as measured

    monkeypatch.setattr(measured, "processors", lambda: 4)
    for load, state in ((0.4, "ok"), (3.9, "note")):
        monkeypatch.setattr(os, "getloadavg", lambda load=load: (load, load, load))
        assert machine.load().state == state


@pytest.mark.parametrize(
    ("line", "quota", "state"),
    [
        ("max 100000", None, None),
        ("150000 100000", 1.5, "note"),
        ("800000 100000", 8.0, "ok"),
        ("junk", None, None),
    ],
)
def test_a_control_groups_quota_below_the_processors_is_noted(
    monkeypatch: pytest.MonkeyPatch, line: str, quota: float | None, state: str | None
) -> None:
    from conduit.bench.run import machine as measured

    monkeypatch.setattr(measured, "processors", lambda: 4)
    monkeypatch.setattr(measured, "_cpu_control_groups", lambda: [Path("/group")])
    monkeypatch.setattr(measured, "_read", lambda path: line if str(path) == "/group/cpu.max" else "")
    assert measured.cpu_quota() == quota
    assert [finding.state for finding in machine.quota()] == ([state] if state else [])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["please"], "takes no arguments"),
        (["-budget", "soon"], 'invalid value "soon" for flag -budget'),
        (["-budget", "1ms"], "expected at least 1s"),
    ],
)
def test_a_wrong_call_exits_with_2_before_anything_is_measured(
    conduit_command: Command, arguments: list[str], message: str
) -> None:
    answer = conduit_command("doctor", *arguments)
    assert answer.returncode == 2
    assert message in answer.stderr
    assert not answer.stdout


@pytest.mark.skipif(not _native.available(), reason=_native.reason())
@pytest.mark.parametrize(
    ("function", "state", "effect"),
    [
        ("conduit._native.self_check.require_frames", "lost", "no CPU, heap, block, mutex and GIL profiles"),
        ("conduit._native.waits.set_rates", "lost", "profiles of this kind are refused"),
        ("conduit.record.task_names.watch_tasks", "note", "CPU profiles do not say which task was running"),
    ],
)
def test_an_interpreter_whose_inside_is_otherwise_than_expected_is_named_with_what_is_refused(
    function: str, state: str, effect: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def answer_otherwise(*_: object, **__: object) -> str:
        if state == "note":
            return "they are not as expected"
        raise RuntimeError("they are not as expected")

    assert examination.self_check().state == "ok"
    monkeypatch.setattr(function, answer_otherwise)
    finding = examination.self_check()
    assert (finding.found, finding.state, finding.effect) == ("they are not as expected", state, effect)
    assert sys.version.split()[0] in finding.remedy


@pytest.mark.parametrize(
    ("implementation", "version", "is_free_threaded", "effect"),
    [
        ("CPython", (3, 11), False, ""),
        ("CPython", (3, 15), False, ""),
        ("CPython", (3, 16), False, "known for 3.11 to 3.15; the parts in pure Python work"),
        ("CPython", (3, 14), True, "as builds with the GIL have them; the parts in pure Python work"),
        ("PyPy", (3, 11), False, "the profilers are for CPython 3.11 to 3.15"),
    ],
)
def test_an_interpreter_that_the_profilers_do_not_know_is_named_with_its_remedy(
    implementation: str, version: tuple[int, int], is_free_threaded: bool, effect: str
) -> None:
    finding = examination.python(implementation, version, is_free_threaded=is_free_threaded)
    assert effect in finding.effect
    assert (finding.state, bool(finding.remedy)) == (("note", True) if effect else ("ok", False))


def test_the_next_step_is_the_remedy_of_the_first_thing_lost_then_of_the_first_note() -> None:
    ok = Finding("git", "2.5")
    note = Finding("dot", "none", "note", "no -svg", "install dot")
    hopeless = Finding("clock", "slow", "note", "long runs")
    lost = Finding("C extension", "none", "lost", "no CPU profiles", "install gcc")
    assert next_step([ok, note, lost]) == "install gcc (C extension)"
    assert next_step([ok, hopeless, note]) == "install dot (dot)"
    assert next_step([ok, hopeless]).startswith("nothing is missing; `conduit bench` measures")
