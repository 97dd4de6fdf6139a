"""Comparisons of single classes, of made-up records whose truth is known."""

import numpy as np
import pytest
from scipy import stats

from dropkit.claims.class_comparisons import (
    FavoursTheLarge,
    KeepsTheHardest,
    LosesAClass,
    SacrificesTheHard,
)
from dropkit.claims.verdicts import CONTRADICTED, HOLDS, OPEN
from dropkit.study.curves import arrange
from tests.made_records import record, words


@pytest.mark.parametrize(("lost", "expected"), [(20, HOLDS), (0, CONTRADICTED), (10, OPEN)])
def test_losing_a_class_is_counted_over_seeds(lost, expected):
    rows = [record("dynunc", 0.1, s, kept=[0 if s < lost else 3, 5]) for s in range(20)]
    (found,) = arrange(rows).values()
    assert words(LosesAClass("dynunc", 0.1), found) == [expected]
    assert words(LosesAClass("dynunc", 0.3), found) == [None]


def test_larger_classes_against_smaller_ones():
    """Each seed draws its own sizes; the middle one of five classes counts for neither half."""
    rng = np.random.default_rng(0)
    recalls = rng.uniform(0.2, 0.6, (8, 5))
    sizes = np.array([rng.permutation([5, 10, 20, 40, 80]) for _ in range(8)])
    recalls[sizes > 30] += 0.3
    records = [
        record("full", 1.0, s, row) | {"class_sizes": sizes[s].tolist()}
        for s, row in enumerate(recalls)
    ]
    (found,) = arrange(records).values()
    (one,) = FavoursTheLarge("full").effects(found)
    large, small = (recalls[rows].reshape(8, 2).mean(axis=1) for rows in (sizes > 30, sizes < 15))
    gaps = 100 * (large - small)
    oracle = stats.ttest_1samp(gaps, 0).confidence_interval()
    assert one.found == pytest.approx((np.mean(gaps), oracle.low, oracle.high))
    assert (one.word, one.seeds) == (HOLDS, 8)
    assert words(FavoursTheLarge("full+cdbw"), found) == [None]


def test_the_hardest_class_is_that_of_the_full_data():
    full = [record("full", 1.0, s, (0.9, 0.4 + 0.4 * (s == 0), 0.6)) for s in range(3)]
    runs = [
        record("random+drop", d, s, (0.9, 0.9, 0.1), kept=[2, 20 if s < whole else 19, 20])
        for d, whole in ((0.1, 20), (0.3, 0), (0.5, 10), (0.9, 20))
        for s in range(20)
    ]
    (found,) = arrange(full + runs).values()
    assert words(KeepsTheHardest("random+drop", (0.3, 0.9)), found) == [CONTRADICTED, OPEN, HOLDS]
    assert words(KeepsTheHardest("el2n", (0.3, 0.9)), found) == [None]
    (without,) = arrange(runs).values()
    assert words(KeepsTheHardest("random+drop", (0.3, 0.9)), without) == [None]


def test_hard_classes_are_sacrificed_for_easy_ones():
    """Of five classes the third easiest counts for neither half; each seed has its own noise."""
    rng = np.random.default_rng(0)
    change = np.array([-0.2, 0.1, 0.3, -0.1, 0.15])  # class by class
    base = np.array([0.4, 0.9, 0.6, 0.5, 0.8])
    noise = {d: rng.normal(0, 0.03, (6, 5)) for d in (0.1, 0.2, 0.7)}
    records = [record("full", 1.0, s, base) for s in range(6)]
    for density, rows in noise.items():
        for s, row in enumerate(rows):
            records += [
                record("random", density, s, base),
                record("dynunc", density, s, base + change + row),
            ]
    (found,) = arrange(records).values()
    easier, harder = SacrificesTheHard("dynunc", "random", (0.0, 0.3)).effects(found)
    gains = 100 * (change + (noise[0.1] + noise[0.2]) / 2)
    for one, values in ((easier, gains[:, [1, 4]]), (harder, -gains[:, [0, 3]])):
        oracle = stats.ttest_1samp(values.mean(axis=1), 0).confidence_interval()
        assert one.found == pytest.approx((values.mean(), oracle.low, oracle.high))
        assert (one.word, one.seeds) == (HOLDS, 6)
    assert words(SacrificesTheHard("random", "dynunc", (0.0, 0.3)), found) == [
        CONTRADICTED,
        CONTRADICTED,
    ]
    assert words(SacrificesTheHard("el2n", "random", (0.0, 0.3)), found) == [None, None]
