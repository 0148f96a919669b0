"""THE REGISTRY IN A BROWSER: what an application is made of, to find, to follow, to compare.

`page_data` makes the compact JSON of a document, `page` the HTML with its scripts (plain files in `web/static`, named
`registry_*`), `application` answers requests by the rules of the profile page, `source_files` reads the files that the
document names. The command line uses `registry_file` and `serve_registry`; applications mount the page with
`asgi_app` and `wsgi_app`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from conduit.web.registry.mounted import asgi_app, wsgi_app

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

    from conduit.http.messages import Answer
    from conduit.metadata.schema import Metadata
    from conduit.profile.model import Profile
    from conduit.web.registry.application import RegistrySource
    from conduit.web.server import LocalServer

__all__ = ["asgi_app", "registry_file", "serve_registry", "wsgi_app"]


def registry_file(
    document: Metadata,
    title: str,
    *,
    difference: dict[str, Any] | None = None,
    costs: dict[str, Any] | None = None,
    read: Callable[[Sequence[str], str], str] | None = None,
) -> bytes:
    """Return the page of a document as one HTML file that opens from disk and needs no server or network.

    `difference` and `costs` are as in `page_data`. `read(files, number)`, such as `read_source` with a folder, returns
    the text of a file that the document names; with it, the file holds excerpts of the sources, without secrets.
    """
    from conduit.web.registry.page import registry_document
    from conduit.web.registry.page_data import page_data

    data = page_data(document, title, difference=difference, costs=costs)
    if read is not None:
        from conduit.web.registry.excerpts import source_excerpts

        data.update(source_excerpts(data, lambda number: read(data["files"], str(number))))
    return registry_document(data)


def serve_registry(source: RegistrySource, address: str, profiles: Sequence[Profile] = ()) -> LocalServer:
    """Return a server of the page at `[host]:port`, which listens; `profiles` have their pages at `profile/NUMBER/ui/`.

    Raises `UsageError` for a malformed address and `ConduitError` if the port is taken.
    """
    from conduit.report.options import Options
    from conduit.web.access import AccessRules
    from conduit.web.application import Application
    from conduit.web.configs import SavedConfigs
    from conduit.web.registry.application import RegistryApplication
    from conduit.web.server import LocalServer
    from conduit.web.session import ProfileSession

    def make(host: str, remote: bool, prefix: str) -> Answer:
        rules = AccessRules(hosts=frozenset({host}), remote=remote, prefix=prefix)
        pages = [
            Application(
                ProfileSession(profile, Options(), SavedConfigs()),
                hosts=frozenset({host}),
                remote=remote,
                prefix=f"{prefix}/profile/{number}",
            )
            for number, profile in enumerate(profiles)
        ]
        return RegistryApplication(source, rules, profiles=pages).answer

    return LocalServer(make, address)
