"""Sources: files, standard input and URLs, read, merged, compared with a base, and made ready for reports.

A source that exists as a file is a file; `-` is standard input; anything else is a URL, `http://` being
understood. What comes over the network is saved, so that nothing measured is lost with the shell. One source
that fails is a warning, unless none is left.
"""

# pathlib would slow the start of a small report.
# ruff: noqa: PTH110, PTH123

from __future__ import annotations

import os
from typing import TYPE_CHECKING, NamedTuple

from conduit.errors import ConduitError, MalformedProfileError
from conduit.fetch.symbols import add_missing_mapping, name_parts
from conduit.files import read_at_most
from conduit.profile.codec import decode
from conduit.profile.limits import DEFAULT_LIMITS
from conduit.report.errors import FetchError
from conduit.units import counted

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from conduit.profile.model import Profile

    Say = Callable[[str], None]

_THREADS = 64  # addresses fetched at the same time; each thread takes 8 MB of address space for its stack
_AT_ONCE = 128  # sources fetched and merged at a time, so that many of them need not all fit into memory


class Request:
    """What to read: the sources, the base they are compared with, and how they are fetched.

    `seconds` asks a server to measure that long; `timeout` (seconds; 0 or less: chosen) is how long to wait for it.
    With `diff_base`, percentages are of the base. `executable` and `build_id` name the program where the profile
    does not. With `times`, samples of foreign formats say when they were taken, where the format has it. With
    `by_name`, functions of a base from another checkout are those of the same names here. `saved` is the file in which
    a fetched profile was saved, empty before and where none was.
    """

    __slots__ = (
        "all_frames",
        "bases",
        "build_id",
        "by_name",
        "comment",
        "diff_base",
        "executable",
        "normalize",
        "saved",
        "seconds",
        "sources",
        "symbolize",
        "timeout",
        "times",
        "tls",
    )  # fmt: skip

    def __init__(
        self,
        sources: Sequence[str],
        bases: Sequence[str] = (),
        *,
        diff_base: bool = False,
        normalize: bool = False,
        seconds: int = -1,
        timeout: int = -1,
        symbolize: str = "",
        executable: str = "",
        build_id: str = "",
        comment: str = "",
        all_frames: bool = False,
        times: bool = False,
        by_name: bool = False,
        tls: tuple[str, str, str] = ("", "", ""),
    ) -> None:
        self.sources = sources
        self.bases = bases
        self.diff_base = diff_base
        self.normalize = normalize
        self.seconds = seconds
        self.timeout = timeout
        self.symbolize = symbolize
        self.executable = executable
        self.build_id = build_id
        self.comment = comment
        self.all_frames = all_frames
        self.times = times
        self.by_name = by_name
        self.tls = tls  # files: certificate, key, authorities
        self.saved = ""


class Repeats(NamedTuple):
    """The single profiles of a comparison of several against several, with the same sample types in the same units."""

    before: list[Profile]
    after: list[Profile]

    def mapped(self, change: Callable[[Profile], Profile]) -> Repeats:
        """Return the same comparison with every profile changed."""
        return Repeats(
            [change(profile) for profile in self.before], [change(profile) for profile in self.after]
        )


class _Grabbed:
    """What several sources gave: their sum (None for nothing), how many of them, and whether any was remote.

    With `keeps`, also each of them; `failures` says of each other one what went wrong.
    """

    def __init__(self, *, keeps: bool = False) -> None:
        self.profile: Profile | None = None
        self.count = 0
        self.remote = False
        self.keeps = keeps
        self.kept: list[Profile] = []
        self.failures: list[str] = []


def fetch_profile(request: Request, say: Say) -> Profile:
    """Return the one profile that a request describes. `say` gets a line for whatever the user should know.

    Raises `FetchError` where there is none, and `ConduitError` where profiles cannot be added up.
    """
    return fetch_repeated(request, say, keeps=False)[0]


def fetch_again(request: Request, say: Say, seconds: int | None = None) -> Profile:
    """Return the profile of `fetch_profile`, measured for so many `seconds` if given.

    The text of its `FetchError` has each failed source's reason.
    """
    if seconds is not None:
        from copy import copy

        request = copy(request)
        request.seconds = seconds
    try:
        return fetch_profile(request, say)
    except FetchError as error:
        raise FetchError("; ".join([str(error), *error.reasons])) from None


