"""`conduit doctor`: what this installation can measure, what each missing thing costs, and what the machine resolves.

`examination.py` looks at the installation, `machine.py` at what it stands on, `self_test.py` measures identical code
against itself. Each finding is `ok`, a `note` (something could be better) or `lost` (something conduit measures elsewhere
cannot be measured here). Exit status 1 where anything is lost, otherwise 0: noise, a missing browser or Graphviz
are no failure of the installation. Findings go to standard output.
"""

from __future__ import annotations

TYPE_CHECKING = False  # as in conduit.cli: `typing` would be most of what the help text costs
if TYPE_CHECKING:
    from conduit.cli.doctor.finding import Finding
    from conduit.cli.flags import Parsed

_USAGE = """usage: conduit doctor [-self-test=false] [-budget TIME]

Says what this installation can measure, what each missing thing costs and how to get it; then measures identical
code against itself, to say how small a difference can be told apart on this machine as it is now.
Exit status 1 where something cannot be measured at all."""

_LEAST_BUDGET_NS = 1_000_000_000


def run(arguments: list[str]) -> int:
    """Prints the findings, then the result of the self-test."""
    from conduit.cli.doctor import examination, machine

    parsed = _parse(arguments)
    findings = [*examination.examine(), *machine.examine()]
    _print(findings)
    if parsed["self-test"]:
        from conduit.cli.doctor.self_test import run_self_test

        # Before the test, not after: whoever waits for it should know for what.
        print(f"\nself-test: identical code measured against itself for {parsed['budget']}", flush=True)
        print(run_self_test(parsed["budget"]))
    return 1 if any(finding.state == "lost" for finding in findings) else 0


def _parse(arguments: list[str]) -> Parsed:
    from conduit.cli.flags import FlagSet
    from conduit.errors import UsageError

    flags = FlagSet(_USAGE)
    flags.switch("self-test", "measure identical code against itself", default=True)
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
        for label, text in (("costs", finding.cost), ("remedy", finding.remedy)):
            if text:
                print(f"{'':<{width}}        {label}: {text}")
