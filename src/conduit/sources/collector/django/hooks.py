"""Receivers of the models' signals, and of the project's own signals.

Django has no public list of receivers. `Signal.receivers` holds tuples whose length differs by version (2 items before
5.0, 3 since, 4 in 6.0), so only the unchanged parts are used: the first item is a key that ends in the sender's id, the
second is the receiver or a weak reference to it. These hooks are `observed`.
"""

from __future__ import annotations

import inspect
import weakref
from typing import TYPE_CHECKING, Any

from ..callables import qualified_name
from ..document import mark, put
from ..static_access import is_a, modules

if TYPE_CHECKING:
    from ..document import Document

_EVERYONE = "*"


class Hooks:
    """Adds receivers to the models that send the signals."""

    def __init__(self, api: Any, document: Document, models: list[Any]) -> None:
        self.api = api
        self.document = document
        self.models = models
        self._senders: dict[int, Any] = {id(model): model for model in models}
        for model in models:
            for field in model._meta.local_many_to_many:
                through = getattr(field.remote_field, "through", None)
                if through is not None:
                    self._senders.setdefault(id(through), model)

    def add(self) -> None:
        """Add receivers of model signals to their models, and those of the project's signals to the document."""
        for name, signal in self.api.signals.items():
            self._add_signal(name, signal)
        for name, signal in self._own_signals():
            for _, receiver in receivers_of(signal):
                self.document.hooks.append(self._hook(f"signal:{name}", receiver, ""))

    def _add_signal(self, name: str, signal: Any) -> None:
        try:
            found = receivers_of(signal)
        except (AttributeError, TypeError, IndexError):
            for model in self.models:
                mark(self.document.resources[model._meta.label], "unknown", "hooks")
            return
        for sender, receiver in found:
            if sender == id(None):
                for model in self.models:
                    self._attach(model, self._hook(_moment(name), receiver, _EVERYONE))
            elif sender in self._senders:
                self._attach(self._senders[sender], self._hook(_moment(name), receiver, ""))

    def _attach(self, model: Any, hook: dict[str, Any]) -> None:
        record = self.document.resources[model._meta.label]
        if hook.get("file_path") == record["file_path"]:
            del hook["file_path"]
        record["hooks"].append(hook)

    def _hook(self, kind: str, receiver: Any, sender: str) -> dict[str, Any]:
        path, line = self.document.locations.of_function(receiver)
        module = qualified_name(receiver).partition(":")[0]
        waits = inspect.iscoroutinefunction(receiver)
        hook = {"type": kind, "transaction": False, "async": waits, "line_number": line}
        origin = self.document.locations.origin(module)
        return put(
            hook,
            handler=qualified_name(receiver),
            file_path=path,
            sender=sender,
            origin=origin,
            certainty="observed",
        )

    def _own_signals(self) -> list[tuple[str, Any]]:
        found: dict[int, tuple[str, Any]] = {}
        known = {id(signal) for signal in self.api.signals.values()}
        for module_name, members in modules():
            if self.document.locations.origin(module_name) == "project":
                for name, value in sorted(members.items()):
                    if is_a(value, self.api.Signal) and id(value) not in known:
                        found.setdefault(id(value), (name, value))
        return list(found.values())


def receivers_of(signal: Any) -> list[tuple[int, Any]]:
    """Return (sender's id, receiver) of each living receiver; the id of None stands for all senders."""
    found = []
    for entry in signal.receivers:
        sender = entry[0][1]
        receiver = entry[1]
        if is_a(receiver, (weakref.ReferenceType, weakref.WeakMethod)):
            receiver = receiver()
        if receiver is not None:
            found.append((sender, receiver))
    return found


def _moment(name: str) -> str:
    return name.replace("pre_", "before_").replace("post_", "after_")
