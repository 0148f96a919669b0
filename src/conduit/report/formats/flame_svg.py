"""`-flame`: the flame graph as one SVG image, for a document or a pull request, without scripts or network access.

Widths, order and colours are those of the page. Each box has its full name and share as a title, which browsers show on
hover. Boxes too narrow to see are not drawn.
"""

from __future__ import annotations

from html import escape
from typing import TYPE_CHECKING
from zlib import crc32

from conduit.profile.measurement import scaled_label
from conduit.report.formats.flame_tree import build_flame_tree, flame_document
from conduit.report.report import whole_labels

if TYPE_CHECKING:
    from collections.abc import Iterator

    from conduit.report.formats.flame_tree import FlameTree
    from conduit.report.report import Report

_WIDTH, _ROW, _MARGIN = 1200.0, 18, 10
_NARROWEST = 0.6
_LETTER = 6.7  # the width of a letter of the font below, rounded up
_XML_FORBIDDEN = {code: "\ufffd" for code in range(32) if code not in (9, 10, 13)} | {
    0xFFFE: "\ufffd",
    0xFFFF: "\ufffd",
}


def print_flame_svg(report: Report) -> bytes:
    """Return the SVG image; for an empty profile, an image that says so."""
    flame, tree = build_flame_tree(report)
    document = flame_document(flame, tree)
    modules = [_module(source.full_name, source.file_name) for source in flame.sources]
    painter = _Painter(report, document["names"], modules, tree)
    boxes = list(painter.boxes())
    top = 2 * _MARGIN + _ROW * 2
    height = top + (painter.depth + 1) * _ROW + _MARGIN
    title = f"{report.title or 'profile'} {report.sample_type}"
    accounting = whole_labels(report)[-1]
    head = (
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {_WIDTH:g} {height}" width="{_WIDTH:g}"'
        f' height="{height}" font-family="DejaVu Sans, Verdana, sans-serif" font-size="11">'
        f"<title>{_text(title)}</title>"
        f'<rect width="100%" height="100%" fill="#fcfcfa"/>'
        f'<text x="{_MARGIN}" y="{_MARGIN + 12}" font-size="14">{_text(title)}</text>'
        f'<text x="{_MARGIN}" y="{_MARGIN + 30}" fill="#5b5f66">{_text(accounting)}</text>'
    )
    body = f'<g transform="translate(0 {top})">{"".join(boxes)}</g>' if boxes else ""
    return f"{head}{body}</svg>\n".encode("utf-8", "replace")


def _module(name: str, file: str) -> str:
    """Return what boxes of one colour have in common: folder and file of Python code, the package of other names."""
    if file.endswith(".py") or file.startswith("<"):
        parts = file.replace("\\", "/").rsplit("/", 2)
        return "/".join(parts[-2:])
    head, slash, tail = name.rpartition("/")
    return head + slash + tail.partition(".")[0]


class _Painter:
    """Places the nodes of a tree; children are below their parent, the heaviest on the left."""

    def __init__(self, report: Report, names: list[str], modules: list[str], tree: FlameTree) -> None:
        self.depth = 0
        self._report = report
        self._names = names
        self._modules = modules
        self._tree = tree
        self._sizes = [up + down for up, down in zip(tree.positive, tree.negative, strict=True)]
        self._nets = [up - down for up, down in zip(tree.positive, tree.negative, strict=True)]
        self._children: list[list[int]] = [[] for _ in tree.parents]
        for node in range(len(tree.parents) - 1, 0, -1):
            parent = tree.parents[node]
            self._sizes[parent] += self._sizes[node]
            self._nets[parent] += self._nets[node]
            self._children[parent].append(node)

    def boxes(self) -> Iterator[str]:
        whole = self._sizes[0]
        if not whole:
            yield f'<text x="{_MARGIN}" y="14">No samples to draw.</text>'
            return
        unit = (_WIDTH - 2 * _MARGIN) / whole
        waiting = [(0, float(_MARGIN), 0)]
        while waiting:
            node, left, row = waiting.pop()
            width = self._sizes[node] * unit
            if width < _NARROWEST:
                continue
            self.depth = max(self.depth, row)
            yield self._box(node, left, width, row)
            for child in sorted(self._children[node], key=lambda child: (-self._sizes[child], child)):
                waiting.append((child, left, row + 1))
                left += self._sizes[child] * unit

    def _box(self, node: int, left: float, width: float, row: int) -> str:
        source = self._tree.sources[node]
        name = self._names[source] if node else "all"
        value = self._nets[node] if any(self._tree.negative) else self._sizes[node]
        amount = scaled_label(self._report.divided(value), self._report.sample_unit, "auto")
        share = self._report.share(value).strip()
        room = int((width - 6) / _LETTER)
        label = self._label(name, room)
        text = f'<text x="{left + 3:.1f}" y="{row * _ROW + 12}">{_text(label)}</text>' if label else ""
        return (
            f"<g><title>{_text(name)} {_text(amount)} ({share})</title>"
            f'<rect x="{left:.1f}" y="{row * _ROW}" width="{max(width - 0.5, 0.3):.1f}" height="{_ROW - 1}" rx="1.5"'
            f' fill="{self._fill(node, source)}"/>{text}</g>'
        )

    def _label(self, name: str, room: int) -> str:
        """Return the longest form of a name that fits, or the beginning of the shortest one."""
        forms = [name, *self._report.short_names.get(name, ())]
        return next(
            (form for form in forms if len(form) <= room), f"{forms[-1][: room - 1]}…" if room > 3 else ""
        )

    def _fill(self, node: int, source: int) -> str:
        if node == 0:
            return "#eceae4"
        if any(self._tree.negative):
            size, net = self._sizes[node] or 1, self._nets[node]
            return f"hsl({4 if net >= 0 else 140} {round(70 * abs(net) / size)}% 82%)"
        return f"hsl({crc32(self._modules[source].encode('utf-8', 'replace')) % 360} 52% 80%)"


def _text(text: str) -> str:
    return escape(text.translate(_XML_FORBIDDEN).encode("utf-8", "replace").decode())
