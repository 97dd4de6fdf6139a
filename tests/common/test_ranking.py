"""Highest first, with ties by lowest index: against Python's own sort."""

import numpy as np
from hypothesis import given, strategies as st

from dropkit._common.ranking import top, top_in_class

KEYS = st.sampled_from([-np.inf, -1.0, -0.0, 0.0, 0.5, 2.0, np.inf]) | st.floats(allow_nan=False)


@given(st.lists(KEYS, min_size=1, max_size=30), st.data())
def test_of_all_and_of_each_class(keys, data):
    labels = data.draw(st.lists(st.integers(0, 2), min_size=len(keys), max_size=len(keys)))
    counts = [data.draw(st.integers(0, labels.count(k))) for k in range(3)]
    ranked = sorted(range(len(keys)), key=lambda i: (-keys[i], i))
    assert top(np.array(keys), 5).tolist() == ranked[:5]
    expected = [[i for i in ranked if labels[i] == k][: counts[k]] for k in range(3)]
    found = top_in_class(np.array(keys), np.array(labels), np.array(counts))
    assert found.tolist() == sorted(sum(expected, []))
