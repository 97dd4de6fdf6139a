"""The how-to pages: their Python runs, and their commands name what exists."""

import re
import shlex
from pathlib import Path

import nbformat
import pytest

from dropkit import notebook
from dropkit.commands import parser
from dropkit.study import plan
from dropkit.training import recipes

ROOT = Path(__file__).parents[2]
PAGES = sorted((ROOT / "book" / "howto").glob("*.md"))
each_page = pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)


def blocks(page: Path, language: str) -> list[str]:
    """The code blocks of a language."""
    return re.findall(rf"```{language}\n(.*?)```", page.read_text(), flags=re.S)


@pytest.fixture
def nothing_is_left_behind(monkeypatch):
    """Recipes that a page adds are gone after it."""
    monkeypatch.setattr(recipes, "DEFAULTS", dict(recipes.DEFAULTS))


def pages_with_python() -> list[Path]:
    return [page for page in PAGES if blocks(page, "python")]


@pytest.mark.usefixtures("nothing_is_left_behind")
@pytest.mark.parametrize("page", pages_with_python(), ids=lambda page: page.stem)
def test_python_runs_and_prints(page, tmp_path, monkeypatch, capsys):
    monkeypatch.setenv("DROPKIT_STORE", str(tmp_path))
    for block in blocks(page, "python"):
        exec(compile(block, str(page), "exec"), {})
        assert capsys.readouterr().out.strip()


def test_pruned_class_sizes_are_those_of_the_rule(capsys):
    """The example's counts by hand: weights of errors 5 of 100, 12 of 60, 16 of 40, smoothed."""
    block = blocks(ROOT / "book" / "howto" / "add-data.md", "python")[0]
    exec(block, {})
    weights = [(5 + 1) / 102, (12 + 1) / 62, (16 + 1) / 42]
    sizes = [500, 300, 200]
    rate = 300 / sum(n * w for n, w in zip(sizes, weights, strict=True))
    printed = [int(number) for number in re.findall(r"\d+", capsys.readouterr().out)]
    assert sum(printed) == 300
    for count, n, w in zip(printed, sizes, weights, strict=True):
        assert abs(count - rate * n * w) < 1


@each_page
def test_dropkit_commands_are_understood(page):
    for line in "\n".join(blocks(page, "bash")).splitlines():
        if line.startswith("dropkit "):
            parser().parse_args(shlex.split(line, comments=True)[1:])  # exits where it does not


@each_page
def test_plans_can_be_read(page, tmp_path):
    for text in blocks(page, "toml"):
        file = tmp_path / "my-plan.toml"
        file.write_text(text)
        found = plan.read(file)
        assert all(found.steps())


@each_page
def test_notebooks_and_parameters_exist(page):
    text = page.read_text().replace("\\\n", "")  # commands over two lines
    for name, rest in re.findall(r"papermill (notebooks/\S+) out.ipynb (.*)", text):
        cells = [
            cell.source
            for cell in nbformat.read(ROOT / name, as_version=4).cells
            if cell.cell_type == "code"
        ]
        known, _ = notebook.declared(cells)
        given = re.findall(r"-p (\w+)", rest) + re.findall(r"[\"{,] ?(\w+):", rest)
        assert given, rest
        assert set(given) <= set(known)


@each_page
def test_files_of_the_repository_exist(page):
    for path in re.findall(r"`((?:dropkit|notebooks|tests)/[\w./-]+)`", page.read_text()):
        assert (ROOT / path).exists(), path


def test_there_is_something_to_test():
    assert len(PAGES) >= 7
    assert len(pages_with_python()) >= 3


def test_the_bibtex_entry_is_that_of_the_bibliography():
    (entry,) = blocks(ROOT / "book" / "howto" / "cite.md", "bibtex")
    assert entry in (ROOT / "book" / "references.bib").read_text()
