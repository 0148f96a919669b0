"""Which RE2 compiles an expression: google-re2 or pyre2, which both install a module named `re2`; or neither.

google-re2 is preferred (its syntax is RE2's without exceptions); it has no wheel for Python 3.15, where pyre2 has one.
Which of the two is installed is seen from the module, not from the version of Python: both can be installed anywhere.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from conduit.regexps.expression import ExpressionError, error_text

if TYPE_CHECKING:
    from types import ModuleType

    from conduit.regexps.expression import Expression, Text


def engine_name() -> str:
    """Return the package that matches: "google-re2", "pyre2", or "" for none."""
    module = _import_re2()
    if module is None:
        return ""
    return "google-re2" if hasattr(module, "Options") else "pyre2"


def compile_with_engine(text: Text) -> Expression[Text]:
    """Compile with the RE2 that is installed; without one, plain text only.

    Raise `ExpressionError` for an invalid expression, `PatternUnavailableError` for one that needs RE2 where there
    is none.
    """
    module = _import_re2()
    if module is None:
        from conduit.regexps.plain import compile_plain

        return compile_plain(text)
    if hasattr(module, "Options"):
        return _compile_google(module, text)
    from conduit.regexps.pyre2 import compile_pyre2

    return compile_pyre2(module, text)


def _import_re2() -> ModuleType | None:
    try:
        import re2
    except ImportError:
        return None
    module: ModuleType = re2
    return module if hasattr(module, "Options") or hasattr(module, "FALLBACK_EXCEPTION") else None


def _compile_google(re2: ModuleType, text: Text) -> Expression[Text]:
    options = re2.Options()
    options.log_errors = False  # They would go to standard error as well.
    try:
        compiled: Expression[Text] = re2.compile(text, options)
    except re2.error as error:
        raise ExpressionError(error_text(error)) from None
    return compiled
