"""Which values each parameter of the notebooks takes, and the sentence for those it does not."""

import math
from pathlib import Path

import nbformat
import pytest

from dropkit import notebook
from dropkit.notebook import ParameterError
from dropkit.notebook.parameter_checks import check

ROOT = Path(__file__).parents[2]

LARGEST = math.inf, math.nan


@pytest.mark.parametrize(
    ("name", "good", "bad"),
    [
        ("densities", [0.01, 0.99], [0.0, -0.5, 1.0, 1.01, *LARGEST]),
        ("val_shares", [0.01, 1.0], [0.0, 1.5, *LARGEST]),
        ("val_noises", [0.0, 1.0], [-0.1, 1.5, *LARGEST]),
        ("imbalances", [1.0, 100.0], [0.5, 0.0, *LARGEST]),
        ("query_epochs", [1, 40], [0, -1]),
        ("per_class", [1, 1000], [0]),
        ("smoothings", [0.0, 20.0], [-1.0, *LARGEST]),
    ],
)
def test_every_number_of_a_list(name, good, bad):
    check(name, good)
    for one in bad:
        with pytest.raises(ParameterError, match=rf"^{name}\[{len(good)}\] is {one}: it must "):
            check(name, [*good, one])
    with pytest.raises(
        ParameterError, match=rf"^{name} is \[\] of 0 items: it must be a list of 1"
    ):
        check(name, [])


@pytest.mark.parametrize(
    ("name", "least"),
    [("seeds", 1), ("clean_seeds", 1), ("instances", 1), ("repetitions", 2), ("points", 2)],
)
def test_counts(name, least):
    check(name, least)
    with pytest.raises(
        ParameterError, match=f"^{name} is .*: it must be a whole number from {least} to "
    ):
        check(name, least - 1)


@pytest.mark.parametrize(
    "name, bad", [("density", 50.0), ("density", 1.0), ("smoothing", -1.0), ("seed", -1)]
)
def test_single_numbers(name, bad):
    with pytest.raises(ParameterError, match=f"^{name} is {bad}: it must be "):
        check(name, bad)


def test_the_notebooks_own_values_pass_and_no_list_of_numbers_may_be_empty():
    for source in sorted((ROOT / "notebooks").glob("*.ipynb")):
        cells = nbformat.read(source, as_version=4).cells
        defaults, _ = notebook.declared([c.source for c in cells if c.cell_type == "code"])
        for name, value in defaults.items():
            check(name, value)
            if isinstance(value, list) and not isinstance(value[0], str):
                with pytest.raises(ParameterError, match="of 0 items"):
                    check(name, [])
