"""Advice on data of which the right answer is known, as they were made for it."""

import json

import numpy as np
import pandas as pd
import pytest
from imblearn.under_sampling import RandomUnderSampler
from sklearn.base import clone
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import RepeatedStratifiedKFold, cross_val_predict
from sklearn.naive_bayes import GaussianNB

import dropkit
from dropkit.commands import main
from dropkit.sampler.advice import _bootstrap

LOGISTIC = LogisticRegression(max_iter=500)


def data(*classes, seed=0):
    """Gaussian classes, each of (place on a line, deviation, size)."""
    rng = np.random.default_rng(seed)
    X = np.concatenate([rng.normal((place, 0), sd, (size, 2)) for place, sd, size in classes])
    return X, np.repeat([f"c{k}" for k in range(len(classes))], [size for *_, size in classes])


def row(found, method, density=1.0):
    return next(each for each in found.table if each[:2] == (method, density))


def test_a_hard_class_among_classes_of_one_size_wants_drop():
    """The class between two others errs on both sides; balancing and weights change nothing."""
    X, y = data((0, 1, 800), (2.2, 1, 800), (4.4, 1, 800), (20, 1, 800))
    found = dropkit.advise(X, y, LOGISTIC, densities=[0.7], repeats=2)
    assert found.verdict.startswith("DRoP at density 0.7 raises the worst class by ")
    assert found.sampler.density == 0.7
    _, kept = clone(found.sampler).fit_resample(X, y)
    sizes = dict(zip(*np.unique(kept, return_counts=True), strict=True))
    assert max(sizes, key=sizes.get) == "c1"
    assert row(found, "class weighting").gain == (0, 0, 0)  # the very same fits


def test_sizes_want_weights():
    found = dropkit.advise(*data((0, 1, 1500), (2, 1, 120)), LOGISTIC, densities=[0.5])
    assert found.verdict.startswith("Class weighting raises the worst class by ")
    assert found.sampler is None


def test_sizes_want_balance_of_a_classifier_without_weights():
    X, y = data((0, 1, 1500), (2, 1, 120))
    found = dropkit.advise(X, y, GaussianNB(), densities=[0.15])
    assert found.verdict.startswith("Balancing at density 0.15 raises the worst class by ")
    assert isinstance(found.sampler, RandomUnderSampler)
    _, kept = found.sampler.fit_resample(X, y)
    assert np.unique(kept, return_counts=True)[1].tolist() == [243 - 120, 120]
    assert "class weighting" not in {each.method for each in found.table}


def test_easy_data_are_left_as_they_are():
    found = dropkit.advise(*data((0, 1, 300), (12, 1, 300)), LOGISTIC, densities=[0.5])
    assert found.verdict.startswith("Leave the data as they are")
    assert found.sampler is None


def test_harm_is_said():
    """Of two classes the harder gets nearly everything, so that the other one is lost."""
    found = dropkit.advise(*data((0, 1, 1000), (3, 3, 1000)), LOGISTIC, densities=[0.3])
    gain = row(found, "DRoP", 0.3).worst[0] - row(found, "random pruning", 0.3).worst[0]
    assert gain < -0.1
    assert found.verdict.startswith("Leave the data as they are")
    assert (
        f"DRoP at density 0.3 changes the worst class by {100 * gain:+.1f} points" in found.verdict
    )


def test_the_full_data_are_scikit_learns_cross_validation():
    X, y = data((0, 1, 200), (1.5, 1, 100), (3, 1, 60))
    found = row(dropkit.advise(X, y, LOGISTIC, densities=[0.5], repeats=2, seed=3), "full data")
    folds = list(RepeatedStratifiedKFold(n_splits=5, n_repeats=2, random_state=3).split(X, y))
    right = [cross_val_predict(LOGISTIC, X, y, cv=folds[at : at + 5]) == y for at in (0, 5)]
    assert found.average[0] == pytest.approx(np.mean(right))
    recalls = [np.mean([hits[y == name] for hits in right]) for name in np.unique(y)]
    assert found.worst[0] == pytest.approx(min(recalls))


def test_the_bootstrap_has_the_binomial_deviation():
    hits = np.repeat([1.0, 0.0], [70, 30])
    drawn = _bootstrap(np.array([hits, hits]), np.zeros(100, dtype=int), 0)
    assert drawn[0, 1:, 0].std() == pytest.approx(np.sqrt(0.7 * 0.3 / 100), rel=0.08)
    assert (drawn[0] == drawn[1]).all()  # paired


def test_frames_and_seeds():
    X, y = data((0, 1, 100), (2, 1, 60))
    first = dropkit.advise(X, y, densities=[0.5], repeats=1)
    again = dropkit.advise(
        pd.DataFrame(X, columns=["a", "b"]), pd.Series(y), densities=[0.5], repeats=1
    )
    assert first.table == again.table
    assert first.table != dropkit.advise(X, y, densities=[0.5], repeats=1, seed=1).table


@pytest.mark.parametrize(
    ("sizes", "options", "message"),
    [
        ((50, 9), {}, "class c1 has 9 samples and there are 2 classes: expected two classes or mo"),
        ((50,), {}, "class c0 has 50 samples and there are 1 classes: expected two classes or mo"),
        ((50, 50), {"densities": [0]}, r"density is 0: it must lie in \(0, 1\]"),
        ((50, 50), {"cv": 1}, "cv is 1: it must be a whole number, 2 or more"),
    ],
)
def test_mistakes(sizes, options, message):
    X, y = data(*((4 * k, 1, size) for k, size in enumerate(sizes)))
    with pytest.raises(ValueError, match=message):
        dropkit.advise(X, y, **options)


class TestCommand:
    @pytest.fixture(autouse=True)
    def table(self, tmp_path, monkeypatch):
        monkeypatch.chdir(tmp_path)
        X, y = data((0, 1, 300), (2, 1, 60))
        pd.DataFrame({"a": X[:, 0], "b": X[:, 1], "note": y, "label": y}).to_csv(
            "t.csv", index=False
        )
        np.save("x.npy", X)
        np.save("y.npy", y)
        self.expected = dropkit.advise(X, y, densities=[0.5], repeats=1)

    @pytest.mark.parametrize("files", [["t.csv:label"], ["y.npy", "--features", "x.npy"]])
    def test_it_says_what_advise_says(self, files, capsys):
        assert main(["advise", *files, "--density", "0.5", "--repeats", "1", "--json"]) == 0
        found = json.loads(capsys.readouterr().out)
        assert found["verdict"] == self.expected.verdict
        assert found["table"] == json.loads(
            json.dumps([each._asdict() for each in self.expected.table])
        )

    def test_a_table_and_the_sentence(self, capsys):
        assert main(["advise", "t.csv:label", "--density", "0.5", "--repeats", "1"]) == 0
        lines = capsys.readouterr().out.splitlines()
        assert lines[-1] == self.expected.verdict
        assert [line.split()[0] for line in lines[:3]] == ["method", "full", "class"]

    def test_nothing_to_learn_from(self, capsys):
        assert main(["advise", "y.npy"]) == 2
        assert "y.npy has no other column of numbers: name the features" in capsys.readouterr().err
