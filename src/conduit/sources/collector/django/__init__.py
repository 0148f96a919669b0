"""Django and Django REST framework: models, signals and URL patterns, collected independently of one another."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ..document import Document


def collect_django(api: Any, document: Document, urlconf: str | None) -> None:
    """Add the models, signals and routes of the set-up Django; `urlconf` replaces the settings' ROOT_URLCONF."""
    from .hooks import Hooks
    from .models import Models
    from .routes import Routes

    document.locations.adopt(api.settings_module, api.setting("ROOT_URLCONF") or "")
    models = list(api.apps.get_models())
    for model in models:
        document.add_resource(Models.empty(model, document), model)
    collector = Models(api, document)
    for model in models:
        with document.attempt(f"django model {model._meta.label}"):
            collector.fill(model)
    with document.attempt("django signals"):
        Hooks(api, document, models).add()
    document.middleware += [_middleware_name(name) for name in api.setting("MIDDLEWARE", ())]
    chosen = urlconf or api.setting("ROOT_URLCONF")
    if chosen:
        Routes(api, document).collect(chosen)


def _middleware_name(path: str) -> str:
    """Return the class's own name; the whole path of another's `LoginRequiredMiddleware`.

    Django's guards all routes that are not exempt in a known way, others guard as their code says.
    """
    name = path.rpartition(".")[2]
    return path if name == "LoginRequiredMiddleware" and not path.startswith("django.") else name
