"""The recordings of a live source: the last ones are kept; one is shown, alone or compared with another."""

from __future__ import annotations

import threading
import time
from collections import OrderedDict
from typing import TYPE_CHECKING, Any

from conduit.profile.merge import difference

if TYPE_CHECKING:
    from collections.abc import Callable

    from conduit.profile.model import Profile

KEPT = 6  # profiles


_RECORDED = ("cpu", "wall")  # sample types of recordings that begin when they are asked for


class UnknownRecordingError(Exception):
    """A number that no kept recording has; the text is for the reader."""


class Recordings:
    """Profiles by number, the newest last. `clock` gives seconds since the epoch, for profiles without a time."""

    def __init__(self, first: Profile, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._next = 1
        self._profiles: OrderedDict[int, tuple[Profile, str]] = OrderedDict()
        self._compared: dict[tuple[int, int], Profile] = {}
        self.add(first)

    def add(self, profile: Profile) -> None:
        """Keep a profile, and forget the oldest where there are too many."""
        seconds = profile.time_nanos / 10**9 if profile.time_nanos else self._clock()
        with self._lock:
            self._profiles[self._next] = (profile, time.strftime("%H:%M:%S", time.localtime(seconds)))
            self._next += 1
            while len(self._profiles) > KEPT:
                gone, _ = self._profiles.popitem(last=False)
                self._compared = {pair: made for pair, made in self._compared.items() if gone not in pair}

    def all(self) -> list[Profile]:
        """Return the profiles that are kept, the newest last."""
        with self._lock:
            return [profile for profile, _ in self._profiles.values()]

    def choose(self, number: str, against: str) -> tuple[Profile, int, int | None]:
        """Return the profile of a number, or its difference from another's.

        An empty number is the newest. Both profiles are as they were found.
        """
        with self._lock:
            shown = self._number(number) if number else next(reversed(self._profiles))
            if not against:
                return self._profiles[shown][0], shown, None
            base = self._number(against)
            if (shown, base) not in self._compared:
                profiles = (self._profiles[shown][0], self._profiles[base][0])
                self._compared = {(shown, base): difference(*profiles, mark_base=True)}
            return self._compared[shown, base], shown, base

    def _number(self, text: str) -> int:
        number = int(text) if text.isascii() and text.isdigit() and len(text) < 10 else 0
        if number not in self._profiles:
            kept = ", ".join(map(str, self._profiles))
            raise UnknownRecordingError(f"there is no recording {text[:40]!r} any more; kept are {kept}")
        return number

    def document(self, shown: int, base: int | None) -> dict[str, Any]:
        """Return for the page: numbers with times, the one on show, the one it is compared with, the one before it.

        `seconds` is how long the newest took, and so how long another one takes; None where it took no time of its own.
        `shownSeconds` is the same of the one on show.
        """
        with self._lock:
            numbers = list(self._profiles)
            place = numbers.index(shown) if shown in numbers else 0
            return {
                "kept": [{"number": number, "text": self._profiles[number][1]} for number in numbers],
                "shown": shown,
                "against": base,
                "before": numbers[place - 1] if place else None,
                "seconds": _seconds(self._profiles[numbers[-1]][0]),
                "shownSeconds": _seconds(self._profiles[shown][0]) if shown in numbers else None,
            }


def _seconds(profile: Profile) -> int | None:
    """Return how long a profile was recorded for; None for those of a moment, and of all of the process's time."""
    recorded = any(kind.type in _RECORDED for kind in profile.sample_types)
    return round(profile.duration_nanos / 10**9) or None if recorded else None
