"""Labels of any kind: their classes, and what is said about unfit ones."""

import numpy as np
import pytest

from dropkit._common.labels import encode


class TestEncode:
    @pytest.mark.parametrize(
        "labels, classes, codes",
        [
            ([3, -1, 3, 7], [-1, 3, 7], [1, 0, 1, 2]),
            (["b", "a", "b"], ["a", "b"], [1, 0, 1]),
            ([True, False], [False, True], [1, 0]),
            (np.array(["x", "é"], dtype=object), ["x", "é"], [0, 1]),
        ],
    )
    def test_sorted_classes_and_their_indices(self, labels, classes, codes):
        found, indices = encode(labels)
        assert found.tolist() == classes
        assert indices.tolist() == codes

    @pytest.mark.parametrize(
        "labels, message",
        [
            ([], r"shape \(0,\): expected \(n,\) with n ≥ 1"),
            ([[1, 2]], r"shape \(1, 2\)"),
            ([1.0, np.nan], r"labels\[1\] is nan"),
            (np.array(["a", None], dtype=object), r"labels\[1\] is None"),
            (np.array(["2020-01-01", "NaT"], dtype="datetime64[D]"), r"labels\[1\] is NaT"),
            (np.array(["a", 1], dtype=object), "labels mix int and str: use one type"),
        ],
    )
    def test_unfit_labels(self, labels, message):
        with pytest.raises(ValueError, match=message):
            encode(labels)
