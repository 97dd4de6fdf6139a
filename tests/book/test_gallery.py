"""The gallery of figures: each of the paper's has ours, as its page was executed."""

import re
from pathlib import Path

import nbformat
import pytest

from book._ext import gallery
from book._ext.pictures import SVG
from tests.book.test_pages import ROOT, rendered

PAGE = ROOT / "book" / "figures.md"


@pytest.fixture
def pages(tmp_path: Path) -> Path:
    picture = nbformat.v4.new_output("display_data", {SVG: "<svg>one</svg>"})
    figure = {"figure": {"name": "fig-one"}, "image": {"alt": "A line that rises."}}
    cells = [
        nbformat.v4.new_code_cell("1", outputs=[picture], metadata={"mystnb": figure}),
        nbformat.v4.new_code_cell("2", outputs=[picture]),
        nbformat.v4.new_code_cell("3", metadata={"mystnb": {"figure": {"name": "fig-text"}}}),
    ]
    nbformat.write(nbformat.v4.new_notebook(cells=cells), tmp_path / "page.ipynb")
    return tmp_path


def test_named_drawings_of_pages_are_found(pages: Path) -> None:
    assert gallery.drawn(pages) == {"fig-one": ("<svg>one</svg>", "A line that rises.")}


def test_a_line_becomes_cards_and_an_unknown_figure_is_named(pages: Path) -> None:
    found = gallery.drawn(pages)
    made = gallery.cards("digits: fig-one; CIFAR: fig-one", found)
    assert made.count("{grid-item-card}") == made.count(":link: fig-one") == 2
    assert "`digits`" in made and "`CIFAR`" in made and ":img-alt: A line that rises." in made
    with pytest.raises(ValueError, match="no figure fig-two"):
        gallery.cards("digits: fig-two", found)


def test_every_figure_of_the_paper_has_a_section_and_a_drawing_of_ours() -> None:
    sections = re.findall(r"^## Figure (\d+)\n(.*?)(?=^## |\Z)", PAGE.read_text(), re.M | re.S)
    assert [int(number) for number, _ in sections] == list(range(1, 16))
    found = gallery.drawn(ROOT / "book")
    for number, text in sections:
        names = gallery.asked(gallery.LINE.findall(text))
        assert names and set(names) <= found.keys(), number
        assert f"[Figure {number} in the paper](https://arxiv.org/" in text


def test_thumbnails_of_the_rendered_page_are_the_figures() -> None:
    html = rendered("book/figures").read_text(encoding="utf-8")
    shown = re.findall(r"<img[^>]*sd-card-img-top[^>]*>", html)
    asked = gallery.LINE.findall(PAGE.read_text())
    assert len(shown) == sum(len(gallery.asked([line])) for line in asked)
    assert all('loading="lazy"' in image for image in shown)
    first = gallery.asked(asked)[0]
    (file,) = (ROOT / "_build" / "html" / "_images").glob(f"{first}.svg")
    assert file.read_text(encoding="utf-8") == gallery.drawn(ROOT / "book")[first].svg
