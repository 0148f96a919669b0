"""One question to a metadata document: which document, and in which form the answer is wanted."""

from __future__ import annotations

import os
import stat
import sys
from functools import cached_property

from conduit.cli.terminal_text import complain
from conduit.errors import ConduitError
from conduit.units import counted

TYPE_CHECKING = False  # `typing` would slow the start of every command; type checkers know this name
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence
    from typing import Any, Protocol, TypeVar

    from conduit.cli.flags import Parsed
    from conduit.cli.tables import Page
    from conduit.metadata.compiled_file import CompiledForm
    from conduit.metadata.registry import Registry
    from conduit.metadata.schema import Metadata

    class HasOrigin(Protocol):
        """A resource or a route."""

        @property
        def origin(self) -> str: ...  # noqa: D102

    T = TypeVar("T", bound=HasOrigin)
    P = TypeVar("P")

SHOWN_WARNINGS = 3
DEFAULT_PATHS = ("build/introspection/metadata.json", "metadata.json")


class Question:
    """The parsed command line of a verb, and the registry that answers it, loaded when it is first needed."""

    def __init__(self, parsed: Parsed, part: str = "") -> None:
        """`part` names the part of a compiled form that the verb's tables need; with `*`, that all its output needs.

        With `+`, other output comes from the records that the form keeps: the verb answers with `answer_records`.
        """
        self.flags = parsed
        self.arguments: list[str] = parsed.positionals
        self._part = part
        self.to_compile: dict[str, tuple[tuple[int, ...], Registry]] = {}
        """Large documents that were read whole, with their stamps."""
        self.wanted: dict[str, None] = {}
        """The parts that a compiled form would have been asked for, and did not have."""
        self._has_warned = False
        self._is_whole = True  # the registry is of a whole document

    @property
    def verbose(self) -> bool:
        """Whether everything is wanted."""
        return bool(self.flags["verbose"])

    @cached_property
    def registry(self) -> Registry:
        """The registry of the document or the application that is named; with --verbose its warnings are printed."""
        registry = self._load()
        if self.verbose and not self._has_warned:
            self._print_warnings(registry)
        return registry

    @property
    def whole_registry(self) -> Registry:
        """The registry with all that the document has, where `registry` may have what tables show."""
        registry = self.registry
        return registry if self._is_whole else self.load_document(metadata_path(self.flags["metadata"]))

    @cached_property
    def part(self) -> str:
        """The part of the application that `--app` narrows the answer to; empty where it names an application to load.

        A name with a colon is loaded. One without is a part where something else says what to ask: a document, or
        `--django` or `--sqlalchemy`.
        """
        given: str = self.flags["app"] or ""
        if not given or ":" in given or self.flags["factory"]:
            return ""
        elsewhere = any(self.flags[name] for name in ("metadata", "django", "sqlalchemy"))
        return given if elsewhere or find_document(None) else ""

    def read_whole(self) -> None:
        """Have the whole document read, not a part of its compiled form; before `registry` is first asked for."""
        self._part = ""

    def _load(self) -> Registry:
        if self.part:
            self.flags.values["app"] = None
        if any(self.flags[name] for name in ("app", "django", "sqlalchemy")):
            return live_registry(self.flags)
        path = metadata_path(self.flags["metadata"])
        name = self._part.rstrip("*+")
        if name == "resource":
            name = f"resource:{self.arguments[0]}"
        found = self._compiled_part(name)
        self._is_whole = found is None
        return self.load_document(path) if found is None else found

    def load_document(self, path: str) -> Registry:
        """Load the whole document, and note its stamp if it is to be compiled: it was the same before and after."""
        if path in self.to_compile:
            return self.to_compile[path][1]
        from conduit.metadata.registry import load

        before = _stamp_to_compile(path)
        registry = load(path)
        if before is not None and before == _stamp_to_compile(path):
            self.to_compile[path] = before, registry
        return registry

    @cached_property
    def _asks_form(self) -> bool:
        """Whether the question is one for a compiled form."""
        live = (not self.part and self.flags["app"]) or self.flags["django"] or self.flags["sqlalchemy"]
        if live or not self._part:
            return False
        return self.flags["format"] == "table" or self._part.endswith(("*", "+"))

    @cached_property
    def _form(self) -> CompiledForm | None:
        """The document's compiled form, where there is one that fits."""
        path = find_document(self.flags["metadata"])
        return None if path is None else compiled_form(path)

    def _from_form(self, name: str, read: Callable[[CompiledForm], P | None]) -> P | None:
        """Return what `read` finds in the compiled form, and note the part's name where it finds nothing."""
        if not self._asks_form:
            return None
        found = read(self._form) if self._form is not None else None
        if found is None:
            self.wanted[name] = None
        return found

    def _compiled_part(self, name: str) -> Registry | None:
        metadata = self._from_form(name, lambda form: _read_part(form, name))
        if metadata is None:
            return None
        from conduit.metadata.registry import Registry

        return Registry(metadata)

    def stored(self, name: str) -> bytes | None:
        """Return a part of the compiled form as it is; `None` where it has to be computed."""
        return self._from_form(name, lambda form: form.bytes_of(name))

    def stored_answer(self, name: str) -> bytes | None:
        """Return an answer that the compiled form keeps, encoded; `None` where it has to be computed."""
        found = self.stored(f"answer:{name}")
        if self.verbose and found is not None and not self._has_warned:
            self._print_warnings(None)
        return found

    def resolve_name(self, given: str) -> str:
        """Return the name of the resource that is meant: by name, by id, or by the last part of an id if it is unique.

        Raises `UnknownNameError` with the candidates where several have it; an unknown name is returned as it is.
        """
        registry = self._compiled_part("names") or self.registry
        if registry.get(given) is not None:
            return given
        resources = registry.resources()
        exact = [one.name for one in resources if one.id == given]
        if exact:
            return exact[0]
        candidates = [one.name for one in resources if one.id.replace(":", ".").rpartition(".")[2] == given]
        if len(candidates) > 1:
            raise UnknownNameError(
                f"{given!r} is the name of {len(candidates)} resources; say which: {', '.join(candidates)}"
            )
        return candidates[0] if candidates else given

    def without_framework(self, records: Sequence[T], noun: str) -> Sequence[T]:
        """Return the records that are not the framework's own; print on standard error how many were left out."""
        if self.flags["all"]:
            return records
        own = [record for record in records if record.origin != "framework"]
        tell_hidden(len(records) - len(own), noun)
        return own

    def print_warnings(self) -> None:
        """Print the document's warnings on standard error; computing them costs as much as loading."""
        registry = self.registry
        if not self.verbose:
            self._print_warnings(registry)

    def _print_warnings(self, registry: Registry | None) -> None:
        """Print the warnings of the document, as the compiled form keeps them if it is asked, else the registry's."""
        self._has_warned = True
        live = self.flags["app"] or self.flags["django"] or self.flags["sqlalchemy"]
        warnings: Sequence[object] | None = self.stored_texts("warnings")
        if warnings is None:
            found = registry or self.registry
            warnings = (found if self._is_whole else self.whole_registry).warnings
        print_warnings(live or metadata_path(self.flags["metadata"]), warnings, self.verbose)

    def stored_texts(self, name: str) -> Sequence[str] | None:
        """Return texts that the compiled form keeps as an answer; `None` where they have to be computed."""
        stored = self.stored(f"answer:{name}")
        if stored is None:
            return None
        from conduit.metadata.compiled_file import unpacked_texts

        return unpacked_texts(stored)

    def stored_positions(self, name: str) -> Sequence[int] | None:
        """Return positions in the document that the compiled form keeps; `None` where they have to be computed."""
        stored = self.stored_answer(name)
        if stored is None:
            return None
        from conduit.metadata.compiled_file import unpacked_numbers

        return unpacked_numbers(stored)

    def answer(self, value: Any, print_table: Callable[[Page], None]) -> int:
        """Print the answer: `value` (records, lists and dicts of them) as JSON or YAML, or the table. Return 0."""
        if self.flags["format"] == "table":
            from conduit.cli.tables import standard_page

            print_table(standard_page(self.flags["no-color"]))
        else:
            from conduit.cli.introspect.data import print_data

            print_data(value, self.flags["format"])
        return 0

    def answer_stored_records(self, kind: str) -> bool:
        """Print all records that are wanted without a filter as the compiled form keeps them; False if it does not."""
        stored = self.stored_positions(f"own {kind}")
        if stored is None:
            return False
        count, *own = stored
        wanted: Sequence[int] = range(count) if self.flags["all"] else own
        found = self.stored_records(kind, wanted)
        if found is None:
            return False
        tell_hidden(count - len(wanted), kind)
        self.answer_arrays(found)
        return True

    def stored_records(self, kind: str, positions: Sequence[int]) -> Iterable[bytes] | None:
        """Return the records at some positions as JSON arrays, which the compiled form keeps; `None` if it does not."""
        from conduit.cli.introspect.records import selected_records

        return selected_records(self.stored, kind, positions)

    def answer_arrays(self, arrays: Iterable[bytes]) -> None:
        """Print the records of JSON arrays as JSON or YAML."""
        from conduit.cli.introspect.data import print_arrays

        print_arrays(arrays, self.flags["format"])

    def answer_records(
        self, kind: str, chosen: Sequence[Any], everything: Sequence[Any], print_table: Callable[[Page], None]
    ) -> int:
        """Answer with some of the document's `resources` or `routes`, named by `kind`.

        From a compiled form the records have only what tables show; data is then printed as the form keeps it.
        """
        if self.flags["format"] == "table" or not self._asks_form:
            return self.answer(chosen, print_table)
        if self._is_whole:
            self.wanted[f"text:{kind}"] = None
            return self.answer(chosen, print_table)
        at = {id(record): position for position, record in enumerate(everything)}
        positions = [at[id(record)] for record in chosen]
        found = self.stored_records(kind, positions)
        if found is not None:
            self.answer_arrays(found)
            return 0
        whole = self.whole_registry
        records = whole.resources() if kind == "resources" else whole.routes()
        return self.answer([records[position] for position in positions], print_table)


