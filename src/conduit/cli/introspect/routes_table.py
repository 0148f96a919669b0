"""The table of routes, column by column, as `conduit introspect routes` prints it and a compiled form keeps it.

A large application has thousands of routes: their records take longer to decode than their cells to print.
"""

from __future__ import annotations

from conduit.cli.introspect.shown_routes import carried_by_all
from conduit.cli.tables import Layout, clean
from conduit.metadata.compiled_file import packed_texts, unpacked_texts

TYPE_CHECKING = False  # `typing` would slow the answer; type checkers know this name
if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from conduit.cli.tables import Page
    from conduit.metadata.schema import Metadata, Route

_HEADER = ["METHOD", "PATH", "HANDLER", "NAME", "RESOURCE"]
_MORE = ["OPERATION", "REQUEST", "RESPONSE", "KIND", "LOCATION"]
"""Only with --verbose."""
_WIDE = 120
"""From this many character cells on, the path may have a smaller share of the line."""


class RoutesTable:
    """The cells of some routes, and what a document says of all of them.

    `columns` are those of `_HEADER`, and with `verbose` those of `_MORE` behind them; `chains` are the lists of
    middleware that there are, in the order of the first routes that carry them, and `chain_of` the number of each
    route's own. `passed` is the middleware that every request passes, `mounts` the rows of those whose routes are not
    among them. `is_exact` says that the cells are the words of the document, and none was escaped for a terminal.
    """

    __slots__ = ("chain_of", "chains", "columns", "is_exact", "mounts", "passed")

    def __init__(
        self,
        columns: Sequence[Sequence[str]],
        chains: Sequence[Sequence[str]],
        chain_of: Sequence[int],
        passed: Sequence[str] = (),
        mounts: Sequence[Sequence[str]] = (),
        *,
        is_exact: bool = True,
    ) -> None:
        self.columns = columns
        self.chains = chains
        self.chain_of = chain_of
        self.passed = passed
        self.mounts = mounts
        self.is_exact = is_exact

    @classmethod
    def of(cls, routes: Sequence[Route], whole: Metadata | None, *, verbose: bool) -> RoutesTable:
        """Return the table of routes; with `whole`, what their document says of all requests, and its mounts."""
        columns = [
            [route.method for route in routes],
            [route.path for route in routes],
            [route.handler for route in routes],
            [route.details.name if route.details else "" for route in routes],
            [route.resource for route in routes],
        ]
        if verbose:
            columns += map(list, zip(*map(_more, routes), strict=True)) if routes else [[] for _ in _MORE]
        numbers: dict[tuple[str, ...], int] = {}
        chain_of = [numbers.setdefault(route.middleware, len(numbers)) for route in routes]
        mounts = [
            [mount.path, mount.host, mount.application, "files" if mount.kind == "static" else "not readable"]
            for mount in (whole.mounts if whole else ())
            if mount.kind != "application"
        ]
        return cls(columns, [*numbers], chain_of, whole.middleware if whole else (), mounts)

    def packed(self) -> bytes:
        """Return the table as bytes; its cells are then such as no terminal obeys."""
        lists = [
            *self.columns,
            [str(number) for number in self.chain_of],
            self.passed,
            [cell for row in self.mounts for cell in row],
            *self.chains,
        ]
        is_exact = all("".join(cells).isprintable() for cells in lists)
        return packed_texts(["exact" if is_exact else "", *map(_lines, lists)])

    @classmethod
    def unpacked(cls, data: bytes, *, verbose: bool) -> RoutesTable:
        """Return the table of `packed`, which had all columns; raise `ValueError` for other data."""
        exact, *texts = unpacked_texts(data)
        first, last = len(_HEADER), len(_HEADER) + len(_MORE)
        columns = [_cells(text) for text in texts[: last if verbose else first]]
        chain_of, passed, mounts, *chains = map(_cells, texts[last:])
        rows = [mounts[at : at + 4] for at in range(0, len(mounts), 4)]
        return cls(columns, chains, [*map(int, chain_of)], passed, rows, is_exact=exact == "exact")

    def column(self, name: str) -> Sequence[str]:
        """Return one of the columns that every table has, by its name in the header."""
        return self.columns[_HEADER.index(name)]

    def only(self, positions: Sequence[int]) -> RoutesTable:
        """Return the table of the routes at some positions, in their order."""
        columns = [[column[at] for at in positions] for column in self.columns]
        chain_of = [self.chain_of[at] for at in positions]
        return RoutesTable(columns, self.chains, chain_of, self.passed, self.mounts, is_exact=self.is_exact)

    def print(self, page: Page) -> None:
        """Print the routes, then what all of them carry, and the mounts whose routes are not among them."""
        if self.chain_of:
            self._print_routes(page)
        else:
            page.line("no routes")
        if self.mounts:
            page.line()
            page.table(["MOUNT", "HOST", "APPLICATION", "KIND"], self.mounts, keep="MOUNT")

    def _print_routes(self, page: Page) -> None:
        used = [self.chains[number] for number in dict.fromkeys(self.chain_of)]
        common = carried_by_all(used, len(self.chain_of))
        own = [", ".join(clean(name) for name in names if name not in common) for names in self.chains]
        middleware = [own[number] for number in self.chain_of]
        first, verbose = len(_HEADER), len(self.columns) > len(_HEADER)
        layout = Layout(
            "PATH",
            share=0.4 if (page.width or 0) < _WIDE else 0.3,
            whole=("METHOD",),
            ends=("HANDLER", "LOCATION"),
            middles=("NAME",),
            wrap=("PATH",),
            optional=() if verbose else ("RESOURCE", "MIDDLEWARE"),
        )
        header = [*_HEADER, "MIDDLEWARE", *(_MORE if verbose else ())]
        columns = [*self.columns[:first], middleware, *self.columns[first:]]
        left_out = page.columns(header, columns, layout=layout)
        if common or self.passed:
            page.line()
        if common:
            page.paragraph(f"all {len(self.chain_of)} routes carry: {', '.join(map(clean, common))}")
        if self.passed:
            page.paragraph(f"every request passes: {', '.join(map(clean, self.passed))}")
        page.tell_left_out(left_out)


def _more(route: Route) -> list[str]:
    from conduit.cli.introspect.shown_paths import shown_path

    kind = route.details.kind if route.details else ""
    location = shown_path(route.details.file_path, route.line_number) if route.details else ""
    return [route.operation, route.request_body, route.response_body, kind, location]


def _lines(cells: Iterable[str]) -> str:
    return "".join(f"{clean(cell)}\n" for cell in cells)


def _cells(text: str) -> list[str]:
    return text.split("\n")[:-1]
