"""What the solutions of exercises compute is what they say."""

import re

import nbformat
import numpy as np
import pytest
import scipy.stats

import dropkit.quotas
import dropkit.theory
from tests.book.test_pages import SOURCES

CODE = re.compile(r"\n\n((?:    .+\n)+)")


def exercises() -> list[str]:
    cells = [cell for source in SOURCES for cell in nbformat.read(source, as_version=4).cells]
    return [cell.source for cell in cells if cell.id == "exercises"]


SOLUTIONS = [part for cell in exercises() for part in cell.split(":::::{dropdown}")[1:]]


@pytest.mark.parametrize("text", [text for text in SOLUTIONS if CODE.search(text)])
def test_code_gives_the_numbers_of_its_solution(text: str) -> None:
    *before, last = [line.strip() for line in CODE.search(text)[1].splitlines()]
    names = {"dropkit": dropkit, "np": np, "scipy": scipy}
    exec("\n".join(before), names)
    for value in np.ravel(eval(last, names)):
        forms = f"{value:.3f}", f"{value:g}", f"{100 * value:.1f} %"
        assert value == 1 or any(form in text for form in forms), value


def test_three_exercises_a_chapter_each_with_its_solution() -> None:
    assert SOLUTIONS
    for cell in exercises():
        assert re.findall(r"^\*\*(\d)\.\*\*", cell, re.MULTILINE) == ["1", "2", "3"]
        assert cell.count(":::::{dropdown} Solution") == 3
