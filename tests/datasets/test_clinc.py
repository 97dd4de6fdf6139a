"""CLINC150 from small files in the published format."""

import json

import numpy as np
import pytest

from dropkit import datasets

SIZES = {"train": [5, 2, 3], "val": [2, 2, 2], "test": [3, 3, 3]}
INTENTS = ("transfer", "balance", "pto")


def requests(part):
    return [
        [f"{part} request {i} about {intent}", intent]
        for intent, size in zip(INTENTS, SIZES[part], strict=True)
        for i in range(size)
    ]


@pytest.fixture
def published():
    outside = {f"oos_{part}": [["who are you", "oos"]] for part in SIZES}
    return {part: requests(part) for part in SIZES} | outside


@pytest.fixture
def write(tmp_path):
    def written(content):
        file = tmp_path / "oos-eval" / "data" / "data_imbalanced.json"
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(content if isinstance(content, str) else json.dumps(content))
        return str(tmp_path)

    return written


def test_every_request_has_its_intent_and_split(write, published):
    data = datasets.load("clinc150", root=write(published))
    assert data.classes == tuple(sorted(INTENTS))
    for part in SIZES:
        rows = getattr(data, part)
        found = [[str(data.x[row]), data.classes[data.y[row]]] for row in rows]
        assert sorted(found) == sorted(published[part])


def test_the_order_is_not_that_of_the_file_and_does_not_depend_on_it(write, published):
    data = datasets.load("clinc150", root=write(published))
    assert (np.diff(data.y[data.train]) != 0).sum() > 2
    turned = {part: rows[::-1] for part, rows in published.items()}
    again = datasets.load("clinc150", seed=3, root=write(turned))
    np.testing.assert_array_equal(again.x, data.x)
    np.testing.assert_array_equal(again.y, data.y)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"val": None}, "NoneType"),
        ({"val": [["a", "pto"], ["b", "balance"]]}, "val has no request of 'transfer'"),
        ({"test": [["a", "pto", "b"]]}, ""),
        ({"train": [[1, "pto"]]}, "encode"),
        ({"train": 3}, "int"),
    ],
)
def test_files_that_are_not_as_published(write, published, change, reason):
    root = write(published | change)
    with pytest.raises(
        ValueError, match=f"imbalanced.json is not CLINC150 as published:.*{reason}"
    ):
        datasets.load("clinc150", root=root)


def test_a_file_that_is_no_json(write):
    with pytest.raises(ValueError, match="is not CLINC150 as published: Expecting"):
        datasets.load("clinc150", root=write("{"))


def test_a_file_that_is_not_there(tmp_path):
    (tmp_path / "oos-eval").mkdir()
    with pytest.raises(ValueError, match="clinc150 needs .*data_imbalanced.json: No such file"):
        datasets.load("clinc150", root=str(tmp_path))


def test_no_folder_is_named(monkeypatch):
    monkeypatch.delenv("DROPKIT_DATA", raising=False)
    with pytest.raises(ValueError, match="let DROPKIT_DATA name the folder that has oos-eval"):
        datasets.load("clinc150")
