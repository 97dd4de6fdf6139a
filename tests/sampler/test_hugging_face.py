"""Data sets of Hugging Face: what is kept is what `dropkit.keep` and its densities say."""

from collections import Counter
from pathlib import Path

import numpy as np
import pytest

import dropkit
from dropkit.sampler import hugging_face

LABELS = ["cat", "dog", "dog", "eel"] * 500
RECALLS = {"cat": 0.9, "dog": 0.6, "eel": 0.8}
SIZES = {"eel": 500, "cat": 500, "dog": 1000}


class Rows:
    """A data set, and a stream, with the part of their interface that is used."""

    def __init__(self, rows):
        self.rows, self.column_names = rows, ["label", "number"]

    def __getitem__(self, name):
        return [row[name] for row in self.rows]

    def __iter__(self):
        return iter(self.rows)

    def select(self, indices):
        return Rows([self.rows[i] for i in indices])

    def filter(self, passes, with_indices):
        assert with_indices
        return Rows([row for i, row in enumerate(self.rows) if passes(row, i)])


def made(kind):
    rows = [{"label": label, "number": i} for i, label in enumerate(LABELS)]
    if kind == "stand-in":
        return Rows(rows), Rows(rows)
    datasets = pytest.importorskip("datasets")
    whole = datasets.Dataset.from_list(rows)
    return whole, whole.to_iterable_dataset()


each_kind = pytest.mark.parametrize("kind", ["stand-in", "datasets"])


@each_kind
def test_rows_are_those_of_keep(kind):
    kept = hugging_face.pruned(made(kind)[0], 0.3, RECALLS, seed=4)
    expected = dropkit.keep(LABELS, 0.3, RECALLS, seed=4).indices
    assert [row["number"] for row in kept] == expected.tolist()


@each_kind
def test_a_stream_keeps_each_class_by_its_density(kind):
    _, stream = made(kind)
    options = {"val_sizes": [100, 100, 100], "seed": 2}
    kept = [row["number"] for row in hugging_face.thinned(stream, SIZES, 0.3, RECALLS, **options)]
    again = [row["number"] for row in hugging_face.thinned(stream, SIZES, 0.3, RECALLS, **options)]
    assert kept == again
    table = dropkit.keep(LABELS, 0.3, RECALLS, val_sizes=[100] * 3).table
    counts = Counter(LABELS[i] for i in kept)
    for name, size, density in zip(table.classes, table.sizes, table.densities, strict=True):
        spread = np.sqrt(size * density * (1 - density))
        assert abs(counts[name] - size * density) < 3 * spread
    other = hugging_face.thinned(stream, SIZES, 0.3, RECALLS, val_sizes=[100] * 3, seed=3)
    assert kept != [row["number"] for row in other]


@each_kind
def test_the_page_says_how(kind):
    page = (Path(__file__).parents[2] / "book/howto/prune-yours.md").read_text()
    names = dict(zip(("dataset", "stream"), made(kind), strict=True))
    names |= {"recalls": RECALLS, "sizes": SIZES}
    exec(page.split("Hugging Face's `datasets`")[1].split("```")[1].removeprefix("py"), names)
    assert len(list(names["small"])) == 600 and 500 < len(list(names["stream"])) < 700


def test_the_numbers_are_those_of_the_published_generator():
    """SplitMix64 from 1234567, as its test vectors have it."""
    state, found = 1234567, []
    for _ in range(5):
        found.append(hugging_face.mixed(state))
        state = (state + hugging_face.GOLDEN) % 2**64
    assert found == [
        6457827717110365317,
        3203168211198807973,
        9817491932198370423,
        4593380528125082431,
        16408922859458223821,
    ]


def test_chances_are_uniform_and_those_of_two_seeds_are_unlike():
    draws = np.array([[hugging_face._chance(seed, i) for i in range(4000)] for seed in (0, 1)])
    counts = np.histogram(draws, bins=20, range=(0, 1))[0]
    assert ((counts - 400) ** 2 / 400).sum() < 43.8  # chi-squared, 19 degrees: 1 in 1000
    assert abs(np.corrcoef(draws)[0, 1]) < 0.06


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"label": "kind"}, r"^label is 'kind': it must be a column, one of label, number$"),
        ({"seed": -1}, "^seed is -1: it must be a whole number, 0 or more$"),
        ({"class_sizes": SIZES | {"cat": 0}}, "^the size of 'cat' is 0: it must be a whole"),
        (
            {"class_sizes": {"cat": 1, "dog": 2}, "recalls": [0.5, 0.6]},
            "^row 3 has the label 'eel'",
        ),
        ({"class_sizes": {"cat": 1, "dog": 2}}, "'eel' is no class of the labels$"),
    ],
)
def test_mistakes_are_one_sentence(change, message):
    given = {"class_sizes": SIZES, "density": 0.3, "recalls": RECALLS} | change
    with pytest.raises(ValueError, match=message):
        hugging_face.thinned(made("stand-in")[1], **given)
