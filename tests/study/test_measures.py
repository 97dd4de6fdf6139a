"""Verdicts and comparisons against differences worked out by hand and by scipy."""

import numpy as np
import pytest
from scipy import stats

from dropkit import claims
from dropkit.metrics import Difference


@pytest.mark.parametrize(
    ("low", "high", "expected"),
    [(0.1, 2, "higher"), (-2, -0.1, "lower"), (-1, 1, "not separated"), (0, 1, "not separated")],
)
def test_verdict_reads_the_interval(low, high, expected):
    assert claims.verdict(Difference(0.0, low, high)) == expected


def test_one_seed_separates_nothing():
    assert claims.verdict(Difference(3.0, np.nan, np.nan)) == "not separated"


def test_one_seed_is_shown_without_an_interval():
    one = {label: {d: r[:1] for d, r in by.items()} for label, by in curves().items()}
    assert claims.comparison_rows(one, "good", "poor") == [[0.5, "+20.0", "+20.0", "+20.0"]]


def curves(seed: int = 0) -> dict:
    """Twelve seeds and three classes: `good` lies 0.2 above `poor` in every class."""
    rng = np.random.default_rng(seed)
    poor = rng.uniform(0.3, 0.5, size=(12, 3))
    return {"poor": {0.5: poor, 0.7: poor}, "good": {0.5: poor + 0.2}, "full": {1.0: poor + 0.1}}


def test_compare_gives_points_of_accuracy_at_shared_densities():
    found = claims.compare(curves(), "good", "poor")
    assert list(found) == [0.5]
    for difference in found[0.5].values():
        assert difference.value == pytest.approx(20)


def test_full_data_is_compared_at_every_density():
    found = claims.compare(curves(), "poor", "full")
    assert list(found) == [0.5, 0.7]
    assert found[0.7]["worst"].value == pytest.approx(-10)


def test_the_average_has_scipys_paired_interval():
    data = curves()
    rng = np.random.default_rng(1)
    noisy = data["poor"][0.5] + rng.normal(0.05, 0.02, size=(12, 3))
    found = claims.compare({"a": {0.5: noisy}, "b": data["poor"]}, "a", "b")[0.5]["average"]
    oracle = stats.ttest_rel(noisy.mean(1), data["poor"][0.5].mean(1)).confidence_interval()
    assert found[1:] == pytest.approx((100 * oracle.low, 100 * oracle.high))


@pytest.mark.parametrize("seeds", [2, 3, 9])
def test_of_few_seeds_the_pooled_worst_class_has_a_jackknifes_interval(seeds):
    rng = np.random.default_rng(seeds)
    a, b = rng.uniform(0.2, 0.9, size=(2, seeds, 4))
    found = claims.compare({"a": {0.5: a}, "b": {0.5: b}}, "a", "b")[0.5]["pooled"]

    def gain(rows):
        return 100 * (a[rows].mean(axis=0).min() - b[rows].mean(axis=0).min())

    everyone = list(range(seeds))
    without = [gain([row for row in everyone if row != left_out]) for left_out in everyone]
    error = np.sqrt((seeds - 1) / seeds * np.square(np.subtract(without, np.mean(without))).sum())
    half = stats.t.ppf(0.975, seeds - 1) * error
    assert found == pytest.approx((gain(everyone), gain(everyone) - half, gain(everyone) + half))


def test_from_ten_seeds_on_it_has_the_bootstraps():
    # Four of ten seeds gain 20 points, the others none: in a draw of ten they are binomial.
    shared = np.random.default_rng(0).uniform(0.2, 0.5, size=(10, 1)) + [0.0, 0.3]
    gains = np.repeat([0.2, 0.0], [4, 6])[:, None]
    found = claims.compare({"a": {0.5: shared + gains}, "b": {0.5: shared}}, "a", "b")
    expected = [8, *(20 * stats.binom.ppf([0.025, 0.975], 10, 0.4) / 10)]
    assert found[0.5]["pooled"] == pytest.approx(expected)


def test_marks_and_rows():
    assert claims.marks(curves(), "good", "poor", "pooled") == "▲"
    assert claims.marks(curves(), "poor", "full", "worst") == "▼\xa0▼"
    assert claims.marks(curves(), "poor", "poor", "worst") == "·\xa0·"
    rows = claims.comparison_rows(curves(), "good", "poor")
    assert rows[0][0] == 0.5
    assert rows[0][1] == "+20.0 [+20.0,\xa0+20.0]"
    assert [claims.signed(value) for value in (-0.04, 0.04, -1.25)] == ["+0.0", "+0.0", "−1.2"]
    assert len(rows[0]) == len(claims.COMPARISON)
