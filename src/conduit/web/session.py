"""The data of each view: one profile under the options that an address carries.

Every number and its text come from the records that the text reports print (`conduit.report`); this file picks them
and turns them into JSON's types. Parameters have google/pprof's short names, listed with the options.
"""

from __future__ import annotations

import re
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from conduit.errors import ConduitError
from conduit.interruption import checkpoint, interrupted_by, interruptible
from conduit.report.errors import ReportError
from conduit.report.options import OPTIONS, Options
from conduit.report.ownership import module_of, owner_of
from conduit.report.pipeline import prepare_report, sample_index
from conduit.web.amounts import amounts_document
from conduit.web.application import VIEWS, ViewError
from conduit.web.call_graph import draw, graph_document, without_constant_labels
from conduit.web.command_line import command_line, function_argument
from conduit.web.comparison import amount_text, bases_of, has_base, normalised
from conduit.web.facts import facts, notes
from conduit.web.function_table import function_rows
from conduit.web.labels import name_missing_labels
from conduit.web.memory import HELD, ImportSwitch, growth_document, of_last_process, series_of
from conduit.web.recordings import Recordings, UnknownRecordingError
from conduit.web.time_order import has_times, time_tree, tree_by_parts
from conduit.web.time_strip import (
    BINS,
    RangeError,
    in_range,
    parse_range,
    range_filter,
    strip_document,
    time_span,
)
from conduit.web.turns import take_turn, work_check

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping, Sequence

    from conduit.profile.model import Profile
    from conduit.report.formats.flame import Flame
    from conduit.report.formats.top import TopRow
    from conduit.report.report import Report
    from conduit.web.configs import SavedConfigs

    # The report, the data of the view, the header's lines.
    View = tuple[Report, dict[str, Any], list[str]]

TOP_ROWS = 500
_TAG_VALUES = 30

_BY_PARAMETER = {option.url_parameter: option for option in OPTIONS.values() if option.url_parameter}
# Not in the original's URLs: there these can only be given on the command line.
_BY_PARAMETER.update({"tagroot": OPTIONS["tagroot"], "tagleaf": OPTIONS["tagleaf"]})

_REMEDY = (
    "Reset the filters, choose another sample type, or record for longer, for example: "
    "conduit bench -bench=NAME -cpuprofile=cpu.prof -benchtime=10s"
)


