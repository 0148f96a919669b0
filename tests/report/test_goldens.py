"""Every report is, character for character, what `go tool pprof` prints."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest

from tests.conftest import OWN_GOLDEN
from tests.profile.twins import use_twins
from tests.report.pprof_goldens import departure, disagreement, is_printable_here, prepare, read_cases, replay

GROUPS = (
    "common", "diff", "empty", "filter", "flags", "guide", "interactive", "invalid", "list", "merge", "peek",
    "sample_index", "tagfilter", "tagroot", "tags_unit", "unit",
)  # fmt: skip


def _assert_all_agree(folder: Path, group: str, monkeypatch: pytest.MonkeyPatch) -> None:
    prepare(folder, monkeypatch)
    cases = [case for case in read_cases(folder) if case.group == group and is_printable_here(case)]
    assert cases, f"no goldens of the group {group}"
    faults = [fault for case in cases if (fault := disagreement(case, replay(case, monkeypatch)))]
    assert not faults, f"{len(faults)} of {len(cases)} differ:\n\n" + "\n\n".join(faults[:5])


@pytest.mark.usefixtures("restore_zone")
@pytest.mark.parametrize("group", GROUPS)
def test_the_project_s_own_goldens_are_printed_as_by_the_original(
    group: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    _assert_all_agree(OWN_GOLDEN / "pprof", group, monkeypatch)


@pytest.mark.usefixtures("restore_zone")
@pytest.mark.parametrize("group", GROUPS)
def test_the_goldens_are_the_same_where_all_loops_run_in_python(
    group: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    use_twins(monkeypatch)
    _assert_all_agree(OWN_GOLDEN / "pprof", group, monkeypatch)


@pytest.mark.usefixtures("restore_zone")
@pytest.mark.parametrize("group", GROUPS)
def test_the_complete_goldens_are_printed_as_by_the_original(
    group: str, shared_golden: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    _assert_all_agree(shared_golden / "pprof", group, monkeypatch)


@pytest.mark.usefixtures("restore_zone")
def test_few_goldens_depart_and_only_by_the_named_rows(monkeypatch: pytest.MonkeyPatch) -> None:
    folder = OWN_GOLDEN / "pprof"
    prepare(folder, monkeypatch)
    departing = Counter(
        adjust.__name__
        for case in read_cases(folder)
        if (adjust := departure(case)) and replay(case, monkeypatch) != case.expected
    )
    # Each row is needed by some golden, and none of them excuses more than the cases it was written for.
    assert set(departing) == {
        "_edges_without_amounts",
        "_once_per_sample",
        "_options_without_type",
        "_rows_by_file",
    }
    assert sum(departing.values()) < 50
