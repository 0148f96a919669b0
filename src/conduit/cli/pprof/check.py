"""`conduit pprof -check`: exits with 1 where a profile is over a budget, and prints which."""

from __future__ import annotations

from typing import TYPE_CHECKING

from conduit.control_characters import printable
from conduit.profile.module_hint import modules_hint
from conduit.regexps import compile_pattern
from conduit.report.budgets import check_profile, read_budgets

if TYPE_CHECKING:
    from collections.abc import Callable

    from conduit.profile.model import Profile
    from conduit.report.budgets import Verdict
    from conduit.report.options import Options

    Say = Callable[[str], None]


def check_budgets(profile: Profile, texts: list[str], options: Options, say: Say) -> int:
    """Print the functions that exceed a budget; return 1 if there are any, else 0."""
    budgets = [budget for text in texts for budget in read_budgets(text)]
    verdicts = check_profile(profile, budgets, options, say)
    exceeded = [verdict for verdict in verdicts if verdict.overruns]
    for verdict in exceeded:
        print(printable("\n".join(_lines(verdict))))
    for verdict in verdicts:
        if not verdict.matched:
            pattern = verdict.budget.match
            hint = modules_hint(profile, compile_pattern(pattern).matches)
            say(f"{verdict.budget.name}: no function of the profile matches {pattern}{hint}")
    print(f"{len(verdicts) - len(exceeded)} of {len(verdicts)} budgets kept")
    return 1 if exceeded else 0


def _lines(verdict: Verdict) -> list[str]:
    budget = verdict.budget
    subject = (
        f"{budget.match} may take" if budget.match and budget.measure != "total" else "the profile may take"
    )
    measure = "" if budget.measure == "total" else f" {budget.measure}"
    return [
        f"{budget.name}: {subject} at most {budget.limit}{measure} of {verdict.sample_type}",
        *(f"{overrun.value:>10} {overrun.share:7.2%}  {overrun.function}" for overrun in verdict.overruns),
    ]
