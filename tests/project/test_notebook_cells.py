"""Notebooks call the package: what is longer than a few lines stands there, once and tested."""

from pathlib import Path

import nbformat
import pytest

NOTEBOOKS = sorted((Path(__file__).parents[2] / "notebooks").glob("*.ipynb"))
LONGEST = 15  # lines of a cell


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_no_cell_is_longer_than_a_few_lines(path: Path) -> None:
    cells = [cell for cell in nbformat.read(path, 4).cells if cell.cell_type == "code"]
    long = {cell.id for cell in cells if len(cell.source.splitlines()) > LONGEST}
    assert not long, f"cells of more than {LONGEST} lines: {sorted(long)}"
