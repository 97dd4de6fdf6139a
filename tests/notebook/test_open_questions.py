"""Where gains begin, against cases that can be seen by eye."""

import numpy as np
import pytest

from dropkit.notebook import open_questions as questions


def test_a_straight_line_crosses_where_it_does():
    """In log2 of the count, gains -1, 0.5: zero two thirds of the way from 2 to 4."""
    found = questions.crossing([2, 4, 8], [-1.0, 0.5, 1.0])
    assert found == pytest.approx(2 ** (1 + 2 / 3))


@pytest.mark.parametrize(
    ("gains", "place"),
    [([1, -1, 1], 10**1.5), ([1, 1, 1], 1), ([1, 1, -1], np.inf), ([-1, 0, 1], 10)],
)
def test_the_last_crossing_counts(gains, place):
    assert questions.crossing([1, 10, 100], gains) == pytest.approx(place)


def record(protocol, seed, level, *, smoothing=0.0, val=5):
    trial = {"protocol": protocol, "seed": seed, "smoothing": smoothing}
    return {"trial": trial, "query": {"val_sizes": [val, val]}, "recalls": [level, 0.9]}


RECORDS = [record("random", seed, 0.5 + seed / 100) for seed in range(4)] + [
    record("random+drop", seed, 0.5 + seed / 100 + gain, val=val, smoothing=smoothing)
    for seed in range(4)
    for smoothing in (0.0, 10.0)
    for val, gain in ((1, -0.1 if smoothing == 0 else 0.1), (16, 0.1))
]


def test_records_by_their_validation_samples():
    curves = questions.by_validation(reversed(RECORDS))
    assert list(curves) == ["as printed", "pseudo-count 10", "random"]
    assert list(curves["as printed"]) == [1, 16]
    np.testing.assert_allclose(curves["as printed"][16][:, 0], 0.6 + np.arange(4) / 100)


def test_enough_samples():
    curves = questions.by_validation(RECORDS)
    assert questions.enough(curves, "as printed", "worst") == pytest.approx((4, 4, 4))
    assert questions.told(questions.enough(curves, "as printed", "worst"), [1, 16]) == (
        "from 4 on [4, 4]"
    )
    always = questions.enough(curves, "pseudo-count 10", "worst")
    assert questions.told(always, [1, 16]) == "with 1 already [1, 1]"
    wave = [record("random+drop", s, 0.5 + s / 100 + g) for s, g in enumerate((0.1, -0.1) * 2)]
    unsure = questions.enough(questions.by_validation(RECORDS[:4] + wave), "as printed", "worst")
    assert unsure.low == 5 and unsure.high == np.inf
    assert questions.told((np.inf, 5, np.inf), [1, 16]) == "not even with 16"
