"""`conduit doctor`: what this installation can measure, which features are unavailable, and how to get them.

`examination.py` examines the installation, `machine.py` the machine; `self_test.py` measures identical code against
itself. The exit status is 1 if a finding is `lost`, otherwise 0: noise, a missing browser or Graphviz are not failures
of the installation. Findings go to standard output.
"""

from __future__ import annotations

TYPE_CHECKING = False  # as in conduit.cli: `typing` would be most of what the help text takes
if TYPE_CHECKING:
    from conduit.cli.doctor.finding import Finding
    from conduit.cli.flags import Parsed

_USAGE = """usage: conduit doctor [-self-test] [-budget TIME]

Reports what this installation can measure, which features are unavailable because a component is missing, and how to
install it; then the most useful next step. With -self-test, it measures identical code against itself and reports the
smallest difference that can be detected on this machine now. The exit status is 1 if something cannot be measured."""

_LEAST_BUDGET_NS = 1_000_000_000


def run(arguments: list[str]) -> int:
    """Print the findings, what to do next and, if asked for, the result of the self-test; return the exit status."""
    from conduit.cli.doctor import examination, machine

    parsed = _parse(arguments)
    installation, surroundings = examination.examine(), machine.examine()
    findings = [*installation, *surroundings]
    _print(findings)
    if parsed["self-test"]:
        from conduit.cli.doctor.self_test import run_self_test

        # Announced before it runs, because it takes as long as its budget.
        print(f"\nself-test: identical code measured against itself for {parsed['budget']}", flush=True)
        print(run_self_test(parsed["budget"]))
    print(f"\nNext: {next_step([*surroundings, *installation])}")
    return 1 if any(finding.state == "lost" for finding in findings) else 0


def next_step(findings: list[Finding]) -> str:
    """Return the one thing worth doing: the remedy of the first thing lost, else of the first note.

    Noise comes before missing parts: it makes numbers less certain, and they take none away.
    """
    for state in ("lost", "note"):
        for finding in findings:
            if finding.state == state and finding.remedy:
                return f"{finding.remedy} ({finding.name})"
    return "nothing is missing; `conduit bench` measures, `conduit run -cpuprofile=cpu.prof PROGRAM` profiles"


def _parse(arguments: list[str]) -> Parsed:
    from conduit.cli.flags import FlagSet
    from conduit.errors import UsageError

    flags = FlagSet(_USAGE)
    flags.switch("self-test", "measure identical code against itself")
    flags.option("budget", "time for the self-test", default="10s", parse=_budget, metavar="TIME")
    parsed = flags.parse(arguments, positionals="mixed")
    if parsed.positionals:
        raise UsageError(f"takes no arguments, got {parsed.positionals[0]!r}")
    return parsed


def _budget(text: str) -> str:
    from conduit.units import parse_duration_ns

    if parse_duration_ns(text) < _LEAST_BUDGET_NS:
        raise ValueError("expected at least 1s")
    return text


def _print(findings: list[Finding]) -> None:
    width = max(len(finding.name) for finding in findings)
    for finding in findings:
        print(f"{finding.name:<{width}}  {finding.state:<4}  {finding.found}")
        for label, text in (("Effect", finding.effect), ("Remedy", finding.remedy)):
            if text:
                print(f"{'':<{width}}        {label}: {text}")