def tell_hidden(count: int, noun: str) -> None:
    """Print on standard error how many records of the framework were left out, if any."""
    if count:
        print(f"conduit: +{count} {noun} of the framework; --all shows them", file=sys.stderr)


def compiled_form(path: str) -> CompiledForm | None:
    """Return the compiled form of a document that is worth compiling, open; `None` where there is none that fits."""
    if _stamp_to_compile(path) is None:
        return None
    from conduit.metadata.compiled_file import open_compiled

    return open_compiled(path)


def _read_part(form: CompiledForm, name: str) -> Metadata | None:
    from conduit.metadata.compiled import read_part

    return read_part(form, name)


def _stamp_to_compile(path: str) -> tuple[int, ...] | None:
    """Return the stamp of a document that is worth compiling: a large regular file; `None` for others."""
    if os.environ.get("CONDUIT_COMPILED") == "off":
        return None
    try:
        status = os.stat(path)  # noqa: PTH116 (pathlib would cost more than the look-up)
    except OSError:
        return None
    from conduit.metadata.compiled_file import SMALLEST_BYTES, stamp_of

    if not stat.S_ISREG(status.st_mode) or status.st_size < SMALLEST_BYTES:
        return None
    return stamp_of(status)


class UnknownNameError(ConduitError):
    """A name on the command line that the document does not know."""


