"""CLINC150, its balanced twin and banking77, from small files in the published formats."""

import json
import os
from collections import Counter
from pathlib import Path

import numpy as np
import pytest

from dropkit import datasets

SIZES = {"train": [5, 2, 3], "val": [2, 2, 2], "test": [3, 3, 3]}
INTENTS = ("transfer", "balance", "pto")
CLINC = {"clinc150": "data_imbalanced.json", "clinc150-balanced": "data_full.json"}
BANKING = {"pin_blocked": (35, 4), "top_up_failed": (12, 4), "atm_support": (5, 4)}


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
    def written(content, name="clinc150"):
        file = tmp_path / "oos-eval" / "data" / CLINC[name]
        file.parent.mkdir(parents=True, exist_ok=True)
        file.write_text(content if isinstance(content, str) else json.dumps(content))
        return str(tmp_path)

    return written


@pytest.mark.parametrize("name", CLINC)
def test_every_request_has_its_intent_and_split(name, write, published):
    data = datasets.load(name, root=write(published, name))
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
        ({"test": [["a", "pto", "b"]]}, "unpack"),
        ({"train": [[1, "pto"]]}, "1, 'pto'. is no text with its intent"),
        ({"train": [["", "pto"]]}, "'', 'pto'. is no text with its intent"),
        ({"val": [[" \n", "pto"]]}, "is no text with its intent"),
        ({"test": [[None, "pto"]]}, "None, 'pto'. is no text with its intent"),
        ({"test": [["hello", None]]}, "'hello', None. is no text with its intent"),
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


@pytest.mark.parametrize(
    ("name", "folder", "file"),
    [
        ("clinc150", "oos-eval", "data_imbalanced.json"),
        ("clinc150-balanced", "oos-eval", "data_full.json"),
        ("banking77", "task-specific-datasets", "train.csv"),
    ],
)
def test_a_file_that_is_not_there(tmp_path, monkeypatch, name, folder, file):
    (tmp_path / folder).mkdir()
    with pytest.raises(ValueError, match=f"needs .*{file}: No such file"):
        datasets.load(name, root=str(tmp_path))
    monkeypatch.delenv("DROPKIT_DATA", raising=False)
    with pytest.raises(ValueError, match=f"let DROPKIT_DATA name the folder that has {folder}"):
        datasets.load(name)


class TestBanking77:
    TRAIN = [f'"{i}, of ""{intent}""",{intent}' for intent, (n, _) in BANKING.items()
             for i in range(n)]  # fmt: skip
    TEST = [f"question {i},{intent}" for intent, (_, n) in BANKING.items() for i in range(n)]

    @pytest.fixture
    def write(self, tmp_path):
        def written(train, test=tuple(self.TEST), header="text,category"):
            folder = tmp_path / "task-specific-datasets" / "banking_data"
            folder.mkdir(parents=True)
            for part, rows in (("train", train), ("test", test)):
                text = "".join(f"{row}\r\n" for row in (header, *rows))
                (folder / f"{part}.csv").write_text(text, encoding="utf-8", newline="")
            return str(tmp_path)

        return written

    def test_a_fifth_of_each_intent_is_for_validation(self, write):
        data = datasets.load("banking77", root=write(self.TRAIN))
        assert dict(zip(data.classes, data.sizes("val").tolist(), strict=True)) == {
            intent: size // 5 for intent, (size, _) in BANKING.items()
        }
        together = [str(text) for text in data.x[np.concatenate([data.train, data.val])]]
        assert sorted(together) == sorted(
            f'{i}, of "{intent}"' for intent, (size, _) in BANKING.items() for i in range(size)
        )
        assert sorted(data.x[data.test]) == sorted(row.split(",")[0] for row in self.TEST)

    def test_the_draw_depends_neither_on_the_seed_nor_on_the_order(self, write, tmp_path):
        data = datasets.load("banking77", root=write(self.TRAIN))
        (tmp_path / "task-specific-datasets").rename(tmp_path / "first")
        again = datasets.load("banking77", seed=5, root=write(self.TRAIN[::-1], self.TEST[::-1]))
        np.testing.assert_array_equal(data.x[data.val], again.x[again.val])

    @pytest.mark.parametrize(
        ("rows", "reason"),
        [
            (["hello,pin_blocked", ",pin_blocked"], "'', 'pin_blocked'. is no text with its int"),
            (["hello,"], "'hello', ''. is no text with its intent"),
            (["a,b,c"], "unpack"),
            (["alone"], "unpack"),
            ([], "has no request of|unpack"),
            (["hello,pin_blocked"] * 4, "has no request of"),
        ],
    )
    def test_rows_that_are_not_as_published(self, write, rows, reason):
        with pytest.raises(ValueError, match=f"is not banking77 as published: .*({reason})"):
            datasets.load("banking77", root=write(rows))

    def test_other_columns(self, write):
        root = write(self.TRAIN, header="sentence,label")
        with pytest.raises(ValueError, match=r"train.csv is not .*\['sentence', 'label'\], not"):
            datasets.load("banking77", root=root)

    def test_a_table_that_is_no_text(self, write, tmp_path):
        root = write(self.TRAIN)
        for file in tmp_path.rglob("train.csv"):
            file.write_bytes(b"text,category\n\xff\xfe,pin_blocked\n")
        with pytest.raises(ValueError, match="train.csv is not banking77 as published: 'utf-8'"):
            datasets.load("banking77", root=root)


class TestAsPublished:
    """The published files themselves, where DROPKIT_DATA names a folder that has them."""

    @pytest.fixture
    def root(self):
        folder = Path(os.environ.get("DROPKIT_DATA", "nowhere"))
        if not (folder / "oos-eval").is_dir() or not (folder / "task-specific-datasets").is_dir():
            pytest.skip("the published files are not here")
        return str(folder)

    def test_the_imbalanced_requests_are_among_the_balanced(self, root):
        few, many = (datasets.load(name, root=root) for name in CLINC)
        assert (len(few.train), len(many.train)) == (10_525, 15_000)
        pairs = [Counter(zip(d.x[d.train], d.y[d.train], strict=True)) for d in (few, many)]
        assert not pairs[0] - pairs[1]
        for part in ("val", "test"):
            rows = [getattr(data, part) for data in (few, many)]
            np.testing.assert_array_equal(few.x[rows[0]], many.x[rows[1]])

    def test_banking77(self, root):
        """Casanueva et al. (2020), Table 1."""
        data = datasets.load("banking77", root=root)
        assert len(data.train) + len(data.val) == 10_003
        assert len(data.test) == 3_080 and data.num_classes == 77