class ProfileSession:
    """A profile on show. `fetch` reads the sources again, where they can change; None for files.

    `fetch_for` records them for so many seconds, at most `max_seconds` (None: not known here).

    `sources` are their names, and `base` the flags that name a base, as on the command line. `repeats` holds the single
    profiles before and after, where several are compared with several. `series` are heap profiles of one process, the
    earliest first, through which growth is followed, read from `series_sources`. `limit_s` is the CPU time that one
    view may take.
    """

    def __init__(
        self,
        profile: Profile,
        options: Options,
        configs: SavedConfigs,
        *,
        fetch: Callable[[], Profile] | None = None,
        fetch_for: Callable[[int], Profile] | None = None,
        max_seconds: float | None = None,
        sources: Sequence[str] = (),
        base: Sequence[str] = (),
        repeats: tuple[Sequence[Profile], Sequence[Profile]] | None = None,
        series: Sequence[Profile] = (),
        series_sources: Sequence[str] = (),
        limit_s: float | None = None,
    ) -> None:
        self._limit_s = limit_s
        self._repeats = repeats
        self._series, self._series_sources = series, series_sources
        self._imports = ImportSwitch()
        self._without_imports = False  # of the address that is answered, chosen under the lock below
        self._during = ""  # the filter of the address's range of the time
        self._recordings = Recordings(profile)
        self._whole = self._profile = (
            profile  # the one on show, and as it was read, chosen under the lock below
        )
        self._shown: tuple[int, int | None] = (1, None)
        self._sources, self._base = sources, base
        self._options = options
        self._configs = configs
        self._fetch, self._fetch_for, self._max_seconds = fetch, fetch_for, max_seconds
        # A report uses a whole core; two at once would only make both slow.
        self._one_at_a_time = threading.Lock()

    def page(
        self, view: str, parameters: Mapping[str, str], cancelled: threading.Event | None = None
    ) -> dict[str, Any]:
        """Return the data of one view.

        Waits for other views, except for their drawing by Graphviz, and gives up once `cancelled` is set.
        """
        warnings: list[str] = []
        with self._turn(cancelled, parameters):
            options = self.options_of(parameters)
            report, content, labels = self._view(view, options, parameters, warnings.append)
            checkpoint()
            frame = self._frame(view, options, parameters, report, warnings.append)
        if view == "graph":
            draw(content, cancelled)
        return {**frame, "legend": labels, "errors": warnings, "views": {view: content}}

    @contextmanager
    def _turn(self, cancelled: threading.Event | None, parameters: Mapping[str, str]) -> Iterator[None]:
        """Wait for the other views, and put the recording that an address names on show."""
        with take_turn(self._one_at_a_time, cancelled, self._limit_s):
            check = work_check(cancelled, self._limit_s)
            with interrupted_by(check), self._choice(parameters):
                yield

    @contextmanager
    def _choice(self, parameters: Mapping[str, str]) -> Iterator[None]:
        try:
            number, against = parameters.get("recording", ""), parameters.get("against", "")
            whole, shown, base = self._recordings.choose(number, against)
            self._without_imports = parameters.get("imports") == "f"
            profile = self._imports.applied(whole) if self._without_imports else whole
            ends = parse_range(parameters["range"]) if "range" in parameters else None
            self._during = range_filter(profile, *ends) if ends else ""
            self._profile = in_range(profile, *ends) if ends else profile
            self._whole, self._shown = whole, (shown, base)
            yield
        except (UnknownRecordingError, RangeError) as error:
            raise ViewError(str(error)) from None

    def subtree(
        self, below: str, parameters: Mapping[str, str], cancelled: threading.Event | None = None
    ) -> dict[str, Any]:
        """Return the part of the flame graph below a node, in finer boxes than the whole has.

        `below` holds the numbers of the sources from the root to the node, joined by dots, as the page has them.
        """
        from conduit.report.formats.flame_tree import build_flame_tree

        parts = below.split(".")
        if not all(part.isascii() and part.isdigit() and len(part) < 10 for part in parts):
            raise ViewError(f"invalid node {below[:100]!r}: expected numbers joined by dots")
        with self._turn(cancelled, parameters):
            report = self._flame_report(self.options_of(parameters), lambda _: None)
            _, tree = build_flame_tree(report, below=[int(part) for part in parts])
        return {
            "parents": tree.parents,
            "sources": tree.sources,
            "values": tree.positive,
            "negatives": tree.negative if any(tree.negative) else None,
            "hidden": tree.hidden,
        }

    def lines(
        self, function: str, parameters: Mapping[str, str], cancelled: threading.Event | None = None
    ) -> dict[str, Any]:
        """Return the source lines of one function, in each file that has one of that name, with what they took."""
        from conduit.web.source_view import lines_document

        with self._turn(cancelled, parameters):
            options = self.options_of(parameters)
            try:
                report = prepare_report(
                    self._profile_of(options), "list", options, lambda _: None, f"^{re.escape(function)}$"
                )
                return lines_document(report)
            except ReportError as error:
                raise ViewError(str(error)) from None

    def failed_page(self, view: str, message: str) -> dict[str, Any]:
        """Return the data of a page that shows no view, but why there is none."""
        warnings: list[str] = []
        with self._turn(None, {}):
            report = prepare_report(self._profile, "top", self._options, warnings.append)
            frame = self._frame(view, self._options, {}, report, warnings.append)
        return {**frame, "legend": [], "errors": warnings, "views": {}, "failed": message}

    def single_file(self) -> dict[str, Any]:
        """Return the data of every view that can be made, for a file that needs no server.

        `byType` holds, by number, what the other sample types show in another way than the one of the options.
        """
        document = self._document_of_type(self._options, "first type")
        others = {}
        for index, kind in enumerate(self._profile.sample_types):
            if index == document["type"]:
                continue
            try:
                made = self._document_of_type(self._options.copy(sample_index=kind.type), "other type")
            except ReportError:
                continue
            others[index] = without_equal_parts(made, document)
        return {**document, "byType": others or None}

    def _document_of_type(self, options: Options, file: str) -> dict[str, Any]:
        warnings: list[str] = []
        views: dict[str, Any] = {}
        labels: list[str] = []
        for view in VIEWS:
            if (view == "changes" and not self.compared) or (view == "growth" and not self._followed()):
                continue
            try:
                report, views[view], shown = self._view(view, options, {"file": file}, warnings.append)
            except ViewError as error:
                warnings.append(f"{view}: {error}")
                continue
            labels = labels or shown
        if "graph" in views:
            draw(views["graph"], None)
        report = prepare_report(self._profile_of(options), "top", options, warnings.append)
        frame = self._frame("flamegraph", options, {}, report, warnings.append)
        errors = list(dict.fromkeys(warnings))
        return {
            **frame,
            "legend": labels,
            "errors": errors,
            "views": views,
            "file": True,
            "source": "source" in views,
        }

    def download(self) -> bytes:
        """Return the newest profile, merged from its sources, as a gzipped protobuf."""
        from conduit.profile.codec import encode

        return encode(self._recordings.choose("", "")[0])

    def save_config(self, name: str, parameters: Mapping[str, str]) -> None:
        """Save an address's options under a name, except those that belong to this profile only."""
        if not name:
            raise ViewError("a configuration needs a name")
        self._configs.save(name, self.options_of(parameters))

    def delete_config(self, name: str) -> None:
        """Delete a saved configuration."""
        if not self._configs.delete(name):
            raise ViewError(f"config {name} not found")

    def refresh(self, seconds: str = "") -> None:
        """Fetch the profile from its sources again, for so many seconds if given; the last ones are kept."""
        if self._fetch is None:
            raise ViewError("the profile was read from files, which cannot be fetched again")
        if not seconds or self._fetch_for is None:
            self._recordings.add(self._fetch())
            return
        number = int(seconds) if seconds.isascii() and seconds.isdigit() and len(seconds) < 7 else 0
        if number < 1 or (self._max_seconds is not None and number > self._max_seconds):
            most = "" if self._max_seconds is None else f" to {self._max_seconds:g}"
            raise ViewError(
                f"invalid seconds {seconds[:40]!r}: expected a whole number of seconds, from 1{most}"
            )
        self._recordings.add(self._fetch_for(number))

    def options_of(self, parameters: Mapping[str, str]) -> Options:
        """Return the command line's options, changed by an address's parameters. Raise `ViewError` for a bad value."""
        options = self._options.copy()
        if "config" in parameters:
            saved = self._configs.get(parameters["config"])
            if saved is None:
                raise ViewError(f"config {parameters['config']} not found")
            options = options.copy(**saved)
        for parameter, text in parameters.items():
            option = _BY_PARAMETER.get(parameter)
            if option is None:
                continue
            try:
                options.assign(option.name, text)
            except ValueError as error:
                raise ViewError(f"error setting config field {option.name}: {error}") from None
        return options

    # ── the views ──

    def _view(
        self, view: str, options: Options, parameters: Mapping[str, str], warn: Callable[[str], None]
    ) -> View:
        makers = {
            "flamegraph": self._flame_graph,
            "top": self._top,
            "graph": self._graph,
            "peek": self._peek,
            "source": self._source,
            "labels": self._labels,
            "changes": self._changes,
            "growth": self._growth,
        }
        try:
            return makers[view](options, parameters, warn)
        except ReportError as error:
            raise ViewError(str(error)) from None

    def _flame_graph(
        self, options: Options, parameters: Mapping[str, str], warn: Callable[[str], None]
    ) -> View:
        from conduit.report.formats.flame_tree import build_flame_tree, flame_document
        from conduit.report.report import whole_labels

        report = self._flame_report(options, warn)
        checkpoint()
        flame, tree = build_flame_tree(report)
        checkpoint()
        content = flame_document(flame, tree, has_base=has_base(report.profile))
        content["bases"] = self._bases(report, options)
        content["hasTimes"] = has_times(report.profile)
        if content["hasTimes"] and parameters.get("time") == "t":
            content |= time_tree(report, flame)
            content["names"] += content["threads"]
            content["files"] += [""] * len(content["threads"])
        elif content["hasTimes"] and "file" in parameters and not self.compared:
            self._add_time(content, report, flame)
        content["amounts"] = amounts_document(report.sample_unit, report.ratio)
        content["shortNames"] = [report.short_names.get(name, ()) for name in interruptible(content["names"])]
        places = list(zip(content["names"], content["files"], strict=True))
        owned = [owner_of(name, file) for name, file in interruptible(places)]
        checkpoint()
        content["owners"] = [owner for owner, _ in owned]
        content["packages"] = [package for _, package in owned]
        content["modules"] = [module_of(name, file) for name, file in interruptible(places)]
        checkpoint()
        content["rows"] = function_rows(report, flame)
        return report, content, whole_labels(report)

    def _add_time(self, content: dict[str, Any], report: Report, flame: Flame) -> None:
        """Add the tree in order of time, from which a page without a server draws a range."""
        span = time_span(self._whole, report.values.index)
        if span is None:
            return
        tree = tree_by_parts(report, flame, span, BINS)
        first = len(content["names"])
        content["names"] += tree["threads"]
        content["files"] += [""] * len(tree["threads"])
        content["threadSources"] = list(range(first, len(content["names"])))
        content["byTime"] = tree

    def _flame_report(self, options: Options, warn: Callable[[str], None]) -> Report:
        options = options.copy(granularity=options.granularity or "filefunctions", trim=False)
        try:
            return prepare_report(self._profile_of(options), "top", options, warn)
        except ReportError as error:
            raise ViewError(str(error)) from None

    def _top(self, options: Options, _: Mapping[str, str], warn: Callable[[str], None]) -> View:
        from conduit.report.formats.top import compute_top

        report = prepare_report(self._profile_of(options), "top", options.copy(nodecount=TOP_ROWS), warn)
        top = compute_top(report)
        note = next((line for line in top.labels if line.startswith("Showing nodes")), "")
        content = {"rows": _top_rows(top.rows, report.total), "total": report.total, "note": f"{note}."}
        content["shares"] = self._shares_note(report)
        return report, content, top.labels

    def _graph(self, options: Options, parameters: Mapping[str, str], warn: Callable[[str], None]) -> View:
        report = prepare_report(self._profile_of(options), "dot", options, warn)
        left_out: list[str] = []
        if parameters.get("tags") != "t":
            report, left_out = without_constant_labels(report)
        checkpoint()
        content, labels = graph_document(report)
        content["constantLabels"] = left_out
        return report, content, labels

    def _peek(self, options: Options, parameters: Mapping[str, str], warn: Callable[[str], None]) -> View:
        from conduit.report.report import profile_labels
        from conduit.web.peek import peek_document

        options = options.copy(granularity="lines")
        report = prepare_report(
            self._profile_of(options), "peek", options, warn, function_argument(parameters)
        )
        checkpoint()
        return report, peek_document(report, _first(parameters)), profile_labels(report)

    def _source(self, options: Options, parameters: Mapping[str, str], warn: Callable[[str], None]) -> View:
        from conduit.report.report import profile_labels
        from conduit.web.source_view import FILE_PAGE, OTHER_TYPE_PAGE, PAGE, source_document

        report = prepare_report(
            self._profile_of(options), "list", options, warn, function_argument(parameters)
        )
        checkpoint()
        whole = options.copy(granularity="functions", trim=False)
        functions = prepare_report(self._profile_of(options), "top", whole, lambda _: None)
        page = {"first type": FILE_PAGE, "other type": OTHER_TYPE_PAGE}.get(parameters.get("file", ""), PAGE)
        content = source_document(report, functions, _first(parameters), page)
        content["shares"] = self._shares_note(report)
        return report, content, profile_labels(report)

    def _labels(self, options: Options, parameters: Mapping[str, str], warn: Callable[[str], None]) -> View:
        from conduit.report.report import whole_labels
        from conduit.web.labels import labels_document

        report = prepare_report(self._profile_of(options), "top", options.copy(trim=False), warn)
        checkpoint()
        bases = self._bases(report, options)
        unfiltered = self._profile_of(options).in_columns().columns
        by = parameters.get("label", "")
        return report, labels_document(report, by, bases, unfiltered), whole_labels(report)

    def _changes(self, options: Options, _: Mapping[str, str], warn: Callable[[str], None]) -> View:
        from conduit.report.report import whole_labels
        from conduit.web.comparison import changes_document
        from conduit.web.repeats import sum_repeats

        if not self.compared:
            raise ViewError("there is nothing to compare with: start conduit pprof with -diff_base=OLD")
        options = options.copy(granularity=options.granularity or "filefunctions", trim=False)
        report = prepare_report(self._profile_of(options), "top", options, warn)
        repeated = None
        repeats = self._repeats_on_show()
        if repeats:
            before, after = ([self._chosen(profile) for profile in side] for side in repeats)
            repeated = sum_repeats(before, after, options)
        checkpoint()
        sampled = report
        if options.normalize:  # scaled samples are no counts
            as_recorded = options.copy(normalize=False)
            sampled = prepare_report(self._profile, "top", as_recorded, lambda _: None)
        return report, changes_document(report, repeated, sampled), whole_labels(report)

    def _growth(self, options: Options, parameters: Mapping[str, str], warn: Callable[[str], None]) -> View:
        from conduit.report.report import whole_labels

        series = self._followed()
        if not series:
            kept = self._recordings.all()
            if len(of_last_process(kept)) < len(kept):
                raise ViewError(
                    "the newest recording is of another process than the one before, because it has allocated less in "
                    "all: record again to see what grows in it"
                )
            raise ViewError(
                "there is nothing to follow growth through: start conduit pprof with -leaks and two or more heap "
                "profiles of one process, the earliest first"
            )
        self._without_imports = parameters.get("imports") != "t"
        series = [self._chosen(profile) for profile in series]
        options = options.copy(sample_index=HELD)
        report = prepare_report(series[-1], "top", options, warn)
        checkpoint()
        return report, growth_document(series, options), whole_labels(report)

    def _repeats_on_show(self) -> tuple[Sequence[Profile], Sequence[Profile]] | None:
        """Return the single profiles before and after; None where there are none, as of recordings made later."""
        return self._repeats if self._shown == (1, None) else None

    def _followed(self) -> list[Profile]:
        return list(self._series) or series_of(self._whole, self._recordings.all())

    def _chosen(self, profile: Profile) -> Profile:
        """Return a profile with or without imports, as the address has it."""
        return ImportSwitch().applied(profile) if self._without_imports else profile

    @property
    def compared(self) -> bool:
        """Whether the profile holds a base that is told apart from it."""
        return has_base(self._profile)

    def _bases(self, report: Report, options: Options) -> tuple[int, int] | None:
        """Return the totals that shares of before and of after refer to, None where nothing is compared.

        They are those of all samples, or, where shares are relative to the filters, of those that are left.
        """
        if not self.compared:
            return None
        whole = report.profile if options.relative_percentages else self._profile_of(options).in_columns()
        return bases_of(whole, report.values)

    def _shares_note(self, report: Report) -> str:
        """Return the meaning of a comparison's amounts and percentages in a table that has one of each.

        An empty text where nothing is compared.
        """
        total = amount_text(report, report.total)
        return f"Amounts are changes; percentages are shares of the {total} before." if self.compared else ""

    def _profile_of(self, options: Options) -> Profile:
        """Return the profile that the options are about.

        On request, both sides of a comparison are scaled to one total. Samples without the label of a box say so.
        """
        profile = normalised(self._profile) if options.normalize and self.compared else self._profile
        keys = [key for key in f"{options.tagroot},{options.tagleaf}".split(",") if key]
        return name_missing_labels(profile, keys) if keys else profile

    # ── what every page has ──

    def _frame(
        self,
        view: str,
        options: Options,
        parameters: Mapping[str, str],
        report: Report,
        warn: Callable[[str], None],
    ) -> dict[str, Any]:
        return {
            "view": view,
            "title": f"{report.title or 'unknown'} {report.sample_type}",
            "facts": facts(report, self._repeats_on_show()),
            "notes": notes(report, says_errors=view == "growth"),
            "types": [kind.type for kind in self._profile.sample_types],
            "type": sample_index(self._profile, options.sample_index),
            "tags": self._tags(options),
            "configs": self._configurations(view, parameters, options, warn),
            "remedy": _REMEDY,
            "compared": self.compared,
            "granularity": report.options.granularity or "functions",
            "strip": strip_document(self._whole, sample_index(self._whole, options.sample_index)),
            "grows": bool(self._followed()),
            "imports": self._imports.document(self._whole, left_out=self._without_imports),
            "live": self._fetch is not None,
            "recordings": {
                **self._recordings.document(*self._shown),
                "asksSeconds": self._fetch_for is not None,
                "maxSeconds": self._max_seconds,
            },
            "command": command_line(
                view,
                options,
                parameters,
                self._sources,
                self._base,
                self._series_sources,
                self._during,
            ),
            "file": False,
        }

    def _tags(self, options: Options) -> list[dict[str, Any]]:
        from conduit.report.formats.tags import compute_tags

        report = prepare_report(self._profile_of(options), "tags", options, lambda _: None)
        numeric = {key for labels in report.columns.used_sets() for key in labels.numeric_labels}
        return [
            {
                "key": tag.key,
                "numeric": tag.key in numeric,
                "values": [
                    {"text": text, "share": report.share(value).strip()}
                    for text, value in tag.values[:_TAG_VALUES]
                ],
            }
            for tag in compute_tags(report)
        ]

    def _configurations(
        self, view: str, parameters: Mapping[str, str], options: Options, warn: Callable[[str], None]
    ) -> list[dict[str, Any]]:
        kept = {name: text for name, text in parameters.items() if name in ("p", "si")}
        default = {
            "name": "Default",
            "url": f"./{view}" + (f"?{urlencode(kept)}" if kept else ""),
            "custom": False,
            "current": not (parameters.keys() - kept.keys()),
        }
        saved = [
            {
                "name": name,
                "url": f"./{view}?{urlencode({**kept, 'config': name})}",
                "custom": True,
                "current": all(getattr(options, key) == value for key, value in values.items()),
            }
            for name, values in self._saved(warn).items()
        ]
        return [default, *saved]

    def _saved(self, warn: Callable[[str], None]) -> dict[str, dict[str, Any]]:
        """Return the saved configurations; none if the file is damaged, so that the page still shows its numbers."""
        try:
            return self._configs.all()
        except ConduitError as error:
            warn(str(error))
            return {}


