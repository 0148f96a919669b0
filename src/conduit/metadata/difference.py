"""The difference between two documents: resources, their fields and relationships, routes and their chains.

A resource is identified by its id (by name if it has none), a route by method, host and path, a field or
relationship by its name within its resource; a renamed one is therefore removed and added. Routes that write and
are less guarded than before are listed apart, for gates; `guards` decides.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec.structs import replace

from conduit.metadata.facts import ATTRIBUTES, ComparedDocument, listed
from conduit.metadata.guards import GuardVerdict, compare_guards
from conduit.metadata.impact import changed_deletions, follow_deletion
from conduit.metadata.schema import Record

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from conduit.metadata.facts import Facts, Side
    from conduit.metadata.impact import DeletionLinks
    from conduit.metadata.schema import Metadata


class Change(Record, frozen=True):
    """One difference."""

    action: str
    """added, removed or changed."""
    kind: str
    """resource, field, relationship, route or middleware (of the whole application)."""
    name: str
    """`Book`, `Book.title`, `POST /books`."""
    attribute: str = ""
    """The attribute that changed: type, nullable, on_delete, middleware, …; empty if added or removed."""
    before: str = ""
    after: str = ""


class LostGuard(Record, frozen=True):
    """A route that writes and is less guarded than before."""

    route: str
    guard: str
    """The guard that is gone, or the exemption that is new."""
    is_exemption: bool = False

    def __str__(self) -> str:
        return f"{self.route} {'gained' if self.is_exemption else 'lost'} {self.guard}"


class DeletionChange(Record, frozen=True):
    """A resource of both documents whose deletion reaches other resources than before."""

    resource: str
    more: tuple[str, ...] = ()
    """Resources whose rows are deleted with it now, and were not before."""
    less: tuple[str, ...] = ()
    newly_forbidden_by: tuple[str, ...] = ()
    no_longer_forbidden_by: tuple[str, ...] = ()

    def __str__(self) -> str:
        parts = [
            f"{words} {', '.join(names)}"
            for words, names in (
                ("now also deletes rows of", self.more),
                ("no longer deletes rows of", self.less),
                ("is now forbidden by", self.newly_forbidden_by),
                ("is no longer forbidden by", self.no_longer_forbidden_by),
            )
            if names
        ]
        return f"deleting a row of {self.resource} {', '.join(parts)}"


class Difference(Record, frozen=True):
    """All changes: by kind, in the order of the newer document, then removed ones."""

    changes: tuple[Change, ...]
    lost_guards: tuple[LostGuard, ...]
    unclear_guards: tuple[GuardVerdict, ...] = ()
    """Routes that write and whose guards were exchanged for others, stronger or weaker."""
    deletions: tuple[DeletionChange, ...] = ()
    """Resources whose deletion reaches more, less or others, in the order of the newer document."""


def difference(old: Metadata, new: Metadata) -> Difference:
    """Return everything that differs; two equal documents give no changes."""
    return compare_sides(ComparedDocument(old), ComparedDocument(new))


def compare_sides(old: Side, new: Side) -> Difference:
    """Return everything that differs between two sides of the same class. Only what differs is asked for its facts."""
    changes = [*_resources(old, new), *_routes(old, new), *_middleware(old, new)]
    verdicts = list(_verdicts(old, new))
    lost = [guard for verdict in verdicts if verdict.verdict == "loosened" for guard in _lost_guards(verdict)]
    unclear = [verdict for verdict in verdicts if verdict.verdict == "changed"]
    return Difference(tuple(changes), tuple(lost), tuple(unclear), tuple(_deletions(old, new)))


def _deletions(old: Side, new: Side) -> Iterable[DeletionChange]:
    if old.deletions == new.deletions:
        return
    before, after = old.links(), new.links()
    known = set(old.names)
    for name in changed_deletions(before, after, [one for one in new.names if one in known]):
        deleted_before, forbidding_before = _reach(name, before)
        deleted, forbidding = _reach(name, after)
        change = DeletionChange(
            name,
            more=_only_in(deleted, deleted_before),
            less=_only_in(deleted_before, deleted),
            newly_forbidden_by=_only_in(forbidding, forbidding_before),
            no_longer_forbidden_by=_only_in(forbidding_before, forbidding),
        )
        if change != DeletionChange(name):
            yield change


def _reach(name: str, links: DeletionLinks) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return the resources deleted with a resource, and the relationships that forbid its deletion."""
    impact = follow_deletion(name, links)
    return impact.deleted, tuple(f"{one.resource}.{one.relationship}" for one in impact.blocked_by)


