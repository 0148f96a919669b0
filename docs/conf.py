"""How the site is built: `make docs`. MyST reads the Markdown pages, Furo dresses them."""

import re
import sys
from importlib.metadata import version as version_of
from pathlib import Path

from pygments.lexers.special import TextLexer
from sphinx.application import Sphinx

sys.path.insert(0, str(Path(__file__).parent))

from api_pages import fill

project = "Conduit"
copyright = "The Conduit developers"
author = "The Conduit developers"
release = version = version_of("conduit-runtime")

extensions = ["myst_parser"]
exclude_patterns = ["_build"]
myst_heading_anchors = 4
html_theme = "furo"
html_title = f"Conduit {version}"
html_static_path: list[str] = []
html_copy_source = False
# Nothing is fetched from elsewhere, neither when the site is built nor when it is read.
html_theme_options = {"top_of_page_buttons": []}

_DIRECTIVE = re.compile(r"^ *<!-- *(files|file|exit|skip): .*-->\n", re.MULTILINE)


def _read(app: Sphinx, name: str, source: list[str]) -> None:
    """What only the tests need goes away, and the public API comes in."""
    source[0] = fill(_DIRECTIVE.sub("", source[0]))


def setup(app: Sphinx) -> None:
    """Called by Sphinx."""
    app.add_lexer("output", TextLexer)
    app.connect("source-read", _read)
