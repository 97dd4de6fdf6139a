"""The executed pages and the rendered book: whole, of these sources, readable without a network."""

import re
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote, urlsplit

import nbformat
import pytest
import yaml

from book._ext import provenance

ROOT = Path(__file__).parents[2]
HTML = ROOT / "_build" / "html"
SOURCES = sorted((ROOT / "notebooks").glob("*.ipynb"))
# What a browser loads by itself, by tag; a link to follow may lead anywhere.
LOADS = {"script": "src", "link": "href", "img": "src", "iframe": "src", "source": "src"}

each_source = pytest.mark.parametrize("source", SOURCES, ids=lambda path: path.stem)


def toc_entries() -> list[str]:
    """Every document named in the table of contents, without its suffix."""

    def documents(node) -> list[str]:
        if isinstance(node, list):
            return [name for item in node for name in documents(item)]
        if isinstance(node, dict):
            own = [node[key] for key in ("root", "file") if key in node]
            return own + [name for value in node.values() for name in documents(value)]
        return []

    return documents(yaml.safe_load((ROOT / "_toc.yml").read_text()))


each_entry = pytest.mark.parametrize("entry", toc_entries())


def read(path: Path) -> nbformat.NotebookNode:
    notebook = nbformat.read(path, as_version=4)
    nbformat.validate(notebook)
    return notebook


def code_cells(notebook: nbformat.NotebookNode) -> list[nbformat.NotebookNode]:
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def test_the_toc_names_every_document_of_the_book_once() -> None:
    generated = {"book/status"}  # written by each build, so not in a fresh clone
    files = {
        str(path.relative_to(ROOT).with_suffix(""))
        for path in (ROOT / "book").rglob("*")
        if path.suffix in {".md", ".ipynb", ".rst"}
    }
    parts = {"book/attacks"}  # which a page includes
    assert sorted(toc_entries()) == sorted((files - parts) | generated)
    pages = {path.stem for path in (ROOT / "book").glob("*.ipynb")}
    assert pages == {source.stem for source in SOURCES}


@each_source
def test_source_has_no_outputs_and_declares_its_parameters(source: Path) -> None:
    notebook = read(source)
    assert all(not cell.outputs and cell.execution_count is None for cell in code_cells(notebook))
    tagged = [c for c in notebook.cells if "parameters" in c.metadata.get("tags", [])]
    assert tagged == code_cells(notebook)[:1]
    ids = [cell.id for cell in notebook.cells]
    assert len(set(ids)) == len(ids)


@each_source
def test_page_has_the_cells_of_its_source(source: Path) -> None:
    def cells(path: Path) -> list[tuple]:
        return [
            (cell.id, cell.cell_type, cell.source, cell.metadata)
            for cell in read(path).cells
            if "injected-parameters" not in cell.metadata.get("tags", [])
        ]

    page = ROOT / "book" / source.name
    assert cells(page) == cells(source), f"make book writes {page.name} anew"


@each_source
def test_page_was_executed_in_order_without_an_error_or_a_warning(source: Path) -> None:
    cells = code_cells(read(ROOT / "book" / source.name))
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    outputs = [output for cell in cells for output in cell.outputs]
    assert [out for out in outputs if out.output_type == "error"] == []
    assert [out.text for out in outputs if out.get("name") == "stderr"] == []


def declared(source: Path) -> dict[str, list[str]]:
    """The cells whose records each figure of a notebook says that it shows."""
    cells = code_cells(read(source))
    figures = [cell for cell in cells if "figure" in cell.metadata.get("mystnb", {})]
    return {figure.id: figure.metadata["records"] for figure in figures}


@each_source
def test_figures_name_cells_up_to_themselves_for_their_records(source: Path) -> None:
    order = [cell.id for cell in code_cells(read(source))]
    for figure, cells in declared(source).items():
        known = order[: order.index(figure) + 1]
        assert cells == [cell for cell in known if cell in cells], figure


@each_source
def test_the_cells_that_a_figure_names_asked_for_records(source: Path) -> None:
    if (run := provenance.runs(ROOT / "book").get(source.stem)) is None:
        pytest.skip("the page was not executed here: make book")
    for figure, cells in declared(source).items():
        assert set(cells) <= run["records"].keys(), figure
        assert figure in cells or figure not in run["records"], f"{figure} asked for its own"


class Assets(HTMLParser):
    """The addresses of what a page loads, and its text."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.loads: list[str] = []
        self.text = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        if address := given.get(LOADS.get(tag, "")):
            self.loads.append(address)
        self.loads += (given.get("srcset") or "").split()[::2]

    def handle_data(self, data: str) -> None:
        self.text += data


def rendered(entry: str) -> Path:
    if not HTML.is_dir():
        pytest.skip("the book is not rendered: make html")
    return HTML / f"{entry}.html"


@each_entry
def test_rendered_page_exists_and_shows_no_traceback(entry: str) -> None:
    page = rendered(entry)
    assert page.is_file()
    text = Assets(page.read_text()).text
    assert "Traceback (most recent call last)" not in text
    assert "ParameterError" not in text


@each_entry
def test_rendered_page_loads_only_files_of_the_book(entry: str) -> None:
    page = rendered(entry)
    html = page.read_text()
    for address in Assets(html).loads:
        parts = urlsplit(address)
        if parts.scheme == "data":
            continue
        assert not parts.scheme and not parts.netloc, address
        # The theme's links to other pages carry no file of their own.
        assert (page.parent / unquote(parts.path)).exists(), address
    assert not re.search(r"url\(\s*['\"]?(https?:)?//|@import", html)


def test_no_style_of_the_book_loads_from_outside() -> None:
    rendered("")
    for style in HTML.rglob("*.css"):
        found = re.search(r"""(url\(|@import)\s*['"]?(https?:)?//[^)]*""", style.read_text())
        assert not found, f"{style}: {found}"


def test_the_readmes_picture_is_the_pages_own():
    """The figure in the README is the output of the executed page."""
    readme = (ROOT / "README.md").read_text()
    shown = re.findall(r"!\[[^]]*\]\(([^)]+\.svg)\)", readme)
    assert shown
    for path in shown:
        picture = ROOT / path
        outputs = [
            output["data"]["image/svg+xml"]
            for page in (ROOT / "book").glob("*.ipynb")
            for cell in nbformat.read(page, as_version=4).cells
            if cell.id == picture.stem and cell.cell_type == "code"
            for output in cell.outputs
            if "image/svg+xml" in output.get("data", {})
        ]
        assert picture.read_text() in outputs