def fetch_repeated(request: Request, say: Say, *, keeps: bool = True) -> tuple[Profile, Repeats | None]:
    """Return the profile of `fetch_profile`, and the single profiles of both sides.

    The latter are None unless several profiles are compared with several.
    """
    keeps = keeps and len(request.sources) > 1 and len(request.bases) > 1
    sources = _grab(request, request.sources, say, "source", keeps=keeps)
    bases = _grab(request, request.bases, say, "base", keeps=keeps)
    for grabbed, wanted, kind in ((sources, request.sources, "source"), (bases, request.bases, "base")):
        if not grabbed.count and wanted:
            raise FetchError(f"failed to fetch any {kind} profiles", [*sources.failures, *bases.failures])
    for grabbed, wanted, kind in ((sources, request.sources, "source"), (bases, request.bases, "base")):
        if grabbed.count != len(wanted):
            say(f"Fetched {grabbed.count} {kind} profiles out of {len(wanted)}")
    profile = sources.profile
    assert profile is not None, "some source was read"
    if bases.profile is not None:
        from conduit.profile.merge import difference

        if request.by_name:
            _move_bases([bases.profile, *bases.kept], profile, say)
        profile = difference(profile, bases.profile, mark_base=request.diff_base, normalize=request.normalize)
    finished = _finish(request, profile, say, save=sources.remote or bases.remote)
    if finished is not sources.profile or sources.count > 1:
        finished.check_valid()  # one as it was decoded has been checked
    return finished, _repeats(request, bases.kept, sources.kept)


def _move_bases(bases: Sequence[Profile], profile: Profile, say: Say) -> None:
    """Have functions of another checkout's bases compared with those of the same names."""
    from conduit.profile.other_checkout import move_into_files_of

    moves: dict[str, str] = {}
    for base in bases:
        moves |= move_into_files_of(base, profile)
    if moves:
        there, here = min(moves.items())
        rest = len(moves) - 1
        more = f", and {counted(rest, 'more file')}" if rest else ""
        say(f"functions of {there} are compared with those of {here}{more}")


def _repeats(request: Request, before: list[Profile], after: list[Profile]) -> Repeats | None:
    if not before or not after:
        return None
    from conduit.profile.merge import align

    # What there is to say was said of the sum.
    each = [_finish(request, profile, lambda _: None, save=False) for profile in align([*before, *after])]
    return Repeats(each[: len(before)], each[len(before) :])


def _finish(request: Request, profile: Profile, say: Say, *, save: bool) -> Profile:
    if request.all_frames:
        profile = profile.replaced(drop_frames="", keep_frames="")
    profile = name_parts(profile, request.symbolize, say)
    if profile.drop_frames:
        profile = _without_dropped_frames(profile, say)
    if request.comment:
        profile = profile.replaced(comments=[*profile.comments, request.comment])
    if save:
        from conduit.fetch.saving import save_profile

        request.saved = save_profile(profile, say)
    return profile


def _without_dropped_frames(profile: Profile, say: Say) -> Profile:
    from conduit.profile.prune import drop_frames
    from conduit.regexps import PatternError

    try:
        return drop_frames(profile)
    except PatternError as error:
        say(f"the profile's drop_frames or keep_frames is not used: {error}")
        return profile


def _grab(request: Request, names: Sequence[str], say: Say, kind: str, *, keeps: bool) -> _Grabbed:
    grabbed = _Grabbed(keeps=keeps)
    for start in range(0, len(names), _AT_ONCE):
        found = _grab_chunk(request, names[start : start + _AT_ONCE], say, grabbed)
        grabbed.count += len(found)
        if not found:
            continue
        if grabbed.profile is not None:
            found.insert(0, grabbed.profile)
        try:
            grabbed.profile = found[0] if _is_whole(found) else _sum(found)
        except ConduitError as error:
            comma = "," if kind == "base" else ""
            raise FetchError(f"problem fetching {kind} profiles: {error}{comma}", grabbed.failures) from None
    return grabbed


def _is_whole(found: list[Profile]) -> bool:
    """Return whether there is one profile only, with sample types that differ, which `combine` leaves as it is."""
    kinds = [kind.type for kind in found[0].sample_types]
    return len(found) == 1 and bool(kinds) and len(set(kinds)) == len(kinds)


def _sum(found: list[Profile]) -> Profile:
    from conduit.profile.merge import combine

    return combine(found)


def _grab_chunk(request: Request, names: Sequence[str], say: Say, grabbed: _Grabbed) -> list[Profile]:
    found = []
    for name, outcome in zip(names, _read_all(request, names, say), strict=True):
        if isinstance(outcome, Exception):
            from conduit.fetch.download import without_password

            grabbed.failures.append(f"{without_password(name)}: {outcome}")
            say(grabbed.failures[-1])
            continue
        profile, url = outcome
        if url or request.executable or request.build_id or not profile.mappings:
            add_missing_mapping(profile, url, request.executable, request.build_id)
        grabbed.remote = grabbed.remote or bool(url)
        found.append(profile)
    if grabbed.keeps:
        grabbed.kept += found
    return found


