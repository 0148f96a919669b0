"""`conduit introspect`: queries about an application, answered from its metadata document.

Each verb is a module, imported only when that verb runs. Its `run(question)` prints the answer and returns the exit
status; its `declare(flags)`, if there is one, adds flags of this verb.
"""

from __future__ import annotations

import sys

from conduit.cli.flags import FlagSet, HelpRequested
from conduit.errors import UsageError
from conduit.units import counted

TYPE_CHECKING = False  # `typing` would slow the start of every command; type checkers know this name
if TYPE_CHECKING:
    from types import ModuleType

# Verb → (module, its arguments, what it tells, the least and the most arguments it takes).
VERBS: dict[str, tuple[str, str, str, int, int]] = {
    "resources": ("resources", "", "every resource, with counts of its parts", 0, 0),
    "resource": ("resource", "NAME", "all about one resource", 1, 1),
    "routes": ("routes", "", "every route, or those that the flags describe", 0, 0),
    "tasks": (
        "tasks",
        "",
        "work outside requests: tasks, commands, receivers, hooks, with queue and schedule",
        0,
        0,
    ),
    "deps": ("deps", "NAME", "what a resource depends on, and what depends on it", 1, 1),
    "patterns": (
        "patterns",
        "[CATEGORY]",
        "recurring conventions, and the items that deviate from them",
        0,
        1,
    ),
    "cycles": ("cycles", "", "resources that depend on each other in a cycle", 0, 0),
    "path": ("path", "A B", "the ways from one resource to another along their relationships", 2, 2),
    "impact": ("impact", "NAME", "the effects of deleting a row of a resource", 1, 1),
    "diagram": ("diagram", "[NAME]", "a diagram of the resources and their relationships", 0, 1),
    "diff": ("diff", "[OLD NEW]", "what changed between two documents, or models against migrations", 0, 2),
    "stats": ("stats", "", "counts of resources, routes and everything else", 0, 0),
    "page": ("page", "", "the web page: -http=:8080 serves it, -html=FILE writes it", 0, 0),
}
_STORED = frozenset(("routes",))
"""Verbs with answers that a compiled form keeps as they are printed: without msgspec, whose import takes as long."""
_APP = (
    "an ASGI or WSGI application to load, module:attribute or module:factory(); with a document, a name "
    "without a colon: show only the routes and resources of this Django app or package"
)
FORMATS = ("table", "json", "yaml")


def run(arguments: list[str]) -> int:
    """Run one `conduit introspect …`; raise `UsageError` for a wrong call."""
    verb, words = _split(arguments)
    if verb not in VERBS:
        raise UsageError(_unknown_verb(verb))
    module_name, usage, _, least, most = VERBS[verb]
    if verb not in _STORED:
        _import_msgspec()
    module = _load(module_name)
    parsed = verb_flags(verb, module).parse(words, positionals="mixed")
    if not least <= len(parsed.positionals) <= most:
        expected = f"expected {usage}" if usage else "expected no argument"
        found = counted(len(parsed.positionals), "argument")
        raise UsageError(f"{verb}: {expected}, got {found}; `conduit introspect {verb} --help`")
    from conduit.cli.introspect.question import Question

    question = Question(parsed, getattr(module, "PART", ""))
    if verb in _STORED and module.answer_stored(question):
        status = 0
    else:
        _import_msgspec()
        if usage.strip("[]") in ("NAME", "A B"):
            parsed.positionals[:] = map(question.resolve_name, parsed.positionals)
        status = int(module.run(question))
    if question.to_compile and question.wanted:
        from conduit.cli.introspect.compiling import compile_document

        for path, (stamp, registry) in question.to_compile.items():
            compile_document(path, stamp, registry, question.wanted)
    return status


def _import_msgspec() -> None:
    """Import msgspec without `typing_extensions`, which it takes where it is installed: a third of a whole answer.

    What it takes from there, `typing` has since 3.11. No other types are read in this process:
    an application is loaded in its own.
    """
    if "msgspec" in sys.modules or "typing_extensions" in sys.modules:
        return
    modules: dict[str, ModuleType | None] = sys.modules  # type: ignore[assignment]
    modules["typing_extensions"] = None  # an import of it fails now, which msgspec is prepared for
    try:
        import msgspec  # noqa: F401
    finally:
        del modules["typing_extensions"]


