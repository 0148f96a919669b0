"""The error of the OpenAPI reader."""

from __future__ import annotations

from conduit.errors import ConduitError


class OpenAPIError(ConduitError):
    """The document is not OpenAPI 3.0 to 3.2, or cannot be read. `source` is its file name."""

    def __init__(self, source: str, message: str) -> None:
        super().__init__(f"{source}: {message}")
        self.source = source
