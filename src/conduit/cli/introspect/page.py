"""`conduit introspect -http=:8080` and `-html FILE`: what the application is made of, as a page."""

from __future__ import annotations

import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from conduit.cli.introspect.question import find_document
from conduit.errors import UsageError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from conduit.cli.introspect.question import Question
    from conduit.metadata.schema import Metadata


def run(question: Question) -> int:
    """Write the page to a file, or serve it until interrupted."""
    flags = question.flags
    if (flags["http"] is None) == (flags["html"] is None):
        raise UsageError(
            "page: expected -http=[host]:port, which serves the page, or -html=FILE, which writes it"
        )
    document = _document(question)
    if flags["html"] is not None:
        from conduit.files import write_file_whole
        from conduit.web.registry import registry_file

        page = registry_file(
            document,
            _title(question),
            read=None if flags["no-source"] else _reader(question),
            **_more(question, document),
        )
        write_file_whole(flags["html"], page)
        print(f"conduit introspect: wrote {flags['html']}", file=sys.stderr)
        return 0
    return _serve(question, document)


def _document(question: Question) -> Metadata:
    """Return the whole document, or with `--app PART` only the resources and routes of that part."""
    document = question.registry.schema()
    if not question.part:
        return document
    from msgspec.structs import replace

    from conduit.cli.introspect.application_parts import resources_of_part, routes_of_part

    return replace(
        document,
        resources=tuple(resources_of_part(document.resources, document, question.part)),
        routes=tuple(routes_of_part(document.routes, document, question.part)),
    )


def _more(question: Question, document: Metadata) -> dict[str, dict[str, Any] | None]:
    """Return the difference to an older document and the costs by profiles, as far as they are asked for."""
    difference = costs = None
    if question.flags["base"]:
        from conduit.cli.introspect.diff import markdown
        from conduit.metadata.difference import difference as compare
        from conduit.metadata.registry import load
        from conduit.web.registry.difference_data import difference_data

        found = compare(load(question.flags["base"]).schema(), document)
        difference = difference_data(found, question.flags["base"], markdown(found))
    if question.flags["profile"]:
        from conduit.cli.introspect.page_costs import cost_data

        costs = cost_data(document, question.flags["profile"])
    return {"difference": difference, "costs": costs}


def _serve(question: Question, document: Metadata) -> int:
    from conduit.cli.introspect.route_costs import read_profile
    from conduit.web.browser import open_browser
    from conduit.web.registry import serve_registry

    server = serve_registry(
        _Source(question, document),
        question.flags["http"],
        list(map(read_profile, question.flags["profile"])),
    )
    print(f"Serving the application's page on {server.url} (Ctrl-C ends it)", file=sys.stderr, flush=True)
    if not question.flags["no_browser"] and not open_browser(server.url):
        print(f"No browser was found to open; visit {server.url}", file=sys.stderr, flush=True)
    try:
        server.serve()
    except KeyboardInterrupt:
        print(file=sys.stderr)
    finally:
        server.release()
    return 0


def _title(question: Question) -> str:
    """Return the title: the application, or the folder that holds the document."""
    named = question.flags["app"] or question.flags["django"] or question.flags["sqlalchemy"]
    if named:
        return str(named)
    path = Path(find_document(question.flags["metadata"]) or ".").resolve()
    return path.stem if path.stem != "metadata" else path.parent.name


def _reader(question: Question) -> Callable[[Sequence[str], str], str]:
    """Return what reads a source file, given the files that the document names and the number of one of them."""
    from conduit.web.registry.source_files import read_source

    root = Path(question.flags["root"]).resolve()
    return partial(read_source, root=root, anywhere=bool(question.flags["source-anywhere"]))


class _Source:
    """The document that was read at the start, and the files that it names."""

    def __init__(self, question: Question, document: Metadata) -> None:
        from conduit.web.registry.page_data import page_data

        self._read = _reader(question)
        self._data: dict[str, Any] = page_data(
            document, _title(question), is_served=True, **_more(question, document)
        )
        self._page = b""

    def page(self) -> bytes:
        """Return the page."""
        from conduit.web.registry.page import registry_document

        self._page = self._page or registry_document(self._data)
        return self._page

    def source(self, number: str) -> str:
        """Return the text of a file that the document names."""
        return self._read(self._data["files"], number)
