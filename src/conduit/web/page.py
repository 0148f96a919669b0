"""One HTML document: the template, the scripts, the style and the data.

Served, the document names its scripts and brings the data of one view. As a single file it holds everything and
needs no server. In both, the data are JSON in an inert script element, and the content security policy
lets only the page's own scripts run: a name in a profile can be no more than text.
"""

from __future__ import annotations

import base64
import hashlib
import json
from functools import cache
from html import escape
from pathlib import Path
from string import Template
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Sequence

_HERE = Path(__file__).parent
STATIC = _HERE / "static"
FRAME_STYLES = ("frame.css",)
FRAME_SCRIPTS = ("frame.js",)
"""The files that every page shares, before its own."""

STYLES = (*FRAME_STYLES, "profile.css")
SCRIPTS = (
    *FRAME_SCRIPTS,
    *(
        "units.js",
        "flame_tree.js",
        "palette.js",
        "layout.js",
        "exporting.js",
        "time_strip.js",
        "time_range.js",
        "page.js",
        "rows.js",
        "flame_table.js",
        "source_drawer.js",
    ),
    *("flame.js", "top.js", "graph.js", "text.js", "labels.js", "changes.js", "growth.js"),
    "start.js",
)

ALL_SCRIPTS = "scripts.js"
ALL_STYLES = "style.css"

POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'self'; frame-ancestors 'none'"
)


_TO_SERVER = "connect-src 'self'; "
_FRAMES_SERVER = "frame-src 'self'; "


def served_page(data: dict[str, Any]) -> bytes:
    """Return the document of one view; scripts and style are fetched from `./static/`.

    All scripts come in one answer, since a browser asks for few at a time. Its address, and the style's, name what they
    hold, so that a browser need not ask for them again on the next page.
    """
    return _fill(
        data,
        policy="",
        style=f'<link rel="stylesheet" href="./static/{ALL_STYLES}?v={_short_digest(all_styles())}">',
        scripts=f'<script src="./static/{ALL_SCRIPTS}?v={_short_digest(all_scripts())}"></script>',
    )


@cache
def all_scripts() -> str:
    """Return the scripts of a page one after the other, as `ALL_SCRIPTS` serves them."""
    return "\n".join(f"// {name}\n{_static(name)}" for name in SCRIPTS)


@cache
def all_styles() -> str:
    """Return the styles of a page one after the other, as `ALL_STYLES` serves them."""
    return "".join(_static(name) for name in STYLES)


@cache
def _short_digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def single_file(data: dict[str, Any]) -> bytes:
    """Return the whole report in one document that opens from disk."""
    return document("page.html", data, STYLES, SCRIPTS)


def document(
    template: str,
    data: dict[str, Any],
    styles: Sequence[str],
    scripts: Sequence[str],
    *,
    asks_server: bool = False,
    frames_itself: bool = False,
) -> bytes:
    """Return a page in one document that opens from disk: a template in the frame, data, styles and scripts.

    Styles and scripts are names of static files, those of the frame first. `asks_server`: it is served, and its scripts
    may send requests to that server. `frames_itself`: it shows another page of its server.
    """
    style_texts, script_texts = [_static(name) for name in styles], [_static(name) for name in scripts]
    policy = (
        f"default-src 'none'; script-src {_hashes(script_texts)}; style-src {_hashes(style_texts)}; img-src data:; "
        f"{_TO_SERVER * asks_server}{_FRAMES_SERVER * frames_itself}base-uri 'none'; form-action 'none'"
    )
    return _fill(
        data,
        policy=f'<meta http-equiv="Content-Security-Policy" content="{policy}">',
        style="".join(f"<style>{style}</style>" for style in style_texts),
        scripts="\n".join(f"<script>{script}</script>" for script in script_texts),
        template=template,
    )


def _hashes(texts: Sequence[str]) -> str:
    return " ".join(f"'sha256-{_digest(text)}'" for text in texts)


def _fill(data: dict[str, Any], policy: str, style: str, scripts: str, template: str = "page.html") -> bytes:
    title = escape(data["title"])
    page = _template("frame.html").substitute(
        title=title,
        policy=policy,
        style=style,
        content=_template(template).substitute(title=title),
        scripts=scripts,
        data=inert_json(data),
    )
    return page.encode("utf-8", "replace")


@cache
def _template(name: str) -> Template:
    return Template((_HERE / "templates" / name).read_text(encoding="utf-8"))


def inert_json(data: Any) -> str:
    """Return JSON that cannot end the script element it stands in."""
    text = json.dumps(data, separators=(",", ":"), ensure_ascii=False)
    return text.replace("<", "\\u003c").replace("\u2028", "\\u2028").replace("\u2029", "\\u2029")


@cache
def _static(name: str) -> str:
    return (STATIC / name).read_text(encoding="utf-8")


def _digest(text: str) -> str:
    return base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
