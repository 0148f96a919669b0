"""The rules of `conduit.http.access`, under the name that applications import."""

from __future__ import annotations

from conduit.http.access import COOKIE, TOKEN_VARIABLE, Access, log_warning, require_token

__all__ = ["COOKIE", "TOKEN_VARIABLE", "Access", "log_warning", "require_token"]