def verb_flags(verb: str, module: ModuleType | None = None) -> FlagSet:
    """Return all the flags of one verb: the common ones and its own."""
    module_name, usage, summary, _, _ = VERBS[verb]
    flags = FlagSet(f"usage: conduit introspect {verb} {usage} [flags]".replace("  ", " ") + f"\n\n{summary}")
    declare = getattr(module or _load(module_name), "declare", None)
    if declare is not None:
        declare(flags)
    if verb == "page":
        _declare_page(flags)
    _declare_common(flags)
    return flags


def _load(module_name: str) -> ModuleType:
    from importlib import import_module

    return import_module(f"{__name__}.{module_name}")


def _declare_common(flags: FlagSet) -> None:
    flags.option(
        "metadata",
        "the metadata document (default $CONDUIT_METADATA, else build/introspection/metadata.json, else metadata.json)",
        metavar="FILE",
    )
    if "format" not in flags.flags:
        flags.option("format", "table, json or yaml", default="table", parse=_format, metavar="FORMAT")
    from conduit.cli.collect_application import declare_application

    declare_application(flags, _APP)
    flags.switch("fresh", "ignore the cache and collect again")
    flags.switch("verbose", "show everything that is known")
    flags.switch("no-color", "no emphasis, as with the environment variable NO_COLOR")


def _declare_page(flags: FlagSet) -> None:
    """Declare where the page goes, for its verb and for the command without one."""
    flags.option("http", "serve the page at this address, such as :8080", metavar="HOST:PORT")
    flags.option(
        "html", "write the page to one self-contained file, with excerpts of the sources", metavar="FILE"
    )
    flags.switch("no_browser", "do not open a browser window")
    flags.switch(
        "source-anywhere",
        "the page shows source files from all folders, not only below --root, the working directory and sys.path",
    )
    flags.switch("no-source", "leave excerpts of the source files out of the file")
    flags.option("base", "an older document: the page also shows what changed since", metavar="FILE")
    flags.option(
        "profile",
        "a profile with route labels, to show the cost of each route and resource; may be repeated",
        repeatable=True,
        metavar="FILE",
    )


def _format(text: str) -> str:
    if text not in FORMATS:
        raise ValueError("expected table, json or yaml")
    return text


def _split(arguments: list[str]) -> tuple[str, list[str]]:
    """Return the verb, and every other word in its order; flags may stand before the verb too."""
    common = FlagSet(_usage())
    common.option("format", "table, json or yaml; some verbs have others", default="table", metavar="FORMAT")
    _declare_common(common)
    _declare_page(common)
    parsed = common.parse(arguments)
    if not parsed.positionals and (parsed["http"] is not None or parsed["html"] is not None):
        return "page", arguments
    if not parsed.positionals:
        raise UsageError(f"expected a verb: {', '.join(VERBS)}")
    verb, rest = parsed.positionals[0], parsed.positionals[1:]
    if verb == "help":
        raise HelpRequested(verb_flags(rest[0]).help() if rest and rest[0] in VERBS else common.help())
    before = arguments[: len(arguments) - len(parsed.positionals)]
    return verb, [*before, *rest]


def _usage() -> str:
    width = max(len(f"{verb} {usage}") for verb, (_, usage, *_) in VERBS.items())
    rows = [f"  {f'{verb} {usage}':<{width}}  {summary}" for verb, (_, usage, summary, *_) in VERBS.items()]
    return "\n".join(["usage: conduit introspect VERB [ARGUMENTS] [flags]", "", "verbs:", *rows])


def _unknown_verb(verb: str) -> str:
    from conduit.errors import suggestion

    return f"unknown verb: {verb!r}{suggestion(verb, tuple(VERBS), 1)} (verbs: {', '.join(VERBS)})"
