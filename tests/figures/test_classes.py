"""What each class gains, against sums by hand and scipy."""

import numpy as np
import pytest
from scipy import stats

from dropkit.figures import classes
from tests.made_records import only, record

KEPT, RECALLS = (40, 5, 0), (0.9, 0.5, 0.2)  # of three classes, against 10 and 0.6 each
CELLS = only(
    [
        made
        for seed in range(2)
        for made in (
            record("random+drop", 0.5, seed, RECALLS, kept=list(KEPT)),
            record("random", 0.5, seed, (0.6, 0.6, 0.6), kept=[10, 10, 10]),
        )
    ]
    + [record("random", 0.5, 2, (0.1, 0.1, 0.1))]
)


def test_doublings_and_gains_by_hand():
    doublings, gains = classes.doublings_and_gains(CELLS, "random+drop", "random", 0.5)
    # The class that keeps nothing counts as one sample, and the third seed has no partner.
    np.testing.assert_allclose(doublings, [[2, -1, -np.log2(10)]] * 2)
    np.testing.assert_allclose(gains, [[30, -10, -40]] * 2)


def test_points_a_doubling_are_the_slopes_of_seeds():
    rng = np.random.default_rng(0)
    doublings = rng.normal(size=(5, 8))
    gains = 9 * doublings + rng.normal(size=(5, 8))
    slopes = [stats.linregress(x, y).slope for x, y in zip(doublings, gains, strict=True)]
    oracle = stats.ttest_1samp(slopes, 0).confidence_interval()
    found = classes.per_doubling(doublings, gains)
    assert found == pytest.approx((np.mean(slopes), oracle.low, oracle.high))


def test_dots_are_means_and_the_title_their_correlation():
    x, y = (
        np.array([[0.0, 1.0, 3.0], [0.0, 3.0, 5.0]]),
        np.array([[1.0, 2.0, 9.0], [1.0, 2.0, 5.0]]),
    )
    (ax,) = classes.gains_by_share({"set": (x, y)}).axes
    np.testing.assert_allclose(ax.lines[0].get_xydata(), [[0, 1], [2, 2], [4, 7]])
    expected = stats.pearsonr([0, 2, 4], [1, 2, 7]).statistic
    assert ax.get_title() == f"set\ncorrelation {expected:.2f}"
