"""Thumbnails of the pages' figures, for the page that lists the paper's.

A line ``@thumbnails digits: fig-a fig-b; CIFAR: fig-c`` becomes a grid of cards: each figure as its
page was executed, a badge that says on what, and a link to where it stands.
"""

import re
from collections.abc import Mapping
from pathlib import Path
from typing import NamedTuple

import nbformat
from docutils import nodes
from myst_nb.sphinx_ import HideCodeCellNode
from sphinx.application import Sphinx

from book._ext.pictures import SVG
from dropkit.store.records import write_atomically

LINE = re.compile(r"^@thumbnails (.+)$", re.MULTILINE)
FOLDER = ".run/thumbnails"  # beside the pages; git ignores it
CARD = """::::{{grid-item-card}}
:link: {name}
:link-type: ref
:img-top: {folder}/{name}.svg
:img-alt: {alt}

{{bdg-primary-line}}`{scale}` {{numref}}`{name}`
::::"""


class Drawn(NamedTuple):
    """A figure of an executed page."""

    svg: str
    alt: str


def fill(app: Sphinx, docname: str, source: list[str]) -> None:
    """Write the thumbnails that a page asks for, and put the cards in place of the lines."""
    file = Path(app.env.doc2path(docname))
    if file.suffix != ".md" or not LINE.search(source[0]):
        return
    found = drawn(file.parent)
    source[0] = LINE.sub(lambda line: cards(line[1], found), source[0])
    for name in asked(LINE.findall(file.read_text(encoding="utf-8"))):
        write_atomically(file.parent / FOLDER / f"{name}.svg", found[name].svg.encode())


def drawn(pages: Path) -> dict[str, Drawn]:
    """Return the figures of the executed pages in a folder, by name."""
    found = {}
    for page in sorted(pages.glob("*.ipynb")):
        for cell in nbformat.read(page, as_version=4).cells:
            shown = cell.metadata.get("mystnb", {})
            svg = [
                each.data[SVG] for each in cell.get("outputs", ()) if SVG in each.get("data", {})
            ]
            if svg and "figure" in shown:
                alt = shown.get("image", {}).get("alt", "")
                found[shown["figure"]["name"]] = Drawn(svg[0], alt)
    return found


def asked(lines: list[str]) -> list[str]:
    """Return the names of figures in the lines, once each."""
    words = [word for line in lines for group in line.split(";") for word in group.split()[1:]]
    return list(dict.fromkeys(word for word in words if word.startswith("fig-")))


def cards(line: str, found: Mapping[str, Drawn]) -> str:
    """Return the grid of one line in MyST; raise ValueError for a figure that no page has."""
    shown = []
    for group in line.split(";"):
        scale, _, names = group.partition(":")
        for name in names.split():
            if name not in found:
                raise ValueError(
                    f"there is no figure {name} in the executed pages: mend @thumbnails"
                )
            shown.append(
                CARD.format(name=name, folder=FOLDER, alt=found[name].alt, scale=scale.strip())
            )
    return "\n".join([":::::{grid} 2", ":gutter: 2", "", *shown, ":::::"])


def load_late(app: Sphinx, doctree: nodes.document, page: str) -> None:
    """Let a browser load thumbnails when they come into view, and what is folded when it opens."""
    for image in doctree.findall(nodes.image):
        if FOLDER in image.get("uri", "") or _is_folded(image):
            image["loading"] = "lazy"


def _is_folded(node: nodes.Node | None) -> bool:
    while node := node.parent:
        if isinstance(node, HideCodeCellNode):
            return True
    return False
