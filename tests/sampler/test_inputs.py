"""What DRoPSampler says of data that it, or what it builds on, cannot use."""

import numpy as np
import pandas as pd
import pytest

pytest.importorskip("imblearn")

from sklearn.neighbors import KNeighborsClassifier

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
    def test_of_another_library_than_pandas_are_refused_before_anything_is_fitted(self):
        class DataFrame:  # as polars and others have it: no .iloc
            columns, dtypes, shape = ["a"], [float], (20, 1)

            def __array__(self, *_, **__):
                return X[:, :1]

        with pytest.raises(ValueError, match=r"^X is a tests frame: pass X\.to_pandas\(\), or "):
            DRoPSampler(0.5, estimator=None).fit_resample(DataFrame(), PAIRS)

    def test_the_advice_leads_to_the_same_rows(self):
        frame = pd.DataFrame(X)
        by_frame, by_array = (DRoPSampler(0.5, recalls=[0.5] * 10, random_state=0) for _ in "ab")
        kept, _ = by_frame.fit_resample(frame, PAIRS)
        by_array.fit_resample(frame.to_numpy(), PAIRS)
        assert kept.equals(frame.iloc[by_array.sample_indices_])
