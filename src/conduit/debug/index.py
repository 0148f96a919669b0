"""The index page: the available profiles, how many stacks each holds now, and a description of each."""

from __future__ import annotations

from html import escape

from conduit.debug.kinds import KINDS, OTHER_PAGES

_HEAD = """<html>
<head>
<title>/debug/pprof/</title>
<style>
.profile-name{
	display:inline-block;
	width:6rem;
}
</style>
</head>
<body>
/debug/pprof/
<br>
<p>Set debug=1 as a query parameter to export in legacy text format</p>
<br>
Types of profiles available:
<table>
<thead><td>Count</td><td>Profile</td></thead>
"""
_MIDDLE = """</table>
<a href="goroutine?debug=2">full goroutine stack dump</a>
<br>
<p>
Profile Descriptions:
<ul>
"""
_FOOT = """</ul>
</p>
</body>
</html>"""


def page() -> str:
    """Return the page as HTML. Links are relative, so it works wherever the application is mounted."""
    descriptions = {**{name: kind.description for name, kind in KINDS.items()}, **OTHER_PAGES}
    names = sorted(descriptions)
    rows = [
        f"<tr><td>{_count(name)}</td><td><a href='{name}?debug=1'>{name}</a></td></tr>\n" for name in names
    ]
    items = [
        f"<li><div class=profile-name>{name}: </div> {escape(descriptions[name])}</li>\n" for name in names
    ]
    return _HEAD + "".join(rows) + _MIDDLE + "".join(items) + _FOOT


def _count(name: str) -> int:
    kind = KINDS.get(name)
    return kind.count() if kind else 0
