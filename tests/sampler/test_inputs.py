"""What DRoPSampler says of data that it, or what it builds on, cannot use."""

import numpy as np
import pandas as pd
import pytest

pytest.importorskip("imblearn")

from sklearn.compose import make_column_transformer
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline

from dropkit.sampler import DRoPSampler

X = np.arange(60.0).reshape(20, 3)
PAIRS = np.repeat(np.arange(10), 2)
NEIGHBOUR = KNeighborsClassifier(1)


def test_classes_smaller_than_the_folds():
    with pytest.raises(ValueError, match=r"no class has more than 2 samples, too few for cv=5 fo"):
        DRoPSampler(0.5, estimator=NEIGHBOUR).fit_resample(X, PAIRS)
    kept = DRoPSampler(0.5, estimator=NEIGHBOUR, cv=2).fit_resample(X, PAIRS)[1]
    assert len(kept) == 10


def test_labels_of_two_types():
    labels = np.array(["a", 7] * 10, dtype=object)
    with pytest.raises(ValueError, match=r"^y mix int and str: use one type$"):
        DRoPSampler(0.5, recalls=[0.5, 0.6]).fit_resample(X, labels)


class TestFrames:
    @pytest.mark.parametrize("columns", [["a", "b"], ["b"]])
    def test_of_polars_come_back_as_they_came(self, columns):
        polars = pytest.importorskip("polars")
        rows = {name: X[:, i].tolist() for i, name in enumerate("ab")}
        frame, y = polars.DataFrame(rows), polars.Series(PAIRS.tolist())
        pick = make_column_transformer(("passthrough", columns))
        given = {"estimator": make_pipeline(pick, NEIGHBOUR), "cv": 2, "random_state": 0}
        sampler, other = (DRoPSampler(0.5, **given) for _ in "ab")
        kept, labels = sampler.fit_resample(frame, y)
        expected, _ = other.fit_resample(pd.DataFrame(rows), PAIRS)
        assert type(kept) is type(frame) and type(labels) is type(y)
        assert np.array_equal(kept, expected)
        assert np.array_equal(labels, PAIRS[other.sample_indices_])
        assert list(sampler.feature_names_in_) == ["a", "b"]

    def test_of_arrow_come_back_as_they_came(self):
        arrow = pytest.importorskip("pyarrow")
        table, y = arrow.table({"a": X[:, 0], "b": X[:, 1]}), arrow.array(PAIRS)
        sampler = DRoPSampler(0.5, estimator=NEIGHBOUR, cv=2, random_state=0)
        kept, labels = sampler.fit_resample(table, y)
        assert kept.equals(table.take(sampler.sample_indices_))
        assert labels.equals(y.take(arrow.array(sampler.sample_indices_)))

    def test_of_pandas_have_the_rows_of_the_array(self):
        frame = pd.DataFrame(X)
        by_frame, by_array = (DRoPSampler(0.5, recalls=[0.5] * 10, random_state=0) for _ in "ab")
        kept, _ = by_frame.fit_resample(frame, PAIRS)
        by_array.fit_resample(frame.to_numpy(), PAIRS)
        assert kept.equals(frame.iloc[by_array.sample_indices_])