def _top_rows(rows: Sequence[TopRow], total: int) -> list[dict[str, Any]]:
    """Return the rows with all texts that the table shows.

    Sum% follows the order, so there is one for each of the two.
    """
    from conduit.profile.measurement import percentage

    shown: list[dict[str, Any]] = [
        {
            "name": row.name,
            "function": row.function if row.function != row.name else None,
            "inline": row.inline,
            "flat": row.flat,
            "cum": row.cum,
            "flatText": row.flat_text,
            "cumText": row.cum_text,
            "flatPercent": percentage(row.flat, total).strip(),
            "cumPercent": percentage(row.cum, total).strip(),
        }
        for row in rows
    ]
    for key in ("flat", "cum"):
        running = 0
        for row in sorted(shown, key=lambda row: (-abs(row[key]), row["name"])):
            running += row["flat"]
            row[f"sumBy{key.title()}"] = percentage(running, total).strip()
    return shown


def without_equal_parts(document: dict[str, Any], base: dict[str, Any]) -> dict[str, Any]:
    """Return what a document has otherwise than another; of `views`, what each of them has otherwise."""
    kept = {key: value for key, value in document.items() if key != "views" and value != base.get(key)}
    views = {
        view: {key: value for key, value in content.items() if value != base["views"].get(view, {}).get(key)}
        for view, content in document["views"].items()
    }
    return {**kept, "views": views}


def _first(parameters: Mapping[str, str]) -> int:
    """Return the number of the first function on a page of a long list."""
    text = parameters.get("first", "0")
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        raise ViewError(f"invalid first={text[:40]!r}: expected the number of a function")
    return int(text)
