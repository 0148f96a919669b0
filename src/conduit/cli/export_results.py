"""`conduit export`: see `import_results`."""

from __future__ import annotations

from conduit.cli.import_results import run_export as run

__all__ = ["run"]
