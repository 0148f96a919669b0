"""Heap profiles on the page: memory growth, and profiles without the memory of imports."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from conduit.profile.imports import has_imports, without_imports
from conduit.report.errors import ReportError
from conduit.report.leaks import find_leaks, restarts
from conduit.report.pipeline import prepare_report
from conduit.units import counted, format_duration, format_size
from conduit.web.comparison import has_base, split

if TYPE_CHECKING:
    from collections.abc import Sequence

    from conduit.profile.model import Profile
    from conduit.report.leaks import Growth, Leaks
    from conduit.report.options import Options

HELD = "inuse_space"
MAX_ROWS = 500


def is_heap(profile: Profile) -> bool:
    """Return whether the samples say how much memory is still held."""
    return any(kind.type == HELD for kind in profile.sample_types)


class ImportSwitch:
    """Profiles with or without the samples of imports; the last one made is kept."""

    def __init__(self) -> None:
        self._made: tuple[Profile, bool, Profile] | None = None

    def document(self, profile: Profile, *, left_out: bool) -> dict[str, Any] | None:
        """Return what the page says of a profile: None where there is nothing to switch."""
        return {"leftOut": left_out} if is_heap(profile) and self._kept(profile)[0] else None

    def applied(self, profile: Profile) -> Profile:
        """Return a profile without imports, itself where it has none."""
        return self._kept(profile)[1]

    def _kept(self, profile: Profile) -> tuple[bool, Profile]:
        if self._made is None or self._made[0] is not profile:
            found = has_imports(profile)
            self._made = (profile, found, without_imports(profile, 0)[0] if found else profile)
        return self._made[1:]


def series_of(profile: Profile, recordings: Sequence[Profile]) -> list[Profile]:
    """Return the heap profiles to follow growth through, the earliest first.

    They are a comparison's sides, or the recordings of the process that the newest one is of.
    """
    if not is_heap(profile):
        return []
    if has_base(profile):
        # Of the two sides' times one is left, and that of both.
        return [side.replaced(time_nanos=0) for side in split(profile)]
    recordings = of_last_process(recordings)
    return recordings if len(recordings) > 1 else []


def of_last_process(recordings: Sequence[Profile]) -> list[Profile]:
    """Return the recordings since the last one that is of another process than the one before it."""
    return list(recordings[max(restarts(recordings), default=0) :])


def growth_document(series: Sequence[Profile], options: Options) -> dict[str, Any]:
    """Return the lines that hold more at the end than at the start, under the filters of `options`.

    Raises `ReportError` where there are fewer than two profiles, or their times are in another order.
    """
    options = options.copy(sample_index=HELD)
    leaks = find_leaks([_filtered(profile, options) for profile in series])
    return {
        "rows": [_row(growth, leaks) for growth in leaks.growths[:MAX_ROWS]],
        "count": len(leaks.growths),
        "profiles": leaks.profiles,
        "over": format_duration(leaks.seconds * 1e9) if leaks.seconds else "",
        "sampled": format_size(leaks.sampled_bytes) if leaks.sampled_bytes else "",
        "unseen": format_size(leaks.uncertain_bytes) if leaks.uncertain_bytes else "",
        "total": format_size(sum(growth.grown_bytes for growth in leaks.growths)),
    }


def _filtered(profile: Profile, options: Options) -> Profile:
    try:
        return prepare_report(profile, "top", options, lambda _: None).profile
    except ReportError:  # the filters leave nothing of this one
        return profile.replaced(samples=[])


def _error_text(error: float) -> str:
    """Return twice a standard error, within which the true amount lies 19 times in 20."""
    return f"± {format_size(round(2 * error))}"


def _samples_text(samples: float) -> str:
    return counted(max(1, round(samples)), "sample")


def _row(growth: Growth, leaks: Leaks) -> dict[str, Any]:
    return {
        "name": growth.function,
        "place": f"{growth.file}:{growth.line}" if growth.file else "",
        "callers": growth.callers,
        "origin": f"{growth.origin.function} {growth.origin.file}:{growth.origin.line}"
        if growth.origin and not growth.is_origin
        else "",
        "grown": f"+{format_size(growth.grown_bytes)}",
        "rate": f"{format_size(growth.grown_bytes / leaks.seconds)}/s" if leaks.seconds else "",
        "held": format_size(growth.held_bytes),
        "objects": f"{growth.grown_objects:+,}",
        "error": _error_text(growth.grown_error) if leaks.sampled_bytes else "",
        "heldError": _error_text(growth.held_error) if leaks.sampled_bytes else "",
        "samples": _samples_text(growth.grown_samples) if leaks.sampled_bytes else "",
        "steady": growth.steady,
        "steps": leaks.steps_text(growth),
        "value": growth.grown_bytes,
    }
