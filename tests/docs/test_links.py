"""Links of README and docs lead somewhere: files exist, and so do the headings in them."""

from __future__ import annotations

import re
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.docs.test_pages import PAGES, PROJECT

_LINK = re.compile(r"\]\(([^()\s]+)\)")
_FENCED = re.compile(r"^( *)(```+|~~~+).*?^\1\2[`~]*\s*$", re.MULTILINE | re.DOTALL)
_CODE = re.compile(r"`[^`\n]*`")
_HEADING = re.compile(r"^#+ +(.*?)\s*$", re.MULTILINE)


def links(text: str) -> list[str]:
    """The targets of the Markdown links outside code."""
    return _LINK.findall(_CODE.sub("", _FENCED.sub("", text)))


def anchors(text: str) -> set[str]:
    """The anchors of a page's headings, as GitHub and MyST name them."""
    headings = _HEADING.findall(_FENCED.sub("", text))
    return {
        re.sub(r"[^\w\- ]", "", heading.replace("`", "").lower()).replace(" ", "-") for heading in headings
    }


def broken_links(page: Path) -> list[str]:
    broken = []
    for link in links(page.read_text(encoding="utf-8")):
        target = urlsplit(link)
        if target.scheme:
            if target.scheme != "https" or not target.netloc:
                broken.append(link)
            continue
        file = page.parent / target.path if target.path else page
        if not file.exists() or (
            target.fragment and target.fragment not in anchors(file.read_text(encoding="utf-8"))
        ):
            broken.append(link)
    return broken


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(PROJECT)))
def test_every_link_of_the_page_leads_somewhere(page: Path) -> None:
    assert not broken_links(page)


def test_links_that_lead_nowhere_are_found(tmp_path: Path) -> None:
    (tmp_path / "there.md").write_text("# A `heading` (here)\n```\n# no heading\n```\n")
    page = tmp_path / "page.md"
    page.write_text(
        "[a](there.md) [b](there.md#a-heading-here) [c](gone.md) [d](there.md#no-heading) `[e](f)`\n"
        "[g](http://insecure.example) [h](https://fine.example/x)\n"
    )
    assert broken_links(page) == ["gone.md", "there.md#no-heading", "http://insecure.example"]