def _read_all(request: Request, names: Sequence[str], say: Say) -> list[tuple[Profile, str] | ConduitError]:
    """Return each source's profile and URL, or what went wrong with it; those from the network all at the same time."""

    def read(name: str) -> tuple[Profile, str] | ConduitError:
        try:
            return _read(request, name, say)
        except (FetchError, MalformedProfileError) as error:
            return error

    remote = [name for name in names if not is_local(name)]
    if len(remote) < 2:
        return [read(name) for name in names]
    from concurrent.futures import ThreadPoolExecutor

    # Each has a thread, so that the servers measure at the same time.
    with ThreadPoolExecutor(max_workers=min(len(remote), _THREADS)) as pool:
        try:
            answers = pool.map(read, remote)
        except RuntimeError as error:
            raise FetchError(
                f"cannot fetch from {len(remote)} addresses at the same time: {error}; give fewer of them"
            ) from None
        return [read(name) if is_local(name) else next(answers) for name in names]


def split_names(text: str) -> list[str]:
    """Return the sources that one value of a flag names, separated by commas.

    A comma in the name of a file that exists, or in a URL, is part of the name.
    """
    parts = [part for part in text.split(",") if part]
    if len(parts) < 2 or os.path.exists(text):
        return [text] if text else []
    return parts if all(map(_is_source, parts)) or any(map(os.path.exists, parts)) else [text]


def _is_source(name: str) -> bool:
    return "://" in name or os.path.exists(name)


def is_local(name: str) -> bool:
    """Return whether a source is a file or standard input, which a second look would find the same."""
    return name == "-" or os.path.exists(name)


def _read(request: Request, name: str, say: Say) -> tuple[Profile, str]:
    if os.path.exists(name):
        return _decode(_read_file(name), name, say, request), ""
    if name == "-":
        return _decode(_read_input(), name, say, request), ""
    from conduit.fetch.download import Certificates, download, profile_url, without_password

    target = profile_url(name, request.seconds, request.timeout)
    if target is None:
        raise FetchError(f"stat {without_password(name)}: no such file or directory")
    say(f"Fetching profile over HTTP from {without_password(target.url)}")
    if request.seconds > 0:
        from conduit.report.formats.raw import go_duration

        say(f"Please wait... ({go_duration(request.seconds * 10**9)})")
    return _decode(download(target, Certificates(*request.tls)), name, say, request), without_password(
        target.url
    )


def _decode(data: bytes, name: str, say: Say, request: Request) -> Profile:
    """Return the profile in a source's bytes; the formats of other tools are tried after pprof's own."""
    try:
        return decode(data)
    except MalformedProfileError:
        from conduit.fetch.foreign import decode_foreign

        foreign = decode_foreign(data, times=request.times)
        if foreign is None:
            raise
    if foreign.caveat:
        say(f"{name}: {foreign.caveat}")
    return foreign.profile


def _read_file(name: str) -> bytes:
    try:
        with open(name, "rb") as file:
            data = read_at_most(file, DEFAULT_LIMITS.size_bytes)
    except IsADirectoryError:
        raise FetchError(f"read {name}: is a directory") from None
    except OSError as error:
        raise FetchError(f"open {name}: {(error.strerror or str(error)).lower()}") from None
    return _not_too_large(data, name)


def _read_input() -> bytes:
    import sys

    return _not_too_large(read_at_most(sys.stdin.buffer, DEFAULT_LIMITS.size_bytes), "-")


def _not_too_large(data: bytes | None, name: str) -> bytes:
    if data is None:
        raise FetchError(
            f"read {name}: more than {DEFAULT_LIMITS.size_bytes:,} bytes, the limit for a profile"
        )
    return data


_OBJECT_FILES = (
    b"\x7fELF",
    b"MZ",
    b"\xfe\xed\xfa\xce",
    b"\xfe\xed\xfa\xcf",
    b"\xce\xfa\xed\xfe",
    b"\xcf\xfa\xed\xfe",
)


def is_executable(path: str) -> bool:
    """Return whether a path names a program's binary, by its first bytes.

    Such a path is no profile, but names the program.
    """
    try:
        with open(path, "rb") as file:
            return file.read(4).startswith(_OBJECT_FILES)
    except OSError:
        return False
