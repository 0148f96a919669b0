"""A hint for expressions from when recorded names had no modules: `^work$` where it is `__main__.work` now."""

from __future__ import annotations

from typing import TYPE_CHECKING

from conduit.interruption import interruptible

if TYPE_CHECKING:
    from collections.abc import Callable

    from conduit.profile.model import Profile


def modules_hint(profile: Profile, matches: Callable[[str], bool]) -> str:
    """Return what to add to the message that nothing matches: a recorded name that would match without its modules.

    Empty where there is none, and for names that other tools recorded.
    """
    for function in interruptible(profile.functions):
        name = function.name
        if function.system_name and name.endswith(f".{function.system_name}"):
            rest = name
            while "." in rest:
                rest = rest.partition(".")[2]
                if matches(rest):
                    return f"; names begin with their modules: {name}"
    return ""