def _only_in(names: tuple[str, ...], others: tuple[str, ...]) -> tuple[str, ...]:
    known = set(others)
    return tuple(name for name in dict.fromkeys(names) if name not in known)


def _resources(old: Side, new: Side) -> Iterable[Change]:
    yield from _added_and_removed("resource", old.resources, new.resources)
    for key in _differing(old.resources, new.resources):
        before, after = old.resource(key), new.resource(key)
        yield from _compared("resource", "", {key: before.own}, {key: after.own})
        for kind, those, these in (
            ("field", before.fields, after.fields),
            ("relationship", before.relationships, after.relationships),
        ):
            yield from _added_and_removed(kind, those, these, f"{key}.")
            yield from _compared(kind, f"{key}.", those, these)


def _routes(old: Side, new: Side) -> Iterable[Change]:
    yield from _added_and_removed("route", old.routes, new.routes)
    for key in _differing(old.routes, new.routes):
        yield from _compared("route", "", {key: old.route(key)}, {key: new.route(key)})


def _middleware(old: Side, new: Side) -> Iterable[Change]:
    if old.middleware != new.middleware:
        yield Change(
            "changed",
            "middleware",
            "application",
            "middleware",
            listed(old.middleware),
            listed(new.middleware),
        )


def _differing(before: Mapping[str, object], after: Mapping[str, object]) -> list[str]:
    """Return the keys of both whose values are not equal, in the order of the newer side."""
    return [key for key, value in after.items() if key in before and before[key] != value]


def _added_and_removed(
    kind: str, before: Mapping[str, object], after: Mapping[str, object], prefix: str = ""
) -> Iterable[Change]:
    yield from (Change("added", kind, prefix + key) for key in after if key not in before)
    yield from (Change("removed", kind, prefix + key) for key in before if key not in after)


def _compared(
    kind: str, prefix: str, before: Mapping[str, Facts], after: Mapping[str, Facts]
) -> Iterable[Change]:
    for key, facts in after.items():
        earlier = before.get(key, facts)
        for attribute, was, value in zip(ATTRIBUTES[kind], earlier, facts, strict=True):
            if was != value:
                yield Change("changed", kind, prefix + key, attribute, was, value)


def _verdicts(old: Side, new: Side) -> Iterable[GuardVerdict]:
    """Yield how the guards of each route that writes changed."""
    known: dict[tuple[int, int], GuardVerdict | None] = {}  # by the routes' chains
    for key in new.writing:
        if key not in old.chain_of:
            continue
        pair = old.chain_of[key], new.chain_of[key]
        if pair not in known:
            before, after = old.chains[pair[0]], new.chains[pair[1]]
            is_equal = before == after and old.middleware == new.middleware
            known[pair] = (
                None if is_equal else compare_guards("", before, after, old.middleware, new.middleware)
            )
        verdict = known[pair]
        if verdict is not None:
            yield replace(verdict, route=key)


def _lost_guards(verdict: GuardVerdict) -> Iterable[LostGuard]:
    if not verdict.lost:  # the same steps ask for less, as where one of them offers another alternative
        yield LostGuard(verdict.route, f"a requirement of {listed(verdict.gained)}")
    for name in verdict.lost:
        yield LostGuard(verdict.route, name.removeprefix("+"), name.startswith("+"))