def find_document(given: str | None) -> str | None:
    """Return the path of the document: the given one, `$CONDUIT_METADATA`, or the first default path that exists."""
    named = given or os.environ.get("CONDUIT_METADATA")
    if named:
        return named
    # pathlib would cost more than the look-up.
    return next((path for path in DEFAULT_PATHS if os.path.exists(path)), None)  # noqa: PTH110


def metadata_path(given: str | None) -> str:
    """Return the path of the document; raise `ConduitError` where there is none."""
    found = find_document(given)
    if found is not None:
        return found
    raise ConduitError(
        f"there is no metadata document: looked for {' and '.join(DEFAULT_PATHS)}."
        " Make one with `conduit collect`, or name one with --metadata or $CONDUIT_METADATA"
    )


def require_known(name: str, known: Iterable[str], what: str) -> None:
    """Raise `UnknownNameError` with near names where `name` is not among the known ones."""
    names = tuple(dict.fromkeys(known))
    if name in names:
        return
    from conduit.errors import suggestion

    shown = ", ".join(names[:10]) + (f" and {len(names) - 10} more" if len(names) > 10 else "")
    there_are = f" (there are {len(names)}: {shown})" if names else "; there are none"
    raise UnknownNameError(f"{what} not found: {name!r}{suggestion(name, names)}{there_are}")


def live_registry(parsed: Parsed) -> Registry:
    """Return the registry of the application that the flags name; collected again when one of its files has changed."""
    from conduit.cli.collect_application import application_of, time_limit_s
    from conduit.metadata.registry import Registry
    from conduit.sources.document_cache import CollectedWithErrorsError, collect_and_cache, find_cached

    application = application_of(parsed)
    kept, changed = (None, "") if parsed["fresh"] else find_cached(application)
    if kept is not None:
        return Registry.from_json(kept.data)
    if changed:
        print(f"conduit: {changed} has changed; collecting the application again", file=sys.stderr)
    try:
        return Registry.from_json(collect_and_cache(application, time_limit_s(parsed)).data)
    except CollectedWithErrorsError as partial:
        registry = Registry.from_json(partial.data)
        for error in registry.schema().errors:
            complain(f"conduit: warning: {error.source}: {error.message}")
        return registry


def print_warnings(path: str, warnings: Sequence[object], verbose: bool) -> None:
    """Print the first few warnings, or all of them, and how many there are beyond."""
    shown = len(warnings) if verbose else min(SHOWN_WARNINGS, len(warnings))
    for warning in warnings[:shown]:
        complain(f"conduit: warning: {path}: {warning}")
    if shown < len(warnings):
        more = counted(len(warnings) - shown, "more warning")
        print(f"conduit: {more}; --verbose shows them", file=sys.stderr)
